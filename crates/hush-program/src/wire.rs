//! Conversion to and from the stored form; everything read is checked.

use std::collections::BTreeMap;

use hush_wire::program as stored;

use crate::client_spec::{
    ClientSpec, KeyManifest, Packing, PackingKind, Place, PostOperation, TensorSpec,
};
use crate::error::ProgramError;
use crate::program::{
    Basis, Block, Instruction, Operation, ParameterSpec, Plain, Polynomial, Program, Register,
};

fn narrow(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

fn widen(value: u64) -> Result<usize, ProgramError> {
    usize::try_from(value).map_err(|_| ProgramError::Stored {
        reason: "a number does not fit this machine".to_owned(),
    })
}

fn registers(list: &[Register]) -> Vec<u32> {
    list.iter().map(|register| register.0).collect()
}

fn from_registers(list: &[u32]) -> Vec<Register> {
    list.iter().copied().map(Register).collect()
}

impl From<&ParameterSpec> for stored::ProgramParametersV1 {
    fn from(spec: &ParameterSpec) -> Self {
        Self {
            log_degree: spec.log_degree,
            moduli: spec.moduli.clone(),
            special_moduli: spec.special_moduli.clone(),
        }
    }
}

impl From<stored::ProgramParametersV1> for ParameterSpec {
    fn from(spec: stored::ProgramParametersV1) -> Self {
        Self {
            log_degree: spec.log_degree,
            moduli: spec.moduli,
            special_moduli: spec.special_moduli,
        }
    }
}

fn to_plain(plain: &Plain) -> stored::PlainV1 {
    match plain {
        Plain::Constant(value) => stored::PlainV1::Constant(*value),
        Plain::Slots(values) => stored::PlainV1::Slots(values.clone()),
    }
}

fn from_plain(plain: stored::PlainV1) -> Plain {
    match plain {
        stored::PlainV1::Constant(value) => Plain::Constant(value),
        stored::PlainV1::Slots(values) => Plain::Slots(values),
    }
}

fn to_block(block: &Block) -> stored::BlockV1 {
    stored::BlockV1 {
        output: narrow(block.output),
        input: narrow(block.input),
        diagonals: block
            .diagonals
            .iter()
            .map(|(&rotation, plain)| (rotation as u64, to_plain(plain)))
            .collect(),
    }
}

fn from_block(block: stored::BlockV1) -> Result<Block, ProgramError> {
    let count = block.diagonals.len();
    let diagonals = block
        .diagonals
        .into_iter()
        .map(|(rotation, plain)| Ok((widen(rotation)?, from_plain(plain))))
        .collect::<Result<BTreeMap<_, _>, ProgramError>>()?;
    if diagonals.len() != count {
        return Err(ProgramError::Stored {
            reason: "a diagonal appears twice".to_owned(),
        });
    }
    Ok(Block {
        output: block.output as usize,
        input: block.input as usize,
        diagonals,
    })
}

fn to_operation(operation: &Operation) -> stored::OperationV1 {
    match operation {
        Operation::Linear {
            inputs,
            blocks,
            baby_step,
            folds,
            bias,
        } => stored::OperationV1::Linear {
            inputs: registers(inputs),
            blocks: blocks.iter().map(to_block).collect(),
            baby_step: *baby_step as u64,
            folds: folds.iter().map(|&step| step as u64).collect(),
            bias: bias
                .iter()
                .map(|plain| plain.as_ref().map(to_plain))
                .collect(),
        },
        Operation::Polynomial { input, polynomial } => stored::OperationV1::Polynomial {
            input: input.0,
            coefficients: polynomial.coefficients.clone(),
            basis: match polynomial.basis {
                Basis::Power => stored::BasisV1::Power,
                Basis::Chebyshev { lo, hi } => stored::BasisV1::Chebyshev { lo, hi },
            },
        },
        Operation::Add { left, right } => stored::OperationV1::Add {
            left: left.0,
            right: right.0,
        },
        Operation::Subtract { left, right } => stored::OperationV1::Subtract {
            left: left.0,
            right: right.0,
        },
        Operation::Multiply { left, right } => stored::OperationV1::Multiply {
            left: left.0,
            right: right.0,
        },
        Operation::AddPlain { input, plain } => stored::OperationV1::AddPlain {
            input: input.0,
            plain: to_plain(plain),
        },
        Operation::Fold { input, steps } => stored::OperationV1::Fold {
            input: input.0,
            steps: steps.iter().map(|&step| step as u64).collect(),
        },
        Operation::Align { input } => stored::OperationV1::Align { input: input.0 },
    }
}

fn from_operation(operation: stored::OperationV1) -> Result<Operation, ProgramError> {
    Ok(match operation {
        stored::OperationV1::Linear {
            inputs,
            blocks,
            baby_step,
            folds,
            bias,
        } => Operation::Linear {
            inputs: from_registers(&inputs),
            blocks: blocks
                .into_iter()
                .map(from_block)
                .collect::<Result<_, _>>()?,
            baby_step: widen(baby_step)?,
            folds: folds.into_iter().map(widen).collect::<Result<_, _>>()?,
            bias: bias
                .into_iter()
                .map(|plain| plain.map(from_plain))
                .collect(),
        },
        stored::OperationV1::Polynomial {
            input,
            coefficients,
            basis,
        } => Operation::Polynomial {
            input: Register(input),
            polynomial: Polynomial {
                coefficients,
                basis: match basis {
                    stored::BasisV1::Power => Basis::Power,
                    stored::BasisV1::Chebyshev { lo, hi } => Basis::Chebyshev { lo, hi },
                },
            },
        },
        stored::OperationV1::Add { left, right } => Operation::Add {
            left: Register(left),
            right: Register(right),
        },
        stored::OperationV1::Subtract { left, right } => Operation::Subtract {
            left: Register(left),
            right: Register(right),
        },
        stored::OperationV1::Multiply { left, right } => Operation::Multiply {
            left: Register(left),
            right: Register(right),
        },
        stored::OperationV1::AddPlain { input, plain } => Operation::AddPlain {
            input: Register(input),
            plain: from_plain(plain),
        },
        stored::OperationV1::Fold { input, steps } => Operation::Fold {
            input: Register(input),
            steps: steps.into_iter().map(widen).collect::<Result<_, _>>()?,
        },
        stored::OperationV1::Align { input } => Operation::Align {
            input: Register(input),
        },
    })
}

impl From<&Program> for stored::ProgramV1 {
    fn from(program: &Program) -> Self {
        Self {
            name: program.name.clone(),
            parameters: (&program.parameters).into(),
            slots: program.slots as u64,
            inputs: registers(&program.inputs),
            input_level: narrow(program.input_level),
            input_scale: program.input_scale,
            instructions: program
                .instructions
                .iter()
                .map(|instruction| stored::InstructionV1 {
                    label: instruction.label.clone(),
                    operation: to_operation(&instruction.operation),
                    results: registers(&instruction.results),
                    level: narrow(instruction.level),
                    scale: instruction.scale,
                })
                .collect(),
            outputs: registers(&program.outputs),
        }
    }
}

impl TryFrom<stored::ProgramV1> for Program {
    type Error = ProgramError;

    fn try_from(program: stored::ProgramV1) -> Result<Self, ProgramError> {
        let instructions = program
            .instructions
            .into_iter()
            .map(|instruction| {
                Ok(Instruction {
                    label: instruction.label,
                    operation: from_operation(instruction.operation)?,
                    results: from_registers(&instruction.results),
                    level: instruction.level as usize,
                    scale: instruction.scale,
                })
            })
            .collect::<Result<Vec<_>, ProgramError>>()?;
        let program = Self {
            name: program.name,
            parameters: program.parameters.into(),
            slots: widen(program.slots)?,
            inputs: from_registers(&program.inputs),
            input_level: program.input_level as usize,
            input_scale: program.input_scale,
            instructions,
            outputs: from_registers(&program.outputs),
        };
        program.check()?;
        Ok(program)
    }
}

impl Program {
    /// Identity of the program: blake3 of its canonical bytes.
    ///
    /// # Errors
    /// If the program is too large to encode.
    pub fn id(&self) -> Result<[u8; 32], ProgramError> {
        let bytes =
            stored::canonical_bytes(&self.into()).map_err(|error| ProgramError::Stored {
                reason: error.to_string(),
            })?;
        Ok(*blake3::hash(&bytes).as_bytes())
    }
}

fn to_tensor(tensor: &TensorSpec) -> stored::TensorSpecV1 {
    stored::TensorSpecV1 {
        name: tensor.name.clone(),
        shape: tensor.shape.iter().map(|&extent| extent as u64).collect(),
        ciphertexts: narrow(tensor.ciphertexts),
        places: tensor
            .places
            .iter()
            .map(|places| {
                places
                    .iter()
                    .map(|place| (narrow(place.ciphertext), place.slot as u64))
                    .collect()
            })
            .collect(),
        range: tensor.range,
    }
}

fn from_tensor(tensor: stored::TensorSpecV1) -> Result<TensorSpec, ProgramError> {
    let place = |(ciphertext, slot): (u32, u64)| {
        Ok(Place {
            ciphertext: ciphertext as usize,
            slot: widen(slot)?,
        })
    };
    Ok(TensorSpec {
        name: tensor.name,
        shape: tensor
            .shape
            .into_iter()
            .map(widen)
            .collect::<Result<_, _>>()?,
        ciphertexts: tensor.ciphertexts as usize,
        places: tensor
            .places
            .into_iter()
            .map(|places| {
                places
                    .into_iter()
                    .map(place)
                    .collect::<Result<_, ProgramError>>()
            })
            .collect::<Result<_, _>>()?,
        range: tensor.range,
    })
}

fn to_post(post: &PostOperation) -> stored::PostOperationV1 {
    match post {
        PostOperation::Softmax { axis } => stored::PostOperationV1::Softmax {
            axis: narrow(*axis),
        },
        PostOperation::LogSoftmax { axis } => stored::PostOperationV1::LogSoftmax {
            axis: narrow(*axis),
        },
        PostOperation::Sigmoid => stored::PostOperationV1::Sigmoid,
        PostOperation::ArgMax { axis, keepdims } => stored::PostOperationV1::ArgMax {
            axis: narrow(*axis),
            keepdims: *keepdims,
        },
    }
}

fn from_post(post: stored::PostOperationV1) -> PostOperation {
    match post {
        stored::PostOperationV1::Softmax { axis } => PostOperation::Softmax {
            axis: axis as usize,
        },
        stored::PostOperationV1::LogSoftmax { axis } => PostOperation::LogSoftmax {
            axis: axis as usize,
        },
        stored::PostOperationV1::Sigmoid => PostOperation::Sigmoid,
        stored::PostOperationV1::ArgMax { axis, keepdims } => PostOperation::ArgMax {
            axis: axis as usize,
            keepdims,
        },
    }
}

impl From<&ClientSpec> for stored::ClientSpecV1 {
    fn from(spec: &ClientSpec) -> Self {
        Self {
            program_id: spec.program_id,
            name: spec.name.clone(),
            parameters: (&spec.parameters).into(),
            slots: spec.slots as u64,
            input_level: narrow(spec.input_level),
            input_scale: spec.input_scale,
            output_level: narrow(spec.output_level),
            output_scale: spec.output_scale,
            inputs: spec.inputs.iter().map(to_tensor).collect(),
            outputs: spec.outputs.iter().map(to_tensor).collect(),
            packing: stored::PackingV1 {
                kind: match spec.packing.kind {
                    PackingKind::Latency => stored::PackingKindV1::Latency,
                    PackingKind::Throughput => stored::PackingKindV1::Throughput,
                },
                samples: spec.packing.samples as u64,
                sample_stride: spec.packing.sample_stride as u64,
            },
            relinearization: spec.keys.relinearization.map(narrow),
            rotations: spec
                .keys
                .rotations
                .iter()
                .map(|(&step, &level)| (step as u64, narrow(level)))
                .collect(),
            post: spec.post.iter().map(to_post).collect(),
        }
    }
}

impl TryFrom<stored::ClientSpecV1> for ClientSpec {
    type Error = ProgramError;

    fn try_from(spec: stored::ClientSpecV1) -> Result<Self, ProgramError> {
        let count = spec.rotations.len();
        let rotations = spec
            .rotations
            .into_iter()
            .map(|(step, level)| Ok((widen(step)?, level as usize)))
            .collect::<Result<BTreeMap<_, _>, ProgramError>>()?;
        if rotations.len() != count {
            return Err(ProgramError::Field {
                field: "keys",
                reason: "a rotation appears twice",
            });
        }
        let spec = Self {
            program_id: spec.program_id,
            name: spec.name,
            parameters: spec.parameters.into(),
            slots: widen(spec.slots)?,
            input_level: spec.input_level as usize,
            input_scale: spec.input_scale,
            output_level: spec.output_level as usize,
            output_scale: spec.output_scale,
            inputs: spec
                .inputs
                .into_iter()
                .map(from_tensor)
                .collect::<Result<_, _>>()?,
            outputs: spec
                .outputs
                .into_iter()
                .map(from_tensor)
                .collect::<Result<_, _>>()?,
            packing: Packing {
                kind: match spec.packing.kind {
                    stored::PackingKindV1::Latency => PackingKind::Latency,
                    stored::PackingKindV1::Throughput => PackingKind::Throughput,
                },
                samples: widen(spec.packing.samples)?,
                sample_stride: widen(spec.packing.sample_stride)?,
            },
            keys: KeyManifest {
                relinearization: spec.relinearization.map(|level| level as usize),
                rotations,
            },
            post: spec.post.into_iter().map(from_post).collect(),
        };
        spec.check()?;
        Ok(spec)
    }
}
