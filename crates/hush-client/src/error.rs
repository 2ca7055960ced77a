//! What can be wrong with tensors, keys and files on the data owner's side.

use std::convert::Infallible;

use hush_ckks::{CkksError, KeyId};
use hush_keys::KeysError;
use hush_program::{ExchangeError, ExecuteError, ProgramError};
use hush_wire::WireError;

/// Why the data owner's side refused something.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The number of elements differs from what the shape says.
    #[error("a tensor of shape {shape:?} cannot hold {actual} elements")]
    ElementCount {
        /// The shape.
        shape: Vec<usize>,
        /// The elements given.
        actual: usize,
    },
    /// Another number of tensors than the model has inputs.
    #[error("the model takes {expected} input tensors, {actual} were given")]
    TensorCount {
        /// Inputs of the model.
        expected: usize,
        /// Tensors given.
        actual: usize,
    },
    /// A tensor has the wrong shape.
    #[error("input `{tensor}` has shape {actual:?}, the model takes {expected}")]
    Shape {
        /// The input.
        tensor: String,
        /// What the model takes, as text.
        expected: String,
        /// What was given.
        actual: Vec<usize>,
    },
    /// A tensor without samples.
    #[error("input `{tensor}` holds no sample")]
    EmptyBatch {
        /// The input.
        tensor: String,
    },
    /// Two inputs hold different numbers of samples.
    #[error("input `{tensor}` holds {actual} samples, the first input holds {expected}")]
    Batch {
        /// The input.
        tensor: String,
        /// Samples of the first input.
        expected: usize,
        /// Samples of this one.
        actual: usize,
    },
    /// A NaN or an infinity.
    #[error("input `{tensor}` holds {value} (sample {sample}, element {element}, counted from 0)")]
    NotFinite {
        /// The input.
        tensor: String,
        /// The sample, from 0.
        sample: usize,
        /// The element of the flattened sample, from 0.
        element: usize,
        /// The value.
        value: f64,
    },
    /// Another number of ciphertexts than the samples take.
    #[error("{actual} ciphertexts were given where the samples take {expected}")]
    CiphertextCount {
        /// What the client spec asks for.
        expected: usize,
        /// What was given.
        actual: usize,
    },
    /// A slot vector of the wrong length.
    #[error("a ciphertext has {actual} slots, the model uses {expected}")]
    SlotCount {
        /// Slots of the client spec.
        expected: usize,
        /// Slots found.
        actual: usize,
    },
    /// A decrypted value is no number.
    #[error("output `{tensor}` does not decrypt to finite numbers")]
    Garbage {
        /// The output.
        tensor: String,
    },
    /// An axis that a tensor does not have.
    #[error("axis {axis} is not one of an output of shape {shape:?}")]
    Axis {
        /// The axis, batch included.
        axis: usize,
        /// The shape, batch included.
        shape: Vec<usize>,
    },
    /// A post operation from a newer version.
    #[error("post operation {operation} is not known to this version")]
    UnknownPost {
        /// The operation.
        operation: String,
    },
    /// The ciphertexts are encrypted under another key.
    #[error("the ciphertexts are encrypted under key {found}, this is key {expected}")]
    OtherKey {
        /// The key at hand.
        expected: KeyId,
        /// The key of the ciphertexts.
        found: KeyId,
    },
    /// The secret key is wrapped and no passphrase was given.
    #[error("the secret key is protected with a passphrase")]
    PassphraseNeeded,
    /// The passphrase is not the one, or the file was tampered with.
    #[error("the passphrase does not open the secret key")]
    WrongPassphrase,
    /// A passphrase without a character.
    #[error("the passphrase is empty")]
    EmptyPassphrase,
    /// The key derivation refused its cost parameters.
    #[error("the passphrase cannot be stretched with the stored cost parameters")]
    Derivation,
    /// A simulated program broke its own rules.
    #[error(transparent)]
    Simulate(Box<ExecuteError<Infallible>>),
    /// The caller ended the work.
    #[error("stopped before the end")]
    Stopped,
    /// See [`ExchangeError`].
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
    /// See [`KeysError`].
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// See [`ProgramError`].
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// See [`CkksError`].
    #[error(transparent)]
    Ckks(#[from] CkksError),
    /// See [`WireError`].
    #[error(transparent)]
    Wire(#[from] WireError),
}

impl ClientError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Shape { .. } | Self::TensorCount { .. } => {
                "`hush inspect` of the client file lists the inputs with their shapes"
            }
            Self::NotFinite { .. } => "remove or fill missing values before encrypting",
            Self::OtherKey { .. } => "use the key pair that the inputs were encrypted with",
            Self::Garbage { .. } => {
                "the inputs may lie outside the range that the model was calibrated on"
            }
            Self::PassphraseNeeded => {
                "pass --passphrase-file FILE, set HUSH_PASSPHRASE, or pass --passphrase to be asked"
            }
            Self::Ckks(CkksError::MessageTooLarge { .. }) => {
                "the inputs are far larger than those the model was compiled for: check their scaling"
            }
            Self::Exchange(error) => error.hint(),
            Self::Wire(error) | Self::Keys(KeysError::Wire(error)) => return error.hint(),
            _ => return None,
        };
        Some(hint.to_owned())
    }
}
