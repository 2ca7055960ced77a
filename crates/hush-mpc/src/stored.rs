//! Shares as bytes, to be kept by the party whose they are.
//!
//! A file holds one party's share of one tensor. The bytes are as secret as the shares: whoever has
//! the files of enough parties has the numbers.
//!
//! Version 1, all little-endian: magic, version (u16), bits of a word (u16), party, parties and parts
//! (u16 each), fraction and integer bits (u32 each), label (32 bytes), rank (u16), dimensions (u64 each),
//! the words of each part, and the BLAKE3 hash of all before it.

use hush_simd::words::{Word, bytes, bytes_mut};

use crate::{Fixed, MpcError, Protocol, Secret, Share};

const MAGIC: &[u8; 8] = b"HUSHSHR1";
const VERSION: u16 = 1;
const HASH: usize = 32;
/// More dimensions than any tensor has.
const MOST_DIMENSIONS: u16 = 16;

/// What all parties call one saved tensor: shares with different labels do not belong together. Choose a
/// new one for each save, for instance the hash of a session's name and a step.
pub type Label = [u8; 32];

fn refuse<T>(reason: impl Into<String>) -> Result<T, MpcError> {
    Err(MpcError::Stored {
        reason: reason.into(),
    })
}

impl<W: Word> Secret<W> {
    /// This party's share as bytes.
    pub fn to_bytes(&self, protocol: &dyn Protocol<W>, label: &Label) -> Vec<u8> {
        let mut out = Vec::new();
        let parts = self.share().parts();
        out.extend_from_slice(MAGIC);
        for number in [
            VERSION,
            W::BITS as u16,
            protocol.party() as u16,
            protocol.parties() as u16,
            parts.len() as u16,
        ] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        for bits in [self.fixed().fraction_bits, self.fixed().integer_bits] {
            out.extend_from_slice(&bits.to_le_bytes());
        }
        out.extend_from_slice(label);
        out.extend_from_slice(&(self.shape().len() as u16).to_le_bytes());
        for &dimension in self.shape() {
            out.extend_from_slice(&(dimension as u64).to_le_bytes());
        }
        for part in parts {
            out.extend_from_slice(bytes(part));
        }
        let hash = blake3::hash(&out);
        out.extend_from_slice(hash.as_bytes());
        out
    }

    /// Reads what [`Secret::to_bytes`] of the same party wrote. Nothing is allocated before all lengths
    /// and the hash agree.
    pub fn from_bytes(
        protocol: &dyn Protocol<W>,
        label: &Label,
        stored: &[u8],
    ) -> Result<Self, MpcError> {
        let Some((mut rest, hash)) = stored.split_last_chunk::<HASH>() else {
            return refuse("the file is shorter than any share");
        };
        if !rest.starts_with(MAGIC) {
            return refuse("this is not a file of shares");
        }
        if blake3::hash(rest) != *hash {
            return refuse("the file is damaged: its checksum does not fit");
        }
        rest = &rest[MAGIC.len()..];
        let [version, bits, party, parties, parts] =
            [(); 5].map(|()| u16::from_le_bytes(take(&mut rest)));
        if version != VERSION {
            return refuse(format!(
                "version {version} is not known; version {VERSION} is"
            ));
        }
        if u32::from(bits) != W::BITS {
            return refuse(format!("it holds words of {bits} bits, not of {}", W::BITS));
        }
        if usize::from(party) != protocol.party() || usize::from(parties) != protocol.parties() {
            return refuse(format!(
                "it is the share of party {party} of {parties}, not of party {} of {}",
                protocol.party(),
                protocol.parties()
            ));
        }
        if usize::from(parts) != protocol.share_parts() {
            return refuse("it was made by another protocol");
        }
        let [fraction_bits, integer_bits] = [(); 2].map(|()| u32::from_le_bytes(take(&mut rest)));
        let found: Label = take(&mut rest);
        if found != *label {
            return refuse("it belongs to another tensor or another time: its label differs");
        }
        let rank = u16::from_le_bytes(take(&mut rest));
        if rank > MOST_DIMENSIONS || rest.len() < 8 * usize::from(rank) {
            return refuse("its dimensions make no sense");
        }
        let shape: Vec<usize> = (0..rank)
            .map(|_| u64::from_le_bytes(take(&mut rest)) as usize)
            .collect();
        let count = shape
            .iter()
            .try_fold(1usize, |count, &dimension| count.checked_mul(dimension));
        let size =
            count.and_then(|count| count.checked_mul(usize::from(parts) * W::BITS as usize / 8));
        if size != Some(rest.len()) {
            return refuse("its length does not fit its dimensions");
        }
        let count = count.unwrap_or(0);
        let mut read = || {
            let mut words = vec![W::ZERO; count];
            let (own, after) = rest.split_at(count * W::BITS as usize / 8);
            bytes_mut(&mut words).copy_from_slice(own);
            rest = after;
            words
        };
        let parts = (0..parts).map(|_| read()).collect();
        if fraction_bits.saturating_add(integer_bits) >= W::BITS {
            return refuse("its range does not fit its words");
        }
        Secret::new(
            shape,
            Fixed::new(integer_bits, fraction_bits),
            Share::new(count, parts),
        )
    }
}

/// The next bytes, zeros where there are none.
fn take<const SIZE: usize>(rest: &mut &[u8]) -> [u8; SIZE] {
    match rest.split_first_chunk::<SIZE>() {
        Some((first, after)) => {
            *rest = after;
            *first
        }
        None => {
            *rest = &[];
            [0; SIZE]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Parties;
    use crate::link::memory;
    use crate::protocol::rep3::Rep3;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    const LABEL: Label = [7; 32];

    #[test]
    fn shares_come_back_and_damage_is_found() {
        memory::run(3, |link| {
            let mut random = ChaCha20Rng::seed_from_u64(1);
            let mut protocol = Rep3::establish(Box::new(link), b"stored", &mut random).unwrap();
            let protocol: &mut dyn Protocol<u64> = &mut protocol;
            let values = [1.5, -2.25, 0.0, 100.0, 3.0, -4.0];
            let own = (protocol.party() == 1).then_some(&values[..]);
            let secret = Secret::input(protocol, 1, &[2, 3], Fixed::STANDARD, own).unwrap();
            let stored = secret.to_bytes(protocol, &LABEL);
            let read = Secret::from_bytes(protocol, &LABEL, &stored).unwrap();
            assert!(read == secret);
            assert_eq!(
                read.reveal(protocol, Parties::all(3)).unwrap().unwrap(),
                values
            );
            assert!(Secret::from_bytes(protocol, &[8; 32], &stored).is_err());
            for length in 0..stored.len() {
                assert!(Secret::from_bytes(protocol, &LABEL, &stored[..length]).is_err());
            }
            for place in 0..stored.len() {
                let mut damaged = stored.clone();
                damaged[place] ^= 1;
                assert!(Secret::from_bytes(protocol, &LABEL, &damaged).is_err());
            }
            // A lying length with a right checksum.
            let mut lying = stored[..stored.len() - HASH].to_vec();
            let dimension = MAGIC.len() + 10 + 8 + 32 + 2;
            lying[dimension..dimension + 8].copy_from_slice(&u64::MAX.to_le_bytes());
            let hash = blake3::hash(&lying);
            lying.extend_from_slice(hash.as_bytes());
            assert!(Secret::from_bytes(protocol, &LABEL, &lying).is_err());
        });
    }
}
