//! Words of any number of bits, packed without gaps, lowest bits first.

/// What words are calculated in: the smallest machine word that holds their bits.
pub(crate) trait Lane: Copy + Default + Send + Sync + 'static {
    const BYTES: usize;
    const BITS: u32;

    fn from_word(word: u64) -> Self;
    fn word(self) -> u64;
    /// Adds little-endian words, modulo the lane.
    fn add_bytes(words: &mut [Self], bytes: &[u8]);
    /// Takes little-endian words away, modulo the lane.
    fn subtract_bytes(words: &mut [Self], bytes: &[u8]);
}

macro_rules! lane {
    ($word:ty) => {
        impl Lane for $word {
            const BYTES: usize = size_of::<$word>();
            const BITS: u32 = <$word>::BITS;

            fn from_word(word: u64) -> Self {
                word as $word
            }

            fn word(self) -> u64 {
                u64::from(self)
            }

            fn add_bytes(words: &mut [Self], bytes: &[u8]) {
                let (bytes, _) = bytes.as_chunks::<{ size_of::<$word>() }>();
                for (word, bytes) in words.iter_mut().zip(bytes) {
                    *word = word.wrapping_add(<$word>::from_le_bytes(*bytes));
                }
            }

            fn subtract_bytes(words: &mut [Self], bytes: &[u8]) {
                let (bytes, _) = bytes.as_chunks::<{ size_of::<$word>() }>();
                for (word, bytes) in words.iter_mut().zip(bytes) {
                    *word = word.wrapping_sub(<$word>::from_le_bytes(*bytes));
                }
            }
        }
    };
}

lane!(u32);
lane!(u64);

/// The lowest `bits` of a word.
pub(crate) fn low(bits: u32) -> u64 {
    u64::MAX >> (64 - bits)
}

/// Packs the lowest `bits` of each word.
pub(crate) fn pack<L: Lane>(words: &[L], bits: u32, into: &mut Vec<u8>) {
    if bits == L::BITS {
        into.extend(words.iter().flat_map(|word| {
            let bytes = word.word().to_le_bytes();
            bytes.into_iter().take(L::BYTES)
        }));
        return;
    }
    let (mut held, mut filled) = (0u128, 0);
    for word in words {
        held |= u128::from(word.word() & low(bits)) << filled;
        filled += bits;
        if filled >= 64 {
            into.extend_from_slice(&(held as u64).to_le_bytes());
            held >>= 64;
            filled -= 64;
        }
    }
    into.extend_from_slice(&held.to_le_bytes()[..filled.div_ceil(8) as usize]);
}

/// Adds packed words of `bits` to `words`, modulo the lane. `bytes` has exactly the length of that many words.
pub(crate) fn add_packed<L: Lane>(words: &mut [L], bits: u32, bytes: &[u8]) {
    debug_assert_eq!(bytes.len(), (words.len() * bits as usize).div_ceil(8));
    if bits == L::BITS {
        return L::add_bytes(words, bytes);
    }
    let mask = low(bits);
    let add = |word: &mut L, found: u64| {
        *word = L::from_word(word.word().wrapping_add(found & mask));
    };
    // Sixteen bytes at a time wherever they are there; the tail one byte after another.
    let fast = (bytes.len().saturating_sub(16) * 8 / bits as usize).min(words.len());
    let (front, back) = words.split_at_mut(fast);
    for (index, word) in front.iter_mut().enumerate() {
        let bit = index * bits as usize;
        let (byte, shift) = (bit / 8, bit % 8);
        let window = bytes[byte..byte + 16].try_into().expect("sixteen bytes");
        add(word, (u128::from_le_bytes(window) >> shift) as u64);
    }
    for (index, word) in back.iter_mut().enumerate() {
        let bit = (fast + index) * bits as usize;
        let (byte, shift) = (bit / 8, bit % 8);
        let mut window = [0; 16];
        let rest = &bytes[byte..];
        let count = rest.len().min(16);
        window[..count].copy_from_slice(&rest[..count]);
        add(word, (u128::from_le_bytes(window) >> shift) as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn there_and_back<L: Lane>(words: &[u64], bits: u32) {
        let lanes: Vec<L> = words.iter().map(|&word| L::from_word(word)).collect();
        let mut bytes = Vec::new();
        pack(&lanes, bits, &mut bytes);
        assert_eq!(bytes.len(), (words.len() * bits as usize).div_ceil(8));
        let mut found = vec![L::from_word(1); words.len()];
        add_packed(&mut found, bits, &bytes);
        for (found, word) in found.iter().zip(words) {
            let mask = low(bits);
            let lane = if L::BITS == 64 {
                u64::MAX
            } else {
                low(L::BITS)
            };
            assert_eq!(found.word(), (word & mask).wrapping_add(1) & lane);
        }
    }

    proptest! {
        #[test]
        fn packed_words_come_back(words: Vec<u64>, bits in 1u32..=64) {
            there_and_back::<u64>(&words, bits);
            there_and_back::<u32>(&words, bits.min(32));
        }
    }
}
