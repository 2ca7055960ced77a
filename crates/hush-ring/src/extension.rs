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
use crate::ring::{Ring, in_any_order};

/// Bytes of rows that can be read for every target anew.
const RESIDENT: usize = 6 << 20;
/// Targets extended together when rows are larger: enough that reading the rows costs little,
/// few enough that the results, read again soon, do not travel to memory and back.
const GROUP: usize = 9;
/// Coefficients extended to all targets before the next are read: ten rows of them fit a
/// second-level cache many times.
const TILE: usize = 1024;
/// Coefficients whose quotients are one piece of work.
const QUOTIENTS: usize = 8192;

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
/// memory once for all; then their transforms. Threads share tiles and transforms.
pub fn extend_together(ring: &Ring, mut jobs: Vec<Job<'_>>) {
    let tile = TILE.min(ring.degree());
    let mut tiles: Vec<Vec<Job<'_>>> = (0..ring.degree() / tile).map(|_| Vec::new()).collect();
    for job in &mut jobs {
        for (jobs, out) in tiles.iter_mut().zip(job.out.chunks_exact_mut(tile)) {
            jobs.push(Job { out, ..*job });
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
    in_any_order(jobs.into_iter(), |job| {
        ring.table(job.target).forward(job.out);
    });
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

    /// The rows that [`Extension::extend`] reads, one buffer for each of `extensions`: the
    /// scaled coefficients and the quotient v of a polynomial whose values modulo source i
    /// of extension e are what `write(e, i, words)` writes. Costs one inverse transform per
    /// source.
    pub fn rows(
        ring: &Ring,
        extensions: &[&Self],
        write: impl Fn(usize, usize, &mut [u64]) + Sync + Send,
    ) -> Vec<Buffer> {
        let mut rows: Vec<Buffer> = extensions.iter().map(|e| e.unwritten_rows(ring)).collect();
        Self::complete_rows(ring, extensions, &mut rows, write);
        rows
    }

    /// Room for rows.
    pub fn unwritten_rows(&self, ring: &Ring) -> Buffer {
        ring.pool().take((self.sources.len() + 1) * ring.degree())
    }

    /// [`Extension::rows`] in place: `write` may find the values there already.
    pub fn complete_rows(
        ring: &Ring,
        extensions: &[&Self],
        rows: &mut [Buffer],
        write: impl Fn(usize, usize, &mut [u64]) + Sync + Send,
    ) {
        let degree = ring.degree();
        let scaled = rows.iter_mut().zip(extensions).enumerate();
        let scaled = scaled.flat_map(|(e, (rows, extension))| {
            let rows = rows.chunks_exact_mut(degree).zip(&extension.sources);
            rows.enumerate()
                .map(move |(i, (row, &source))| (e, i, extension.scales[i], source, row))
        });
        in_any_order(scaled, |(e, i, scale, source, row)| {
            write(e, i, row);
            ring.table(source).inverse_scaled(row, scale);
        });
        let length = QUOTIENTS.min(degree);
        let quotients = rows
            .iter_mut()
            .zip(extensions)
            .flat_map(|(rows, extension)| {
                let (scaled, quotient) = rows.split_at_mut(extension.sources.len() * degree);
                let scaled = &*scaled;
                let tiles = quotient.chunks_exact_mut(length).enumerate();
                tiles.map(move |(tile, out)| (extension, scaled, tile * length, out))
            });
        in_any_order(quotients, |(extension, scaled, at, out)| {
            let scaled: Vec<&[u64]> = scaled
                .chunks_exact(degree)
                .map(|row| &row[at..at + length])
                .collect();
            kernels::rounded_quotient(ring.isa(), out, &scaled, &extension.inverses);
        });
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
        let rows = Extension::rows(&ring, &[&extension], |_, i, words| {
            words.copy_from_slice(poly.limb(i));
        });
        let mut out = vec![0; 1024];
        extension.extend(&ring, 2, &rows[0], &mut out);
        let expected: Poly<Coeff> = ring.from_signed_i128(&coefficients, Basis::extended(0));
        assert_eq!(out, expected.limb(0));
    }
}
