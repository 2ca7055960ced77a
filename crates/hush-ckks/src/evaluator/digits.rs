//! The digits of a part, modulo one target prime after another.
//!
//! Threads share the work twice over: whole limbs as far as they divide evenly, each limb
//! on one thread from extension to result, then tiles of the limbs left over, on which
//! all threads work together. Where rows outgrow the caches, or several passes over the
//! digits have rows of their own, they work together on all limbs, a group at a time. Who
//! does what never shows in the results.

use hush_ring::{Basis, Buffer, Extension, Job, Ntt, Poly, extend_together, in_any_order};

use super::Evaluator;
use crate::Level;

/// Words of a row that are summed, divided and permuted before the next, small enough for
/// the second-level cache, and the piece of work when threads share a limb.
const TILE: usize = 8192;

/// Limbs that several passes take together at least, so that the rows of each are read once
/// for all of them.
const SHARED: usize = 4;

/// The digits of a part, to be extended limb by limb as they are needed.
pub struct Digits<'a> {
    part: &'a Poly<Ntt>,
    /// The scaled rows of each digit.
    rows: Vec<Buffer>,
}

impl Digits<'_> {
    pub(super) fn level(&self) -> Level {
        Level(self.part.basis().chain - 1)
    }
}

/// Digits, and for each of one or several passes over them other rows, equally many, that
/// are extended to the same targets.
pub(super) struct Sources<'a> {
    pub(super) digits: &'a Digits<'a>,
    pub(super) passes: Vec<Vec<(&'a Extension, &'a [u64])>>,
}

impl<'a> Sources<'a> {
    /// Passes without other rows.
    pub(super) fn digits(digits: &'a Digits<'a>, passes: usize) -> Self {
        let passes = vec![Vec::new(); passes];
        Self { digits, passes }
    }
}

/// Where a tile lies.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// Target limb: those of the chain, then the special ones.
    pub(super) limb: usize,
    /// Index of the pass.
    pub(super) pass: usize,
    /// First word.
    pub(super) first: usize,
}

/// Target limbs and, for each pass, a pair of rows to write.
pub(super) type Outs<'a> = Vec<(usize, Vec<[&'a mut [u64]; 2]>)>;

impl Evaluator {
    /// The digits of `part`: l + 1 inverse NTTs.
    #[must_use]
    pub fn digits<'a>(&self, part: &'a Poly<Ntt>) -> Digits<'a> {
        let level = Level(part.basis().chain - 1);
        let digits = self.parameters.digits(level);
        let extensions: Vec<&Extension> = (0..digits).map(|d| self.digit(level, d)).collect();
        let rows = Extension::rows(self.ring(), &extensions, |d, i, words| {
            let digit = self.parameters.digit(level, d);
            words.copy_from_slice(part.limb(digit.start + i));
        });
        Digits { part, rows }
    }

    /// Tables from digit `d` at `level`.
    fn digit(&self, level: Level, d: usize) -> &Extension {
        &self.digits[d][self.parameters.digit(level, d).len() - 1]
    }

    /// Calls `body` with the values of all digits on target limb `limb` (the chain limbs,
    /// then the special ones).
    ///
    /// Cost: d NTTs, less one if the limb belongs to a digit.
    pub fn with_limb<T>(
        &self,
        digits: &Digits<'_>,
        limb: usize,
        body: impl FnOnce(&[&[u64]]) -> T,
    ) -> T {
        let ring = self.ring();
        let mut scratch = ring.pool().take(digits.rows.len() * ring.degree());
        self.run(self.digit_jobs(digits, &[limb], &mut scratch));
        body(&self.digit_values(digits, limb, &scratch))
    }

    /// Calls `body(place, values, out)` for every tile of the limbs of `outs` and every pass,
    /// with the values of [`Evaluator::with_limb`] (whole limbs), those of the other rows of
    /// the pass behind them, and the words of `outs` at that place.
    pub(super) fn for_each_tile(
        &self,
        sources: &Sources<'_>,
        mut outs: Outs<'_>,
        body: impl Fn(Place, &[&[u64]], [&mut [u64]; 2]) + Sync + Send,
    ) {
        let ring = self.ring();
        let degree = ring.degree();
        let tile = TILE.min(degree);
        let (digits, level) = (sources.digits, sources.digits.level());
        let own = digits.rows.len() * degree;
        let others = sources.passes.first().map_or(0, Vec::len) * degree;
        let threads = rayon::current_num_threads();
        let group = match sources.passes.len() {
            0 | 1 => Extension::group(ring, level.limbs()),
            _ => Extension::group(ring, level.limbs()).max(SHARED),
        };
        let apart = match group {
            1 => outs.len() - outs.len() % threads,
            _ => 0,
        };
        let mut together = outs.split_off(apart);
        in_any_order(outs.into_iter(), |(limb, outs)| {
            let mut scratch = ring.pool().take(own + others);
            let (own, others) = scratch.split_at_mut(own);
            self.run(self.digit_jobs(digits, &[limb], own));
            let passes = sources.passes.iter().zip(outs).enumerate();
            for (pass, (rows, out)) in passes {
                self.run(self.other_jobs(level, rows, &[limb], others));
                let mut values = self.digit_values(digits, limb, own);
                values.extend(others.chunks_exact(degree));
                for (first, out) in tiles(out, tile) {
                    body(Place { limb, pass, first }, &values, out);
                }
            }
        });
        for outs in equal_chunks(&mut together, group.max(threads)) {
            let limbs: Vec<usize> = outs.iter().map(|(limb, _)| *limb).collect();
            let mut scratch = ring.pool().take(limbs.len() * (own + others));
            let (own_words, other_words) = scratch.split_at_mut(limbs.len() * own);
            for (pass, rows) in sources.passes.iter().enumerate() {
                let mut jobs = match pass {
                    0 => self.digit_jobs(digits, &limbs, own_words),
                    _ => Vec::new(),
                };
                jobs.extend(self.other_jobs(level, rows, &limbs, other_words));
                extend_together(ring, jobs);
                let values: Vec<Vec<&[u64]>> = limbs
                    .iter()
                    .enumerate()
                    .map(|(i, &limb)| {
                        let own = &own_words[i * own..(i + 1) * own];
                        let others = &other_words[i * others..(i + 1) * others];
                        let mut values = self.digit_values(digits, limb, own);
                        values.extend(others.chunks_exact(degree));
                        values
                    })
                    .collect();
                let pieces = outs
                    .iter_mut()
                    .zip(&values)
                    .flat_map(|((limb, outs), values)| {
                        let out = outs[pass].each_mut().map(|out| &mut **out);
                        tiles(out, tile).map(move |(first, out)| (*limb, first, values, out))
                    });
                in_any_order(pieces, |(limb, first, values, out)| {
                    body(Place { limb, pass, first }, values, out);
                });
            }
        }
    }

    /// The extensions of digits that some limbs need, those of one digit together; `scratch`
    /// has room for all digits of each limb.
    fn digit_jobs<'a>(
        &'a self,
        digits: &'a Digits<'_>,
        limbs: &[usize],
        scratch: &'a mut [u64],
    ) -> Vec<Job<'a>> {
        let (level, count) = (digits.level(), digits.rows.len());
        let mut jobs: Vec<Vec<Job<'a>>> = (0..count).map(|_| Vec::new()).collect();
        let scratch = scratch.chunks_exact_mut(self.ring().degree());
        for (index, out) in scratch.enumerate() {
            let (limb, d) = (limbs[index / count], index % count);
            if !self.parameters.digit(level, d).contains(&limb) {
                jobs[d].push(Job {
                    extension: self.digit(level, d),
                    rows: &digits.rows[d],
                    target: self.target(level, limb),
                    out,
                });
            }
        }
        jobs.into_iter().flatten().collect()
    }

    /// The extensions of other rows to some limbs, those of one row together.
    fn other_jobs<'a>(
        &self,
        level: Level,
        rows: &[(&'a Extension, &'a [u64])],
        limbs: &[usize],
        scratch: &'a mut [u64],
    ) -> Vec<Job<'a>> {
        let mut jobs: Vec<Vec<Job<'a>>> = rows.iter().map(|_| Vec::new()).collect();
        let scratch = scratch.chunks_exact_mut(self.ring().degree());
        for (index, out) in scratch.enumerate() {
            let (limb, i) = (limbs[index / rows.len()], index % rows.len());
            let (extension, rows) = rows[i];
            jobs[i].push(Job {
                extension,
                rows,
                target: self.target(level, limb),
                out,
            });
        }
        jobs.into_iter().flatten().collect()
    }

    /// Index of the modulus of target limb `limb`.
    fn target(&self, level: Level, limb: usize) -> usize {
        let basis = Basis::extended(level.limbs());
        self.ring().modulus_index(basis, limb)
    }

    /// Extensions and transforms on this thread.
    fn run(&self, jobs: Vec<Job<'_>>) {
        let ring = self.ring();
        for job in jobs {
            job.extension.extend(ring, job.target, job.rows, job.out);
            ring.table(job.target).forward(job.out);
        }
    }

    /// The values of all digits on one limb, once the jobs for it are done.
    fn digit_values<'a>(
        &self,
        digits: &'a Digits<'_>,
        limb: usize,
        scratch: &'a [u64],
    ) -> Vec<&'a [u64]> {
        let values = scratch.chunks_exact(self.ring().degree()).enumerate();
        values
            .map(|(d, values)| {
                if self.parameters.digit(digits.level(), d).contains(&limb) {
                    digits.part.limb(limb)
                } else {
                    values
                }
            })
            .collect()
    }
}

/// Tiles of two rows, and where they begin.
fn tiles(
    [row0, row1]: [&mut [u64]; 2],
    length: usize,
) -> impl Iterator<Item = (usize, [&mut [u64]; 2])> {
    let tiles = row0
        .chunks_exact_mut(length)
        .zip(row1.chunks_exact_mut(length));
    let tiles = tiles.enumerate();
    tiles.map(move |(i, (row0, row1))| (i * length, [row0, row1]))
}

/// As few chunks of at most `most` items as possible, as equal as possible.
fn equal_chunks<T>(items: &mut [T], most: usize) -> impl Iterator<Item = &mut [T]> {
    let chunks = items.len().div_ceil(most).max(1);
    items.chunks_mut(items.len().div_ceil(chunks).max(1))
}
