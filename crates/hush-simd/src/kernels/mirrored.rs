//! Products with plaintexts that read the same from both ends: the transform of real slots
//! is known by its first half, and a message that repeats by less.

use std::ops::Range;

use super::PackedWords;
use super::packed::Source;
use super::words::{load, with_source};
use crate::isa::{Isa, Kernel};
use crate::lanes::Lanes;
use crate::modulus::Modulus;

/// Vectors of each end whose sums are held in registers: four sums each.
const VECTORS: usize = 2;

/// Places that a step of [`MirroredTerm`] covers.
pub const MIRRORED_BLOCK: usize = 16;

/// One product of a sum: both halves of a ciphertext's limb times a mirrored plaintext.
#[derive(Clone, Copy, Debug)]
pub struct MirroredTerm<'a> {
    /// Whole limbs.
    pub rows: [&'a [u64]; 2],
    /// Where the residue is that multiplies the first coefficient of the range.
    pub at: usize,
    /// From the residues of one block of [`MIRRORED_BLOCK`] places to those of the next.
    pub step: usize,
    /// log2 of how often each residue is used before the next, at most a block.
    pub log_gap: u32,
}

/// Where the residues of plaintexts are.
#[derive(Clone, Copy, Debug)]
pub enum Residues<'a> {
    /// In the fewest bytes.
    Packed(&'a PackedWords),
    /// A word each, and eight words of any content behind the last.
    Words(&'a [u64]),
}

/// out\[h\]\[i\] = Σ w_t(i) · rows_t\[h\]\[i\] and out\[h\]\[N-1-i\] = Σ w_t(i) · rows_t\[h\]\[N-1-i\]
/// for i in `range`, both halves h, where w_t(i) for place j of block b is the residue at
/// `at + b step + (j >> log_gap)` of `residues`; with `accumulate`, added to what `out` holds.
///
/// Each residue is read once for up to four products a place; one reduction per result.
///
/// # Panics
/// If a row is not as long as the results, `range` is not in the first half, its ends
/// are no multiples of a block, or a place is outside `residues`.
pub fn mirrored_sums(
    isa: Isa,
    q: &Modulus,
    out: [&mut [u64]; 2],
    residues: Residues<'_>,
    terms: &[MirroredTerm<'_>],
    range: Range<usize>,
    accumulate: bool,
) {
    let length = out[0].len();
    assert_eq!(out[1].len(), length, "output length");
    assert!(
        terms
            .iter()
            .all(|term| term.rows.iter().all(|row| row.len() == length)),
        "row length"
    );
    assert!(
        range.start <= range.end
            && 2 * range.end <= length
            && range.start.is_multiple_of(MIRRORED_BLOCK)
            && range.end.is_multiple_of(MIRRORED_BLOCK),
        "a range of the first half, in whole blocks"
    );
    macro_rules! run {
        ($source:ident) => {
            isa.run(Sums {
                q,
                out,
                source: $source,
                terms,
                range,
                accumulate,
            })
        };
    }
    match residues {
        Residues::Packed(words) => with_source!(words, |source| run!(source)),
        Residues::Words(words) => run!(words),
    }
}

struct Sums<'a, S> {
    q: &'a Modulus,
    out: [&'a mut [u64]; 2],
    source: S,
    terms: &'a [MirroredTerm<'a>],
    range: Range<usize>,
    accumulate: bool,
}

impl<S: Source> Kernel for Sums<'_, S> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let q = lanes.modulus(self.q);
        let (length, start) = (self.out[0].len(), self.range.start);
        let size = VECTORS * L::WIDTH;
        let [out0, out1] = self.out;
        for front in self.range.step_by(size) {
            let back = length - front - size;
            let block = (front - start) / MIRRORED_BLOCK;
            let within = (front - start) % MIRRORED_BLOCK;
            // For both halves, the sums at the front and at the back.
            let mut sums = [[[lanes.zero_sum(); VECTORS]; 2]; 2];
            if self.accumulate {
                for (half, out) in [&*out0, &*out1].into_iter().enumerate() {
                    for (end, at) in [front, back].into_iter().enumerate() {
                        for u in 0..VECTORS {
                            let from = lanes.load(&out[at + u * L::WIDTH..]);
                            sums[half][end][u] = lanes.sum_from(from);
                        }
                    }
                }
            }
            let mut terms = self.terms;
            loop {
                let (now, later) = terms.split_at(terms.len().min(L::TERMS));
                for term in now {
                    let [row0, row1] = term.rows;
                    let rows = [
                        [&row0[front..front + size], &row0[back..back + size]],
                        [&row1[front..front + size], &row1[back..back + size]],
                    ];
                    let first = term.at + block * term.step;
                    for u in 0..VECTORS {
                        let place = (within + u * L::WIDTH) >> term.log_gap;
                        let residues = load(lanes, self.source, first + place);
                        let ahead = lanes.spread::<false>(residues, term.log_gap);
                        let mirrored = lanes.spread::<true>(residues, term.log_gap);
                        let opposite = VECTORS - 1 - u;
                        for half in 0..2 {
                            let row = lanes.load(&rows[half][0][u * L::WIDTH..]);
                            let sum = sums[half][0][u];
                            sums[half][0][u] = lanes.multiply_add(sum, row, ahead, q);
                            let row = lanes.load(&rows[half][1][opposite * L::WIDTH..]);
                            let sum = sums[half][1][opposite];
                            sums[half][1][opposite] = lanes.multiply_add(sum, row, mirrored, q);
                        }
                    }
                }
                if later.is_empty() {
                    break;
                }
                // Outside the inner loop, so that the sums stay in registers inside it.
                for half in 0..2 {
                    for end in 0..2 {
                        for u in 0..VECTORS {
                            sums[half][end][u] = lanes.settle(sums[half][end][u], q);
                        }
                    }
                }
                terms = later;
            }
            for (half, out) in [&mut *out0, &mut *out1].into_iter().enumerate() {
                for (end, at) in [front, back].into_iter().enumerate() {
                    for u in 0..VECTORS {
                        let sum = lanes.finish(sums[half][end][u], q);
                        lanes.store(sum, &mut out[at + u * L::WIDTH..]);
                    }
                }
            }
        }
    }
}

/// out\[i\] = words\[i\] - `offset` modulo q, for the first words, as many as `out` holds.
///
/// # Panics
/// If there are fewer words, or the offset is not below 2^52.
pub fn offset_residues(isa: Isa, q: &Modulus, out: &mut [u64], words: &PackedWords, offset: u64) {
    assert!(out.len() <= words.length(), "as many words as results");
    let offset = q.multiplier(offset).value;
    with_source!(words, |source| isa.run(Offset {
        q,
        out,
        source,
        offset,
    }));
}

struct Offset<'a, S> {
    q: &'a Modulus,
    out: &'a mut [u64],
    source: S,
    offset: u64,
}

impl<S: Source> Kernel for Offset<'_, S> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let q = lanes.modulus(self.q);
        let one = lanes.factor(self.q.one);
        let offset = lanes.splat(self.offset);
        let mut last = [0; 8];
        for (index, to) in self.out.chunks_mut(L::WIDTH).enumerate() {
            let word = load(lanes, self.source, index * L::WIDTH);
            let residue = lanes.canonical(lanes.multiply(word, one, q), q);
            let residue = lanes.sub(residue, offset, q);
            if to.len() == L::WIDTH {
                lanes.store(residue, to);
            } else {
                lanes.store(residue, &mut last);
                to.copy_from_slice(&last[..to.len()]);
            }
        }
    }
}
