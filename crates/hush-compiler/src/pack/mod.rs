//! From stages to instructions: where elements stand in slots, and which rotations bring them together.

pub mod latency;
pub mod layout;
mod outputs;
pub mod throughput;

use hush_program::{Instruction, Operation, PackingKind, ParameterSpec, Place, Program, Register};

/// Instructions without levels and scales, which later passes choose.
#[derive(Clone, Debug, PartialEq)]
pub struct Packed {
    /// Which way.
    pub kind: PackingKind,
    /// Cyclic slots.
    pub slots: usize,
    /// Samples per group of ciphertexts.
    pub samples: usize,
    /// Slots between samples.
    pub sample_stride: usize,
    /// Levels from inputs to outputs.
    pub depth: usize,
    /// Instructions in order.
    pub instructions: Vec<Planned>,
    /// Input registers.
    pub inputs: Vec<Register>,
    /// Output registers, all at the same depth.
    pub outputs: Vec<Register>,
    /// Ciphertexts and places of each input tensor.
    pub input_places: Vec<Placement>,
    /// Ciphertexts and places of each output tensor.
    pub output_places: Vec<Placement>,
    /// Number of scale groups; group 0 is the inputs.
    pub groups: usize,
    /// In words: which layouts were chosen.
    pub notes: Vec<String>,
}

/// Ciphertexts of a tensor and the places of its elements.
#[derive(Clone, Debug, PartialEq)]
pub struct Placement {
    /// Number of ciphertexts.
    pub ciphertexts: usize,
    /// Per element, all its places.
    pub places: Vec<Vec<Place>>,
}

/// An instruction whose level is counted from the inputs.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    /// Names of the nodes.
    pub label: String,
    /// What to compute.
    pub operation: Operation,
    /// Registers written.
    pub results: Vec<Register>,
    /// Levels consumed from the inputs to the results.
    pub depth: usize,
    /// What the scale of the results follows from.
    pub scaling: Scaling,
}

/// Where the scale of an instruction's results comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scaling {
    /// Free to choose; instructions of one group have results of equal scale.
    Group(usize),
    /// Free to choose, and chosen equal to that of a register.
    Like(Register),
    /// Given by the operands.
    Derived,
}

impl Packed {
    /// The program for given parameters (with exactly `depth + 1` chain primes) and one log2 scale per group.
    /// The scales of products, shifts and aligned values follow from their operands.
    pub fn program(&self, name: &str, parameters: ParameterSpec, log_scales: &[f64]) -> Program {
        let mut program = Program {
            name: name.to_owned(),
            parameters,
            slots: self.slots,
            inputs: self.inputs.clone(),
            input_level: self.depth,
            input_scale: 0.0,
            instructions: self
                .instructions
                .iter()
                .map(|planned| Instruction {
                    label: planned.label.clone(),
                    operation: planned.operation.clone(),
                    results: planned.results.clone(),
                    level: self.depth - planned.depth,
                    scale: 0.0,
                })
                .collect(),
            outputs: self.outputs.clone(),
        };
        self.set_scales(&mut program, log_scales);
        program
    }

    /// Puts scales into a program made by [`Packed::program`].
    pub fn set_scales(&self, program: &mut Program, log_scales: &[f64]) {
        program.input_scale = log_scales[0].exp2();
        let registers = self
            .instructions
            .iter()
            .flat_map(|planned| &planned.results)
            .chain(&self.inputs);
        let count = registers
            .map(|register| register.0 as usize + 1)
            .max()
            .unwrap_or(0);
        let mut scales = vec![program.input_scale; count];
        for (planned, instruction) in self.instructions.iter().zip(&mut program.instructions) {
            let scale = match planned.scaling {
                Scaling::Group(group) => log_scales[group].exp2(),
                Scaling::Like(register) => scales[register.0 as usize],
                Scaling::Derived => {
                    let operand = |register: Register| scales[register.0 as usize];
                    match planned.operation {
                        Operation::Multiply { left, right } => {
                            let prime = program.parameters.moduli[instruction.level + 1] as f64;
                            operand(left) * operand(right) / prime
                        }
                        _ => planned
                            .operation
                            .reads()
                            .first()
                            .map_or(1.0, |&first| operand(first)),
                    }
                }
            };
            instruction.scale = scale;
            for result in &instruction.results {
                scales[result.0 as usize] = scale;
            }
        }
    }
}

/// Hands out registers.
#[derive(Default)]
pub(crate) struct Registers(u32);

impl Registers {
    pub(crate) fn fresh(&mut self) -> Register {
        let register = Register(self.0);
        self.0 += 1;
        register
    }

    pub(crate) fn take(&mut self, count: usize) -> Vec<Register> {
        (0..count).map(|_| self.fresh()).collect()
    }
}
