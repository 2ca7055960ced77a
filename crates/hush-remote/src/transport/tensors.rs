//! The one tensor of an encrypted model in the raw form of the protocol: its length in four bytes, then its bytes.

use bytes::{Buf, Bytes};

/// What is said of an answer without it.
pub(super) const NO_CIPHERTEXTS: &str = "its answer holds no file of ciphertexts";

/// What goes before a byte string; `None` if it is too long.
pub(super) fn prefix(length: usize) -> Option<[u8; 4]> {
    u32::try_from(length).ok().map(u32::to_le_bytes)
}

/// The byte string of a tensor that holds one.
pub(super) fn only_string(mut raw: Bytes) -> Option<Bytes> {
    let length = raw.try_get_u32_le().ok()?;
    (raw.len() == length as usize).then_some(raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_string_of_the_stated_length() {
        let string = |raw: &'static [u8]| only_string(Bytes::from_static(raw));
        assert_eq!(string(b"\x02\0\0\0hi"), Some(Bytes::from("hi")));
        for broken in [
            &b"\x03\0\0\0hi"[..],
            b"\x01\0\0\0hi",
            b"\x01\0",
            b"\xff\xff\xff\xffhi",
        ] {
            assert_eq!(string(broken), None);
        }
        assert_eq!(prefix(258), Some([2, 1, 0, 0]));
    }
}
