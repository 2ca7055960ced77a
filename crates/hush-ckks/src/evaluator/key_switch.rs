//! Hybrid key switching (Han and Ki, ePrint 2019/688): a part is split into digits of K
//! limbs, each extended to the special primes, multiplied by the key, summed, and the sum
//! divided by the product P of the special primes.
//!
//! The loops run over target limbs: all digits are extended to one modulus, transformed,
//! multiplied by the key and divided while they are in cache, so what travels is the key,
//! once.

use std::sync::Arc;

use hush_ring::{Basis, Buffer, Extension, Ntt, Poly};
use hush_simd::kernels::{self, BlockPermutation};

use super::Evaluator;
use super::digits::{Digits, Outs, Place, Sources};
use super::division::Division;
use crate::{GaloisElement, Level, SwitchingKey};

/// Two polynomials over chain and special primes, P times what they stand for: a key
/// switch, or a sum of several, before its division.
pub struct Extended {
    /// Parts that go with 1 and with s.
    pub parts: [Poly<Ntt>; 2],
}

/// A key switch and what to do with it besides dividing it.
pub(super) struct Switch<'a> {
    pub(super) key: &'a SwitchingKey,
    /// Added to the parts, times P, before the division.
    pub(super) lifted: [Option<&'a Poly<Ntt>>; 2],
    /// Applied to the quotients.
    pub(super) automorphism: Option<GaloisElement>,
    /// Added at last.
    pub(super) added: Option<[&'a Poly<Ntt>; 2]>,
}

impl Evaluator {
    /// Inner products of the digits of a part at `level` and a key, on one target limb.
    pub fn inner_product(
        &self,
        level: Level,
        limb: usize,
        values: &[&[u64]],
        key: &SwitchingKey,
        out: [&mut [u64]; 2],
    ) {
        self.inner_product_from(level, limb, 0, values, key, out);
    }

    /// [`Evaluator::inner_product`] on the words from `first` on that `out` has room for.
    pub(super) fn inner_product_from(
        &self,
        level: Level,
        limb: usize,
        first: usize,
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
        kernels::inner_product(ring.isa(), q, first, out, values, key);
    }

    /// out += P · part on one chain limb.
    pub fn add_lifted_limb(&self, limb: usize, out: &mut [u64], part: &Poly<Ntt>) {
        self.add_lifted_from(limb, 0, out, part);
    }

    /// [`Evaluator::add_lifted_limb`] on the words from `first` on that are in `out`.
    pub(super) fn add_lifted_from(
        &self,
        limb: usize,
        first: usize,
        out: &mut [u64],
        part: &Poly<Ntt>,
    ) {
        let ring = self.ring();
        let q = &ring.moduli()[limb];
        let factor = q.multiplier(self.special.product(ring, limb));
        let words = &part.limb(limb)[first..first + out.len()];
        kernels::scale_add_assign(ring.isa(), q, out, words, factor);
    }

    /// Key switch of `part`, before its division.
    ///
    /// Cost: d (l + 1 + K) NTTs.
    #[must_use]
    pub fn switch(&self, part: &Poly<Ntt>, key: &SwitchingKey) -> Extended {
        let digits = self.digits(part);
        let level = digits.level();
        let basis = Basis::extended(level.limbs());
        let mut parts = [0; 2].map(|_| Poly::unspecified(self.ring(), basis));
        let limbs = 0..self.ring().limbs(basis);
        let outs = by_limb(limbs, vec![pairs(&mut parts)]);
        self.for_each_tile(&Sources::digits(&digits, 1), outs, |at, values, out| {
            self.inner_product_from(level, at.limb, at.first, values, key, out);
        });
        Extended { parts }
    }

    /// Key switches and divisions in one pass over the limbs: those divided away first, then
    /// each of the others from inner products to quotients.
    ///
    /// Cost: d (l + 1 + K) NTTs, and 2 (l + 1 + K) for each switch.
    pub(super) fn switch_and_divide(
        &self,
        digits: &Digits<'_>,
        division: &Division,
        switches: &[Switch<'_>],
    ) -> Vec<[Poly<Ntt>; 2]> {
        let ring = self.ring();
        let chain = digits.level().limbs();
        let extension = division.extension();
        let extensions = vec![extension; 2 * switches.len()];
        let mut rows: Vec<Buffer> = extensions.iter().map(|e| e.unwritten_rows(ring)).collect();
        let divided = (0..extension.sources().len())
            .map(|i| extension.source_limb(ring, Basis::extended(chain), i));
        let sums = rows.chunks_exact_mut(2).map(|halves| {
            let [half0, half1] = halves else {
                unreachable!("chunks of two")
            };
            let rows = half0
                .chunks_exact_mut(ring.degree())
                .zip(half1.chunks_exact_mut(ring.degree()));
            rows.map(|(row0, row1)| [row0, row1])
        });
        let outs = by_limb(divided, sums.collect());
        let sources = Sources::digits(digits, switches.len());
        self.for_each_tile(&sources, outs, |at, values, out| {
            self.sums(digits, &switches[at.pass], at, values, out);
        });
        Extension::complete_rows(ring, &extensions, &mut rows, |_, _, _| {});

        let kept = chain - extension.sources().iter().filter(|&&s| s < chain).count();
        let mut quotients: Vec<[Poly<Ntt>; 2]> = switches
            .iter()
            .map(|_| [0; 2].map(|_| Poly::unspecified(ring, Basis::chain(kept))))
            .collect();
        let permutations: Vec<Option<Arc<BlockPermutation>>> = switches
            .iter()
            .map(|switch| {
                let element = switch.automorphism?;
                Some(ring.permutation(element.value() as usize))
            })
            .collect();
        let remainders = rows
            .chunks_exact(2)
            .map(|halves| halves.iter().map(|rows| (extension, &rows[..])).collect());
        let sources = Sources {
            digits,
            passes: remainders.collect(),
        };
        let outs = by_limb(0..kept, quotients.iter_mut().map(pairs).collect());
        self.for_each_tile(&sources, outs, |at, values, mut out| {
            let switch = &switches[at.pass];
            let length = out[0].len();
            let (values, remainders) = values.split_at(values.len() - 2);
            let quotient = |first: usize, mut out: [&mut [u64]; 2]| {
                let at = Place { first, ..at };
                self.sums(digits, switch, at, values, reborrow(&mut out));
                for (out, remainder) in out.into_iter().zip(remainders) {
                    division.finish(ring, at.limb, out, &remainder[first..first + length]);
                }
            };
            match &permutations[at.pass] {
                None => quotient(at.first, reborrow(&mut out)),
                Some(permutation) => {
                    let tile = permutation.tile(at.first, length);
                    let mut scratch = ring.pool().take(2 * length);
                    let (words0, words1) = scratch.split_at_mut(length);
                    quotient(tile.source(), [words0, words1]);
                    for (out, words) in out.iter_mut().zip([words0, words1]) {
                        kernels::permute_tile(ring.isa(), tile, out, words);
                    }
                }
            }
            for (out, part) in out.into_iter().zip(switch.added.iter().flatten()) {
                let words = &part.limb(at.limb)[at.first..at.first + length];
                kernels::add_assign(ring.isa(), &ring.moduli()[at.limb], out, words);
            }
        });
        quotients
    }

    /// A tile of the inner products and what is added to them, times P.
    fn sums(
        &self,
        digits: &Digits<'_>,
        switch: &Switch<'_>,
        at: Place,
        values: &[&[u64]],
        mut out: [&mut [u64]; 2],
    ) {
        let level = digits.level();
        let sums = reborrow(&mut out);
        self.inner_product_from(level, at.limb, at.first, values, switch.key, sums);
        for (out, part) in out.into_iter().zip(switch.lifted) {
            if let Some(part) = part.filter(|_| at.limb < level.limbs()) {
                self.add_lifted_from(at.limb, at.first, out, part);
            }
        }
    }

    /// Divides by P and rounds.
    ///
    /// Cost: 2 (l + 1 + K) NTTs.
    #[must_use]
    pub fn divide_special(&self, extended: &Extended) -> [Poly<Ntt>; 2] {
        let chain = extended.parts[0].basis().chain;
        self.divided(extended, &self.special, chain)
    }

    /// [`Evaluator::divide_special`] of one part.
    #[must_use]
    pub fn divide_special_part(&self, part: &Poly<Ntt>) -> Poly<Ntt> {
        let mut parts = self.special.apply(self.ring(), &[part], part.basis().chain);
        parts.remove(0)
    }

    /// Divides two polynomials over the chain alone by q_l and rounds.
    ///
    /// Cost: l + 1 NTTs for each and one level.
    ///
    /// # Panics
    /// At level zero.
    #[must_use]
    pub fn divide_last(&self, sum: &Extended) -> [Poly<Ntt>; 2] {
        let chain = sum.parts[0].basis().chain;
        assert!(chain > 1, "a rescale needs a level");
        self.divided(sum, &self.rescale[chain - 1], chain - 1)
    }

    /// Divides by P q_l and rounds: a key switch and a rescale for the price of one.
    ///
    /// Cost: 2 (l + 1 + K) NTTs and one level.
    #[must_use]
    pub fn divide_special_and_rescale(&self, extended: &Extended) -> [Poly<Ntt>; 2] {
        let chain = extended.parts[0].basis().chain;
        assert!(chain > 1, "a rescale needs a level");
        self.divided(extended, &self.special_and_rescale[chain - 1], chain - 1)
    }

    fn divided(&self, extended: &Extended, division: &Division, chain: usize) -> [Poly<Ntt>; 2] {
        let parts = extended.parts.each_ref();
        let mut parts = division.apply(self.ring(), &parts, chain).into_iter();
        [0; 2].map(|_| parts.next().expect("a quotient for each of two parts"))
    }
}

/// Limb by limb, the same limb of two polynomials.
pub(super) fn pairs(parts: &mut [Poly<Ntt>; 2]) -> impl Iterator<Item = [&mut [u64]; 2]> {
    let [part0, part1] = parts;
    let limbs = part0.limbs_mut().zip(part1.limbs_mut());
    limbs.map(|(limb0, limb1)| [limb0, limb1])
}

/// For each of `limbs` the next pair of each pass.
pub(super) fn by_limb<'a>(
    limbs: impl Iterator<Item = usize>,
    mut passes: Vec<impl Iterator<Item = [&'a mut [u64]; 2]>>,
) -> Outs<'a> {
    limbs
        .map(|limb| (limb, passes.iter_mut().filter_map(Iterator::next).collect()))
        .collect()
}

fn reborrow<'a>(out: &'a mut [&mut [u64]; 2]) -> [&'a mut [u64]; 2] {
    out.each_mut().map(|out| &mut **out)
}
