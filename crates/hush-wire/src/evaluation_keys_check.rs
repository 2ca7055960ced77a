//! Checks a file of evaluation keys while it arrives.

use crate::envelope::{CHECKSUM, PREFIX};
use crate::packing::{packed_length, unpack};
use crate::{Envelope, EvaluationKeysHeaderV1, EvaluationKeysReader, Kind, Limits, WireError};

/// Checks the bytes of an evaluation-key file in pieces of any size, and keeps none of them: at most one packed
/// polynomial, or the header.
///
/// The bytes are only to be trusted once [`EvaluationKeysCheck::finish`] has returned `Ok`; whether they make sound
/// keys is for the cryptographic crates to say.
pub struct EvaluationKeysCheck {
    limits: Limits,
    hasher: blake3::Hasher,
    envelope: Option<Envelope>,
    header: Option<EvaluationKeysHeaderV1>,
    /// What the next bytes are, and those of it that have arrived.
    piece: Piece,
    held: Vec<u8>,
    position: u64,
    residues: Vec<u64>,
    checksum: Option<[u8; CHECKSUM]>,
}

/// A part of the file that is checked at once.
#[derive(Clone, Copy)]
enum Piece {
    Prefix,
    Header {
        length: usize,
    },
    Seed {
        key: usize,
    },
    Polynomial {
        key: usize,
        limb: usize,
        digit: usize,
    },
    Checksum,
    End,
}

impl EvaluationKeysCheck {
    /// Nothing has arrived.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            hasher: blake3::Hasher::new(),
            envelope: None,
            header: None,
            piece: Piece::Prefix,
            held: Vec::new(),
            position: 0,
            residues: Vec::new(),
            checksum: None,
        }
    }

    /// Checks the next bytes. After an error the file is not worth going on with.
    ///
    /// # Errors
    /// Those of [`EvaluationKeysReader`], for the same faults.
    pub fn push(&mut self, mut bytes: &[u8]) -> Result<(), WireError> {
        self.position += bytes.len() as u64;
        while !bytes.is_empty() {
            let length = self.piece_length();
            if length == 0 {
                return Err(WireError::TrailingBytes);
            }
            if self.held.is_empty() && bytes.len() >= length {
                let (piece, rest) = bytes.split_at(length);
                self.check(piece)?;
                bytes = rest;
                continue;
            }
            let missing = (length - self.held.len()).min(bytes.len());
            self.held.extend_from_slice(&bytes[..missing]);
            bytes = &bytes[missing..];
            if self.held.len() == length {
                let mut held = std::mem::take(&mut self.held);
                self.check(&held)?;
                held.clear();
                self.held = held;
            }
        }
        Ok(())
    }

    /// Bytes that have arrived.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Length of the whole file, once its first bytes have arrived.
    #[must_use]
    pub fn file_length(&self) -> Option<u64> {
        self.envelope.map(|envelope| envelope.file_length())
    }

    /// The header, once it has arrived; it is checked.
    #[must_use]
    pub fn header(&self) -> Option<&EvaluationKeysHeaderV1> {
        self.header.as_ref()
    }

    /// Whether the file arrived whole, and its checksum: a digest of its content.
    ///
    /// # Errors
    /// [`WireError::Truncated`] if something is missing.
    pub fn finish(&self) -> Result<[u8; CHECKSUM], WireError> {
        let what = match self.piece {
            Piece::Prefix => "the prefix",
            Piece::Header { .. } => "the header",
            Piece::Seed { .. } | Piece::Polynomial { .. } => "the body",
            Piece::Checksum | Piece::End => "the checksum",
        };
        self.checksum.ok_or(WireError::Truncated { what })
    }

    fn piece_length(&self) -> usize {
        match self.piece {
            Piece::Prefix => PREFIX,
            Piece::Header { length } => length,
            Piece::Seed { .. } | Piece::Checksum => 32,
            Piece::Polynomial { key, limb, .. } => self.header.as_ref().map_or(0, |header| {
                packed_length(modulus(header, key, limb), header.parameters.degree()) as usize
            }),
            Piece::End => 0,
        }
    }

    fn check(&mut self, bytes: &[u8]) -> Result<(), WireError> {
        if let Piece::Checksum = self.piece {
            if self.hasher.finalize() != *bytes {
                return Err(WireError::Checksum { what: "the body" });
            }
            let mut checksum = [0; CHECKSUM];
            checksum.copy_from_slice(bytes);
            self.checksum = Some(checksum);
            self.piece = Piece::End;
            return Ok(());
        }
        self.hasher.update(bytes);
        match self.piece {
            Piece::Prefix => self.check_prefix(bytes)?,
            Piece::Header { .. } => self.check_header(bytes)?,
            Piece::Seed { key } => {
                self.piece = Piece::Polynomial {
                    key,
                    limb: 0,
                    digit: 0,
                };
            }
            Piece::Polynomial { key, limb, digit } => {
                if let Some(header) = &self.header {
                    self.residues.resize(header.parameters.degree(), 0);
                    unpack(modulus(header, key, limb), bytes, &mut self.residues)?;
                    self.piece = after(header, key, limb, digit);
                }
            }
            Piece::Checksum | Piece::End => {}
        }
        Ok(())
    }

    fn check_prefix(&mut self, bytes: &[u8]) -> Result<(), WireError> {
        let envelope = Envelope::decode(bytes)?;
        if envelope.kind != Kind::EvaluationKeys {
            return Err(WireError::OtherKind {
                expected: Kind::EvaluationKeys,
                found: envelope.kind,
            });
        }
        let header = u64::from(envelope.header_length);
        let both = [
            ("the header", header, u64::from(self.limits.header)),
            ("the body", envelope.body_length, self.limits.body),
        ];
        for (what, length, limit) in both {
            if length > limit {
                return Err(WireError::Oversized {
                    what,
                    length,
                    limit,
                });
            }
        }
        self.piece = Piece::Header {
            length: header as usize + CHECKSUM,
        };
        self.envelope = Some(envelope);
        Ok(())
    }

    fn check_header(&mut self, bytes: &[u8]) -> Result<(), WireError> {
        // The reader knows how; it stops where the body begins.
        let Some(envelope) = self.envelope else {
            return Err(WireError::Truncated { what: "the prefix" });
        };
        let prefix = envelope.encode();
        let start = std::io::Read::chain(&prefix[..], bytes);
        let header = EvaluationKeysReader::open(start)?.header().clone();
        self.piece = if header.keys.is_empty() {
            Piece::Checksum
        } else {
            Piece::Seed { key: 0 }
        };
        self.header = Some(header);
        Ok(())
    }
}

/// The modulus of a limb of a key: the chain, then the special primes.
fn modulus(header: &EvaluationKeysHeaderV1, key: usize, limb: usize) -> u64 {
    let limbs = header.keys[key].limbs as usize;
    if limb < limbs {
        header.parameters.moduli[limb]
    } else {
        header.parameters.special_moduli[limb - limbs]
    }
}

/// What follows a polynomial: digit by digit within a limb, limb by limb within a key.
fn after(header: &EvaluationKeysHeaderV1, key: usize, limb: usize, digit: usize) -> Piece {
    let limbs = header.keys[key].limbs;
    if digit + 1 < header.digits(limbs) {
        let digit = digit + 1;
        Piece::Polynomial { key, limb, digit }
    } else if limb + 1 < limbs as usize + header.parameters.special_moduli.len() {
        let (limb, digit) = (limb + 1, 0);
        Piece::Polynomial { key, limb, digit }
    } else if key + 1 < header.keys.len() {
        Piece::Seed { key: key + 1 }
    } else {
        Piece::Checksum
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        EvaluationKeysWriter, ParametersV1, SwitchV1, SwitchingKeyShapeV1, SwitchingKeyV1,
    };

    fn sample() -> Vec<u8> {
        let shapes = [
            (SwitchV1::Relinearization, 2),
            (SwitchV1::Galois { element: 3 }, 1),
        ]
        .map(|(switch, limbs)| SwitchingKeyShapeV1 { switch, limbs });
        let header = EvaluationKeysHeaderV1 {
            parameters: ParametersV1 {
                log_degree: 3,
                moduli: vec![97, 193],
                special_moduli: vec![257],
            },
            key_id: [2; 16],
            keys: shapes.to_vec(),
        };
        let mut writer = EvaluationKeysWriter::new(Vec::new(), header.clone()).unwrap();
        for shape in shapes {
            let count = (shape.limbs as usize + 1) * header.digits(shape.limbs) * 8;
            writer
                .write(&SwitchingKeyV1 {
                    shape,
                    seed: [7; 32],
                    residues: (0..count as u64).map(|index| index % 97).collect(),
                })
                .unwrap();
        }
        writer.finish().unwrap()
    }

    fn check(bytes: &[u8], step: usize) -> Result<[u8; CHECKSUM], WireError> {
        let mut check = EvaluationKeysCheck::new(Limits::of(Kind::EvaluationKeys));
        for piece in bytes.chunks(step) {
            check.push(piece)?;
        }
        check.finish()
    }

    #[test]
    fn pieces_of_every_size_give_the_checksum() {
        let bytes = sample();
        for step in 1..=bytes.len() {
            let checksum = check(&bytes, step).unwrap();
            assert_eq!(checksum[..], bytes[bytes.len() - 32..], "step {step}");
        }
    }

    #[test]
    fn the_header_is_known_as_soon_as_it_arrived() {
        let bytes = sample();
        let mut check = EvaluationKeysCheck::new(Limits::of(Kind::EvaluationKeys));
        check.push(&bytes[..20]).unwrap();
        assert_eq!(check.file_length(), Some(bytes.len() as u64));
        assert!(check.header().is_none());
        check.push(&bytes[20..150]).unwrap();
        assert_eq!(check.header().unwrap().key_id, [2; 16]);
        assert_eq!(check.position(), 150);
    }

    #[test]
    fn every_cut_and_every_flipped_bit_is_found() {
        let bytes = sample();
        for end in 0..bytes.len() {
            assert!(
                matches!(check(&bytes[..end], 50), Err(WireError::Truncated { .. })),
                "cut at {end}"
            );
        }
        for index in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[index] ^= 1 << (index % 8);
            assert!(check(&changed, 50).is_err(), "byte {index}");
        }
        let longer = [&bytes[..], &[0]].concat();
        assert!(matches!(check(&longer, 50), Err(WireError::TrailingBytes)));
    }

    #[test]
    fn limits_hold_before_anything_is_kept() {
        let limits = Limits {
            header: 1 << 20,
            body: 10,
        };
        let mut check = EvaluationKeysCheck::new(limits);
        assert!(matches!(
            check.push(&sample()),
            Err(WireError::Oversized { limit: 10, .. })
        ));
    }
}
