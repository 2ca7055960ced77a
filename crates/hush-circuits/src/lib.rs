//! Circuits on CKKS ciphertexts: linear transforms, polynomials, sums of slots.
//!
//! Start reading at [`LinearTransform`], then [`Polynomial`].
//!
//! Invariants:
//! - every circuit hits the scale it is asked for exactly; constants and plaintexts absorb
//!   the difference between the scales of its operands;
//! - each circuit states its cost in levels, key switches and transforms, and
//!   [`Polynomial::cost`] computes it without running anything.
//!
//! Non-goals: tensors and layouts (`hush-program`), the choice of levels and scales
//! (`hush-compiler`). Bootstrapping belongs here as a further circuit.
#![forbid(unsafe_code)]

mod error;
mod linear;
mod polynomial;
mod sum;

pub use error::CircuitError;
pub use linear::{Diagonal, LinearTransform, Storage};
pub use polynomial::{Basis, Cost, Polynomial};
pub use sum::sum_slots;
