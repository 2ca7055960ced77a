//! Modular vector kernels for RNS arithmetic on primes below 2^50.
//!
//! Purpose: the inner loops of CKKS (number-theoretic transforms, products, basis
//! conversion, permutations), each written once over the private trait `Lanes` and
//! compiled for scalar code, AVX2 (double-precision FMA) and AVX-512 IFMA. The
//! instruction set is a value, [`Isa`], chosen once at run time; there is one
//! dispatch per call, never one per butterfly.
//!
//! Start reading at [`Isa`], then [`Modulus`], then [`ntt`] and [`kernels`].
//!
//! Invariants:
//! - every slice that enters or leaves a public function holds canonical residues in
//!   `[0, q)` (where a wider range is allowed, the function says so), so every
//!   instruction set gives the same bits;
//! - this is the only crate with `unsafe`; each block is one intrinsic or one call
//!   into code compiled for an instruction set whose presence the token proves;
//! - no branch and no index depends on residues.
//!
//! Non-goals: polynomials, RNS bookkeeping and threads (see `hush-ring`).
#![allow(unsafe_code)]

mod isa;
pub mod kernels;
mod lanes;
mod modulus;
pub mod ntt;
pub mod words;

pub use isa::{Isa, IsaError};
pub use modulus::{Modulus, ModulusError, Multiplier};
