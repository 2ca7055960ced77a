//! Encrypted tensors: a header that says whose they are, then one packed record each.

use crate::{KeyIdV1, Kind, ParametersV1, ProgramIdV1, Reader, WireError, Writer};
use serde::{Deserialize, Serialize};
use std::io::{Read, Write};

/// Which way the ciphertexts travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DirectionV1 {
    /// From the data owner to the server.
    Input,
    /// From the server to the data owner.
    Output,
}

/// What the uniform half of a ciphertext is stored as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FormV1 {
    /// Two polynomials; the second is stored as the 32-byte seed it is expanded from.
    Seeded,
    /// This many polynomials, all stored (2, or 3 before relinearisation).
    Full {
        /// Number of polynomials.
        parts: u8,
    },
}

/// The shape of one stored ciphertext.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CiphertextShapeV1 {
    /// Limbs of the chain: one more than the level.
    pub limbs: u32,
    /// log2 of the number of cyclic slots.
    pub log_slots: u32,
    /// The scale; finite and positive.
    pub scale: f64,
    /// How the polynomials are stored.
    pub form: FormV1,
}

/// The header of a ciphertext file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CiphertextsHeaderV1 {
    /// The parameters all ciphertexts have.
    pub parameters: ParametersV1,
    /// The program the ciphertexts are for, or come from.
    pub program_id: ProgramIdV1,
    /// The key they are encrypted under.
    pub key_id: KeyIdV1,
    /// Inputs or outputs.
    pub direction: DirectionV1,
    /// How many samples they hold.
    pub samples: u64,
    /// One shape per ciphertext, in file order: group by group, tensor by tensor.
    pub shapes: Vec<CiphertextShapeV1>,
}

impl CiphertextsHeaderV1 {
    /// Refuses shapes that no writer produces.
    pub fn check(&self) -> Result<(), WireError> {
        self.parameters.check()?;
        if self.shapes.len() > u32::MAX as usize {
            return Err(WireError::out_of_range(
                "shapes",
                self.shapes.len(),
                "at most 2^32 ciphertexts",
            ));
        }
        for shape in &self.shapes {
            if shape.limbs == 0 || shape.limbs as usize > self.parameters.moduli.len() {
                return Err(WireError::out_of_range(
                    "limbs",
                    shape.limbs,
                    "1 to the length of the chain",
                ));
            }
            if shape.log_slots > self.parameters.log_degree {
                return Err(WireError::out_of_range(
                    "log_slots",
                    shape.log_slots,
                    "0 to log2 of the ring degree",
                ));
            }
            if !(shape.scale.is_finite() && shape.scale > 0.0) {
                return Err(WireError::out_of_range(
                    "scale",
                    shape.scale,
                    "finite and above 0",
                ));
            }
            if let FormV1::Full { parts } = shape.form
                && !(2..=3).contains(&parts)
            {
                return Err(WireError::out_of_range("parts", parts, "2 or 3"));
            }
        }
        Ok(())
    }

    /// Bytes of the body that follows this header; the header must have been checked.
    pub fn body_length(&self) -> u64 {
        let lengths = self.shapes.iter().map(|shape| {
            let part = self
                .parameters
                .polynomial_length(shape.limbs as usize, false);
            match shape.form {
                FormV1::Seeded => part + 32,
                FormV1::Full { parts } => part * u64::from(parts),
            }
        });
        lengths.fold(0, u64::saturating_add)
    }
}

/// One polynomial of a stored ciphertext.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartV1 {
    /// Residues in evaluation (NTT) form, limb after limb, `limbs * degree` of them.
    Residues(Vec<u64>),
    /// The seed of a uniform polynomial.
    Seed([u8; 32]),
}

/// One stored ciphertext.
#[derive(Clone, Debug, PartialEq)]
pub struct CiphertextV1 {
    /// Its shape, which decides the form of `parts`.
    pub shape: CiphertextShapeV1,
    /// Its polynomials, the one without the secret first.
    pub parts: Vec<PartV1>,
}

/// Writes a ciphertext file one ciphertext at a time.
pub struct CiphertextsWriter<W> {
    writer: Writer<W>,
    header: CiphertextsHeaderV1,
    written: usize,
}

impl<W: Write> CiphertextsWriter<W> {
    /// Writes the header.
    pub fn new(output: W, header: CiphertextsHeaderV1) -> Result<Self, WireError> {
        header.check()?;
        let writer = Writer::new(output, Kind::Ciphertexts, &header, header.body_length())?;
        Ok(Self {
            writer,
            header,
            written: 0,
        })
    }

    /// Writes the next ciphertext, whose shape must be the next one of the header.
    pub fn write(&mut self, ciphertext: &CiphertextV1) -> Result<(), WireError> {
        let announced = self.header.shapes.get(self.written);
        if announced != Some(&ciphertext.shape) {
            return Err(self.miscount(self.written + 1));
        }
        let limbs = ciphertext.shape.limbs as usize;
        let degree = self.header.parameters.degree();
        let expected = match ciphertext.shape.form {
            FormV1::Seeded => 2,
            FormV1::Full { parts } => usize::from(parts),
        };
        if ciphertext.parts.len() != expected {
            return Err(WireError::out_of_range(
                "parts",
                ciphertext.parts.len(),
                "the number of the shape",
            ));
        }
        for (index, part) in ciphertext.parts.iter().enumerate() {
            let seeded = ciphertext.shape.form == FormV1::Seeded && index == 1;
            match part {
                PartV1::Seed(seed) if seeded => self.writer.write(seed)?,
                PartV1::Residues(residues) if !seeded && residues.len() == limbs * degree => {
                    let moduli = self.header.parameters.basis(limbs, false);
                    for (modulus, limb) in moduli.zip(residues.chunks(degree)) {
                        self.writer.write_residues(modulus, limb)?;
                    }
                }
                _ => {
                    return Err(WireError::out_of_range(
                        "parts",
                        format!("part {index}"),
                        "residues or a seed as the shape says",
                    ));
                }
            }
        }
        self.written += 1;
        Ok(())
    }

    /// Ends the file; all announced ciphertexts must have been written.
    pub fn finish(self) -> Result<W, WireError> {
        if self.written != self.header.shapes.len() {
            return Err(self.miscount(self.written));
        }
        self.writer.finish()
    }

    fn miscount(&self, actual: usize) -> WireError {
        WireError::Announced {
            what: "ciphertexts of the announced shapes",
            announced: self.header.shapes.len() as u64,
            actual: actual as u64,
        }
    }
}

/// Reads a ciphertext file one ciphertext at a time.
pub struct CiphertextsReader<R> {
    reader: Reader<R>,
    header: CiphertextsHeaderV1,
    done: usize,
}

impl<R: Read> CiphertextsReader<R> {
    /// Reads and checks the header. Compare it with what is expected before reading on.
    pub fn open(input: R) -> Result<Self, WireError> {
        let reader = Reader::open(input, Kind::Ciphertexts)?;
        let header: CiphertextsHeaderV1 = reader.header()?;
        header.check()?;
        reader.expect_body(header.body_length())?;
        Ok(Self {
            reader,
            header,
            done: 0,
        })
    }

    /// The header.
    pub fn header(&self) -> &CiphertextsHeaderV1 {
        &self.header
    }

    /// Reads the next ciphertext; `None` after the last.
    pub fn next_ciphertext(&mut self) -> Result<Option<CiphertextV1>, WireError> {
        let Some(&shape) = self.header.shapes.get(self.done) else {
            return Ok(None);
        };
        let mut parts = Vec::with_capacity(3);
        match shape.form {
            FormV1::Seeded => {
                parts.push(self.residues(shape.limbs as usize)?);
                let mut seed = [0; 32];
                self.reader.read(&mut seed)?;
                parts.push(PartV1::Seed(seed));
            }
            FormV1::Full { parts: count } => {
                for _ in 0..count {
                    parts.push(self.residues(shape.limbs as usize)?);
                }
            }
        }
        self.done += 1;
        Ok(Some(CiphertextV1 { shape, parts }))
    }

    /// Checks that all was read, the checksum, and that nothing follows.
    pub fn finish(self) -> Result<(), WireError> {
        self.reader.finish()
    }

    /// Limb by limb, so that memory grows with the bytes that arrive.
    fn residues(&mut self, limbs: usize) -> Result<PartV1, WireError> {
        let degree = self.header.parameters.degree();
        let mut residues = Vec::new();
        for modulus in self.header.parameters.basis(limbs, false) {
            let start = residues.len();
            residues.resize(start + degree, 0);
            self.reader.read_residues(modulus, &mut residues[start..])?;
        }
        Ok(PartV1::Residues(residues))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(form: FormV1) -> CiphertextsHeaderV1 {
        CiphertextsHeaderV1 {
            parameters: ParametersV1 {
                log_degree: 3,
                moduli: vec![97, 193],
                special_moduli: vec![257],
            },
            program_id: [1; 32],
            key_id: [2; 16],
            direction: DirectionV1::Input,
            samples: 3,
            shapes: vec![CiphertextShapeV1 {
                limbs: 2,
                log_slots: 2,
                scale: 1099511627776.0,
                form,
            }],
        }
    }

    fn write(header: &CiphertextsHeaderV1, parts: Vec<PartV1>) -> Result<Vec<u8>, WireError> {
        let mut writer = CiphertextsWriter::new(Vec::new(), header.clone())?;
        writer.write(&CiphertextV1 {
            shape: header.shapes[0],
            parts,
        })?;
        writer.finish()
    }

    #[test]
    fn seeded_and_full_round_trip() {
        let residues = PartV1::Residues((0..16).collect());
        for (form, parts) in [
            (
                FormV1::Seeded,
                vec![residues.clone(), PartV1::Seed([9; 32])],
            ),
            (
                FormV1::Full { parts: 3 },
                vec![residues.clone(), residues.clone(), residues],
            ),
        ] {
            let header = header(form);
            let bytes = write(&header, parts.clone()).unwrap();
            let mut reader = CiphertextsReader::open(&bytes[..]).unwrap();
            assert_eq!(reader.header(), &header);
            let back = reader.next_ciphertext().unwrap().unwrap();
            assert_eq!(back.parts, parts);
            assert!(reader.next_ciphertext().unwrap().is_none());
            reader.finish().unwrap();
        }
    }

    #[test]
    fn parts_must_fit_the_shape() {
        let header = header(FormV1::Seeded);
        let residues = PartV1::Residues((0..16).collect());
        assert!(write(&header, vec![residues.clone(), residues.clone()]).is_err());
        assert!(
            write(
                &header,
                vec![PartV1::Residues(vec![0; 8]), PartV1::Seed([0; 32])]
            )
            .is_err()
        );
        let writer = CiphertextsWriter::new(Vec::new(), header.clone()).unwrap();
        assert!(matches!(writer.finish(), Err(WireError::Announced { .. })));
        let too_large = PartV1::Residues(vec![97; 16]);
        assert!(matches!(
            write(&header, vec![too_large, PartV1::Seed([0; 32])]),
            Err(WireError::Residue { .. })
        ));
    }

    #[test]
    fn shapes_are_checked() {
        for bad in [
            |shape: &mut CiphertextShapeV1| shape.limbs = 3,
            |shape: &mut CiphertextShapeV1| shape.limbs = 0,
            |shape: &mut CiphertextShapeV1| shape.log_slots = 4,
            |shape: &mut CiphertextShapeV1| shape.scale = f64::NAN,
            |shape: &mut CiphertextShapeV1| shape.form = FormV1::Full { parts: 1 },
        ] {
            let mut header = header(FormV1::Seeded);
            bad(&mut header.shapes[0]);
            assert!(matches!(header.check(), Err(WireError::OutOfRange { .. })));
        }
    }
}
