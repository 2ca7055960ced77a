//! Evaluation keys: a header that names every switching key, then one packed record each.

use crate::{KeyIdV1, Kind, ParametersV1, Reader, WireError, Writer};
use serde::{Deserialize, Serialize};
use std::io::{Read, Write};

/// What a switching key switches from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum SwitchV1 {
    /// From the square of the secret key.
    Relinearization,
    /// From the secret key to its image under the inverse of X -> X^element: applying the automorphism
    /// to the result of the switch brings it back under the key.
    Galois {
        /// Odd and below twice the ring degree.
        element: u64,
    },
}

/// The shape of one stored switching key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwitchingKeyShapeV1 {
    /// What it switches from.
    pub switch: SwitchV1,
    /// Chain limbs it works on: one more than the highest level it can be used at.
    pub limbs: u32,
}

/// The header of an evaluation-key file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvaluationKeysHeaderV1 {
    /// The parameters all keys have.
    pub parameters: ParametersV1,
    /// The secret key they belong to.
    pub key_id: KeyIdV1,
    /// One shape per switching key, in file order, sorted by what they switch from.
    pub keys: Vec<SwitchingKeyShapeV1>,
}

impl EvaluationKeysHeaderV1 {
    /// Refuses shapes that no writer produces.
    pub fn check(&self) -> Result<(), WireError> {
        self.parameters.check()?;
        if !self.keys.is_empty() && self.parameters.special_moduli.is_empty() {
            return Err(WireError::out_of_range(
                "special_moduli",
                "empty",
                "at least one where there are switching keys",
            ));
        }
        for key in &self.keys {
            if key.limbs == 0 || key.limbs as usize > self.parameters.moduli.len() {
                return Err(WireError::out_of_range(
                    "limbs",
                    key.limbs,
                    "1 to the length of the chain",
                ));
            }
            if let SwitchV1::Galois { element } = key.switch
                && (element % 2 == 0 || element >= 2 << self.parameters.log_degree)
            {
                return Err(WireError::out_of_range(
                    "element",
                    element,
                    "odd and below twice the ring degree",
                ));
            }
        }
        if !self.keys.is_sorted_by(|a, b| a.switch < b.switch) {
            return Err(WireError::out_of_range(
                "keys",
                "unsorted or repeated",
                "strictly ascending",
            ));
        }
        Ok(())
    }

    /// Digits of a key with this many chain limbs: as many limbs a digit as there are special
    /// primes.
    pub fn digits(&self, limbs: u32) -> usize {
        (limbs as usize).div_ceil(self.parameters.special_moduli.len().max(1))
    }

    /// Bytes of the body that follows this header; the header must have been checked.
    pub fn body_length(&self) -> u64 {
        let lengths = self.keys.iter().map(|key| {
            let digit = self.parameters.polynomial_length(key.limbs as usize, true);
            32 + digit * self.digits(key.limbs) as u64
        });
        lengths.fold(0, u64::saturating_add)
    }
}

/// One stored switching key: the seed of its uniform half, and the other half.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SwitchingKeyV1 {
    /// Its shape.
    pub shape: SwitchingKeyShapeV1,
    /// The seed that the uniform half is expanded from.
    pub seed: [u8; 32],
    /// Residues in evaluation (NTT) form, limb by limb (the chain, then all special primes), digit
    /// by digit within a limb: index `(limb * digits + digit) * degree + coefficient`.
    pub residues: Vec<u64>,
}

/// Writes an evaluation-key file one switching key at a time.
pub struct EvaluationKeysWriter<W> {
    writer: Writer<W>,
    header: EvaluationKeysHeaderV1,
    written: usize,
}

impl<W: Write> EvaluationKeysWriter<W> {
    /// Writes the header.
    pub fn new(output: W, header: EvaluationKeysHeaderV1) -> Result<Self, WireError> {
        header.check()?;
        let writer = Writer::new(output, Kind::EvaluationKeys, &header, header.body_length())?;
        Ok(Self {
            writer,
            header,
            written: 0,
        })
    }

    /// Writes the next key, whose shape must be the next one of the header.
    pub fn write(&mut self, key: &SwitchingKeyV1) -> Result<(), WireError> {
        if self.header.keys.get(self.written) != Some(&key.shape) {
            return Err(self.miscount(self.written + 1));
        }
        let limbs = key.shape.limbs as usize;
        let per_limb = self.header.digits(key.shape.limbs) * self.header.parameters.degree();
        let moduli: Vec<u64> = self.header.parameters.basis(limbs, true).collect();
        if key.residues.len() != moduli.len() * per_limb {
            return Err(WireError::out_of_range(
                "residues",
                key.residues.len(),
                "limbs times digits times the ring degree",
            ));
        }
        self.writer.write(&key.seed)?;
        let degree = self.header.parameters.degree();
        for (modulus, limb) in moduli.into_iter().zip(key.residues.chunks(per_limb)) {
            for digit in limb.chunks(degree) {
                self.writer.write_residues(modulus, digit)?;
            }
        }
        self.written += 1;
        Ok(())
    }

    /// Ends the file; all announced keys must have been written.
    pub fn finish(self) -> Result<W, WireError> {
        if self.written != self.header.keys.len() {
            return Err(self.miscount(self.written));
        }
        self.writer.finish()
    }

    fn miscount(&self, actual: usize) -> WireError {
        WireError::Announced {
            what: "switching keys of the announced shapes",
            announced: self.header.keys.len() as u64,
            actual: actual as u64,
        }
    }
}

/// Reads an evaluation-key file one switching key at a time.
pub struct EvaluationKeysReader<R> {
    reader: Reader<R>,
    header: EvaluationKeysHeaderV1,
    done: usize,
}

impl<R: Read> EvaluationKeysReader<R> {
    /// Reads and checks the header. Compare it with what is expected before reading on.
    pub fn open(input: R) -> Result<Self, WireError> {
        let reader = Reader::open(input, Kind::EvaluationKeys)?;
        let header: EvaluationKeysHeaderV1 = reader.header()?;
        header.check()?;
        reader.expect_body(header.body_length())?;
        Ok(Self {
            reader,
            header,
            done: 0,
        })
    }

    /// The header.
    pub fn header(&self) -> &EvaluationKeysHeaderV1 {
        &self.header
    }

    /// Reads the next key; `None` after the last.
    pub fn next_key(&mut self) -> Result<Option<SwitchingKeyV1>, WireError> {
        let Some(&shape) = self.header.keys.get(self.done) else {
            return Ok(None);
        };
        let mut seed = [0; 32];
        self.reader.read(&mut seed)?;
        let degree = self.header.parameters.degree();
        let digits = self.header.digits(shape.limbs);
        let mut residues = Vec::new();
        for modulus in self.header.parameters.basis(shape.limbs as usize, true) {
            for _ in 0..digits {
                let start = residues.len();
                residues.resize(start + degree, 0);
                self.reader.read_residues(modulus, &mut residues[start..])?;
            }
        }
        self.done += 1;
        Ok(Some(SwitchingKeyV1 {
            shape,
            seed,
            residues,
        }))
    }

    /// Checks that all was read, the checksum, and that nothing follows.
    pub fn finish(self) -> Result<(), WireError> {
        self.reader.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> EvaluationKeysHeaderV1 {
        EvaluationKeysHeaderV1 {
            parameters: ParametersV1 {
                log_degree: 2,
                moduli: vec![97, 193, 241],
                special_moduli: vec![257, 313],
            },
            key_id: [2; 16],
            keys: vec![
                SwitchingKeyShapeV1 {
                    switch: SwitchV1::Relinearization,
                    limbs: 3,
                },
                SwitchingKeyShapeV1 {
                    switch: SwitchV1::Galois { element: 5 },
                    limbs: 1,
                },
            ],
        }
    }

    #[test]
    fn keys_round_trip() {
        let header = header();
        let keys = [
            SwitchingKeyV1 {
                shape: header.keys[0],
                seed: [3; 32],
                residues: (0..5 * 2 * 4).collect(),
            },
            SwitchingKeyV1 {
                shape: header.keys[1],
                seed: [4; 32],
                residues: (0..3 * 4).collect(),
            },
        ];
        let mut writer = EvaluationKeysWriter::new(Vec::new(), header.clone()).unwrap();
        for key in &keys {
            writer.write(key).unwrap();
        }
        let bytes = writer.finish().unwrap();
        let mut reader = EvaluationKeysReader::open(&bytes[..]).unwrap();
        assert_eq!(reader.header(), &header);
        for key in &keys {
            assert_eq!(reader.next_key().unwrap().as_ref(), Some(key));
        }
        assert_eq!(reader.next_key().unwrap(), None);
        reader.finish().unwrap();
    }

    #[test]
    fn headers_are_checked() {
        header().check().unwrap();
        for bad in [
            |header: &mut EvaluationKeysHeaderV1| header.keys.swap(0, 1),
            |header: &mut EvaluationKeysHeaderV1| header.keys[1] = header.keys[0],
            |header: &mut EvaluationKeysHeaderV1| header.keys[0].limbs = 4,
            |header: &mut EvaluationKeysHeaderV1| header.parameters.special_moduli.clear(),
            |header: &mut EvaluationKeysHeaderV1| {
                header.keys[1].switch = SwitchV1::Galois { element: 4 }
            },
            |header: &mut EvaluationKeysHeaderV1| {
                header.keys[1].switch = SwitchV1::Galois { element: 9 }
            },
        ] {
            let mut header = header();
            bad(&mut header);
            assert!(header.check().is_err());
        }
    }
}
