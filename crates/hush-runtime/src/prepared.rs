//! The plaintexts of a program, encoded once.

use std::collections::BTreeMap;

use hush_circuits::{Basis, CircuitError, Diagonal, LinearTransform, Polynomial, Storage};
use hush_ckks::encoder::{encode_constant, encode_real};
use hush_ckks::{CkksError, Level, Parameters, Plaintext, Scale};
use hush_program::{Block, Instruction, Operation, Plain, Program, Register};

use crate::RuntimeError;

/// What each instruction needs, by its index.
pub(crate) struct Prepared {
    pub(crate) linear: BTreeMap<usize, Linear>,
    pub(crate) polynomials: BTreeMap<usize, Polynomial>,
    pub(crate) plains: BTreeMap<usize, Plaintext>,
}

/// A linear instruction.
pub(crate) struct Linear {
    pub(crate) product: Product,
    pub(crate) bias: Vec<Option<Plaintext>>,
}

/// How its products are taken.
pub(crate) enum Product {
    /// Diagonals by double hoisting.
    Transform(LinearTransform),
    /// Constants only: a matrix over whole ciphertexts, `[result][input]`, and their scale.
    Matrix(Vec<Vec<f64>>, Scale),
}

impl Prepared {
    pub(crate) fn new(program: &Program, parameters: &Parameters) -> Result<Self, RuntimeError> {
        let mut prepared = Self {
            linear: BTreeMap::new(),
            polynomials: BTreeMap::new(),
            plains: BTreeMap::new(),
        };
        let mut types: BTreeMap<Register, (usize, f64)> = program
            .inputs
            .iter()
            .map(|&register| (register, (program.input_level, program.input_scale)))
            .collect();
        for (index, instruction) in program.instructions.iter().enumerate() {
            prepared
                .instruction(program, parameters, &types, index, instruction)
                .map_err(|source| RuntimeError::Prepare {
                    index,
                    label: instruction.label.clone(),
                    source,
                })?;
            for &result in &instruction.results {
                types.insert(result, (instruction.level, instruction.scale));
            }
        }
        Ok(prepared)
    }

    fn instruction(
        &mut self,
        program: &Program,
        parameters: &Parameters,
        types: &BTreeMap<Register, (usize, f64)>,
        index: usize,
        instruction: &Instruction,
    ) -> Result<(), CircuitError> {
        let level = Level(instruction.level);
        let scale = Scale::new(instruction.scale)?;
        let encode = |plain: &Plain| encode(parameters, plain, program.slots, scale, level);
        match &instruction.operation {
            Operation::Linear {
                inputs,
                blocks,
                baby_step,
                bias,
                ..
            } => {
                // A checked program reads only registers that were written.
                let &(input_level, input_scale) = &types[&inputs[0]];
                let input = (Level(input_level), Scale::new(input_scale)?);
                let shape = (inputs.len(), bias.len());
                let product = match matrix(blocks, shape) {
                    Some(weights) => {
                        parameters.check_level(input.0)?;
                        let modulus = parameters.moduli()[input_level] as f64;
                        Product::Matrix(weights, Scale::new(scale.value() * modulus / input_scale)?)
                    }
                    None => Product::Transform(transform(
                        parameters,
                        blocks,
                        shape,
                        *baby_step,
                        program.slots,
                        input,
                        scale,
                    )?),
                };
                let bias = bias
                    .iter()
                    .map(|bias| bias.as_ref().map(encode).transpose())
                    .collect::<Result<_, CkksError>>()?;
                self.linear.insert(index, Linear { product, bias });
            }
            Operation::Polynomial { polynomial, .. } => {
                let basis = match polynomial.basis {
                    hush_program::Basis::Power => Basis::Power,
                    hush_program::Basis::Chebyshev { lo, hi } => {
                        Basis::Chebyshev { low: lo, high: hi }
                    }
                    _ => return Err(CircuitError::InvalidPolynomial),
                };
                let polynomial = Polynomial::new(polynomial.coefficients.clone(), basis)?;
                self.polynomials.insert(index, polynomial);
            }
            Operation::AddPlain { plain, .. } => {
                self.plains.insert(index, encode(plain)?);
            }
            _ => {}
        }
        Ok(())
    }
}

fn encode(
    parameters: &Parameters,
    plain: &Plain,
    slots: usize,
    scale: Scale,
    level: Level,
) -> Result<Plaintext, CkksError> {
    match plain {
        Plain::Constant(value) => encode_constant(parameters, *value, slots, scale, level),
        Plain::Slots(values) => encode_real(parameters, values, slots, scale, level),
        _ => Err(CkksError::ParameterMismatch),
    }
}

/// The weights as a matrix, if nothing is rotated and every weight is a constant.
fn matrix(blocks: &[Block], (inputs, outputs): (usize, usize)) -> Option<Vec<Vec<f64>>> {
    let mut weights = vec![vec![0.0; inputs]; outputs];
    for block in blocks {
        for (&rotation, plain) in &block.diagonals {
            match plain {
                Plain::Constant(value) if rotation == 0 => {
                    weights[block.output][block.input] += value;
                }
                _ => return None,
            }
        }
    }
    Some(weights)
}

fn transform(
    parameters: &Parameters,
    blocks: &[Block],
    shape: (usize, usize),
    baby_step: usize,
    slots: usize,
    input: (Level, Scale),
    scale: Scale,
) -> Result<LinearTransform, CircuitError> {
    let mut constants = Vec::new();
    for block in blocks {
        for plain in block.diagonals.values() {
            if let Plain::Constant(value) = plain {
                constants.push(vec![*value; slots]);
            }
        }
    }
    let mut constants = constants.iter();
    let mut diagonals = Vec::new();
    for block in blocks {
        for (&rotation, plain) in &block.diagonals {
            let weights = match plain {
                Plain::Slots(values) => values.as_slice(),
                _ => constants.next().map_or(&[][..], Vec::as_slice),
            };
            diagonals.push(Diagonal {
                output: block.output,
                input: block.input,
                rotation,
                weights,
            });
        }
    }
    LinearTransform::new(
        parameters, &diagonals, shape, baby_step, slots, input, scale,
    )?
    .hold(parameters, &diagonals, Storage::Kept)
}
