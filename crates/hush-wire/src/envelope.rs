//! The fixed part of every file.
//!
//! ```text
//! "HUSH"  kind u16  version u16  header length u32  body length u64      20 bytes, little endian
//! header                                                                 postcard
//! blake3 of all bytes so far                                             32 bytes
//! body
//! blake3 of all bytes so far                                             32 bytes
//! ```
//! The header carries its own checksum so that a reader can act on it (allocate, choose limits,
//! print) before the body has arrived. Checksums find damage; they do not authenticate.

use crate::{Kind, WireError};

/// The first four bytes of every file.
pub const MAGIC: [u8; 4] = *b"HUSH";

/// Length of a checksum in bytes.
pub(crate) const CHECKSUM: usize = 32;

/// Length of the fixed prefix in bytes.
pub(crate) const PREFIX: usize = 20;

/// The fixed prefix of a file, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// What the file holds.
    pub kind: Kind,
    /// The format version of that kind.
    pub version: u16,
    /// Bytes of the header.
    pub header_length: u32,
    /// Bytes of the body.
    pub body_length: u64,
}

impl Envelope {
    /// Length of the whole file in bytes.
    pub fn file_length(&self) -> u64 {
        (PREFIX + 2 * CHECKSUM) as u64 + u64::from(self.header_length) + self.body_length
    }

    pub(crate) fn encode(&self) -> [u8; PREFIX] {
        let mut bytes = [0; PREFIX];
        bytes[0..4].copy_from_slice(&MAGIC);
        bytes[4..6].copy_from_slice(&self.kind.code().to_le_bytes());
        bytes[6..8].copy_from_slice(&self.version.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.header_length.to_le_bytes());
        bytes[12..20].copy_from_slice(&self.body_length.to_le_bytes());
        bytes
    }

    /// Reads a prefix; `bytes` may be shorter than one if the file is.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        if bytes.is_empty() {
            return Err(WireError::Empty);
        }
        let compared = bytes.len().min(MAGIC.len());
        if bytes[..compared] != MAGIC[..compared] {
            return Err(WireError::NotHush {
                found: bytes[..compared].to_vec(),
            });
        }
        let Ok(bytes) = <&[u8; PREFIX]>::try_from(bytes) else {
            return Err(WireError::Truncated { what: "the prefix" });
        };
        let code = u16::from_le_bytes([bytes[4], bytes[5]]);
        let kind = Kind::from_code(code).ok_or(WireError::UnknownKind { found: code })?;
        let version = u16::from_le_bytes([bytes[6], bytes[7]]);
        if version > kind.version() {
            return Err(WireError::NewerVersion {
                kind,
                found: version,
                supported: kind.version(),
            });
        }
        if version == 0 {
            return Err(WireError::out_of_range("version", version, "1 and above"));
        }
        let mut header_length = [0; 4];
        header_length.copy_from_slice(&bytes[8..12]);
        let mut body_length = [0; 8];
        body_length.copy_from_slice(&bytes[12..20]);
        Ok(Self {
            kind,
            version,
            header_length: u32::from_le_bytes(header_length),
            body_length: u64::from_le_bytes(body_length),
        })
    }
}

/// The largest header and body a reader accepts, in bytes.
///
/// Bodies are never allocated at once from a stated length, so a limit bounds time and disk
/// traffic rather than memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest header.
    pub header: u32,
    /// The longest body.
    pub body: u64,
}

impl Limits {
    /// What fits every file this library writes on a large machine: headers of 64 MiB, bodies of
    /// 1 TiB for keys and ciphertexts, 64 GiB for models, 4 GiB for client specs and 64 MiB for
    /// secret keys.
    pub fn of(kind: Kind) -> Self {
        let body = match kind {
            Kind::EvaluationKeys | Kind::Ciphertexts => 1 << 40,
            Kind::Model => 1 << 36,
            Kind::Client => 1 << 32,
            Kind::SecretKey => 1 << 26,
        };
        Self {
            header: 1 << 26,
            body,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefix_round_trips() {
        let envelope = Envelope {
            kind: Kind::Ciphertexts,
            version: 1,
            header_length: 7,
            body_length: 1 << 33,
        };
        assert_eq!(Envelope::decode(&envelope.encode()).unwrap(), envelope);
    }

    #[test]
    fn prefix_errors_are_distinct() {
        let good = Envelope {
            kind: Kind::Model,
            version: 1,
            header_length: 0,
            body_length: 0,
        }
        .encode();
        assert!(matches!(Envelope::decode(&[]), Err(WireError::Empty)));
        assert!(matches!(
            Envelope::decode(b"PK\x03\x04"),
            Err(WireError::NotHush { .. })
        ));
        assert!(matches!(
            Envelope::decode(&good[..9]),
            Err(WireError::Truncated { .. })
        ));
        let mut kind = good;
        kind[4] = 77;
        assert!(matches!(
            Envelope::decode(&kind),
            Err(WireError::UnknownKind { found: 77 })
        ));
        let mut version = good;
        version[6] = 2;
        assert!(matches!(
            Envelope::decode(&version),
            Err(WireError::NewerVersion {
                found: 2,
                supported: 1,
                ..
            })
        ));
        version[6] = 0;
        assert!(matches!(
            Envelope::decode(&version),
            Err(WireError::OutOfRange { .. })
        ));
    }
}
