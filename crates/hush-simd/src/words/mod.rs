//! Vector kernels on words of the rings Z/2^64 and Z/2^128 and on planes of bits, for shares.
//!
//! All arithmetic wraps and is exact, so every instruction set gives the same bits. Loops that a
//! compiler vectorises well are written once and compiled per instruction set; the matrix
//! product has a kernel of its own for each.

mod bytes;
mod matrix;
mod planes;
mod word;

pub use bytes::{bytes, bytes_mut};
pub use matrix::{MatrixShape, multiply_add_matrices};
pub use planes::{PLANE_ROWS, mask_of_plane, plane_words, planes_of_words, words_of_planes};
pub use word::Word;

use crate::isa::{Isa, Kernel};
use crate::lanes::Lanes;

/// Runs a closure compiled for the instruction set: what is inlined into it may use its vectors.
#[inline]
pub fn vectorized<R>(isa: Isa, work: impl FnOnce() -> R) -> R {
    isa.run(Closure(work))
}

struct Closure<F>(F);

impl<R, F: FnOnce() -> R> Kernel for Closure<F> {
    type Output = R;

    #[inline(always)]
    fn run<L: Lanes>(self, _lanes: L) -> R {
        (self.0)()
    }
}
