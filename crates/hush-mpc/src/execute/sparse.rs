//! Linear maps by sparse matrices: choices of elements, public matrices, and matrices whose numbers are weights.

use hush_graph::{Operator, SparseLinear};
use hush_simd::Isa;
use hush_simd::words::{Word, vectorized};

use super::node::{add_bias, bilinear, plain, settled};
use super::weights::Weight;
use crate::{BilinearMap, Fixed, MpcError, Protocol, Secret};

/// Bits behind the point of public matrices that are not whole.
const MATRIX_BITS: u32 = 20;

/// Whether an operator only chooses elements, so that a function of each may as well follow it.
pub(super) fn selects(operator: &Operator) -> bool {
    match operator {
        Operator::Sparse(sparse) => selection(sparse).is_some(),
        _ => false,
    }
}

/// The source of each element, if every row takes exactly one.
pub(super) fn selection(sparse: &SparseLinear) -> Option<Vec<usize>> {
    if sparse.bias.is_some() || sparse.trained {
        return None;
    }
    let source = |row: usize| {
        let mut entries = sparse.matrix.row(row);
        match (entries.next(), entries.next()) {
            (Some((column, 1.0)), None) => Some(column),
            _ => None,
        }
    };
    (0..sparse.matrix.rows()).map(source).collect()
}

/// Entries of a sparse matrix, by their places, times each sample.
struct Entries<'a> {
    sparse: &'a SparseLinear,
    samples: usize,
}

impl<W: Word> BilinearMap<W> for Entries<'_> {
    fn length(&self) -> usize {
        self.samples * self.sparse.matrix.rows()
    }

    fn add_into(&self, left: &[W], right: &[W], result: &mut [W]) {
        let matrix = &self.sparse.matrix;
        let samples = left.chunks_exact(matrix.columns());
        for (sample, result) in samples.zip(result.chunks_exact_mut(matrix.rows())) {
            for ((row, column, _), &factor) in matrix.entries().zip(right) {
                result[row] = result[row].plus(sample[column].times(factor));
            }
        }
    }
}

/// A matrix on each sample whose entries are weights; where they stand is public. Costs what a linear layer of as
/// many results costs.
pub(super) fn trained_matrix<W: Word>(
    protocol: &mut dyn Protocol<W>,
    x: &Secret<W>,
    sparse: &SparseLinear,
    weights: &[Weight<W>],
    fixed: Fixed,
    shape: Vec<usize>,
) -> Result<Secret<W>, MpcError> {
    let samples = shape[0];
    let mut weights = weights.iter();
    let product = match sparse.matrix.is_empty() {
        true => {
            let zeros = vec![0.0; samples * sparse.matrix.rows()];
            Secret::public(&*protocol, &shape, fixed, &zeros)?
        }
        false => {
            let map = Entries { sparse, samples };
            let entries = weights.next().ok_or(MpcError::Count {
                what: "weights of a sparse matrix",
                expected: 1,
                found: 0,
            })?;
            bilinear(protocol, &map, x, entries, fixed, shape)?
        }
    };
    add_bias(protocol, product, weights.next(), 1)
}

/// A public matrix on each sample. Where all entries are the same power of two, as in the means of
/// pooling, only the point moves.
pub(super) fn public_matrix<W: Word>(
    protocol: &mut dyn Protocol<W>,
    x: &Secret<W>,
    sparse: &SparseLinear,
    shape: Vec<usize>,
    fixed: Fixed,
) -> Result<Secret<W>, MpcError> {
    let matrix = &sparse.matrix;
    let first = matrix.entries().next().map_or(1.0, |entry| entry.2);
    let uniform = matrix.entries().all(|entry| entry.2 == first);
    let power = libm::log2(first);
    let shift =
        uniform && first > 0.0 && first < 1.0 && libm::floor(power) == power && power > -16.0;
    let fine = uniform && first == 1.0;
    let bits = if shift || fine { 0 } else { MATRIX_BITS };
    let word = |value: f64| {
        let value = if shift { 1.0 } else { value };
        W::from_signed(libm::round(libm::ldexp(value, bits as i32)) as i128)
    };
    let rows: Vec<Vec<(usize, W)>> = (0..matrix.rows())
        .map(|row| {
            matrix
                .row(row)
                .map(|(column, value)| (column, word(value)))
                .collect()
        })
        .collect();
    let samples = shape[0];
    let share = x.share().map_parts(samples * rows.len(), |part| {
        vectorized(Isa::active(), || {
            let mut result = Vec::with_capacity(samples * rows.len());
            for sample in part.chunks_exact(matrix.columns()) {
                result.extend(rows.iter().map(|row| {
                    row.iter().fold(W::ZERO, |sum, &(column, factor)| {
                        sum.plus(sample[column].times(factor))
                    })
                }));
            }
            result
        })
    });
    let widest = rows.iter().map(Vec::len).max().unwrap_or(1);
    let sum_bits = x.fixed().integer_bits + crate::fixed::bits_of_count(widest);
    let result = if shift {
        let power = power as i32;
        Secret::new(
            shape,
            Fixed {
                integer_bits: sum_bits,
                ..x.fixed()
            },
            share,
        )?
        .move_point(power)?
    } else if fine {
        Secret::new(
            shape,
            Fixed {
                integer_bits: sum_bits,
                ..x.fixed()
            },
            share,
        )?
    } else {
        let full = Fixed::new(fixed.integer_bits, x.fixed().fraction_bits + bits);
        full.check_truncation::<W>("public matrix")?;
        let share = protocol.truncate(&share, bits)?;
        Secret::new(
            shape,
            Fixed {
                fraction_bits: x.fixed().fraction_bits,
                ..fixed
            },
            share,
        )?
    };
    match &sparse.bias {
        None => Ok(result),
        Some(bias) => {
            let result = settled(protocol, plain(result), fixed)?;
            result.add_public(&*protocol, bias)
        }
    }
}
