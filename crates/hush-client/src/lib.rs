//! The data owner's side: tensors to slots to ciphertexts and back, by the client spec.
//!
//! Start at [`encode_inputs`] and [`decode_outputs`] (tensors and slots), then [`finish_outputs`]
//! (what the model does after decryption) and [`passphrase`] (how a secret key lies on disk).
//!
//! Invariants:
//! - a wrong tensor, key, model or file is a [`ClientError`] that names it, never a wrong answer;
//! - only the data owner links this crate: it reaches the secret key.
//!
//! Non-goals: files and arguments (the command line's work), computing on ciphertexts (the
//! runtime's).

#![forbid(unsafe_code)]

mod error;
mod layout;
pub mod passphrase;
mod post;
mod tensor;
#[cfg(test)]
mod testing;

pub use error::{ClientError, ShortId};
pub use layout::{
    check_inputs, decode_outputs, encode_group, encode_inputs, groups, input_ciphertexts,
    output_ciphertexts,
};
pub use post::{finish_outputs, outputs_are_indices};
pub use tensor::Tensor;
