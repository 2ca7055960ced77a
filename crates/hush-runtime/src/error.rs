//! Why a program cannot be loaded or run.

use hush_circuits::CircuitError;
use hush_ckks::CkksError;
use hush_program::{ExchangeError, ExecuteError, ProgramError};
use hush_wire::WireError;

/// Errors of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RuntimeError {
    /// The program does not hold together.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// A model file is damaged, or is something else.
    #[error(transparent)]
    File(#[from] WireError),
    /// The two halves of a model file do not belong together.
    #[error("its program is not the one that its client spec names")]
    Halves,
    /// Keys or ciphertexts of another model.
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
    /// Encrypted inputs are damaged.
    #[error("cannot read the ciphertexts")]
    Ciphertexts(#[source] WireError),
    /// Evaluation keys are damaged.
    #[error("cannot read the evaluation keys")]
    Keys(#[source] WireError),
    /// The outputs cannot be written.
    #[error("cannot write the outputs")]
    Output(#[source] WireError),
    /// Parameters, keys or ciphertexts were refused.
    #[error(transparent)]
    Ckks(#[from] CkksError),
    /// A plaintext of an instruction cannot be encoded.
    #[error("cannot encode the weights of instruction {index} ({label})")]
    Prepare {
        /// Index of the instruction.
        index: usize,
        /// Its label: the ONNX nodes it came from.
        label: String,
        /// Why.
        source: CircuitError,
    },
    /// An input ciphertext does not fit the program or the keys.
    #[error("input ciphertext {index} does not fit")]
    Input {
        /// Which input.
        index: usize,
        /// Why.
        source: CkksError,
    },
    /// Keys that the program needs are absent.
    #[error(
        "the evaluation keys lack {}; generate them again from this model's client file",
        missing.join(", ")
    )]
    MissingKeys {
        /// Every missing key.
        missing: Vec<String>,
    },
    /// An instruction failed, or the run was stopped.
    #[error(transparent)]
    Execute(Box<ExecuteError<CircuitError>>),
    /// The threads for several groups could not be started.
    #[error("cannot start threads")]
    Threads(#[source] rayon::ThreadPoolBuildError),
}

impl RuntimeError {
    /// What the user can do about it, where there is more to say than the message does.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::File(error)
            | Self::Ciphertexts(error)
            | Self::Keys(error)
            | Self::Output(error) => error.hint(),
            Self::Exchange(error) => Some(error.hint().to_owned()),
            Self::Halves => Some("compile the model again".to_owned()),
            _ => None,
        }
    }
}
