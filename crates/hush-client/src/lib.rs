//! The data owner's side: tensors to slots to ciphertexts and back, by the client spec.
//!
//! Start at [`encrypt`] and [`decrypt`] (tensors and files), then [`encode_inputs`] and
//! [`decode_outputs`] (tensors and slots), [`finish_outputs`] (what the model does after
//! decryption), [`generate_secret_key`] and [`passphrase`] (how a secret key lies on disk), [`simulate()`] (all of it
//! without keys).
//!
//! Invariants:
//! - a wrong tensor, key, model or file is a [`ClientError`] that names it, never a wrong answer;
//! - only the data owner links this crate: it reaches the secret key.
//!
//! Non-goals: files and arguments (the command line's work), computing on ciphertexts (the
//! runtime's).

#![forbid(unsafe_code)]

pub mod describe;
mod error;
mod exchange;
mod keys;
mod layout;
mod parallel;
pub mod passphrase;
mod post;
mod simulate;
mod tensor;
#[cfg(test)]
mod testing;

pub use error::ClientError;
pub use exchange::{
    Encrypted, decrypt, decrypt_flooded, encrypt, flooded_deviation, output_flooding,
};
pub use keys::{
    generate_secret_key, key_request, parameters, read_secret_key, write_evaluation_keys,
    write_secret_key,
};
pub use layout::{
    Outliers, check_inputs, decode_outputs, encode_group, encode_inputs, find_outliers,
};
pub use post::{finish_outputs, outputs_are_indices};
pub use simulate::{Simulated, simulate};
pub use tensor::Tensor;
