//! Hybrid key switching (Han and Ki, ePrint 2019/688): a part is split into digits of K
//! limbs, each extended to the special primes, multiplied by the key, summed, and the sum
//! divided by the product P of the special primes.
//!
//! The loops run over target limbs: all digits are extended to one modulus, transformed,
//! multiplied by the key and divided while they are in cache, so what travels is the key,
//! once.

use std::ops::Range;

use hush_ring::{
    Basis, Buffer, Extension, Job, Ntt, Poly, extend_together, in_any_order, in_parallel,
};
use hush_simd::kernels;
use rayon::prelude::*;

use super::Evaluator;
use super::division::Division;
use crate::{GaloisElement, Level, SwitchingKey};

/// Two polynomials over chain and special primes, P times what they stand for: a key
/// switch, or a sum of several, before its division.
pub struct Extended {
    /// Parts that go with 1 and with s.
    pub parts: [Poly<Ntt>; 2],
}

/// The digits of a part, extended and transformed: shared by all rotations of a ciphertext.
pub struct Hoisted {
    level: Level,
    /// `[target limb][digit][N]`.
    words: Buffer,
}

impl Hoisted {
    /// The level of the ciphertext it came from.
    #[must_use]
    pub fn level(&self) -> Level {
        self.level
    }
}

/// The digits of a part, to be extended limb by limb as they are needed.
pub struct Digits<'a>(Source<'a>);

enum Source<'a> {
    /// The part and the scaled rows of each digit.
    Fresh(&'a Poly<Ntt>, Vec<Buffer>),
    /// Extended before.
    Hoisted(&'a Hoisted),
}

impl Digits<'_> {
    fn level(&self) -> Level {
        match &self.0 {
            Source::Fresh(part, _) => Level(part.basis().chain - 1),
            Source::Hoisted(hoisted) => hoisted.level,
        }
    }
}

impl<'a> From<&'a Hoisted> for Digits<'a> {
    fn from(hoisted: &'a Hoisted) -> Self {
        Self(Source::Hoisted(hoisted))
    }
}

/// What to do with a key switch besides dividing it.
#[derive(Default)]
pub(super) struct Finish<'a> {
    /// Added to the parts, times P, before the division.
    pub(super) lifted: [Option<&'a Poly<Ntt>>; 2],
    /// Applied to the quotients.
    pub(super) automorphism: Option<GaloisElement>,
}

impl Evaluator {
    /// The digits of `part`: l + 1 inverse NTTs.
    #[must_use]
    pub fn digits<'a>(&self, part: &'a Poly<Ntt>) -> Digits<'a> {
        let ring = self.ring();
        let level = Level(part.basis().chain - 1);
        let rows = |d: usize| {
            let digit = self.parameters.digit(level, d);
            self.digits[d][digit.len() - 1].rows(ring, |i| part.limb(digit.start + i))
        };
        let digits = self.parameters.digits(level);
        let rows = if rayon::current_num_threads() == 1 {
            (0..digits).map(rows).collect()
        } else {
            (0..digits).into_par_iter().map(rows).collect()
        };
        Digits(Source::Fresh(part, rows))
    }

    /// Digit `d` of `part` modulo the prime of target limb `limb`, as values.
    fn extend_digit(
        &self,
        part: &Poly<Ntt>,
        rows: &Buffer,
        d: usize,
        limb: usize,
        out: &mut [u64],
    ) {
        let ring = self.ring();
        let chain = part.basis().chain;
        let digit = self.parameters.digit(Level(chain - 1), d);
        let target = ring.modulus_index(Basis::extended(chain), limb);
        self.digits[d][digit.len() - 1].extend(ring, target, rows, out);
        ring.table(target).forward(out);
    }

    fn in_digit(&self, level: Level, d: usize, limb: usize) -> bool {
        self.parameters.digit(level, d).contains(&limb)
    }

    /// Extends the digits of `part` once for many keys.
    ///
    /// Cost: d (l + 1 + K) NTTs, and as many limbs of memory.
    #[must_use]
    pub fn hoist(&self, part: &Poly<Ntt>) -> Hoisted {
        let ring = self.ring();
        let level = Level(part.basis().chain - 1);
        let Digits(Source::Fresh(_, rows)) = self.digits(part) else {
            unreachable!("digits of a part are fresh")
        };
        let limbs = ring.limbs(Basis::extended(level.limbs()));
        let mut words = ring.pool().take(limbs * rows.len() * ring.degree());
        in_parallel(&mut words, ring.degree(), |index, out| {
            let (limb, d) = (index / rows.len(), index % rows.len());
            if self.in_digit(level, d, limb) {
                out.copy_from_slice(part.limb(limb));
            } else {
                self.extend_digit(part, &rows[d], d, limb, out);
            }
        });
        Hoisted { level, words }
    }

    /// Calls `body(limb, values, out)` for each limb of a range of target limbs, as
    /// [`Evaluator::with_limb`] does, with one of equal pieces of `out`; rows that outgrow
    /// the caches are read once for the whole range.
    fn with_limbs(
        &self,
        digits: &Digits<'_>,
        limbs: Range<usize>,
        out: &mut [u64],
        body: impl Fn(usize, &[&[u64]], &mut [u64]) + Sync + Send,
    ) {
        let ring = self.ring();
        let degree = ring.degree();
        let level = digits.level();
        let pieces = out.chunks_exact_mut(out.len() / limbs.len());
        let (part, rows) = match &digits.0 {
            Source::Fresh(part, rows) => (part, rows),
            Source::Hoisted(_) => {
                in_any_order(limbs.zip(pieces), |(limb, out): (usize, &mut [u64])| {
                    self.with_limb(digits, limb, |values| body(limb, values, out));
                });
                return;
            }
        };
        let count = rows.len();
        let mut scratch = ring.pool().take(limbs.len() * count * degree);
        let mut jobs: Vec<Vec<Job<'_>>> = (0..count).map(|_| Vec::new()).collect();
        for (i, out) in scratch.chunks_exact_mut(degree).enumerate() {
            let (limb, d) = (limbs.start + i / count, i % count);
            if !self.in_digit(level, d, limb) {
                let digit = self.parameters.digit(level, d);
                jobs[d].push(Job {
                    extension: &self.digits[d][digit.len() - 1],
                    rows: &rows[d],
                    target: ring.modulus_index(Basis::extended(level.limbs()), limb),
                    out,
                });
            }
        }
        extend_together(ring, jobs.into_iter().flatten().collect());
        in_any_order(
            scratch.chunks_exact_mut(degree).enumerate(),
            |(i, values)| {
                let (limb, d) = (limbs.start + i / count, i % count);
                if !self.in_digit(level, d, limb) {
                    let target = ring.modulus_index(Basis::extended(level.limbs()), limb);
                    ring.table(target).forward(values);
                }
            },
        );
        let scratches = scratch.chunks_exact(count * degree);
        let each = |((limb, out), scratch): ((usize, &mut [u64]), &[u64])| {
            let values: Vec<&[u64]> = scratch
                .chunks_exact(degree)
                .enumerate()
                .map(|(d, values)| {
                    if self.in_digit(level, d, limb) {
                        part.limb(limb)
                    } else {
                        values
                    }
                })
                .collect();
            body(limb, &values, out);
        };
        in_any_order(limbs.zip(pieces).zip(scratches), each);
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
        let degree = self.ring().degree();
        let level = digits.level();
        match &digits.0 {
            Source::Hoisted(hoisted) => {
                let count = self.parameters.digits(level) * degree;
                let values = hoisted.words[limb * count..(limb + 1) * count].chunks_exact(degree);
                body(&values.collect::<Vec<_>>())
            }
            Source::Fresh(part, rows) => {
                let mut scratch = self.ring().pool().take(rows.len() * degree);
                let values: Vec<&[u64]> = scratch
                    .chunks_exact_mut(degree)
                    .enumerate()
                    .map(|(d, out)| {
                        if self.in_digit(level, d, limb) {
                            part.limb(limb)
                        } else {
                            self.extend_digit(part, &rows[d], d, limb, out);
                            &*out
                        }
                    })
                    .collect();
                body(&values)
            }
        }
    }

    /// Inner products of the digits of a part at `level` and a key, on one target limb.
    pub fn inner_product(
        &self,
        level: Level,
        limb: usize,
        values: &[&[u64]],
        key: &SwitchingKey,
        out: [&mut [u64]; 2],
    ) {
        let ring = self.ring();
        let q = ring.modulus_of(Basis::extended(level.limbs()), limb);
        let key = key.limb(if limb < level.limbs() {
            limb
        } else {
            key.level().limbs() + limb - level.limbs()
        });
        kernels::inner_product(ring.isa(), q, out, values, key);
    }

    fn switch_limb(
        &self,
        digits: &Digits<'_>,
        key: &SwitchingKey,
        limb: usize,
        out: [&mut [u64]; 2],
    ) {
        self.with_limb(digits, limb, |values| {
            self.inner_product(digits.level(), limb, values, key, out);
        });
    }

    /// out += P · part on one chain limb.
    pub fn add_lifted_limb(&self, limb: usize, out: &mut [u64], part: &Poly<Ntt>) {
        let ring = self.ring();
        let q = &ring.moduli()[limb];
        let factor = q.multiplier(self.special.product(ring, limb));
        kernels::scale_add_assign(ring.isa(), q, out, part.limb(limb), factor);
    }

    /// Key switch of `part`, before its division.
    ///
    /// Cost: d (l + 1 + K) NTTs.
    #[must_use]
    pub fn switch(&self, part: &Poly<Ntt>, key: &SwitchingKey) -> Extended {
        let digits = self.digits(part);
        let basis = Basis::extended(part.basis().chain);
        let mut parts = [0; 2].map(|_| Poly::unspecified(self.ring(), basis));
        self.ring().for_each_limb_of(parts.each_mut(), |limb, out| {
            self.switch_limb(&digits, key, limb, out);
        });
        Extended { parts }
    }

    /// Key switch and division in one pass over the limbs: those divided away first, then
    /// each of the others from inner product to quotient.
    ///
    /// Cost: (d + 2)(l + 1 + K) NTTs, less those of hoisted digits.
    pub(super) fn switch_and_divide(
        &self,
        digits: &Digits<'_>,
        key: &SwitchingKey,
        division: &Division,
        finish: &Finish<'_>,
    ) -> [Poly<Ntt>; 2] {
        let ring = self.ring();
        let degree = ring.degree();
        let chain = digits.level().limbs();
        let basis = Basis::extended(chain);
        let extension = division.extension();
        let sources = extension.sources().len();
        let lift = |limb: usize, mut out: [&mut [u64]; 2]| {
            if limb < chain {
                for (out, part) in out.iter_mut().zip(finish.lifted) {
                    if let Some(part) = part {
                        self.add_lifted_limb(limb, out, part);
                    }
                }
            }
        };
        let summed = |limb: usize, values: &[&[u64]], sums: &mut [u64]| {
            let (sum0, sum1) = sums.split_at_mut(degree);
            self.inner_product(digits.level(), limb, values, key, [sum0, sum1]);
            lift(limb, [sum0, sum1]);
        };
        // The limbs to divide by stand together: the last of the chain, if any, and the special ones.
        let kept = chain - extension.sources().iter().filter(|&&s| s < chain).count();
        let mut sums = ring.pool().take(2 * sources * degree);
        self.with_limbs(digits, kept..kept + sources, &mut sums, summed);
        let mut rows = [0; 2].map(|_| ring.pool().take((sources + 1) * degree));
        let scaled = rows.iter_mut().enumerate().flat_map(|(half, rows)| {
            let rows = rows.chunks_exact_mut(degree).take(sources).enumerate();
            rows.map(move |(i, row)| (half, i, row))
        });
        in_any_order(scaled, |(half, i, row)| {
            let at = 2 * (extension.source_limb(ring, basis, i) - kept) + half;
            row.copy_from_slice(&sums[at * degree..(at + 1) * degree]);
            extension.scale_row(ring, i, row);
        });
        drop(sums);
        for rows in &mut rows {
            extension.complete_rows(ring, rows);
        }
        let permutation = finish
            .automorphism
            .map(|element| ring.permutation(element.value() as usize));
        let mut out = [0; 2].map(|_| Poly::unspecified(ring, Basis::chain(kept)));
        let [out0, out1] = out.each_mut();
        let group = Extension::group(ring, chain);
        let mut limbs: Vec<[&mut [u64]; 2]> = out0
            .limbs_mut()
            .zip(out1.limbs_mut())
            .map(|(out0, out1)| [out0, out1])
            .collect();
        // One limb from its digits to its quotients.
        let finished = |limb: usize, out: &mut [&mut [u64]; 2], sums: &mut [u64]| {
            for (out, sum) in out.iter_mut().zip(sums.chunks_exact_mut(degree)) {
                division.finish(ring, limb, sum, out);
                if let Some(permutation) = &permutation {
                    sum.copy_from_slice(out);
                    kernels::permute(ring.isa(), permutation, out, sum);
                }
            }
        };
        // Limbs that the threads share evenly go one to a thread; the threads work together on
        // those left over, and on all of them, a group at a time, if their rows outgrow the caches.
        let threads = rayon::current_num_threads();
        let apart = if group == 1 { kept - kept % threads } else { 0 };
        let (alone, together) = limbs.split_at_mut(apart);
        in_any_order(alone.iter_mut().enumerate(), |(limb, out)| {
            let mut sums = ring.pool().take(2 * degree);
            self.with_limb(digits, limb, |values| summed(limb, values, &mut sums));
            for (out, rows) in out.iter_mut().zip(&rows) {
                extension.extend(ring, limb, rows, out);
            }
            finished(limb, out, &mut sums);
        });
        let group = group.max(threads);
        for (index, limbs) in together.chunks_mut(group).enumerate() {
            let first = apart + index * group;
            let mut sums = ring.pool().take(2 * limbs.len() * degree);
            self.with_limbs(digits, first..first + limbs.len(), &mut sums, summed);
            let jobs = limbs.iter_mut().enumerate().flat_map(|(i, out)| {
                out.iter_mut().zip(&rows).map(move |(out, rows)| Job {
                    extension,
                    rows,
                    target: first + i,
                    out,
                })
            });
            extend_together(ring, jobs.collect());
            let sums = sums.chunks_exact_mut(2 * degree);
            in_any_order(
                limbs.iter_mut().zip(sums).enumerate(),
                |(i, (out, sums))| {
                    finished(first + i, out, sums);
                },
            );
        }
        out
    }

    /// Divides by P and rounds.
    ///
    /// Cost: 2 (l + 1 + K) NTTs.
    #[must_use]
    pub fn divide_special(&self, extended: &Extended) -> [Poly<Ntt>; 2] {
        extended
            .parts
            .each_ref()
            .map(|part| self.divide_special_part(part))
    }

    /// [`Evaluator::divide_special`] of one part.
    #[must_use]
    pub fn divide_special_part(&self, part: &Poly<Ntt>) -> Poly<Ntt> {
        self.special.apply(self.ring(), part, part.basis().chain)
    }

    /// Divides two polynomials over the chain alone by q_l and rounds.
    ///
    /// Cost: l + 1 NTTs for each and one level.
    ///
    /// # Panics
    /// At level zero.
    #[must_use]
    pub fn divide_last(&self, sum: &Extended) -> [Poly<Ntt>; 2] {
        sum.parts.each_ref().map(|part| {
            let chain = part.basis().chain;
            assert!(chain > 1, "a rescale needs a level");
            self.rescale[chain - 1].apply(self.ring(), part, chain - 1)
        })
    }

    /// Divides by P q_l and rounds: a key switch and a rescale for the price of one.
    ///
    /// Cost: 2 (l + 1 + K) NTTs and one level.
    #[must_use]
    pub fn divide_special_and_rescale(&self, extended: &Extended) -> [Poly<Ntt>; 2] {
        extended.parts.each_ref().map(|part| {
            let chain = part.basis().chain;
            assert!(chain > 1, "a rescale needs a level");
            self.special_and_rescale[chain - 1].apply(self.ring(), part, chain - 1)
        })
    }
}
