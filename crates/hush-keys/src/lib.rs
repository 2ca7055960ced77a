//! The secret side of CKKS: key generation, encryption, decryption.
//!
//! Start at [`SecretKey`]; everything else comes from one.
//!
//! Invariants:
//! - Secrets are not `Clone`, `Debug` or serializable, and are wiped when dropped, scratch
//!   included.
//! - No branch, memory index or loop count depends on a secret: samplers draw a fixed amount,
//!   and never reject.
//! - Randomness is passed in; [`SecureRng`] is the one for products.
//! - A ciphertext of another key or other parameters is an error, never noise.
//!
//! Non-goals: evaluation (`hush-ckks`), files and passphrases (`hush-client`).

#![forbid(unsafe_code)]

mod decrypt;
mod encrypt;
mod error;
mod flooding;
mod public_key;
mod request;
mod rng;
mod sampler;
mod secret_key;
mod switching;

pub use error::KeysError;
pub use flooding::Flooding;
pub use public_key::PublicKey;
pub use request::KeyRequest;
pub use rng::SecureRng;
pub use sampler::ERROR_DEVIATION;
pub use secret_key::SecretKey;
