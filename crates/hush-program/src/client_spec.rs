//! The public half of a compiled model: what the data owner needs, without any weight.

use std::collections::BTreeMap;

use crate::program::ParameterSpec;

/// Everything the data owner needs to make keys, encrypt and decrypt.
#[derive(Clone, Debug, PartialEq)]
pub struct ClientSpec {
    /// Identity of the program: blake3 of its canonical bytes.
    pub program_id: [u8; 32],
    /// The model's name.
    pub name: String,
    /// Encryption parameters.
    pub parameters: ParameterSpec,
    /// Cyclic slots n.
    pub slots: usize,
    /// Level at which inputs are encrypted.
    pub input_level: usize,
    /// Scale at which inputs are encrypted.
    pub input_scale: f64,
    /// Level of every output ciphertext.
    pub output_level: usize,
    /// Scale of every output ciphertext.
    pub output_scale: f64,
    /// Input tensors; their ciphertexts are numbered through in this order.
    pub inputs: Vec<TensorSpec>,
    /// Output tensors; their ciphertexts are numbered through in this order.
    pub outputs: Vec<TensorSpec>,
    /// How samples share ciphertexts.
    pub packing: Packing,
    /// Keys that the program needs.
    pub keys: KeyManifest,
    /// What the data owner applies to each decrypted output tensor, in order.
    pub post: Vec<PostOperation>,
}

/// Shape and placement of one tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorSpec {
    /// Name in the model.
    pub name: String,
    /// Shape without the batch dimension.
    pub shape: Vec<usize>,
    /// Ciphertexts that it takes.
    pub ciphertexts: usize,
    /// For each element of the flattened (row-major) tensor of sample 0, where it is: all replicas for an input,
    /// one or more places with the same value for an output (the data owner averages them). Sample s is
    /// `s * packing.sample_stride` slots further, modulo n. Slots that no element fills hold zero.
    pub places: Vec<Vec<Place>>,
    /// Smallest and largest element of an input on the calibration data, where known: outside, the results say
    /// little. `None` for outputs.
    pub range: Option<(f64, f64)>,
}

/// One slot of one ciphertext of a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Index among the tensor's own ciphertexts.
    pub ciphertext: usize,
    /// Slot, 0..n.
    pub slot: usize,
}

/// How samples share one group of ciphertexts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packing {
    /// Which of the two ways.
    pub kind: PackingKind,
    /// Samples in one group of ciphertexts.
    pub samples: usize,
    /// Slots between consecutive samples.
    pub sample_stride: usize,
}

/// The two ways to pack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum PackingKind {
    /// All slots work on one sample (or a few).
    Latency,
    /// One slot per sample, one feature per ciphertext.
    Throughput,
}

/// The evaluation keys a program needs, each with the highest level at which it is used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyManifest {
    /// Highest level of a relinearisation, if there is any.
    pub relinearization: Option<usize>,
    /// Rotation step (1..n) to the highest level at which it is used.
    pub rotations: BTreeMap<usize, usize>,
}

/// What the data owner computes in the clear after decryption. Axes count the batch dimension as axis 0.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PostOperation {
    /// exp(x) / sum exp(x) along an axis.
    Softmax {
        /// Axis, batch included; never 0.
        axis: usize,
    },
    /// Logarithm of the softmax.
    LogSoftmax {
        /// Axis, batch included; never 0.
        axis: usize,
    },
    /// 1 / (1 + exp(−x)).
    Sigmoid,
    /// Index of the largest value along an axis.
    ArgMax {
        /// Axis, batch included; never 0.
        axis: usize,
        /// Keeps the axis with length one.
        keepdims: bool,
    },
}
