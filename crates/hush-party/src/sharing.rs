//! Inputs of parties that do not compute, as shares for those that do, and back.
//!
//! Replicated sharing among three: a word is the sum of three parts, and computing party `i` holds parts `i` and `i+1`.
//! The first two parts come from seeds, so the owner sends one word an element twice and four seeds.

use aes::Aes128;
use aes::cipher::{KeyIvInit, StreamCipher};
use rand_core::CryptoRng;

use crate::PartyError;

/// Bytes of a seed.
const SEED: usize = 16;

/// Bytes that the owner of `elements` words sends to computing party `server`.
pub(crate) fn input_bytes(server: usize, elements: u64) -> u64 {
    let words = if server == 0 { 0 } else { 8 * elements };
    let seeds = if server == 0 { 2 } else { 1 };
    seeds * SEED as u64 + words
}

/// What the owner of `words` sends, by computing party.
pub(crate) fn split<R: CryptoRng + ?Sized>(words: &[u64], rng: &mut R) -> [Vec<u8>; 3] {
    let mut seeds = [[0; SEED]; 2];
    seeds.iter_mut().for_each(|seed| rng.fill_bytes(seed));
    let [first, second] = seeds.map(|seed| expand(&seed, words.len()));
    let mut last = Vec::with_capacity(8 * words.len());
    for ((word, first), second) in words.iter().zip(first).zip(second) {
        let rest = word.wrapping_sub(first).wrapping_sub(second);
        last.extend_from_slice(&rest.to_le_bytes());
    }
    [
        [seeds[0], seeds[1]].concat(),
        [&seeds[1][..], &last].concat(),
        [&seeds[0][..], &last].concat(),
    ]
}

/// The parts of computing party `server` from what the owner sent, whose length is checked.
pub(crate) fn parts(server: usize, bytes: &[u8], elements: usize) -> Vec<Vec<u64>> {
    let (seed, rest) = bytes.split_at(SEED);
    let seeded = |seed: &[u8]| expand(seed.try_into().expect("16 bytes"), elements);
    match server {
        0 => vec![seeded(seed), seeded(rest)],
        1 => vec![seeded(seed), words(rest)],
        _ => vec![words(rest), seeded(seed)],
    }
}

/// Bytes that a computing party sends to the receiver of `elements` words.
pub(crate) fn output_bytes(elements: u64) -> u64 {
    8 * elements + 32
}

/// What a computing party sends to a receiver: its own part, and a hash of the next one's, which it holds too.
pub(crate) fn output(parts: &[Vec<u64>]) -> Vec<u8> {
    let bytes =
        |words: &[u64]| -> Vec<u8> { words.iter().flat_map(|word| word.to_le_bytes()).collect() };
    let mut message = bytes(&parts[0]);
    let hash: [u8; 32] = blake3::hash(&bytes(&parts[1])).into();
    message.extend_from_slice(&hash);
    message
}

/// Words from what all three computing parties sent, whose lengths are checked.
pub(crate) fn join(name: &str, messages: &[Vec<u8>; 3]) -> Result<Vec<u64>, PartyError> {
    let own = |server: usize| {
        let message = &messages[server];
        message.split_at(message.len() - 32)
    };
    for server in 0..3 {
        let (_, hash) = own(server);
        let (next, _) = own((server + 1) % 3);
        if *blake3::hash(next).as_bytes() != hash {
            return Err(PartyError::Inconsistent {
                output: name.to_owned(),
            });
        }
    }
    let [first, second, third] = [0, 1, 2].map(|server| words(own(server).0));
    Ok(first
        .into_iter()
        .zip(second)
        .zip(third)
        .map(|((first, second), third)| first.wrapping_add(second).wrapping_add(third))
        .collect())
}

fn expand(seed: &[u8; SEED], elements: usize) -> Vec<u64> {
    let mut bytes = vec![0; 8 * elements];
    // A seed makes one stream only, so the counter may start anywhere.
    ctr::Ctr64LE::<Aes128>::new(seed.into(), &[0; 16].into()).apply_keystream(&mut bytes);
    words(&bytes)
}

fn words(bytes: &[u8]) -> Vec<u64> {
    let (words, _) = bytes.as_chunks::<8>();
    words.iter().map(|word| u64::from_le_bytes(*word)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_core::{OsRng, RngCore, TryRngCore};

    #[test]
    fn shares_come_together_and_lies_are_noticed() {
        let mut rng = OsRng.unwrap_err();
        let input: Vec<u64> = (0..1000).map(|_| rng.next_u64()).collect();
        let sent = split(&input, &mut rng);
        let held: Vec<_> = (0..3)
            .map(|server| {
                assert_eq!(sent[server].len() as u64, input_bytes(server, 1000));
                parts(server, &sent[server], 1000)
            })
            .collect();
        for server in 0..3 {
            assert_eq!(held[server][1], held[(server + 1) % 3][0]);
        }
        let mut messages = [0, 1, 2].map(|server| output(&held[server]));
        assert_eq!(messages[0].len() as u64, output_bytes(1000));
        assert_eq!(join("y", &messages).unwrap(), input);
        messages[1][17] ^= 1;
        assert_eq!(
            join("y", &messages).unwrap_err().to_string(),
            "the servers sent shares of y that contradict each other"
        );
    }
}
