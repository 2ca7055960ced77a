//! Loops over residues. Slices are canonical unless a function says otherwise, all of
//! equal length, a multiple of eight; each call costs one pass over its operands.

mod combine;
mod elementwise;
mod mirrored;
mod packed;
mod permute;
mod product;
mod words;

/// Vectors whose sums are held in registers at once: amortises the bookkeeping per row.
const UNROLL: usize = 4;

pub use combine::{combine, rounded_quotient};
pub use elementwise::{
    add_assign, multiply_add_assign, multiply_assign, negate_assign, scale_add_assign,
    scale_assign, scale_into, sub_assign, subtract_scale_assign,
};
pub use mirrored::{MIRRORED_BLOCK, MirroredTerm, Residues, mirrored_sums, offset_residues};
pub use packed::{PackedRows, inner_product};
pub use permute::{
    BlockPermutation, PermutationTile, permute, permute_add_assign, permute_add_tile, permute_tile,
};
pub use product::{paired_inner_product, tensor_into};
pub use words::PackedWords;
