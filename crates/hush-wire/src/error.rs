//! Everything that can be wrong with stored or sent bytes.

use crate::Kind;
use std::io;

/// Why bytes could not be read or written.
///
/// Every variant that has an obvious remedy returns it from [`WireError::hint`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// The underlying reader or writer failed.
    #[error("input or output failed while handling {what}")]
    Io {
        /// The part of the file at hand.
        what: &'static str,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// The file does not begin with the magic.
    #[error("this is not a HushML file (it begins with {found:02x?})")]
    NotHush {
        /// The first bytes of the file.
        found: Vec<u8>,
    },
    /// The file is empty.
    #[error("the file is empty")]
    Empty,
    /// A valid HushML file of another kind.
    #[error("expected {expected}, but the file holds {found}")]
    OtherKind {
        /// What the caller asked for.
        expected: Kind,
        /// What the file says it holds.
        found: Kind,
    },
    /// A kind that this version does not know.
    #[error("the file holds kind {found}, which this version does not know")]
    UnknownKind {
        /// The number in the file.
        found: u16,
    },
    /// A version that this library does not know.
    #[error("the {kind} file has format version {found}, this version reads up to {supported}")]
    NewerVersion {
        /// What the file holds.
        kind: Kind,
        /// The version in the file.
        found: u16,
        /// The newest version known here.
        supported: u16,
    },
    /// The file ends too early.
    #[error("the file is truncated: it ends inside {what}")]
    Truncated {
        /// The part that is cut off.
        what: &'static str,
    },
    /// A stated length is above what is allowed here.
    #[error("{what} is {length} bytes long, the limit here is {limit}")]
    Oversized {
        /// The part that is too long.
        what: &'static str,
        /// The stated length in bytes.
        length: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// The checksum does not match: bytes were changed.
    #[error("the checksum of {what} does not match: the file is damaged")]
    Checksum {
        /// The part that was changed.
        what: &'static str,
    },
    /// There are bytes after the end.
    #[error("the file continues after its end")]
    TrailingBytes,
    /// The header asks for a body of another length.
    #[error("the body is {found} bytes long, its header asks for {expected}")]
    BodyLength {
        /// What follows from the header.
        expected: u64,
        /// What the envelope says.
        found: u64,
    },
    /// The bytes do not decode to the structure they should hold.
    #[error("{what} cannot be decoded")]
    Malformed {
        /// The structure.
        what: &'static str,
        /// What the decoder said.
        #[source]
        source: postcard::Error,
    },
    /// A structure decoded, but left bytes over.
    #[error("{what} has {count} bytes more than it needs")]
    Surplus {
        /// The structure.
        what: &'static str,
        /// How many bytes were left over.
        count: usize,
    },
    /// A field holds a value outside its range.
    #[error("field {field} is {value}, outside {allowed}")]
    OutOfRange {
        /// The field.
        field: &'static str,
        /// What it holds.
        value: String,
        /// What it may hold.
        allowed: &'static str,
    },
    /// A residue is not below its modulus.
    #[error("residue {index} is {value}, not below its modulus {modulus}")]
    Residue {
        /// Position in the limb.
        index: usize,
        /// The value.
        value: u64,
        /// The modulus of the limb.
        modulus: u64,
    },
    /// The unused bits after a packed limb are not zero.
    #[error("unused bits of a packed limb are not zero")]
    Padding,
    /// The caller wrote or asked for more or less than the header announced.
    #[error("the caller handled {actual} of {what}, the header announced {announced}")]
    Announced {
        /// What is counted.
        what: &'static str,
        /// The number in the header.
        announced: u64,
        /// The number handled.
        actual: u64,
    },
}

impl WireError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::NotHush { .. } => {
                "pass a file that hush wrote (`hush inspect FILE` says what a file holds)"
            }
            Self::OtherKind { found, .. } => {
                return Some(format!(
                    "this file holds {found}: check the order of the files, or pass it where {found} is expected"
                ));
            }
            Self::UnknownKind { .. } | Self::NewerVersion { .. } => {
                "the file was written by a newer HushML: update this installation"
            }
            Self::Empty | Self::Truncated { .. } => {
                "copy or create the file again: the last transfer or write did not finish"
            }
            Self::Checksum { .. }
            | Self::TrailingBytes
            | Self::BodyLength { .. }
            | Self::Malformed { .. }
            | Self::Surplus { .. }
            | Self::OutOfRange { .. }
            | Self::Residue { .. }
            | Self::Padding => "the file was changed after it was written: copy or create it again",
            Self::Oversized { .. } => {
                "the file is larger than anything this step needs: check that it is the right file"
            }
            Self::Io { .. } | Self::Announced { .. } => return None,
        };
        Some(hint.to_owned())
    }

    pub(crate) fn io(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| match source.kind() {
            io::ErrorKind::UnexpectedEof => Self::Truncated { what },
            _ => Self::Io { what, source },
        }
    }

    pub(crate) fn out_of_range(
        field: &'static str,
        value: impl ToString,
        allowed: &'static str,
    ) -> Self {
        Self::OutOfRange {
            field,
            value: value.to_string(),
            allowed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_lowercase_sentences_without_a_period() {
        let errors = [
            WireError::Empty,
            WireError::TrailingBytes,
            WireError::Padding,
            WireError::UnknownKind { found: 9 },
            WireError::Truncated { what: "the header" },
        ];
        for error in errors {
            let text = error.to_string();
            assert!(text.starts_with(|c: char| c.is_lowercase()), "{text}");
            assert!(!text.ends_with('.'), "{text}");
            assert!(error.hint().is_some(), "{text}");
        }
    }
}
