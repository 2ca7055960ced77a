//! The product of matrices of words.

use super::{Word, vectorized};
use crate::Isa;

/// Rows and columns of a tile that stays in registers.
const TILE_ROWS: usize = 8;
const TILE_COLUMNS: usize = 24;
/// The common dimension is taken in pieces of this, so that packed pieces stay in the cache.
const DEPTH: usize = 256;
/// Columns whose packed pieces stay in the second-level cache.
const COLUMNS: usize = TILE_COLUMNS * 10;
/// With fewer rows than this, packing costs more than it saves.
const FEW_ROWS: usize = 4;

/// The left matrix is `rows × depth`, the right one `depth × columns`; all are row-major.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MatrixShape {
    /// Rows of the left matrix and of the result.
    pub rows: usize,
    /// Columns of the left matrix, rows of the right one.
    pub depth: usize,
    /// Columns of the right matrix and of the result.
    pub columns: usize,
}

/// `result += left · right` modulo 2^BITS. Costs `rows · depth · columns` products.
///
/// # Panics
/// If a slice has not the length that `shape` says.
pub fn multiply_add_matrices<W: Word>(
    isa: Isa,
    shape: MatrixShape,
    left: &[W],
    right: &[W],
    result: &mut [W],
) {
    let MatrixShape {
        rows,
        depth,
        columns,
    } = shape;
    assert_eq!(left.len(), rows * depth, "left matrix");
    assert_eq!(right.len(), depth * columns, "right matrix");
    assert_eq!(result.len(), rows * columns, "result");
    if rows == 0 || depth == 0 || columns == 0 {
        return;
    }
    if columns == 1 {
        return vectorized(isa, || dot_products(left, right, result));
    }
    let narrow = rows < FEW_ROWS || columns < FEW_ROWS;
    match (W::as_u64s(left), W::as_u64s(right)) {
        (Some(left), Some(right)) if !narrow => {
            let result = W::as_u64s_mut(result).expect("the same words as the operands");
            tiled(isa, shape, left, right, result);
        }
        _ => vectorized(isa, || by_rows(shape, left, right, result)),
    }
}

/// A matrix with one column: each result is the product of a row by it.
#[inline(always)]
fn dot_products<W: Word>(left: &[W], right: &[W], result: &mut [W]) {
    for (row, to) in left.chunks_exact(right.len()).zip(result) {
        let mut sums = [W::ZERO; 32];
        let (lefts, rights) = (row.chunks_exact(32), right.chunks_exact(32));
        let rest = lefts.remainder().iter().zip(rights.remainder());
        let rest = rest.fold(W::ZERO, |sum, (a, b)| sum.plus(a.times(*b)));
        for (a, b) in lefts.zip(rights) {
            for lane in 0..32 {
                sums[lane] = sums[lane].plus(a[lane].times(b[lane]));
            }
        }
        let total = sums.into_iter().fold(rest, W::plus);
        *to = to.plus(total);
    }
}

/// Adds multiples of rows of the right matrix to rows of the result.
#[inline(always)]
fn by_rows<W: Word>(shape: MatrixShape, left: &[W], right: &[W], result: &mut [W]) {
    let MatrixShape { depth, columns, .. } = shape;
    for (row, to) in left
        .chunks_exact(depth)
        .zip(result.chunks_exact_mut(columns))
    {
        for (&factor, from) in row.iter().zip(right.chunks_exact(columns)) {
            for (sum, &word) in to.iter_mut().zip(from) {
                *sum = sum.plus(factor.times(word));
            }
        }
    }
}

type Tile = [[u64; TILE_COLUMNS]; TILE_ROWS];

/// Multiplies packed pieces: `left` has [`TILE_ROWS`] and `right` [`TILE_COLUMNS`] words for each
/// step along the common dimension.
type TileProduct = fn(Isa, left: &[u64], right: &[u64], tile: &mut Tile);

fn tiled(isa: Isa, shape: MatrixShape, left: &[u64], right: &[u64], result: &mut [u64]) {
    let MatrixShape {
        rows,
        depth,
        columns,
    } = shape;
    let product = tile_product(isa);
    let row_tiles = rows.div_ceil(TILE_ROWS);
    let mut packed_left = vec![0; row_tiles * TILE_ROWS * DEPTH.min(depth)];
    let mut packed_right =
        vec![0; COLUMNS.min(columns.next_multiple_of(TILE_COLUMNS)) * DEPTH.min(depth)];
    for first in (0..depth).step_by(DEPTH) {
        let steps = DEPTH.min(depth - first);
        for (tile, to) in packed_left
            .chunks_exact_mut(TILE_ROWS * steps)
            .take(row_tiles)
            .enumerate()
        {
            for lane in 0..TILE_ROWS {
                let row = tile * TILE_ROWS + lane;
                for step in 0..steps {
                    to[step * TILE_ROWS + lane] = if row < rows {
                        left[row * depth + first + step]
                    } else {
                        0
                    };
                }
            }
        }
        for start in (0..columns).step_by(COLUMNS) {
            let width = COLUMNS.min(columns - start);
            let tiles = width.div_ceil(TILE_COLUMNS);
            for (tile, to) in packed_right
                .chunks_exact_mut(TILE_COLUMNS * steps)
                .take(tiles)
                .enumerate()
            {
                let column = start + tile * TILE_COLUMNS;
                let wide = TILE_COLUMNS.min(columns - column);
                for step in 0..steps {
                    let from = &right[(first + step) * columns + column..][..wide];
                    let to = &mut to[step * TILE_COLUMNS..][..TILE_COLUMNS];
                    to[..wide].copy_from_slice(from);
                    to[wide..].fill(0);
                }
            }
            for tile in 0..tiles {
                let column = start + tile * TILE_COLUMNS;
                let wide = TILE_COLUMNS.min(columns - column);
                let right = &packed_right[tile * TILE_COLUMNS * steps..][..TILE_COLUMNS * steps];
                for (row_tile, left) in packed_left
                    .chunks_exact(TILE_ROWS * steps)
                    .take(row_tiles)
                    .enumerate()
                {
                    let mut sums = [[0; TILE_COLUMNS]; TILE_ROWS];
                    product(isa, left, right, &mut sums);
                    let rows = TILE_ROWS.min(rows - row_tile * TILE_ROWS);
                    for (lane, sums) in sums.iter().take(rows).enumerate() {
                        let at = (row_tile * TILE_ROWS + lane) * columns + column;
                        for (to, sum) in result[at..at + wide].iter_mut().zip(sums) {
                            *to = to.wrapping_add(*sum);
                        }
                    }
                }
            }
        }
    }
}

fn tile_product(isa: Isa) -> TileProduct {
    match isa.name() {
        #[cfg(target_arch = "x86_64")]
        "avx512" => |isa, left, right, tile| {
            assert_eq!(isa.name(), "avx512", "the instruction set proves detection");
            // SAFETY: an `Isa` of this name is only made after avx512f and avx512dq were detected.
            unsafe { x86::tile_avx512(left, right, tile) }
        },
        #[cfg(target_arch = "x86_64")]
        "avx2" => |isa, left, right, tile| {
            assert_eq!(isa.name(), "avx2", "the instruction set proves detection");
            // SAFETY: an `Isa` of this name is only made after avx2 was detected.
            unsafe { x86::tile_avx2(left, right, tile) }
        },
        _ => |_, left, right, tile| {
            for (left, right) in left
                .chunks_exact(TILE_ROWS)
                .zip(right.chunks_exact(TILE_COLUMNS))
            {
                for (sums, &factor) in tile.iter_mut().zip(left) {
                    for (sum, &word) in sums.iter_mut().zip(right) {
                        *sum = sum.wrapping_add(factor.wrapping_mul(word));
                    }
                }
            }
        },
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{TILE_COLUMNS, TILE_ROWS, Tile};
    use core::arch::x86_64::*;

    /// Eight rows of three vectors: 24 sums, three words of the right matrix and one of the left
    /// fill 28 of the 32 registers.
    #[target_feature(enable = "avx512f,avx512dq")]
    pub(super) fn tile_avx512(left: &[u64], right: &[u64], tile: &mut Tile) {
        let mut sums = [[_mm512_setzero_si512(); 3]; TILE_ROWS];
        for (left, right) in left
            .chunks_exact(TILE_ROWS)
            .zip(right.chunks_exact(TILE_COLUMNS))
        {
            let from = right.as_ptr();
            // SAFETY: `right` has 24 words: three vectors of eight.
            let words = unsafe {
                [
                    _mm512_loadu_epi64(from.cast()),
                    _mm512_loadu_epi64(from.add(8).cast()),
                    _mm512_loadu_epi64(from.add(16).cast()),
                ]
            };
            for row in 0..TILE_ROWS {
                let factor = _mm512_set1_epi64(left[row] as i64);
                for vector in 0..3 {
                    let product = _mm512_mullo_epi64(factor, words[vector]);
                    sums[row][vector] = _mm512_add_epi64(sums[row][vector], product);
                }
            }
        }
        for (to, sums) in tile.iter_mut().zip(sums) {
            for (to, sum) in to.chunks_exact_mut(8).zip(sums) {
                // SAFETY: `to` has eight words.
                unsafe { _mm512_storeu_epi64(to.as_mut_ptr().cast(), sum) };
            }
        }
    }

    /// Products of 32-bit halves: the low ones, and the sum of the crossed ones, which counts 2^32.
    /// Two rows of two vectors at a time keep both sums in registers.
    #[target_feature(enable = "avx2")]
    pub(super) fn tile_avx2(left: &[u64], right: &[u64], tile: &mut Tile) {
        for row in (0..TILE_ROWS).step_by(2) {
            for column in (0..TILE_COLUMNS).step_by(8) {
                let mut low = [[_mm256_setzero_si256(); 2]; 2];
                let mut cross = low;
                for (left, right) in left
                    .chunks_exact(TILE_ROWS)
                    .zip(right.chunks_exact(TILE_COLUMNS))
                {
                    let from = right[column..column + 8].as_ptr();
                    // SAFETY: eight words follow: two vectors of four.
                    let words = unsafe {
                        [
                            _mm256_loadu_si256(from.cast()),
                            _mm256_loadu_si256(from.add(4).cast()),
                        ]
                    };
                    let highs = words.map(|word| _mm256_srli_epi64::<32>(word));
                    for lane in 0..2 {
                        let factor = left[row + lane];
                        let (factor, factor_high) = (
                            _mm256_set1_epi64x(factor as i64),
                            _mm256_set1_epi64x((factor >> 32) as i64),
                        );
                        for vector in 0..2 {
                            low[lane][vector] = _mm256_add_epi64(
                                low[lane][vector],
                                _mm256_mul_epu32(factor, words[vector]),
                            );
                            let crossed = _mm256_add_epi64(
                                _mm256_mul_epu32(factor, highs[vector]),
                                _mm256_mul_epu32(factor_high, words[vector]),
                            );
                            cross[lane][vector] = _mm256_add_epi64(cross[lane][vector], crossed);
                        }
                    }
                }
                for lane in 0..2 {
                    for vector in 0..2 {
                        let sum = _mm256_add_epi64(
                            low[lane][vector],
                            _mm256_slli_epi64::<32>(cross[lane][vector]),
                        );
                        let to = tile[row + lane][column + 4 * vector..][..4].as_mut_ptr();
                        // SAFETY: `to` has four words.
                        unsafe { _mm256_storeu_si256(to.cast(), sum) };
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<W: Word>(shape: MatrixShape, word: impl Fn(usize) -> W) {
        let MatrixShape {
            rows,
            depth,
            columns,
        } = shape;
        let left: Vec<W> = (0..rows * depth).map(&word).collect();
        let right: Vec<W> = (0..depth * columns).map(|i| word(i + 77_777)).collect();
        let start: Vec<W> = (0..rows * columns).map(|i| word(i + 999_999)).collect();
        let mut expected = start.clone();
        for row in 0..rows {
            for column in 0..columns {
                for step in 0..depth {
                    let product = left[row * depth + step].times(right[step * columns + column]);
                    expected[row * columns + column] =
                        expected[row * columns + column].plus(product);
                }
            }
        }
        for isa in Isa::available() {
            let mut result = start.clone();
            multiply_add_matrices(isa, shape, &left, &right, &mut result);
            assert_eq!(result, expected, "{shape:?} on {}", isa.name());
        }
    }

    #[test]
    fn schoolbook_products_on_every_isa() {
        let mix = |i: usize| (i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5555;
        for (rows, depth, columns) in [
            (1, 1, 1),
            (1, 784, 128),
            (128, 784, 1),
            (2, 3, 4),
            (8, 24, 24),
            (9, 257, 25),
            (33, 600, 250),
            (5, 0, 3),
            (64, 256, 240),
            (100, 25, 3),
        ] {
            let shape = MatrixShape {
                rows,
                depth,
                columns,
            };
            check::<u64>(shape, mix);
            if rows * depth * columns < 100_000 {
                check::<u128>(shape, |i| (mix(i) as u128) << 64 | mix(i + 5) as u128);
                check::<u32>(shape, |i| mix(i) as u32);
            }
        }
    }
}
