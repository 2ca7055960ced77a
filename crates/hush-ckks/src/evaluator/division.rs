//! Division with rounding by some of the moduli: rescale and the end of key switching.

use hush_ring::{Basis, Extension, Multiplier, Ntt, Poly, Ring};
use hush_simd::kernels;

use super::Evaluator;
use crate::{Ciphertext, CkksError, Level};

/// Divides by the product D of a set of moduli and rounds to nearest:
/// (x - \[x\]_D) / D, with the centred remainder extended to the other moduli.
pub(super) struct Division {
    extension: Extension,
    /// -1/D modulo each chain prime that is not in D.
    minus_inverse: Vec<Multiplier>,
}

impl Division {
    pub(super) fn new(ring: &Ring, sources: &[usize]) -> Self {
        let extension = Extension::new(ring, sources);
        let minus_inverse = (0..ring.chain_length())
            .map(|target| {
                let q = &ring.moduli()[target];
                match extension.product(ring, target) {
                    0 => Multiplier::default(),
                    product => q.multiplier(q.negate(q.inverse(product))),
                }
            })
            .collect();
        Self {
            extension,
            minus_inverse,
        }
    }

    /// D modulo chain prime `target`.
    pub(super) fn product(&self, ring: &Ring, target: usize) -> u64 {
        self.extension.product(ring, target)
    }

    pub(super) fn extension(&self) -> &Extension {
        &self.extension
    }

    /// words = (values - \[x\]_D) / D modulo chain prime `limb`, where `words` holds the
    /// coefficients of \[x\]_D: one NTT.
    pub(super) fn finish(&self, ring: &Ring, limb: usize, values: &[u64], words: &mut [u64]) {
        let q = &ring.moduli()[limb];
        ring.table(limb).forward(words);
        let factor = self.minus_inverse[limb];
        kernels::subtract_scale_assign(ring.isa(), q, words, values, factor);
    }

    /// The quotient modulo the first `chain` moduli. Costs one inverse NTT per source and one
    /// NTT per remaining limb.
    pub(super) fn apply(&self, ring: &Ring, poly: &Poly<Ntt>, chain: usize) -> Poly<Ntt> {
        let basis = poly.basis();
        let rows = self.extension.rows(ring, |i| {
            poly.limb(self.extension.source_limb(ring, basis, i))
        });
        let mut out = Poly::unspecified(ring, Basis::chain(chain));
        ring.for_each_limb(&mut out, |limb, words| {
            self.extension.extend(ring, limb, &rows, words);
            self.finish(ring, limb, poly.limb(limb), words);
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
            parts: a
                .parts
                .iter()
                .map(|part| division.apply(self.ring(), part, below.limbs()))
                .collect(),
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
