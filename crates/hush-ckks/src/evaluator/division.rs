//! Division with rounding by some of the moduli: rescale and the end of key switching.

use hush_ring::{Basis, Extension, Multiplier, Ntt, Poly, Ring, in_any_order};
use hush_simd::kernels;

use super::Evaluator;
use crate::{Ciphertext, CkksError, Level};

/// Divides by the product D of a set of moduli and rounds to nearest:
/// (x - \[x\]_D) / D, with the centred remainder extended to the other moduli.
pub(super) struct Division {
    extension: Extension,
    /// 1/D and -1/D modulo each chain prime that is not in D.
    inverses: Vec<[Multiplier; 2]>,
}

impl Division {
    pub(super) fn new(ring: &Ring, sources: &[usize]) -> Self {
        let extension = Extension::new(ring, sources);
        let inverses = (0..ring.chain_length())
            .map(|target| {
                let q = &ring.moduli()[target];
                match extension.product(ring, target) {
                    0 => <[Multiplier; 2]>::default(),
                    product => {
                        let inverse = q.inverse(product);
                        [inverse, q.negate(inverse)].map(|factor| q.multiplier(factor))
                    }
                }
            })
            .collect();
        Self {
            extension,
            inverses,
        }
    }

    /// D modulo chain prime `target`.
    pub(super) fn product(&self, ring: &Ring, target: usize) -> u64 {
        self.extension.product(ring, target)
    }

    pub(super) fn extension(&self) -> &Extension {
        &self.extension
    }

    /// values = (values - remainder) / D modulo chain prime `limb`, on any part of it.
    pub(super) fn finish(&self, ring: &Ring, limb: usize, values: &mut [u64], remainder: &[u64]) {
        let (q, [inverse, _]) = (&ring.moduli()[limb], self.inverses[limb]);
        kernels::subtract_scale_assign(ring.isa(), q, values, remainder, inverse);
    }

    /// The quotients of polynomials over the same moduli, modulo the first `chain` ones. Costs
    /// for each one inverse NTT per source and one NTT per remaining limb.
    pub(super) fn apply(&self, ring: &Ring, polys: &[&Poly<Ntt>], chain: usize) -> Vec<Poly<Ntt>> {
        let extensions = vec![&self.extension; polys.len()];
        let rows = Extension::rows(ring, &extensions, |p, i, words| {
            let source = self.extension.source_limb(ring, polys[p].basis(), i);
            words.copy_from_slice(polys[p].limb(source));
        });
        let mut out: Vec<Poly<Ntt>> = polys
            .iter()
            .map(|_| Poly::unspecified(ring, Basis::chain(chain)))
            .collect();
        let limbs = out.iter_mut().enumerate().flat_map(|(p, out)| {
            let limbs = out.limbs_mut().enumerate();
            limbs.map(move |(limb, words)| (p, limb, words))
        });
        in_any_order(limbs, |(p, limb, words)| {
            self.extension.extend(ring, limb, &rows[p], words);
            ring.table(limb).forward(words);
            let (q, [_, minus_inverse]) = (&ring.moduli()[limb], self.inverses[limb]);
            let values = polys[p].limb(limb);
            kernels::subtract_scale_assign(ring.isa(), q, words, values, minus_inverse);
        });
        out
    }
}

impl Evaluator {
    /// Divides by the last modulus and rounds; the scale is divided by the same number.
    ///
    /// Cost: one level; l + 1 NTTs per part.
    ///
    /// # Errors
    /// [`CkksError::LevelTooLow`] at level 0.
    pub fn rescale(&self, a: &Ciphertext) -> Result<Ciphertext, CkksError> {
        self.check(a)?;
        let below = a.level_below()?;
        let division = &self.rescale[a.level().0];
        Ok(Ciphertext {
            parts: division.apply(
                self.ring(),
                &a.parts.iter().collect::<Vec<_>>(),
                below.limbs(),
            ),
            scale: a.scale.divided_by(self.modulus(a.level()))?,
            ..a.without_parts()
        })
    }

    /// Drops limbs without changing message or scale.
    ///
    /// # Errors
    /// [`CkksError::LevelTooLow`] if the level is already below.
    pub fn drop_to_level(&self, a: &Ciphertext, level: Level) -> Result<Ciphertext, CkksError> {
        self.check(a)?;
        if a.level() < level {
            return Err(CkksError::LevelTooLow {
                needed: level,
                actual: a.level(),
            });
        }
        let basis = Basis::chain(level.limbs());
        Ok(Ciphertext {
            parts: a
                .parts
                .iter()
                .map(|part| part.restricted(self.ring(), basis))
                .collect(),
            ..a.without_parts()
        })
    }
}

impl Ciphertext {
    /// Everything but the polynomials, for building a result.
    pub(super) fn without_parts(&self) -> Self {
        Self {
            parameters: self.parameters.clone(),
            parts: Vec::new(),
            scale: self.scale,
            slots: self.slots,
            key_id: self.key_id,
        }
    }
}
