//! Whether a file of ciphertexts fits a model: checked by both sides, from the header alone, before
//! anything large is read.

use std::fmt::{self, Display, Formatter};

use hush_wire::{CiphertextShapeV1, CiphertextsHeaderV1, DirectionV1, ParametersV1};
use thiserror::Error;

use crate::client_spec::ClientSpec;

/// Relative difference at which two scales count as one, the engine's tolerance.
const SCALE_TOLERANCE: f64 = 1.0 / (1u64 << 40) as f64;

/// Why ciphertexts do not fit a model.
#[derive(Clone, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum ExchangeError {
    /// They belong to another program.
    #[error("the ciphertexts belong to program {found}, this model is program {expected}")]
    Program {
        /// This model.
        expected: ShortId,
        /// The model of the ciphertexts.
        found: ShortId,
    },
    /// Outputs where inputs are needed, or the reverse.
    #[error("the file holds encrypted {found} of the model, encrypted {expected} are needed here")]
    Direction {
        /// What is needed.
        expected: &'static str,
        /// What the file holds.
        found: &'static str,
    },
    /// Other encryption parameters.
    #[error("{what} has other encryption parameters than the model")]
    Parameters {
        /// What has them.
        what: &'static str,
    },
    /// No sample.
    #[error("the file holds no sample")]
    Empty,
    /// Another number of ciphertexts than the samples take.
    #[error("the file holds {actual} ciphertexts where {samples} samples take {expected}")]
    Count {
        /// Samples that the file says it holds.
        samples: u64,
        /// Ciphertexts that they take.
        expected: u64,
        /// Ciphertexts there are.
        actual: u64,
    },
    /// A ciphertext at another level or scale, or with other slots, than the model asks for.
    #[error("{field} of ciphertext {index} is {actual}, the model asks for {expected}")]
    Shape {
        /// The ciphertext, from 0.
        index: usize,
        /// What differs.
        field: &'static str,
        /// What the model asks for.
        expected: f64,
        /// What the file says.
        actual: f64,
    },
}

impl ExchangeError {
    /// What the user can do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Program { .. } => {
                "use the .client and .model files that were compiled together, and what was encrypted for them"
            }
            Self::Direction { found, .. } if *found == "outputs" => {
                "pass the file that `hush encrypt` wrote"
            }
            Self::Direction { .. } => "pass the file that `hush run` wrote",
            Self::Parameters { .. } => "make keys with `hush keygen` for this model's .client file",
            Self::Empty | Self::Count { .. } | Self::Shape { .. } => {
                "make the file again: it does not come from this model"
            }
        }
    }
}

/// The first eight bytes of an identifier, as people compare them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShortId([u8; 8]);

impl From<[u8; 32]> for ShortId {
    fn from(id: [u8; 32]) -> Self {
        let [a, b, c, d, e, f, g, h, ..] = id;
        Self([a, b, c, d, e, f, g, h])
    }
}

impl Display for ShortId {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
    }
}

impl ClientSpec {
    /// Groups of ciphertexts that a batch takes; the last may be filled partly.
    pub fn groups(&self, samples: u64) -> u64 {
        samples.div_ceil(self.packing.samples as u64)
    }

    /// Ciphertexts of one group, in one direction.
    pub fn ciphertexts_per_group(&self, direction: DirectionV1) -> usize {
        let tensors = match direction {
            DirectionV1::Input => &self.inputs,
            DirectionV1::Output => &self.outputs,
        };
        tensors.iter().map(|tensor| tensor.ciphertexts).sum()
    }

    /// Refuses keys or ciphertexts of other parameters; `what` names them.
    ///
    /// # Errors
    /// [`ExchangeError::Parameters`].
    pub fn check_parameters(
        &self,
        what: &'static str,
        stored: &ParametersV1,
    ) -> Result<(), ExchangeError> {
        let same = stored.log_degree == self.parameters.log_degree
            && stored.moduli == self.parameters.moduli
            && stored.special_moduli == self.parameters.special_moduli;
        if same {
            Ok(())
        } else {
            Err(ExchangeError::Parameters { what })
        }
    }

    /// Refuses a file of ciphertexts that is not for, or not from, this model.
    ///
    /// # Errors
    /// See [`ExchangeError`]; the most telling difference comes first.
    pub fn check_ciphertexts(
        &self,
        header: &CiphertextsHeaderV1,
        direction: DirectionV1,
    ) -> Result<(), ExchangeError> {
        if header.program_id != self.program_id {
            return Err(ExchangeError::Program {
                expected: self.program_id.into(),
                found: header.program_id.into(),
            });
        }
        if header.direction != direction {
            return Err(ExchangeError::Direction {
                expected: direction_name(direction),
                found: direction_name(header.direction),
            });
        }
        self.check_parameters("the ciphertext file", &header.parameters)?;
        if header.samples == 0 {
            return Err(ExchangeError::Empty);
        }
        let expected = self
            .groups(header.samples)
            .saturating_mul(self.ciphertexts_per_group(direction) as u64);
        let actual = header.shapes.len() as u64;
        if actual != expected {
            return Err(ExchangeError::Count {
                samples: header.samples,
                expected,
                actual,
            });
        }
        let mut shapes = header.shapes.iter().enumerate();
        shapes.try_for_each(|(index, shape)| self.check_shape(index, shape, direction))
    }

    fn check_shape(
        &self,
        index: usize,
        shape: &CiphertextShapeV1,
        direction: DirectionV1,
    ) -> Result<(), ExchangeError> {
        let (level, scale) = match direction {
            DirectionV1::Input => (self.input_level, self.input_scale),
            DirectionV1::Output => (self.output_level, self.output_scale),
        };
        let fields = [
            ("the level", f64::from(shape.limbs) - 1.0, level as f64, 0.0),
            ("the scale", shape.scale, scale, scale * SCALE_TOLERANCE),
            (
                "log2 of the slots",
                f64::from(shape.log_slots),
                f64::from(self.slots.trailing_zeros()),
                0.0,
            ),
        ];
        for (field, actual, expected, tolerance) in fields {
            let close = (actual - expected).abs() <= tolerance;
            if !close {
                return Err(ExchangeError::Shape {
                    index,
                    field,
                    expected,
                    actual,
                });
            }
        }
        Ok(())
    }
}

fn direction_name(direction: DirectionV1) -> &'static str {
    match direction {
        DirectionV1::Input => "inputs",
        DirectionV1::Output => "outputs",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client_spec::{KeyManifest, Packing, PackingKind, Place, TensorSpec};
    use crate::program::ParameterSpec;
    use hush_wire::FormV1;

    fn spec() -> ClientSpec {
        let tensor = |name: &str| TensorSpec {
            name: name.to_owned(),
            shape: vec![1],
            ciphertexts: 1,
            places: vec![vec![Place {
                ciphertext: 0,
                slot: 0,
            }]],
            range: None,
        };
        ClientSpec {
            program_id: [7; 32],
            name: "test".to_owned(),
            parameters: ParameterSpec {
                log_degree: 10,
                moduli: vec![97, 193],
                special_moduli: vec![257],
            },
            slots: 16,
            input_level: 1,
            input_scale: 1024.0,
            output_level: 0,
            output_scale: 512.0,
            inputs: vec![tensor("x")],
            outputs: vec![tensor("y")],
            packing: Packing {
                kind: PackingKind::Latency,
                samples: 2,
                sample_stride: 4,
            },
            keys: KeyManifest::default(),
            post: Vec::new(),
        }
    }

    fn header() -> CiphertextsHeaderV1 {
        let shape = CiphertextShapeV1 {
            limbs: 2,
            log_slots: 4,
            scale: 1024.0,
            form: FormV1::Seeded,
        };
        CiphertextsHeaderV1 {
            parameters: ParametersV1 {
                log_degree: 10,
                moduli: vec![97, 193],
                special_moduli: vec![257],
            },
            program_id: [7; 32],
            key_id: [1; 16],
            direction: DirectionV1::Input,
            samples: 3,
            shapes: vec![shape; 2],
        }
    }

    #[test]
    fn fitting_ciphertexts_pass() {
        assert_eq!(
            spec().check_ciphertexts(&header(), DirectionV1::Input),
            Ok(())
        );
    }

    #[test]
    fn every_misfit_is_told_apart() {
        type Change = fn(&mut CiphertextsHeaderV1);
        let cases: [(Change, &str); 8] = [
            (|header| header.program_id = [8; 32], "0808080808080808"),
            (|header| header.direction = DirectionV1::Output, "outputs"),
            (|header| header.parameters.moduli[1] = 389, "parameters"),
            (|header| header.samples = 0, "no sample"),
            (
                |header| header.samples = 5,
                "2 ciphertexts where 5 samples take 3",
            ),
            (
                |header| header.shapes[1].limbs = 1,
                "the level of ciphertext 1",
            ),
            (
                |header| header.shapes[0].scale = 1025.0,
                "the scale of ciphertext 0",
            ),
            (|header| header.shapes[0].log_slots = 3, "log2 of the slots"),
        ];
        for (change, expected) in cases {
            let mut header = header();
            change(&mut header);
            let error = spec()
                .check_ciphertexts(&header, DirectionV1::Input)
                .expect_err(expected);
            assert!(error.to_string().contains(expected), "{error}");
        }
    }
}
