//! Which part of a file a body is.

use axum::http::HeaderMap;
use axum::http::header::{CONTENT_LENGTH, CONTENT_RANGE};

use crate::ServingError;
use crate::raw::invalid;

/// A part of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// Where it begins.
    pub(super) offset: u64,
    /// Its bytes.
    pub(super) length: u64,
    /// Bytes of the whole file.
    pub(super) total: u64,
}

/// What the headers say of the body: `Content-Range: bytes a-b/total`, or else that it is the whole file.
///
/// # Errors
/// [`crate::ErrorKind::InvalidArgument`].
pub(super) fn part(headers: &HeaderMap) -> Result<Part, ServingError> {
    let length = headers.get(CONTENT_LENGTH).map(|value| {
        let length = value.to_str().ok().and_then(|value| value.parse().ok());
        length.ok_or_else(|| invalid("Content-Length is no number"))
    });
    let length: Option<u64> = length.transpose()?;
    let Some(range) = headers.get(CONTENT_RANGE) else {
        let length = length.ok_or_else(|| {
            invalid("a key is uploaded with Content-Length, or in parts with Content-Range")
        })?;
        return Ok(Part {
            offset: 0,
            length,
            total: length,
        });
    };
    let part = range.to_str().ok().and_then(parse);
    let part = part.ok_or_else(|| invalid("Content-Range is not `bytes first-last/total`"))?;
    if length.is_some_and(|length| length != part.length) {
        return Err(invalid("Content-Range and Content-Length do not agree"));
    }
    Ok(part)
}

fn parse(range: &str) -> Option<Part> {
    let (range, total) = range.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last, total) = (number(first)?, number(last)?, number(total)?);
    (first <= last && last < total).then(|| Part {
        offset: first,
        length: last - first + 1,
        total,
    })
}

fn number(digits: &str) -> Option<u64> {
    let only_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
    only_digits.then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        let expected = Part {
            offset: 10,
            length: 5,
            total: 100,
        };
        assert_eq!(parse("bytes 10-14/100"), Some(expected));
        for broken in [
            "10-14/100",
            "bytes 14-10/100",
            "bytes 10-100/100",
            "bytes */100",
            "bytes 10-14/*",
            "bytes +1-2/3",
            "bytes 0-18446744073709551616/18446744073709551617",
        ] {
            assert_eq!(parse(broken), None, "{broken}");
        }
    }
}
