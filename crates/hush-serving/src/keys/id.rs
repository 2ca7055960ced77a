//! Key ids as people write them.

use hush_ckks::KeyId;

use crate::{ErrorKind, ServingError};

/// Reads 32 hexadecimal digits.
///
/// # Errors
/// [`ErrorKind::InvalidArgument`].
pub(crate) fn parse(text: &str) -> Result<KeyId, ServingError> {
    let mut id = [0; 16];
    let fits = text.len() == 2 * id.len() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let digits = text.as_bytes().chunks(2).zip(&mut id);
    let parsed = fits
        && digits.fold(true, |fine, (digits, byte)| {
            let digits = std::str::from_utf8(digits).unwrap_or_default();
            let value = u8::from_str_radix(digits, 16);
            *byte = value.as_ref().copied().unwrap_or_default();
            fine && value.is_ok()
        });
    if parsed {
        return Ok(KeyId(id));
    }
    // What stands there may be long, or no text at all.
    let shown: String = text.chars().take(40).flat_map(char::escape_debug).collect();
    Err(ServingError::new(
        ErrorKind::InvalidArgument,
        format!("`{shown}` is no key id: 32 hexadecimal digits, as `hush inspect` shows them"),
    ))
}

/// Bytes in hexadecimal.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| char::from(DIGITS[usize::from(digit)]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_round_trip_and_nothing_else_passes() {
        let id = KeyId([0xab; 16]);
        let text = hexadecimal(&id.0);
        assert_eq!(text, "ab".repeat(16));
        assert_eq!(parse(&text).unwrap(), id);
        assert_eq!(parse(&text.to_uppercase()).unwrap(), id);
        for bad in [
            "",
            "ab",
            "../../etc/passwd",
            &"g".repeat(32),
            &"+1".repeat(16),
            &"é".repeat(16),
        ] {
            let error = parse(bad).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{bad}");
        }
    }
}
