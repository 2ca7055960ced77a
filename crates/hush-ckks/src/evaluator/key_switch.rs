//! Hybrid key switching (Han and Ki, ePrint 2019/688): a part is split into digits of K
//! limbs, each extended to the special primes, multiplied by the key, summed, and the sum
//! divided by the product P of the special primes.
//!
//! The loop runs over target limbs: all digits are extended to one modulus, transformed and
//! multiplied while they are in cache, so what travels is the key, once.

use hush_ring::{Basis, Buffer, Ntt, Poly};
use hush_simd::kernels;
use rayon::prelude::*;

use super::Evaluator;
use crate::{Level, SwitchingKey};

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

impl Evaluator {
    /// Scaled coefficient rows of every digit: l + 1 inverse NTTs.
    fn digit_rows(&self, part: &Poly<Ntt>) -> Vec<Buffer> {
        let ring = self.ring();
        let level = Level(part.basis().chain - 1);
        let rows = |d: usize| {
            let digit = self.parameters.digit(level, d);
            self.digits[d][digit.len() - 1].rows(ring, |i| part.limb(digit.start + i))
        };
        let digits = self.parameters.digits(level);
        if rayon::current_num_threads() == 1 {
            (0..digits).map(rows).collect()
        } else {
            (0..digits).into_par_iter().map(rows).collect()
        }
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
        let rows = self.digit_rows(part);
        let degree = ring.degree();
        let limbs = ring.limbs(Basis::extended(level.limbs()));
        let mut words = ring.pool().take(limbs * rows.len() * degree);
        let fill = |(index, out): (usize, &mut [u64])| {
            let (limb, d) = (index / rows.len(), index % rows.len());
            if self.in_digit(level, d, limb) {
                out.copy_from_slice(part.limb(limb));
            } else {
                self.extend_digit(part, &rows[d], d, limb, out);
            }
        };
        if rayon::current_num_threads() == 1 {
            words.chunks_exact_mut(degree).enumerate().for_each(fill);
        } else {
            words
                .par_chunks_exact_mut(degree)
                .enumerate()
                .for_each(fill);
        }
        Hoisted { level, words }
    }

    /// Inner product of extended digits and a key: no transform at all.
    #[must_use]
    pub fn switch_hoisted(&self, hoisted: &Hoisted, key: &SwitchingKey) -> Extended {
        let ring = self.ring();
        let degree = ring.degree();
        let digits = self.parameters.digits(hoisted.level);
        self.extended(hoisted.level, |limb, out0, out1| {
            let start = limb * digits * degree;
            let values: Vec<&[u64]> = hoisted.words[start..start + digits * degree]
                .chunks_exact(degree)
                .collect();
            self.inner_product(hoisted.level, limb, &values, key, out0, out1);
        })
    }

    /// Key switch of `part`, before its division.
    ///
    /// Cost: d (l + 1 + K) NTTs.
    #[must_use]
    pub fn switch(&self, part: &Poly<Ntt>, key: &SwitchingKey) -> Extended {
        let ring = self.ring();
        let degree = ring.degree();
        let level = Level(part.basis().chain - 1);
        let rows = self.digit_rows(part);
        self.extended(level, |limb, out0, out1| {
            let mut scratch = ring.pool().take(rows.len() * degree);
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
            self.inner_product(level, limb, &values, key, out0, out1);
        })
    }

    fn extended(
        &self,
        level: Level,
        body: impl Fn(usize, &mut [u64], &mut [u64]) + Sync + Send,
    ) -> Extended {
        let basis = Basis::extended(level.limbs());
        let mut parts = [0; 2].map(|_| Poly::unspecified(self.ring(), basis));
        self.ring()
            .for_each_limb_of(parts.each_mut(), |limb, [out0, out1]| {
                body(limb, out0, out1);
            });
        Extended { parts }
    }

    fn inner_product(
        &self,
        level: Level,
        limb: usize,
        values: &[&[u64]],
        key: &SwitchingKey,
        out0: &mut [u64],
        out1: &mut [u64],
    ) {
        let ring = self.ring();
        let q = ring.modulus_of(Basis::extended(level.limbs()), limb);
        let limb = if limb < level.limbs() {
            limb
        } else {
            key.level().limbs() + limb - level.limbs()
        };
        kernels::inner_product(ring.isa(), q, [out0, out1], values, key.limb(limb));
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

    /// extended += P · parts on the chain limbs.
    pub fn add_lifted(&self, extended: &mut Extended, parts: [Option<&Poly<Ntt>>; 2]) {
        let ring = self.ring();
        for (sum, part) in extended.parts.iter_mut().zip(parts) {
            let Some(part) = part else { continue };
            let chain = part.basis().chain;
            ring.for_each_limb(sum, |limb, words| {
                if limb < chain {
                    let q = &ring.moduli()[limb];
                    let factor = q.multiplier(self.special.product(ring, limb));
                    kernels::scale_add_assign(ring.isa(), q, words, part.limb(limb), factor);
                }
            });
        }
    }
}
