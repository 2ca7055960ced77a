//! Masks: pseudo-random words that are added by one client and taken away by another.

use aes::Aes128;
use ctr::Ctr64LE;
use ctr::cipher::{KeyIvInit, StreamCipher, StreamCipherSeek};
use rayon::prelude::*;
use zeroize::Zeroize;

use crate::pack::Lane;
use crate::shamir::Secret;

/// Words that are masked together, so that they stay in the first-level cache while every stream passes over them.
const CHUNK: usize = 2048;

/// A stream of words and whether it is added or taken away.
pub(crate) struct Stream {
    seed: Secret,
    sign: Sign,
}

/// What a mask does to the words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sign {
    Plus,
    Minus,
}

impl Stream {
    pub(crate) fn new(seed: Secret, sign: Sign) -> Self {
        Self { seed, sign }
    }

    /// The mask of a client of its own, from the secret whose shares its neighbours hold.
    pub(crate) fn own(secret: &Secret, roster: &[u8; 32], sign: Sign) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("hush-federated own mask v1");
        hasher.update(&**secret);
        hasher.update(roster);
        Self::new(Secret::new(hasher.finalize().into()), sign)
    }

    /// The mask between `client` and `other`, as it appears at `client`: the one with the lower index adds, the other
    /// takes away.
    pub(crate) fn pairwise(seed: Secret, client: u32, other: u32) -> Self {
        let sign = if client < other {
            Sign::Plus
        } else {
            Sign::Minus
        };
        Self::new(seed, sign)
    }

    /// The same stream with the opposite sign.
    pub(crate) fn negated(self) -> Self {
        let sign = match self.sign {
            Sign::Plus => Sign::Minus,
            Sign::Minus => Sign::Plus,
        };
        Self { sign, ..self }
    }

    /// AES-128 in counter mode; key and nonce are the two halves of the seed.
    fn cipher(&self) -> Ctr64LE<Aes128> {
        let (key, nonce) = self.seed.split_at(16);
        Ctr64LE::<Aes128>::new(
            key.try_into().expect("half of 32 bytes"),
            nonce.try_into().expect("half of 32 bytes"),
        )
    }
}

/// Applies all `streams` to `words`. Words are independent, so threads of the current rayon pool share them.
pub(crate) fn apply<L: Lane>(streams: &[Stream], words: &mut [L]) {
    // Pieces of at least this size, so that what a cipher costs to set up does not count.
    let piece = words
        .len()
        .div_ceil(rayon::current_num_threads())
        .clamp(1, 16 * CHUNK)
        .next_multiple_of(CHUNK);
    words
        .par_chunks_mut(piece)
        .enumerate()
        .for_each(|(index, words)| apply_piece(streams, index * piece, words));
}

/// Applies all `streams` to the words that start at `offset`.
fn apply_piece<L: Lane>(streams: &[Stream], offset: usize, words: &mut [L]) {
    let mut bytes = vec![0u8; CHUNK * L::BYTES];
    for (index, words) in words.chunks_mut(CHUNK).enumerate() {
        let start = (offset + index * CHUNK) * L::BYTES;
        for stream in streams {
            let bytes = &mut bytes[..words.len() * L::BYTES];
            bytes.fill(0);
            let mut cipher = stream.cipher();
            cipher.seek(start as u64);
            cipher.apply_keystream(bytes);
            match stream.sign {
                Sign::Plus => L::add_bytes(words, bytes),
                Sign::Minus => L::subtract_bytes(words, bytes),
            }
        }
    }
    bytes.zeroize();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(byte: u8, sign: Sign) -> Stream {
        Stream::new(Secret::new([byte; 32]), sign)
    }

    #[test]
    fn a_stream_is_the_same_however_words_are_cut() {
        let length = 3 * CHUNK + 17;
        let mut whole = vec![0u64; length];
        apply(&[stream(1, Sign::Plus), stream(2, Sign::Minus)], &mut whole);
        let mut pieces = vec![0u64; length];
        let (first, second) = pieces.split_at_mut(CHUNK);
        let streams = [stream(1, Sign::Plus), stream(2, Sign::Minus)];
        apply_piece(&streams, 0, first);
        apply_piece(&streams, CHUNK, second);
        assert_eq!(whole, pieces);
        assert!(whole.windows(2).all(|pair| pair[0] != pair[1]));
    }

    #[test]
    fn opposite_masks_cancel() {
        let mut words = vec![7u32; 5000];
        let seed = || Secret::new([9; 32]);
        apply(&[Stream::pairwise(seed(), 3, 8)], &mut words);
        assert!(words.iter().filter(|&&word| word == 7).count() < 5);
        apply(&[Stream::pairwise(seed(), 8, 3)], &mut words);
        assert!(words.iter().all(|&word| word == 7));
    }
}
