//! Reading an envelope as a stream, with limits.

use crate::envelope::{CHECKSUM, Envelope, Limits, PREFIX};
use crate::{Kind, WireError, packing};
use serde::de::DeserializeOwned;
use std::io::Read;

/// Reads one envelope: prefix and header at once, the body as asked for, the checksum at the end.
///
/// What the body yields is only to be trusted once [`Reader::finish`] has returned `Ok`.
/// Wrap files in a [`std::io::BufReader`].
pub struct Reader<R> {
    inner: R,
    hasher: blake3::Hasher,
    envelope: Envelope,
    header: Vec<u8>,
    remaining: u64,
    scratch: Vec<u8>,
}

impl<R: Read> Reader<R> {
    /// Opens a file that must hold `kind`, with the limits of [`Limits::of`].
    pub fn open(inner: R, kind: Kind) -> Result<Self, WireError> {
        Self::open_limited(inner, kind, Limits::of(kind))
    }

    /// Opens a file that must hold `kind`.
    pub fn open_limited(inner: R, kind: Kind, limits: Limits) -> Result<Self, WireError> {
        Self::open_checked(inner, |found| {
            if found == kind {
                Ok(limits)
            } else {
                Err(WireError::OtherKind {
                    expected: kind,
                    found,
                })
            }
        })
    }

    /// Opens a file of any kind, with the limits of [`Limits::of`].
    pub fn open_any(inner: R) -> Result<Self, WireError> {
        Self::open_checked(inner, |found| Ok(Limits::of(found)))
    }

    fn open_checked(
        mut inner: R,
        limits: impl FnOnce(Kind) -> Result<Limits, WireError>,
    ) -> Result<Self, WireError> {
        let prefix = read_bounded(&mut inner, PREFIX as u64, "the prefix")?;
        let envelope = Envelope::decode(&prefix)?;
        let limits = limits(envelope.kind)?;
        let header_length = u64::from(envelope.header_length);
        refuse_above("the header", header_length, limits.header.into())?;
        refuse_above("the body", envelope.body_length, limits.body)?;
        let header = read_bounded(&mut inner, header_length, "the header")?;
        if (header.len() as u64) < header_length {
            return Err(WireError::Truncated { what: "the header" });
        }
        let mut hasher = blake3::Hasher::new();
        hasher.update(&prefix);
        hasher.update(&header);
        let mut checksum = [0; CHECKSUM];
        inner
            .read_exact(&mut checksum)
            .map_err(WireError::io("the header"))?;
        if hasher.finalize() != checksum {
            return Err(WireError::Checksum { what: "the header" });
        }
        hasher.update(&checksum);
        Ok(Self {
            inner,
            hasher,
            envelope,
            header,
            remaining: envelope.body_length,
            scratch: Vec::new(),
        })
    }

    /// The fixed prefix of this file.
    pub fn envelope(&self) -> Envelope {
        self.envelope
    }

    /// Decodes the header.
    pub fn header<H: DeserializeOwned>(&self) -> Result<H, WireError> {
        decode("the header", &self.header)
    }

    /// Fails with [`WireError::BodyLength`] unless the body is exactly this long.
    pub fn expect_body(&self, expected: u64) -> Result<(), WireError> {
        if self.envelope.body_length == expected {
            Ok(())
        } else {
            Err(WireError::BodyLength {
                expected,
                found: self.envelope.body_length,
            })
        }
    }

    /// Fills `out` from the body.
    pub fn read(&mut self, out: &mut [u8]) -> Result<(), WireError> {
        let length = out.len() as u64;
        if length > self.remaining {
            return Err(WireError::BodyLength {
                expected: self.envelope.body_length - self.remaining + length,
                found: self.envelope.body_length,
            });
        }
        self.inner
            .read_exact(out)
            .map_err(WireError::io("the body"))?;
        self.hasher.update(out);
        self.remaining -= length;
        Ok(())
    }

    /// Fills `out` with residues packed at the bit width of `modulus`, each checked to be below it.
    pub fn read_residues(&mut self, modulus: u64, out: &mut [u64]) -> Result<(), WireError> {
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.resize(packing::packed_length(modulus, out.len()) as usize, 0);
        let result = self
            .read(&mut scratch)
            .and_then(|()| packing::unpack(modulus, &scratch, out));
        self.scratch = scratch;
        result
    }

    /// Reads the rest of the body; memory grows with the bytes that arrive, not with the stated
    /// length.
    pub fn read_rest(&mut self) -> Result<Vec<u8>, WireError> {
        let body = read_bounded(&mut self.inner, self.remaining, "the body")?;
        if (body.len() as u64) < self.remaining {
            return Err(WireError::Truncated { what: "the body" });
        }
        self.hasher.update(&body);
        self.remaining = 0;
        Ok(body)
    }

    /// Reads and drops the rest of the body; for checking a file without decoding it.
    pub fn skip_rest(&mut self) -> Result<(), WireError> {
        let mut scratch = vec![0; 1 << 16];
        while self.remaining > 0 {
            let length = self.remaining.min(scratch.len() as u64) as usize;
            self.read(&mut scratch[..length])?;
        }
        Ok(())
    }

    /// Checks that the body was read whole, its checksum, and that nothing follows.
    pub fn finish(mut self) -> Result<(), WireError> {
        if self.remaining != 0 {
            return Err(WireError::BodyLength {
                expected: self.envelope.body_length - self.remaining,
                found: self.envelope.body_length,
            });
        }
        let mut checksum = [0; CHECKSUM];
        self.inner
            .read_exact(&mut checksum)
            .map_err(WireError::io("the checksum"))?;
        if self.hasher.finalize() != checksum {
            return Err(WireError::Checksum { what: "the body" });
        }
        let after = read_bounded(&mut self.inner, 1, "the end")?;
        if after.is_empty() {
            Ok(())
        } else {
            Err(WireError::TrailingBytes)
        }
    }
}

/// Decodes postcard bytes that must be used up.
pub(crate) fn decode<T: DeserializeOwned>(
    what: &'static str,
    bytes: &[u8],
) -> Result<T, WireError> {
    let (value, rest) =
        postcard::take_from_bytes(bytes).map_err(|source| WireError::Malformed { what, source })?;
    if rest.is_empty() {
        Ok(value)
    } else {
        Err(WireError::Surplus {
            what,
            count: rest.len(),
        })
    }
}

fn refuse_above(what: &'static str, length: u64, limit: u64) -> Result<(), WireError> {
    if length > limit {
        return Err(WireError::Oversized {
            what,
            length,
            limit,
        });
    }
    Ok(())
}

/// Reads at most `length` bytes, fewer only where the input ends.
fn read_bounded(
    inner: &mut impl Read,
    length: u64,
    what: &'static str,
) -> Result<Vec<u8>, WireError> {
    let mut bytes = Vec::with_capacity(length.min(1 << 16) as usize);
    inner
        .by_ref()
        .take(length)
        .read_to_end(&mut bytes)
        .map_err(WireError::io(what))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Writer;

    fn sample() -> Vec<u8> {
        let mut writer = Writer::new(Vec::new(), Kind::Client, &("name", 7u32), 5).unwrap();
        writer.write(b"hello").unwrap();
        writer.finish().unwrap()
    }

    fn read_all(bytes: &[u8]) -> Result<Vec<u8>, WireError> {
        let mut reader = Reader::open(bytes, Kind::Client)?;
        let body = reader.read_rest()?;
        reader.finish()?;
        Ok(body)
    }

    #[test]
    fn reads_what_was_written() {
        let bytes = sample();
        let mut reader = Reader::open(&bytes[..], Kind::Client).unwrap();
        assert_eq!(reader.envelope().file_length(), bytes.len() as u64);
        assert_eq!(
            reader.header::<(String, u32)>().unwrap(),
            ("name".to_owned(), 7)
        );
        assert_eq!(reader.read_rest().unwrap(), b"hello");
        reader.finish().unwrap();
    }

    #[test]
    fn each_fault_has_its_error() {
        let bytes = sample();
        let length = bytes.len();
        assert!(matches!(
            read_all(&bytes[..length - 40]),
            Err(WireError::Truncated { .. } | WireError::Checksum { .. })
        ));
        for end in 1..length {
            assert!(
                matches!(read_all(&bytes[..end]), Err(WireError::Truncated { .. })),
                "cut at {end}"
            );
        }
        let mut flipped = bytes.clone();
        flipped[length - 34] ^= 1;
        assert!(matches!(
            read_all(&flipped),
            Err(WireError::Checksum { what: "the body" })
        ));
        let mut header = bytes.clone();
        header[21] ^= 1;
        assert!(matches!(
            read_all(&header),
            Err(WireError::Checksum { what: "the header" })
        ));
        let mut longer = bytes.clone();
        longer.push(0);
        assert!(matches!(read_all(&longer), Err(WireError::TrailingBytes)));
        assert!(matches!(
            Reader::open(&bytes[..], Kind::Model).err(),
            Some(WireError::OtherKind { .. })
        ));
        let limits = Limits {
            header: 64,
            body: 4,
        };
        assert!(matches!(
            Reader::open_limited(&bytes[..], Kind::Client, limits).err(),
            Some(WireError::Oversized {
                length: 5,
                limit: 4,
                ..
            })
        ));
    }

    #[test]
    fn a_huge_stated_length_allocates_nothing() {
        let mut bytes = sample();
        bytes[12..20].copy_from_slice(&(1u64 << 31).to_le_bytes());
        assert!(matches!(
            read_all(&bytes),
            Err(WireError::Checksum { what: "the header" })
        ));
    }
}
