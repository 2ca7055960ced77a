//! Version 1 of compiled models: the owner's program with its weights, and the public client spec.
//!
//! The structs carry no meaning of their own; `hush-program` converts and checks them. Maps are sorted lists, so
//! that one value has one encoding.

use serde::{Deserialize, Serialize};

/// Everything in a compiled model's file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelV1 {
    /// Instructions and weights.
    pub program: ProgramV1,
    /// The public half.
    pub client_spec: ClientSpecV1,
    /// The compiler's report as text.
    pub report_text: String,
    /// The compiler's report as JSON.
    pub report_json: String,
}

/// Encryption parameters inside a program or client spec.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgramParametersV1 {
    /// log2 of the ring degree.
    pub log_degree: u32,
    /// Chain primes.
    pub moduli: Vec<u64>,
    /// Special primes.
    pub special_moduli: Vec<u64>,
}

/// A straight-line encrypted program.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProgramV1 {
    /// Model name.
    pub name: String,
    /// Parameters.
    pub parameters: ProgramParametersV1,
    /// Cyclic slots.
    pub slots: u64,
    /// Input registers.
    pub inputs: Vec<u32>,
    /// Level of the inputs.
    pub input_level: u32,
    /// Scale of the inputs.
    pub input_scale: f64,
    /// Instructions in order.
    pub instructions: Vec<InstructionV1>,
    /// Output registers.
    pub outputs: Vec<u32>,
}

/// One instruction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InstructionV1 {
    /// Node names.
    pub label: String,
    /// Operation.
    pub operation: OperationV1,
    /// Registers written.
    pub results: Vec<u32>,
    /// Level of the results.
    pub level: u32,
    /// Scale of the results.
    pub scale: f64,
}

/// One operation; the order of variants is part of the format.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum OperationV1 {
    /// Linear operator.
    Linear {
        /// Registers read.
        inputs: Vec<u32>,
        /// Non-zero blocks.
        blocks: Vec<BlockV1>,
        /// Baby-step width.
        baby_step: u64,
        /// Rotate-and-add steps.
        folds: Vec<u64>,
        /// Bias per result.
        bias: Vec<Option<PlainV1>>,
    },
    /// Polynomial of every slot.
    Polynomial {
        /// Register read.
        input: u32,
        /// Coefficients, lowest first.
        coefficients: Vec<f64>,
        /// Basis.
        basis: BasisV1,
    },
    /// Sum.
    Add {
        /// Register read.
        left: u32,
        /// Register read.
        right: u32,
    },
    /// Difference.
    Subtract {
        /// Register read.
        left: u32,
        /// Register read.
        right: u32,
    },
    /// Product.
    Multiply {
        /// Register read.
        left: u32,
        /// Register read.
        right: u32,
    },
    /// Sum with known slots.
    AddPlain {
        /// Register read.
        input: u32,
        /// Values added.
        plain: PlainV1,
    },
    /// Change of level and scale.
    Align {
        /// Register read.
        input: u32,
    },
    /// Rotate-and-add steps.
    Fold {
        /// Register read.
        input: u32,
        /// Steps in order.
        steps: Vec<u64>,
    },
}

/// Part of a linear operator between two ciphertexts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BlockV1 {
    /// Index of the result.
    pub output: u32,
    /// Index of the input.
    pub input: u32,
    /// (rotation, plaintext), sorted by rotation.
    pub diagonals: Vec<(u64, PlainV1)>,
}

/// Known values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum PlainV1 {
    /// The same in every slot.
    Constant(f64),
    /// One value per slot.
    Slots(Vec<f64>),
}

/// Basis of a polynomial.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum BasisV1 {
    /// Powers.
    Power,
    /// Chebyshev polynomials on an interval.
    Chebyshev {
        /// Lower end.
        lo: f64,
        /// Upper end.
        hi: f64,
    },
}

/// The public half of a compiled model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClientSpecV1 {
    /// Identity of the program.
    pub program_id: [u8; 32],
    /// Model name.
    pub name: String,
    /// Parameters.
    pub parameters: ProgramParametersV1,
    /// Cyclic slots.
    pub slots: u64,
    /// Level of the inputs.
    pub input_level: u32,
    /// Scale of the inputs.
    pub input_scale: f64,
    /// Level of the outputs.
    pub output_level: u32,
    /// Scale of the outputs.
    pub output_scale: f64,
    /// Input tensors.
    pub inputs: Vec<TensorSpecV1>,
    /// Output tensors.
    pub outputs: Vec<TensorSpecV1>,
    /// How samples share ciphertexts.
    pub packing: PackingV1,
    /// Highest level of a relinearisation.
    pub relinearization: Option<u32>,
    /// (rotation step, highest level), sorted by step.
    pub rotations: Vec<(u64, u32)>,
    /// Client-side operations.
    pub post: Vec<PostOperationV1>,
}

/// Shape and placement of one tensor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TensorSpecV1 {
    /// Name in the model.
    pub name: String,
    /// Shape without batch.
    pub shape: Vec<u64>,
    /// Ciphertexts it takes.
    pub ciphertexts: u32,
    /// (ciphertext, slot) of every replica of every element.
    pub places: Vec<Vec<(u32, u64)>>,
    /// Smallest and largest element on the calibration data.
    pub range: Option<(f64, f64)>,
}

/// How samples share ciphertexts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackingV1 {
    /// Which way.
    pub kind: PackingKindV1,
    /// Samples in one group of ciphertexts.
    pub samples: u64,
    /// Slots between samples.
    pub sample_stride: u64,
}

/// Ways to pack; the order of variants is part of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PackingKindV1 {
    /// All slots work on one sample.
    Latency,
    /// One slot per sample.
    Throughput,
}

/// Client-side operations; the order of variants is part of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PostOperationV1 {
    /// Softmax along an axis.
    Softmax {
        /// Axis.
        axis: u32,
    },
    /// Logarithm of the softmax.
    LogSoftmax {
        /// Axis.
        axis: u32,
    },
    /// Logistic function.
    Sigmoid,
    /// Index of the largest value.
    ArgMax {
        /// Axis.
        axis: u32,
        /// Keeps the axis.
        keepdims: bool,
    },
}

/// The one encoding of a program: what its identity is the blake3 hash of.
///
/// # Errors
/// Only if the encoder runs out of memory or a length does not fit.
pub fn canonical_bytes(program: &ProgramV1) -> Result<Vec<u8>, postcard::Error> {
    postcard::to_stdvec(program)
}
