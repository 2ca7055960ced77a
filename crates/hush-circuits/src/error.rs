//! Why a circuit cannot be built or run.

use hush_ckks::{CkksError, Level};

/// Errors of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CircuitError {
    /// An operation on ciphertexts was refused.
    #[error(transparent)]
    Ckks(#[from] CkksError),
    /// A polynomial without coefficients.
    #[error("the polynomial has no coefficients")]
    NoCoefficients,
    /// A coefficient or an end of the interval that is NaN or infinite, or an empty interval.
    #[error("the polynomial has a coefficient or an interval that is not finite or not ordered")]
    InvalidPolynomial,
    /// Too few levels for the circuit.
    #[error("the circuit needs {needed} levels below level {level}")]
    NotEnoughLevels {
        /// Levels the circuit consumes.
        needed: usize,
        /// Level of its input.
        level: Level,
    },
    /// A transform that names an input or output it does not have.
    #[error("block ({output}, {input}) is outside a transform of {outputs} by {inputs} blocks")]
    BlockOutOfRange {
        /// Output block.
        output: usize,
        /// Input block.
        input: usize,
        /// Number of outputs.
        outputs: usize,
        /// Number of inputs.
        inputs: usize,
    },
    /// A transform run on another number of ciphertexts than it was made for.
    #[error("the transform takes {expected} ciphertexts, not {actual}")]
    InputCount {
        /// Inputs of the transform.
        expected: usize,
        /// Ciphertexts given.
        actual: usize,
    },
    /// An output with no diagonal at all: there is nothing to encrypt it from.
    #[error("output {output} of the transform has no diagonal")]
    EmptyOutput {
        /// The output block.
        output: usize,
    },
    /// A transform given other diagonals than those it was made from.
    #[error("these are not the diagonals that the transform was made from")]
    OtherDiagonals,
    /// A baby step of zero.
    #[error("the baby step of a transform must be at least 1")]
    ZeroBabyStep,
}
