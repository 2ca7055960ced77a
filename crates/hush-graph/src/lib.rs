//! A typed tensor graph, with shapes and a float reference interpreter.
//!
//! Purpose: the one form in which a model travels from an importer to whatever runs it on
//! protected data. It knows no file format and no cryptography.
//!
//! Where to start: [`Graph`] and [`GraphBuilder`] (`graph.rs`), then [`Operator`] (`operator.rs`),
//! [`evaluate`] (`evaluate.rs`) and [`rewrite::simplify`] (`rewrite/mod.rs`).
//!
//! Invariants:
//! - Every value is a batch: its leading dimension is the number of samples, is symbolic, and is
//!   not part of [`Value::shape`]. No operator mixes samples.
//! - Nodes stand in an order in which each input is defined before it is used, so there are no
//!   cycles; shapes and constants were checked when the node was added; constants are finite.
//! - The same model gives the same graph and the same text.
//!
//! Non-goals: training, integer or string tensors, more than one symbolic dimension, speed.

#![forbid(unsafe_code)]

mod composition;
mod convolution;
mod error;
mod evaluate;
mod function;
mod graph;
mod movement;
mod operator;
mod polynomial;
pub mod rewrite;
mod shape;
mod sparse;
mod tensor;
mod text;

pub use composition::{Composition, Step};
pub use convolution::Convolution;
pub use error::{EvaluateError, GraphError};
pub use evaluate::{evaluate, evaluate_observed};
pub use function::Function;
pub use graph::{ElementType, Graph, GraphBuilder, Node, Output, Value, ValueId};
pub use movement::Movement;
pub use operator::{BinaryOperator, Operator, SparseLinear};
pub use polynomial::Polynomial;
pub use shape::Shape;
pub use sparse::SparseMatrix;
pub use tensor::{Tensor, broadcast_shape};
