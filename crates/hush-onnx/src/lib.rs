//! ONNX import: from a model file to a [`hush_graph::Graph`].
//!
//! Purpose: read models that people export from their training framework, and say everything that
//! stands in the way at once. The protobuf types are tract's, and tract serves as an independent
//! float reference ([`mod@reference`]); importing does not run it, since it trusts its models.
//!
//! Where to start: [`import`]; `import.rs` for the walk over the nodes; `operators/mod.rs` for the
//! table of operators, one file each.
//!
//! Invariants:
//! - No bytes make [`import`] panic. Memory stays in proportion to the size of the file.
//! - The first dimension of every value is the batch; nothing computes across samples.
//! - Names of nodes in the graph are names of nodes in the file.
//!
//! Non-goals: training graphs, control flow that depends on the data, quantised or integer models,
//! trees, weights in other files.

#![forbid(unsafe_code)]

mod branch;
mod broadcast;
mod catalogue;
mod constant;
mod error;
mod extremum;
mod fold;
mod functions;
mod import;
mod inputs;
mod model;
mod node;
mod operators;
mod order;
pub mod reference;
mod resample;
mod separable;
mod stack;
mod tract;
mod window;

pub use catalogue::{Runs, SupportedOperator, catalogue, constant_operators};
pub use error::{ImportError, NodeProblem};
pub use model::MAXIMUM_MODEL_BYTES;
pub use operators::{ml::supported_ml_operators, supported_operators};

use hush_graph::Graph;
use std::path::Path;

/// Reads an ONNX file. See [`import_bytes`].
pub fn import(path: impl AsRef<Path>) -> Result<Graph, ImportError> {
    import::import(&model::read(path.as_ref())?)
}

/// Reads an ONNX model from memory. The graph is what the file says, operator by operator, with
/// constants folded and unused nodes left out; [`hush_graph::rewrite::simplify`] then merges what
/// belongs together.
///
/// Errors name the node, tensor or dimension at fault; all nodes that cannot be used are reported
/// at once, in [`ImportError::Nodes`].
pub fn import_bytes(bytes: &[u8]) -> Result<Graph, ImportError> {
    import::import(bytes)
}
