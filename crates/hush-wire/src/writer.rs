//! Writing an envelope as a stream.

use crate::envelope::Envelope;
use crate::{Kind, WireError, packing};
use serde::Serialize;
use std::io::Write;

/// Writes one envelope: header first, then exactly the announced number of body bytes.
///
/// Wrap files in a [`std::io::BufWriter`]. Nothing is buffered here but one packed limb.
pub struct Writer<W> {
    inner: W,
    hasher: blake3::Hasher,
    announced: u64,
    remaining: u64,
    scratch: Vec<u8>,
}

impl<W: Write> Writer<W> {
    /// Writes the prefix and the header.
    ///
    /// `body_length` must be what will be written; [`Writer::finish`] fails otherwise.
    pub fn new<H: Serialize + ?Sized>(
        mut inner: W,
        kind: Kind,
        header: &H,
        body_length: u64,
    ) -> Result<Self, WireError> {
        let header = postcard::to_stdvec(header).map_err(|source| WireError::Malformed {
            what: "the header",
            source,
        })?;
        let header_length = u32::try_from(header.len()).map_err(|_| WireError::Oversized {
            what: "the header",
            length: header.len() as u64,
            limit: u32::MAX.into(),
        })?;
        let envelope = Envelope {
            kind,
            version: kind.version(),
            header_length,
            body_length,
        };
        let mut hasher = blake3::Hasher::new();
        let prefix = envelope.encode();
        hasher.update(&prefix);
        hasher.update(&header);
        let checksum = *hasher.finalize().as_bytes();
        hasher.update(&checksum);
        for bytes in [&prefix[..], &header, &checksum] {
            inner
                .write_all(bytes)
                .map_err(WireError::io("the header"))?;
        }
        Ok(Self {
            inner,
            hasher,
            announced: body_length,
            remaining: body_length,
            scratch: Vec::new(),
        })
    }

    /// Writes body bytes.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), WireError> {
        let length = bytes.len() as u64;
        if length > self.remaining {
            return Err(WireError::Announced {
                what: "body bytes",
                announced: self.announced,
                actual: self.announced - self.remaining + length,
            });
        }
        self.remaining -= length;
        self.hasher.update(bytes);
        self.inner
            .write_all(bytes)
            .map_err(WireError::io("the body"))
    }

    /// Writes residues packed at the bit width of their modulus.
    pub fn write_residues(&mut self, modulus: u64, residues: &[u64]) -> Result<(), WireError> {
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        let result =
            packing::pack(modulus, residues, &mut scratch).and_then(|()| self.write(&scratch));
        self.scratch = scratch;
        result
    }

    /// Writes the checksum, flushes and hands back the inner writer.
    pub fn finish(mut self) -> Result<W, WireError> {
        if self.remaining != 0 {
            return Err(WireError::Announced {
                what: "body bytes",
                announced: self.announced,
                actual: self.announced - self.remaining,
            });
        }
        let checksum = self.hasher.finalize();
        self.inner
            .write_all(checksum.as_bytes())
            .and_then(|()| self.inner.flush())
            .map_err(WireError::io("the checksum"))?;
        Ok(self.inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_must_be_as_long_as_announced() {
        let mut writer = Writer::new(Vec::new(), Kind::Model, &(), 3).unwrap();
        writer.write(&[1, 2]).unwrap();
        assert!(matches!(
            writer.write(&[3, 4]),
            Err(WireError::Announced { .. })
        ));
        assert!(matches!(writer.finish(), Err(WireError::Announced { .. })));
    }
}
