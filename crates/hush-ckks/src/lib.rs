//! CKKS in RNS form: approximate arithmetic on encrypted vectors of real or complex numbers.
//!
//! Start at [`Parameters`], which everything else takes first, then [`encoder`] (numbers to
//! polynomials and back) and [`SwitchingKey`] (what rotations and products need).
//!
//! Invariants:
//! - [`Parameters`] exist only for moduli that pass every check, the security table of
//!   [`security`] included. Weak ones need the cargo feature `insecure`.
//! - A [`Scale`] is the exact factor between a message and its integer polynomial. Nothing in
//!   this crate resets or rounds it.
//! - Residues are canonical (`0..q`) wherever a value crosses a function boundary.
//!
//! Non-goals: secret keys, encryption and decryption (`hush-keys`), tensors and layouts
//! (`hush-client`), circuits (`hush-circuits`).

#![forbid(unsafe_code)]

pub mod encoder;
pub mod primes;
pub mod security;

mod ciphertext;
mod ciphertext_wire;
mod error;
mod evaluation_keys;
mod evaluator;
mod galois;
mod key_id;
mod level;
mod parameters;
mod plaintext;
mod scale;
mod seeded;
mod switching_key;
mod uniform;
mod wire;

pub use ciphertext::Ciphertext;
pub use error::{CkksError, ParametersError};
pub use evaluation_keys::EvaluationKeys;
pub use evaluator::{Digits, Evaluator, Extended};
pub use galois::GaloisElement;
pub use hush_ring::{Isa, IsaError};
pub use key_id::KeyId;
pub use level::Level;
pub use parameters::{Parameters, ParametersLiteral};
pub use plaintext::Plaintext;
pub use scale::Scale;
pub use seeded::SeededCiphertext;
pub use switching_key::SwitchingKey;
pub use uniform::uniform_polynomial;
