//! Words as the bytes that travel: little-endian, without a copy.

use super::Word;

#[cfg(not(target_endian = "little"))]
compile_error!("shares travel as little-endian words without conversion");

/// The bytes of `words` in memory.
pub fn bytes<W: Word>(words: &[W]) -> &[u8] {
    // SAFETY: words are plain integers without padding, and any byte is aligned; the length is
    // that of the same memory.
    unsafe { core::slice::from_raw_parts(words.as_ptr().cast(), core::mem::size_of_val(words)) }
}

/// The bytes of `words` in memory, to be overwritten; any bytes are valid words.
pub fn bytes_mut<W: Word>(words: &mut [W]) -> &mut [u8] {
    let length = core::mem::size_of_val(words);
    // SAFETY: words are plain integers for which every bit pattern is valid; the borrow is
    // exclusive and covers exactly this memory.
    unsafe { core::slice::from_raw_parts_mut(words.as_mut_ptr().cast(), length) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_endian_both_ways() {
        let mut words = [0x0102_0304_0506_0708u64, 9];
        assert_eq!(bytes(&words)[..9], [8, 7, 6, 5, 4, 3, 2, 1, 9]);
        bytes_mut(&mut words)[15] = 1;
        assert_eq!(words[1], 9 | 1 << 56);
        assert_eq!(bytes(&[1u128]).len(), 16);
    }
}
