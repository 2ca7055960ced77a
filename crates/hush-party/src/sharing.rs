//! Inputs of parties that do not compute, as shares for those that do, and back.
//!
//! Replicated sharing among three: a word is the sum of three parts, and computing party `i` holds parts `i` and `i+1`.
//! The first two parts come from seeds, so the owner sends one word an element twice and four seeds. Two servers with a
//! dealer: a word is the sum of two parts, of which the first comes from a seed; the dealer is sent nothing.

use aes::Aes128;
use aes::cipher::{KeyIvInit, StreamCipher};
use hush_mpc::Word;
use rand_core::CryptoRng;

use crate::PartyError;
use crate::protocol::ProtocolName;
use crate::words::{Words, word_bytes};

/// Bytes of a seed.
const SEED: usize = 16;
/// Bytes of a hash.
const HASH: usize = 32;

/// How words are shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sharing {
    pub(crate) protocol: ProtocolName,
    pub(crate) ring_bits: u32,
}

impl Sharing {
    fn replicated(self) -> bool {
        !self.protocol.has_dealer()
    }

    /// Whether computing party `server` holds shares at all.
    pub(crate) fn holds(self, server: usize) -> bool {
        self.protocol.parts(server) > 0
    }

    /// Bytes that the owner of `elements` words sends to computing party `server`.
    pub(crate) fn input_bytes(self, server: usize, elements: u64) -> u64 {
        let words = word_bytes(self.ring_bits) * elements;
        let seed = SEED as u64;
        match (self.replicated(), server) {
            (true, 0) => 2 * seed,
            (true, _) => seed + words,
            (false, 0) => seed,
            (false, 1) => words,
            (false, _) => 0,
        }
    }

    /// What the owner of `words` sends, by computing party.
    pub(crate) fn split<R: CryptoRng + ?Sized>(self, words: &Words, rng: &mut R) -> [Vec<u8>; 3] {
        let mut seeds = [[0; SEED]; 2];
        seeds.iter_mut().for_each(|seed| rng.fill_bytes(seed));
        let [first, second] = seeds;
        if self.replicated() {
            let rest = self.rest(words, &[&first, &second]);
            [
                [first, second].concat(),
                [&second[..], &rest].concat(),
                [&first[..], &rest].concat(),
            ]
        } else {
            let rest = self.rest(words, &[&first]);
            [first.to_vec(), rest, Vec::new()]
        }
    }

    /// `words` less what comes from `seeds`.
    fn rest(self, words: &Words, seeds: &[&[u8; SEED]]) -> Vec<u8> {
        fn of<W: Word>(words: &Words, seeds: Vec<Words>) -> Words {
            let mut rest = words.to::<W>();
            for seeded in seeds {
                for (rest, seeded) in rest.iter_mut().zip(seeded.to::<W>()) {
                    *rest = rest.minus(seeded);
                }
            }
            Words::of(&rest)
        }
        let seeds = seeds.iter().map(|seed| self.expand(seed, words.len()));
        let rest = match self.ring_bits {
            128 => of::<u128>(words, seeds.collect()),
            _ => of::<u64>(words, seeds.collect()),
        };
        rest.bytes().to_vec()
    }

    /// The parts of computing party `server` from what the owner sent, whose length is checked.
    pub(crate) fn parts(self, server: usize, bytes: &[u8], elements: usize) -> Vec<Words> {
        let seeded = |seed: &[u8]| self.expand(seed.try_into().expect("16 bytes"), elements);
        let words = |bytes: &[u8]| Words::from_bytes(self.ring_bits, bytes.to_vec());
        if self.replicated() {
            let (seed, rest) = bytes.split_at(SEED);
            return match server {
                0 => vec![seeded(seed), seeded(rest)],
                1 => vec![seeded(seed), words(rest)],
                _ => vec![words(rest), seeded(seed)],
            };
        }
        match server {
            0 => vec![seeded(bytes)],
            1 => vec![words(bytes)],
            _ => Vec::new(),
        }
    }

    /// Whether `parts` are those of a share of so many elements at computing party `server`.
    pub(crate) fn fits(self, server: usize, parts: &[Words], elements: u64) -> bool {
        parts.len() == self.protocol.parts(server)
            && parts
                .iter()
                .all(|part| part.len() as u64 == elements && part.ring_bits() == self.ring_bits)
    }

    /// Bytes that computing party `server`, which holds shares, sends to the receiver of `elements` words.
    pub(crate) fn output_bytes(self, elements: u64) -> u64 {
        let hash = if self.replicated() { HASH as u64 } else { 0 };
        word_bytes(self.ring_bits) * elements + hash
    }

    /// What a computing party sends to a receiver: its own part, and a hash of the next one's if it holds that too.
    pub(crate) fn output(self, parts: &[Words]) -> Vec<u8> {
        let mut message = parts
            .first()
            .map_or_else(Vec::new, |part| part.bytes().to_vec());
        if let Some(next) = parts.get(1) {
            message.extend_from_slice(blake3::hash(next.bytes()).as_bytes());
        }
        message
    }

    /// Words from what the computing parties that hold shares sent, whose lengths are checked.
    pub(crate) fn join(self, name: &str, messages: &[Vec<u8>]) -> Result<Words, PartyError> {
        fn sum<W: Word>(parts: Vec<Words>) -> Words {
            let mut parts = parts.into_iter();
            let mut sum = parts.next().map_or_else(Vec::new, |part| part.to::<W>());
            for part in parts {
                for (sum, word) in sum.iter_mut().zip(part.to::<W>()) {
                    *sum = sum.plus(word);
                }
            }
            Words::of(&sum)
        }
        let hash = if self.replicated() { HASH } else { 0 };
        let own = |server: usize| messages[server].split_at(messages[server].len() - hash);
        for server in 0..messages.len() {
            let (next, _) = own((server + 1) % messages.len());
            if hash > 0 && blake3::hash(next).as_bytes() != own(server).1 {
                return Err(PartyError::Inconsistent {
                    output: name.to_owned(),
                });
            }
        }
        let parts = (0..messages.len())
            .map(|server| Words::from_bytes(self.ring_bits, own(server).0.to_vec()))
            .collect();
        Ok(match self.ring_bits {
            128 => sum::<u128>(parts),
            _ => sum::<u64>(parts),
        })
    }

    fn expand(self, seed: &[u8; SEED], elements: usize) -> Words {
        let mut bytes = vec![0; word_bytes(self.ring_bits) as usize * elements];
        // A seed makes one stream only, so the counter may start anywhere.
        ctr::Ctr64LE::<Aes128>::new(seed.into(), &[0; 16].into()).apply_keystream(&mut bytes);
        Words::from_bytes(self.ring_bits, bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_core::{OsRng, RngCore, TryRngCore};

    fn all() -> impl Iterator<Item = Sharing> {
        ProtocolName::ALL.into_iter().flat_map(|protocol| {
            [64, 128].map(|ring_bits| Sharing {
                protocol,
                ring_bits,
            })
        })
    }

    fn random(ring_bits: u32) -> Words {
        let mut bytes = vec![0; 1000 * ring_bits as usize / 8];
        OsRng.unwrap_err().fill_bytes(&mut bytes);
        Words::from_bytes(ring_bits, bytes)
    }

    #[test]
    fn shares_come_together_and_lies_are_noticed() {
        for sharing in all() {
            let input = random(sharing.ring_bits);
            let sent = sharing.split(&input, &mut OsRng.unwrap_err());
            let held: Vec<_> = (0..3)
                .map(|server| {
                    let expected = sharing.input_bytes(server, 1000);
                    assert_eq!(sent[server].len() as u64, expected);
                    let parts = sharing.parts(server, &sent[server], 1000);
                    assert!(sharing.fits(server, &parts, 1000));
                    parts
                })
                .collect();
            let mut messages: Vec<Vec<u8>> = (0..3)
                .filter(|&server| sharing.holds(server))
                .map(|server| sharing.output(&held[server]))
                .collect();
            assert_eq!(messages[0].len() as u64, sharing.output_bytes(1000));
            assert_eq!(sharing.join("y", &messages).unwrap(), input);
            messages[1][17] ^= 1;
            let lie = sharing.join("y", &messages);
            if sharing.protocol.has_dealer() {
                assert_ne!(lie.unwrap(), input);
                continue;
            }
            for server in 0..3 {
                assert_eq!(held[server][1], held[(server + 1) % 3][0]);
            }
            assert_eq!(
                lie.unwrap_err().to_string(),
                "the servers sent shares of y that contradict each other"
            );
        }
    }

    #[test]
    fn who_deals_holds_nothing() {
        for sharing in all().filter(|sharing| sharing.protocol.has_dealer()) {
            let sent = sharing.split(&random(sharing.ring_bits), &mut OsRng.unwrap_err());
            assert!(sent[2].is_empty() && sharing.parts(2, &[], 1000).is_empty());
            assert!(!sharing.holds(2) && sharing.input_bytes(2, 1000) == 0);
            assert!(sharing.output(&[]).is_empty());
        }
    }
}
