//! What can go wrong.

use crate::link::LinkError;

/// Why a computation on shares was refused or failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MpcError {
    /// A peer or the connection to it.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The range that a type states does not fit the ring.
    #[error(
        "{operation}: numbers of {integer_bits} whole and {fraction_bits} fractional bits do not fit {available} bits; declare a narrower range or use the ring of 128 bits"
    )]
    Range {
        /// What was to be computed.
        operation: &'static str,
        /// Bits before the point.
        integer_bits: u32,
        /// Bits behind the point.
        fraction_bits: u32,
        /// What the ring has for both.
        available: u32,
    },
    /// A number that a fixed-point type cannot hold.
    #[error("value {value} at element {element} is outside the range of ±2^{integer_bits}")]
    Value {
        /// Where in the tensor.
        element: usize,
        /// The number; NaN and infinities fit no range.
        value: f64,
        /// Bits before the point.
        integer_bits: u32,
    },
    /// Operands that do not go together.
    #[error("{operation}: shapes {left:?} and {right:?} do not go together")]
    Shapes {
        /// What was to be computed.
        operation: &'static str,
        /// Shape of the first operand.
        left: Vec<usize>,
        /// Shape of the second.
        right: Vec<usize>,
    },
    /// A shape that the operation is not defined for.
    #[error("{operation}: not defined for shape {shape:?}: {reason}")]
    Shape {
        /// What was to be computed.
        operation: &'static str,
        /// The operand's shape.
        shape: Vec<usize>,
        /// What is wrong.
        reason: String,
    },
    /// Fixed-point types that differ where they must not.
    #[error("{operation}: {left} and {right} fractional bits; rescale one of them first")]
    Fractions {
        /// What was to be computed.
        operation: &'static str,
        /// Of the first operand.
        left: u32,
        /// Of the second.
        right: u32,
    },
    /// A count that differs from what was said before.
    #[error("{what}: {found} elements, not {expected}")]
    Count {
        /// Of what.
        what: &'static str,
        /// How many there must be.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// The number of parties does not fit the protocol.
    #[error("the protocol needs {needed} parties, but the link has {found}")]
    Parties {
        /// Of the protocol.
        needed: usize,
        /// Of the link.
        found: usize,
    },
    /// A node of a graph that cannot be computed on shares.
    #[error("node {node}: {reason}")]
    Node {
        /// Its label.
        node: String,
        /// What is not supported, and what to do.
        reason: String,
    },
    /// A calculation that is not one.
    #[error("{place}: {reason}")]
    Calculation {
        /// The statement or the name.
        place: String,
        /// What is wrong with it, and what to do.
        reason: String,
    },
    /// Stored shares that cannot be read.
    #[error("stored shares: {reason}")]
    Stored {
        /// What is wrong with the bytes.
        reason: String,
    },
}
