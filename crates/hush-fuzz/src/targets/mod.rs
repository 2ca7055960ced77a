//! The targets.

mod files;
mod grpc;
mod onnx;
mod parties;
mod rest;
mod token;

/// Something that reads bytes from outside.
#[derive(Clone, Copy)]
pub struct Target {
    /// Its name, as in `fuzz/targets/`.
    pub name: &'static str,
    /// Inputs that it accepts, to begin with.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Reads; whether it found nothing wrong. Never panics.
    pub run: fn(&[u8]) -> bool,
}

/// All of them.
pub const TARGETS: &[Target] = &[
    files::CIPHERTEXTS,
    files::EVALUATION_KEYS,
    files::CLIENT,
    files::MODEL,
    rest::JSON,
    rest::BINARY,
    rest::UPLOAD,
    grpc::INFER,
    grpc::STREAM,
    token::TOKEN,
    onnx::ONNX,
    parties::FRAME,
    parties::JOB,
    parties::SHARED_GRAPH,
    parties::AGGREGATION,
    parties::CALCULATION,
];
