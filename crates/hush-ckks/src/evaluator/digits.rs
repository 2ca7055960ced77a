//! The digits of a part, modulo one target prime after another.
//!
//! Threads share the work twice over: whole limbs as far as they divide evenly, each limb
//! on one thread from extension to result, then tiles of the limbs left over, on which
//! all threads work together. Where rows outgrow the caches they work together on all
//! limbs, a group at a time. Who does what never shows in the results.

use hush_ring::{Basis, Buffer, Extension, Job, Ntt, Poly, extend_together, in_any_order};

use super::Evaluator;
use crate::Level;

/// Words of a row that are summed, divided and permuted before the next, small enough for
/// the second-level cache, and the piece of work when threads share a limb.
const TILE: usize = 8192;

/// The digits of a part, to be extended limb by limb as they are needed.
pub struct Digits<'a> {
    part: &'a Poly<Ntt>,
    /// The scaled rows of each digit.
    rows: Vec<Buffer>,
    /// `[target limb][digit][N]` if extended already.
    extended: Option<Buffer>,
}

impl Digits<'_> {
    pub(super) fn level(&self) -> Level {
        Level(self.part.basis().chain - 1)
    }
}

/// Digits, and other rows that are extended to the same targets.
pub(super) struct Sources<'a> {
    pub(super) digits: &'a Digits<'a>,
    pub(super) others: Vec<(&'a Extension, &'a [u64])>,
}

impl<'a> From<&'a Digits<'a>> for Sources<'a> {
    fn from(digits: &'a Digits<'a>) -> Self {
        let others = Vec::new();
        Self { digits, others }
    }
}

/// Where a tile lies.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// Target limb: those of the chain, then the special ones.
    pub(super) limb: usize,
    /// First word.
    pub(super) first: usize,
}

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
        Digits {
            part,
            rows,
            extended: None,
        }
    }

    /// Tables from digit `d` at `level`.
    fn digit(&self, level: Level, d: usize) -> &Extension {
        &self.digits[d][self.parameters.digit(level, d).len() - 1]
    }

    /// The digits of `part`, extended at once to be used with many keys.
    ///
    /// Cost: d (l + 1 + K) NTTs, and as many limbs of memory.
    #[must_use]
    pub fn hoist<'a>(&self, part: &'a Poly<Ntt>) -> Digits<'a> {
        let ring = self.ring();
        let mut digits = self.digits(part);
        let level = digits.level();
        let limbs: Vec<usize> = (0..ring.limbs(Basis::extended(level.limbs()))).collect();
        let each = digits.rows.len() * ring.degree();
        let mut words = ring.pool().take(limbs.len() * each);
        let group = self.group(level).max(rayon::current_num_threads());
        for (limbs, words) in limbs.chunks(group).zip(words.chunks_mut(group * each)) {
            extend_together(ring, self.jobs(&(&digits).into(), limbs, words));
        }
        digits.extended = Some(words);
        digits
    }

    /// Calls `body` with the values of all digits on target limb `limb` (the chain limbs,
    /// then the special ones).
    ///
    /// Cost: d NTTs, less one if the limb belongs to a digit; none if hoisted.
    pub fn with_limb<T>(
        &self,
        digits: &Digits<'_>,
        limb: usize,
        body: impl FnOnce(&[&[u64]]) -> T,
    ) -> T {
        self.with_values(&digits.into(), limb, body)
    }

    /// [`Evaluator::with_limb`], with the values of the other rows behind those of the digits.
    fn with_values<T>(
        &self,
        sources: &Sources<'_>,
        limb: usize,
        body: impl FnOnce(&[&[u64]]) -> T,
    ) -> T {
        let ring = self.ring();
        let mut scratch = ring.pool().take(self.count(sources) * ring.degree());
        for job in self.jobs(sources, &[limb], &mut scratch) {
            job.extension.extend(ring, job.target, job.rows, job.out);
            ring.table(job.target).forward(job.out);
        }
        body(&self.values(sources, limb, &scratch))
    }

    /// Calls `body(place, values, out)` for every tile of the limbs given, with the values of
    /// [`Evaluator::with_limb`] (whole limbs), those of the other rows behind them, and the
    /// words of `outs` at that place.
    pub(super) fn for_each_tile(
        &self,
        sources: &Sources<'_>,
        mut outs: Vec<(usize, [&mut [u64]; 2])>,
        body: impl Fn(Place, &[&[u64]], [&mut [u64]; 2]) + Sync + Send,
    ) {
        let ring = self.ring();
        let degree = ring.degree();
        let tile = TILE.min(degree);
        let threads = rayon::current_num_threads();
        let group = self.group(sources.digits.level());
        let apart = match group {
            1 => outs.len() - outs.len() % threads,
            _ => 0,
        };
        let mut together = outs.split_off(apart);
        in_any_order(outs.into_iter(), |(limb, out)| {
            self.with_values(sources, limb, |values| {
                for (first, out) in tiles(out, tile) {
                    body(Place { limb, first }, values, out);
                }
            });
        });
        let each = self.count(sources) * degree;
        for outs in equal_chunks(&mut together, group.max(threads)) {
            let mut scratch = ring.pool().take(outs.len() * each);
            let limbs: Vec<usize> = outs.iter().map(|(limb, _)| *limb).collect();
            extend_together(ring, self.jobs(sources, &limbs, &mut scratch));
            let values: Vec<Vec<&[u64]>> = limbs
                .iter()
                .zip(scratch.chunks_exact(each))
                .map(|(&limb, scratch)| self.values(sources, limb, scratch))
                .collect();
            let pieces = outs
                .iter_mut()
                .zip(&values)
                .flat_map(|((limb, out), values)| {
                    let out = out.each_mut().map(|out| &mut **out);
                    tiles(out, tile).map(move |(first, out)| (*limb, first, values, out))
                });
            in_any_order(pieces, |(limb, first, values, out)| {
                body(Place { limb, first }, values, out);
            });
        }
    }

    /// How many limbs to extend together.
    fn group(&self, level: Level) -> usize {
        Extension::group(self.ring(), level.limbs())
    }

    /// Rows that each limb has values of.
    fn count(&self, sources: &Sources<'_>) -> usize {
        sources.digits.rows.len() + sources.others.len()
    }

    /// The extensions that some limbs need, those of one row together; `scratch` has room for
    /// all rows of each.
    fn jobs<'a>(
        &'a self,
        sources: &Sources<'a>,
        limbs: &[usize],
        scratch: &'a mut [u64],
    ) -> Vec<Job<'a>> {
        let ring = self.ring();
        let (digits, level) = (sources.digits, sources.digits.level());
        let (count, own) = (self.count(sources), digits.rows.len());
        let mut jobs: Vec<Vec<Job<'a>>> = (0..count).map(|_| Vec::new()).collect();
        for (index, out) in scratch.chunks_exact_mut(ring.degree()).enumerate() {
            let (limb, i) = (limbs[index / count], index % count);
            let (extension, rows) = if i >= own {
                sources.others[i - own]
            } else if digits.extended.is_some() || self.parameters.digit(level, i).contains(&limb) {
                continue;
            } else {
                (self.digit(level, i), &digits.rows[i][..])
            };
            jobs[i].push(Job {
                extension,
                rows,
                target: ring.modulus_index(Basis::extended(level.limbs()), limb),
                out,
            });
        }
        jobs.into_iter().flatten().collect()
    }

    /// The values of all rows on one limb, once the jobs for it are done.
    fn values<'a>(&self, sources: &Sources<'a>, limb: usize, scratch: &'a [u64]) -> Vec<&'a [u64]> {
        let degree = self.ring().degree();
        let (digits, level) = (sources.digits, sources.digits.level());
        let own = digits.rows.len();
        let values = scratch.chunks_exact(degree).enumerate();
        values
            .map(|(i, values)| match &digits.extended {
                _ if i >= own => values,
                _ if self.parameters.digit(level, i).contains(&limb) => digits.part.limb(limb),
                Some(words) => &words[(limb * own + i) * degree..(limb * own + i + 1) * degree],
                None => values,
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
