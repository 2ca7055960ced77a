//! The plaintexts of a program, encoded once.

use std::collections::BTreeMap;

use hush_circuits::{Basis, CircuitError, Diagonal, LinearTransform, Polynomial, Storage};
use hush_ckks::encoder::MirroredPlaintext;
use hush_ckks::{CkksError, Level, Parameters, Scale};
use hush_program::{
    Block, Instruction, KeyManifest, LinearPlan, Operation, Plain, Program, Register,
};

use crate::RuntimeError;
use crate::memory::{self, Choice, Memory};

/// What each instruction needs, by its index.
#[derive(Default)]
pub(crate) struct Prepared {
    pub(crate) linear: BTreeMap<usize, Linear>,
    pub(crate) polynomials: BTreeMap<usize, Polynomial>,
    pub(crate) plains: BTreeMap<usize, MirroredPlaintext>,
}

/// A linear instruction.
pub(crate) struct Linear {
    pub(crate) product: Product,
    pub(crate) bias: Vec<Option<MirroredPlaintext>>,
}

/// How its products are taken.
pub(crate) enum Product {
    /// Diagonals by double hoisting.
    Transform(Box<LinearTransform>),
    /// Constants only: a matrix over whole ciphertexts, `[result][input]`, and their scale.
    Matrix(Vec<Vec<f64>>, Scale),
}

impl Prepared {
    /// Encodes what all of the run's memory staying below `limit` bytes leaves room for.
    pub(crate) fn new(
        program: &Program,
        parameters: &Parameters,
        manifest: &KeyManifest,
        limit: Option<u64>,
    ) -> Result<(Self, Memory), RuntimeError> {
        let mut prepared = Self::default();
        let mut types: BTreeMap<Register, (usize, f64)> = program
            .inputs
            .iter()
            .map(|&register| (register, (program.input_level, program.input_scale)))
            .collect();
        let about = |index: usize, source| RuntimeError::Prepare {
            index,
            label: program.instructions[index].label.clone(),
            source,
        };
        for (index, instruction) in program.instructions.iter().enumerate() {
            prepared
                .instruction(program, parameters, &types, index, instruction)
                .map_err(|source| about(index, source))?;
            for &result in &instruction.results {
                types.insert(result, (instruction.level, instruction.scale));
            }
        }
        let mut memory = Memory {
            biases: prepared.plains().map(|plain| plain.bytes() as u64).sum(),
            program: weight_bytes(program),
            keys: memory::key_bytes(parameters, manifest),
            tables: memory::table_bytes(parameters),
            working: memory::working_bytes(program, |index| prepared.working(parameters, index)),
            limit,
            ..Memory::default()
        };
        let choices = prepared
            .choices(program, parameters)
            .map_err(|(index, source)| about(index, source))?;
        let (indices, choices): (Vec<usize>, Vec<Choice>) = choices.into_iter().unzip();
        let left = limit.map(|limit| limit.saturating_sub(memory.fixed()));
        for (index, storage) in indices.into_iter().zip(memory::choose(&choices, left)) {
            let bytes = prepared
                .hold(program, parameters, index, storage)
                .map_err(|source| about(index, source))?;
            memory.add(storage, bytes);
        }
        Ok((prepared, memory))
    }

    fn plains(&self) -> impl Iterator<Item = &MirroredPlaintext> {
        let biases = self.linear.values().flat_map(|linear| &linear.bias);
        biases.flatten().chain(self.plains.values())
    }

    fn transforms(&self) -> impl Iterator<Item = (usize, &LinearTransform)> {
        self.linear
            .iter()
            .filter_map(|(&index, linear)| match &linear.product {
                Product::Transform(transform) => Some((index, transform.as_ref())),
                Product::Matrix(..) => None,
            })
    }

    fn working(&self, parameters: &Parameters, index: usize) -> u64 {
        match self.linear.get(&index).map(|linear| &linear.product) {
            Some(Product::Transform(transform)) => {
                transform.working_bytes(parameters, rayon::current_num_threads()) as u64
            }
            _ => 0,
        }
    }

    /// What each transform would take.
    fn choices(
        &self,
        program: &Program,
        parameters: &Parameters,
    ) -> Result<Vec<(usize, Choice)>, (usize, CircuitError)> {
        let one = |(index, transform): (usize, &LinearTransform)| {
            let instruction = &program.instructions[index];
            let bytes = |storage| {
                with_diagonals(blocks(instruction), program.slots, |diagonals| {
                    transform.bytes_in(parameters, diagonals, storage)
                })
            };
            let choice = Choice {
                kept: bytes(Storage::Kept).map_err(|source| (index, source))? as u64,
                compact: bytes(Storage::Compact).map_err(|source| (index, source))? as u64,
                weights: transform.weights(),
                limbs: instruction.level + 2 + parameters.special_moduli().len(),
            };
            Ok((index, choice))
        };
        self.transforms().map(one).collect()
    }

    /// Encodes the plaintexts of one transform; returns their bytes.
    fn hold(
        &mut self,
        program: &Program,
        parameters: &Parameters,
        index: usize,
        storage: Storage,
    ) -> Result<usize, CircuitError> {
        let Some(linear) = self.linear.get_mut(&index) else {
            return Ok(0);
        };
        let Product::Transform(transform) = &mut linear.product else {
            return Ok(0);
        };
        let blocks = blocks(&program.instructions[index]);
        with_diagonals(blocks, program.slots, |diagonals| {
            transform.hold(parameters, diagonals, storage)
        })?;
        Ok(transform.bytes())
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
                    None => {
                        let slots = program.slots;
                        let transform = with_diagonals(blocks, slots, |diagonals| {
                            LinearTransform::new(
                                parameters, diagonals, shape, *baby_step, slots, input, scale,
                            )
                        });
                        Product::Transform(Box::new(transform?))
                    }
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

/// The blocks of a linear instruction; none of another.
fn blocks(instruction: &Instruction) -> &[Block] {
    match &instruction.operation {
        Operation::Linear { blocks, .. } => blocks,
        _ => &[],
    }
}

/// Bytes of the numbers that the program holds.
fn weight_bytes(program: &Program) -> u64 {
    let plain = |plain: &Plain| match plain {
        Plain::Slots(values) => size_of_val(values.as_slice()) as u64,
        _ => 0,
    };
    let each = program.instructions.iter().map(|instruction| {
        let own = match &instruction.operation {
            Operation::Linear { bias, .. } => bias.iter().flatten().map(plain).sum(),
            Operation::AddPlain { plain: added, .. } => plain(added),
            _ => 0,
        };
        let diagonals = blocks(instruction).iter();
        let diagonals = diagonals.flat_map(|block| block.diagonals.values());
        own + diagonals.map(plain).sum::<u64>()
    });
    each.sum()
}

fn encode(
    parameters: &Parameters,
    plain: &Plain,
    slots: usize,
    scale: Scale,
    level: Level,
) -> Result<MirroredPlaintext, CkksError> {
    let constant;
    let values = match plain {
        Plain::Constant(value) => {
            constant = vec![*value; slots];
            &constant
        }
        Plain::Slots(values) => values,
        _ => return Err(CkksError::ParameterMismatch),
    };
    MirroredPlaintext::new(parameters, values, slots, scale, level)
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

/// Calls `body` with the diagonals of a linear plan.
pub(crate) fn with_plan<T>(
    plan: &LinearPlan<'_>,
    slots: usize,
    body: impl FnOnce(&[Diagonal<'_>]) -> T,
) -> T {
    with_diagonals(plan.blocks, slots, body)
}

fn with_diagonals<T>(blocks: &[Block], slots: usize, body: impl FnOnce(&[Diagonal<'_>]) -> T) -> T {
    let plains = || {
        blocks.iter().flat_map(|block| {
            let diagonals = block.diagonals.iter();
            diagonals.map(move |(&rotation, plain)| (block, rotation, plain))
        })
    };
    let constants: Vec<Vec<f64>> = plains()
        .filter_map(|(_, _, plain)| match plain {
            Plain::Constant(value) => Some(vec![*value; slots]),
            _ => None,
        })
        .collect();
    let mut constants = constants.iter();
    let diagonals: Vec<Diagonal<'_>> = plains()
        .map(|(block, rotation, plain)| Diagonal {
            output: block.output,
            input: block.input,
            rotation,
            weights: match plain {
                Plain::Slots(values) => values.as_slice(),
                _ => constants.next().map_or(&[][..], Vec::as_slice),
            },
        })
        .collect();
    body(&diagonals)
}
