//! RNS polynomials over Z_q\[X\]/(X^N + 1), N = 2^8 … 2^17.
//!
//! Purpose: everything CKKS needs of a ring: polynomials as residues modulo a chain of
//! NTT primes and a set of special primes, transforms, automorphisms, exact centred
//! base extension, threads over limbs.
//!
//! Start reading at [`Ring`], then [`Poly`], then [`Extension`].
//!
//! Invariants:
//! - residues are canonical; `Poly<Ntt>` and `Poly<Coeff>` are different types, so a
//!   transform can be neither forgotten nor done twice;
//! - polynomials come from and return to the ring's buffer pool: steady-state arithmetic
//!   allocates no limbs. Buffers are not wiped; secrets are, by their owners, before they
//!   return;
//! - results do not depend on the instruction set or the number of threads.
//!
//! Non-goals: scales, levels and keys (see `hush-ckks`).
#![forbid(unsafe_code)]

mod extension;
mod poly;
mod pool;
mod ring;

pub use extension::{Extension, Job, extend_together};
pub use hush_simd::{Isa, IsaError, Modulus, ModulusError, Multiplier};
pub use poly::{Basis, Coeff, Ntt, Poly, Representation};
pub use pool::{Buffer, Pool};
pub use ring::{Ring, RingError, in_any_order, in_parallel};
