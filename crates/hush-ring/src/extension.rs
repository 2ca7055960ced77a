//! Exact base extension: from residues modulo a set of primes to residues of the
//! centred integer modulo others.
//!
//! With Q the product of the source primes, Q_i = Q/q_i and y_i = \[x Q_i^-1\]_{q_i}, the
//! centred representative is Σ y_i Q_i - v Q with v = round(Σ y_i / q_i) (Halevi,
//! Polyakov, Shoup, ePrint 2018/117). The factors Q_i^-1 cost nothing: they are folded
//! into the inverse transform that produces the coefficients.

use hush_simd::kernels;

use crate::poly::Basis;
use crate::pool::Buffer;
use crate::ring::{Ring, in_any_order, in_parallel};

/// Bytes of rows that can be read for every target anew.
const RESIDENT: usize = 6 << 20;
/// Targets extended together when rows are larger.
const GROUP: usize = 4;
/// Coefficients extended to all targets before the next are read: ten rows of them fit a
/// second-level cache many times.
const TILE: usize = 1024;

/// One extension among several that share their rows.
#[derive(Debug)]
pub struct Job<'a> {
    /// Tables of the source.
    pub extension: &'a Extension,
    /// Its rows, from [`Extension::rows`].
    pub rows: &'a [u64],
    /// Index of the modulus to extend to.
    pub target: usize,
    /// One limb.
    pub out: &'a mut [u64],
}

/// [`Extension::extend`] for several targets, tile by tile, so that rows are read from
/// memory once for all.
pub fn extend_together(ring: &Ring, jobs: Vec<Job<'_>>) {
    let tile = TILE.min(ring.degree());
    let mut tiles: Vec<Vec<Job<'_>>> = (0..ring.degree() / tile).map(|_| Vec::new()).collect();
    for job in jobs {
        for (jobs, out) in tiles.iter_mut().zip(job.out.chunks_exact_mut(tile)) {
            jobs.push(Job { out, ..job });
        }
    }
    let run = |(i, jobs): (usize, Vec<Job<'_>>)| {
        for job in jobs {
            let rows: Vec<&[u64]> = job
                .rows
                .chunks_exact(ring.degree())
                .map(|row| &row[i * tile..(i + 1) * tile])
                .collect();
            job.extension.combine(ring, job.target, &rows, job.out);
        }
    };
    in_any_order(tiles.into_iter().enumerate(), run);
}

/// Tables to leave one set of source moduli.
#[derive(Debug)]
pub struct Extension {
    sources: Vec<usize>,
    /// Q_i^-1 mod q_i.
    scales: Vec<u64>,
    inverses: Vec<f64>,
    /// For each modulus t of the ring: Q_i mod t for each source, then -Q mod t.
    weights: Vec<Vec<u64>>,
}

impl Extension {
    /// Tables from the moduli with these indices to every modulus of the ring.
    pub fn new(ring: &Ring, sources: &[usize]) -> Self {
        let moduli = ring.moduli();
        let product = |t: usize, skip: Option<usize>| {
            sources
                .iter()
                .filter(|&&s| Some(s) != skip)
                .fold(1, |product, &s| {
                    moduli[t].mul(product, moduli[s].value() % moduli[t].value())
                })
        };
        Self {
            sources: sources.to_vec(),
            scales: sources
                .iter()
                .map(|&s| moduli[s].inverse(product(s, Some(s))))
                .collect(),
            inverses: sources
                .iter()
                .map(|&s| 1.0 / moduli[s].value() as f64)
                .collect(),
            weights: (0..moduli.len())
                .map(|t| {
                    sources
                        .iter()
                        .map(|&s| product(t, Some(s)))
                        .chain([moduli[t].negate(product(t, None))])
                        .collect()
                })
                .collect(),
        }
    }

    /// Indices of the source moduli.
    pub fn sources(&self) -> &[usize] {
        &self.sources
    }

    /// Which limb of a polynomial in `basis` belongs to source `i`.
    pub fn source_limb(&self, ring: &Ring, basis: Basis, i: usize) -> usize {
        let index = self.sources[i];
        if index < ring.chain_length() {
            index
        } else {
            basis.chain + index - ring.chain_length()
        }
    }

    /// Product of the source moduli modulo modulus `target`.
    pub fn product(&self, ring: &Ring, target: usize) -> u64 {
        let minus = self.weights[target][self.sources.len()];
        ring.moduli()[target].negate(minus)
    }

    /// Takes the source limbs of a transformed polynomial, `limb(i)` being the values
    /// modulo source `i`, to the rows that [`Extension::extend`] reads: the scaled
    /// coefficients and the quotient v. Costs one inverse transform per source.
    pub fn rows<'a>(&self, ring: &Ring, limb: impl Fn(usize) -> &'a [u64] + Sync) -> Buffer {
        let mut rows = ring.pool().take((self.sources.len() + 1) * ring.degree());
        let (scaled, _) = rows.split_at_mut(self.sources.len() * ring.degree());
        in_parallel(scaled, ring.degree(), |i, words| {
            words.copy_from_slice(limb(i));
            self.scale_row(ring, i, words);
        });
        self.complete_rows(ring, &mut rows);
        rows
    }

    /// Values modulo source `i` to its scaled coefficients, in place.
    pub fn scale_row(&self, ring: &Ring, i: usize, words: &mut [u64]) {
        ring.table(self.sources[i])
            .inverse_scaled(words, self.scales[i]);
    }

    /// Writes the quotient v behind the scaled rows.
    pub fn complete_rows(&self, ring: &Ring, rows: &mut [u64]) {
        let (scaled, quotient) = rows.split_at_mut(self.sources.len() * ring.degree());
        let scaled: Vec<&[u64]> = scaled.chunks_exact(ring.degree()).collect();
        kernels::rounded_quotient(ring.isa(), quotient, &scaled, &self.inverses);
    }

    /// How many targets [`extend_together`] should take at once so that rows of `limbs` limbs
    /// are read seldom and the results stay in cache: many only if the rows do not.
    pub fn group(ring: &Ring, limbs: usize) -> usize {
        if limbs * ring.degree() * size_of::<u64>() > RESIDENT {
            GROUP.max(rayon::current_num_threads())
        } else {
            1
        }
    }

    /// Coefficients of the centred integer modulo modulus `target`, from `rows`.
    pub fn extend(&self, ring: &Ring, target: usize, rows: &[u64], out: &mut [u64]) {
        let rows: Vec<&[u64]> = rows.chunks_exact(ring.degree()).collect();
        self.combine(ring, target, &rows, out);
    }

    fn combine(&self, ring: &Ring, target: usize, rows: &[&[u64]], out: &mut [u64]) {
        let q = &ring.moduli()[target];
        kernels::combine(ring.isa(), q, out, rows, &self.weights[target]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::poly::{Coeff, Poly};

    #[test]
    fn signed_integers_survive_extension() {
        let chain = [1125899902124033, 1125899886395393];
        let special = [1125899884036097];
        let Ok(ring) = Ring::new(10, &chain, &special) else {
            panic!("the test moduli are 1 mod 2^11");
        };
        let mut state = 0x1234_5678_9abc_def0_u64;
        let coefficients: Vec<i128> = (0..1024)
            .map(|i| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                let magnitude = i128::from(state >> 1) << (i % 34);
                if state & 1 == 0 {
                    magnitude
                } else {
                    -magnitude
                }
            })
            .collect();
        let poly = ring.from_signed_i128(&coefficients, Basis::chain(2));
        let poly = ring.forward(poly);
        let extension = Extension::new(&ring, &[0, 1]);
        let rows = extension.rows(&ring, |i| poly.limb(i));
        let mut out = vec![0; 1024];
        extension.extend(&ring, 2, &rows, &mut out);
        let expected: Poly<Coeff> = ring.from_signed_i128(&coefficients, Basis::extended(0));
        assert_eq!(out, expected.limb(0));
    }
}
