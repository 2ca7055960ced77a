//! A request for a prediction, and its answer.

use std::time::Instant;

use crate::Tensor;

/// Name of the one tensor that goes into an encrypted model and comes out of it: of type BYTES and shape `[1]`, its
/// element a whole file of ciphertexts.
pub const CIPHERTEXTS: &str = "ciphertexts";

/// A request for a prediction.
#[derive(Clone, Debug, Default)]
pub struct InferRequest {
    /// Name of the model.
    pub model: String,
    /// Version; the latest one that is ready if there is none or it is empty.
    pub version: Option<String>,
    /// What the caller calls the request; comes back in the answer.
    pub id: String,
    /// What goes in.
    pub inputs: Vec<Tensor>,
    /// Names of the tensors that the caller wants; all of them if empty.
    pub outputs: Vec<String>,
    /// When the answer is of no use any more.
    pub deadline: Option<Instant>,
}

/// The answer.
#[derive(Clone, Debug)]
pub struct InferResponse {
    /// Name of the model.
    pub model: String,
    /// The version that answered.
    pub version: String,
    /// As in the request.
    pub id: String,
    /// What comes out.
    pub outputs: Vec<Tensor>,
}
