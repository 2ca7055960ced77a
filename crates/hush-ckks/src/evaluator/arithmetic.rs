//! Sums, and products with plaintexts and constants: no keys, no transforms.

use hush_ring::{Basis, Poly};
use hush_simd::kernels;
use rayon::prelude::*;

use super::Evaluator;
use crate::encoder::{MirroredPlaintext, constant_residues, encode_constant};
use crate::{Ciphertext, CkksError, Level, Plaintext, Scale};

/// Residues handled together in a product by a matrix: all inputs' tiles fit a
/// second-level cache.
const TILE: usize = 512;

impl Evaluator {
    /// a + b.
    ///
    /// # Errors
    /// Mismatch of parameters, key, slots, level or scale.
    pub fn add(&self, a: &Ciphertext, b: &Ciphertext) -> Result<Ciphertext, CkksError> {
        let mut out = a.clone();
        self.add_assign(&mut out, b)?;
        Ok(out)
    }

    /// a += b.
    ///
    /// # Errors
    /// As [`Evaluator::add`].
    pub fn add_assign(&self, a: &mut Ciphertext, b: &Ciphertext) -> Result<(), CkksError> {
        self.check_sum(a, b)?;
        for (i, part) in b.parts.iter().enumerate() {
            match a.parts.get_mut(i) {
                Some(sum) => self.ring().add_assign(sum, part),
                None => a.parts.push(part.clone()),
            }
        }
        Ok(())
    }

    /// a - b.
    ///
    /// # Errors
    /// As [`Evaluator::add`].
    pub fn sub(&self, a: &Ciphertext, b: &Ciphertext) -> Result<Ciphertext, CkksError> {
        self.check_sum(a, b)?;
        let mut out = a.clone();
        for (i, part) in b.parts.iter().enumerate() {
            if let Some(difference) = out.parts.get_mut(i) {
                self.ring().sub_assign(difference, part);
            } else {
                let mut minus = part.clone();
                self.ring().negate_assign(&mut minus);
                out.parts.push(minus);
            }
        }
        Ok(out)
    }

    fn check_sum(&self, a: &Ciphertext, b: &Ciphertext) -> Result<(), CkksError> {
        self.check(a)?;
        a.check_kin(b)?;
        a.check_level(b.level())?;
        a.check_scale(b.scale)
    }

    /// -a.
    ///
    /// # Errors
    /// [`CkksError::ParameterMismatch`].
    pub fn negate(&self, a: &Ciphertext) -> Result<Ciphertext, CkksError> {
        self.check(a)?;
        let mut out = a.clone();
        for part in &mut out.parts {
            self.ring().negate_assign(part);
        }
        Ok(out)
    }

    /// a + p.
    ///
    /// # Errors
    /// Mismatch of slots, level or scale.
    pub fn add_plain(&self, a: &Ciphertext, p: &Plaintext) -> Result<Ciphertext, CkksError> {
        let mut out = a.clone();
        self.add_plain_assign(&mut out, p)?;
        Ok(out)
    }

    /// a += p.
    ///
    /// # Errors
    /// As [`Evaluator::add_plain`].
    pub fn add_plain_assign(&self, a: &mut Ciphertext, p: &Plaintext) -> Result<(), CkksError> {
        self.check_plain(a, p)?;
        a.check_scale(p.scale())?;
        self.ring().add_assign(&mut a.parts[0], p.poly());
        Ok(())
    }

    /// a - p.
    ///
    /// # Errors
    /// As [`Evaluator::add_plain`].
    pub fn sub_plain(&self, a: &Ciphertext, p: &Plaintext) -> Result<Ciphertext, CkksError> {
        let mut out = a.clone();
        self.check_plain(a, p)?;
        a.check_scale(p.scale())?;
        self.ring().sub_assign(&mut out.parts[0], p.poly());
        Ok(out)
    }

    /// a p, without a rescale: the scales multiply.
    ///
    /// # Errors
    /// Mismatch of slots or level.
    pub fn multiply_plain(&self, a: &Ciphertext, p: &Plaintext) -> Result<Ciphertext, CkksError> {
        self.check_plain(a, p)?;
        let mut out = a.clone();
        for part in &mut out.parts {
            self.ring().multiply_assign(part, p.poly());
        }
        out.scale = a.scale.times(p.scale())?;
        Ok(out)
    }

    fn check_plain(&self, a: &Ciphertext, p: &Plaintext) -> Result<(), CkksError> {
        self.check(a)?;
        if *p.parameters() != self.parameters {
            return Err(CkksError::ParameterMismatch);
        }
        a.check_slots(p.slots())?;
        a.check_level(p.level())
    }

    /// a += p, for real numbers at the scale of a.
    ///
    /// Cost: half a transform of the plaintext a limb.
    ///
    /// # Errors
    /// Mismatch of slots or scale.
    pub fn add_real_assign(
        &self,
        a: &mut Ciphertext,
        p: &MirroredPlaintext,
    ) -> Result<(), CkksError> {
        self.check(a)?;
        a.check_slots(p.slots())?;
        a.check_scale(p.scale())?;
        let ring = self.ring();
        ring.for_each_limb(&mut a.parts[0], |limb, words| {
            let mut half = ring.pool().take(p.period());
            p.transform(&self.parameters, limb, &mut half);
            let mut whole = ring.pool().take(ring.degree());
            let (front, back) = whole.split_at_mut(ring.degree() / 2);
            let gap = front.len() / half.len();
            let ends = front.chunks_exact_mut(gap).zip(back.rchunks_exact_mut(gap));
            for ((front, back), &residue) in ends.zip(half.iter()) {
                front.fill(residue);
                back.fill(residue);
            }
            kernels::add_assign(ring.isa(), &ring.moduli()[limb], words, &whole);
        });
        Ok(())
    }

    /// a + value in every slot.
    ///
    /// # Errors
    /// [`CkksError::NotFinite`], [`CkksError::MessageTooLarge`].
    pub fn add_constant(&self, a: &Ciphertext, value: f64) -> Result<Ciphertext, CkksError> {
        self.check(a)?;
        let mut out = a.clone();
        self.add_constant_assign(&mut out, value)?;
        Ok(out)
    }

    /// a += value in every slot.
    ///
    /// # Errors
    /// As [`Evaluator::add_constant`].
    pub fn add_constant_assign(&self, a: &mut Ciphertext, value: f64) -> Result<(), CkksError> {
        let constant = encode_constant(&self.parameters, value, a.slots, a.scale, a.level())?;
        self.add_plain_assign(a, &constant)
    }

    /// a · value, the constant at `scale`, without a rescale: the scales multiply.
    ///
    /// # Errors
    /// [`CkksError::NotFinite`], [`CkksError::MessageTooLarge`].
    pub fn multiply_constant(
        &self,
        a: &Ciphertext,
        value: f64,
        scale: Scale,
    ) -> Result<Ciphertext, CkksError> {
        self.check(a)?;
        let residues = constant_residues(&self.parameters, value, scale, a.level())?;
        let ring = self.ring();
        let mut out = a.clone();
        for part in &mut out.parts {
            ring.for_each_limb(part, |limb, words| {
                let q = &ring.moduli()[limb];
                kernels::scale_assign(ring.isa(), q, words, q.multiplier(residues[limb]));
            });
        }
        out.scale = a.scale.times(scale)?;
        Ok(out)
    }

    /// a · value at `level`, which may be below that of a, and at exactly `scale`: the
    /// constant is encoded at the ratio of the scales.
    ///
    /// # Errors
    /// [`CkksError::LevelTooLow`], [`CkksError::NotFinite`], [`CkksError::MessageTooLarge`].
    pub fn multiple(
        &self,
        a: &Ciphertext,
        value: f64,
        level: Level,
        scale: Scale,
    ) -> Result<Ciphertext, CkksError> {
        let residues = self.ratio_residues(a, value, level, scale)?;
        let ring = self.ring();
        let parts = a.parts.iter().map(|part| {
            let mut out = Poly::unspecified(ring, Basis::chain(level.limbs()));
            ring.for_each_limb(&mut out, |limb, words| {
                let q = &ring.moduli()[limb];
                let factor = q.multiplier(residues[limb]);
                kernels::scale_into(ring.isa(), q, words, part.limb(limb), factor);
            });
            out
        });
        Ok(Ciphertext {
            parts: parts.collect(),
            scale,
            ..a.without_parts()
        })
    }

    /// sum += a · value, for a at the level of the sum or above, whatever its scale: the
    /// constant is encoded at the ratio of the scales.
    ///
    /// # Errors
    /// Mismatch of parameters, key or slots; as [`Evaluator::multiple`].
    pub fn add_multiple(
        &self,
        sum: &mut Ciphertext,
        a: &Ciphertext,
        value: f64,
    ) -> Result<(), CkksError> {
        a.check_kin(sum)?;
        a.check_parts(2)?;
        let residues = self.ratio_residues(a, value, sum.level(), sum.scale)?;
        let ring = self.ring();
        for (sum, part) in sum.parts.iter_mut().zip(&a.parts) {
            ring.for_each_limb(sum, |limb, words| {
                let q = &ring.moduli()[limb];
                let factor = q.multiplier(residues[limb]);
                kernels::scale_add_assign(ring.isa(), q, words, part.limb(limb), factor);
            });
        }
        Ok(())
    }

    fn ratio_residues(
        &self,
        a: &Ciphertext,
        value: f64,
        level: Level,
        scale: Scale,
    ) -> Result<Vec<u64>, CkksError> {
        self.check(a)?;
        if a.level() < level {
            return Err(CkksError::LevelTooLow {
                needed: level,
                actual: a.level(),
            });
        }
        let ratio = Scale::new(scale.value() / a.scale.value())?;
        constant_residues(&self.parameters, value, ratio, level)
    }

    /// Brings a to `scale` exactly: a product with 1 and a rescale.
    ///
    /// Cost: one level.
    ///
    /// # Errors
    /// [`CkksError::LevelTooLow`] at level 0, [`CkksError::MessageTooLarge`] if the factor
    /// between the scales does not fit the modulus.
    pub fn adjust_scale(&self, a: &Ciphertext, scale: Scale) -> Result<Ciphertext, CkksError> {
        let ratio = scale.value() * self.modulus(a.level()) as f64 / a.scale.value();
        let product = self.multiply_constant(a, 1.0, Scale::new(ratio)?)?;
        let mut out = self.rescale(&product)?;
        out.scale = scale;
        Ok(out)
    }

    /// Σ_i weights\[o\]\[i\] · inputs\[i\] for every row o, the weights at `scale`, without a
    /// rescale. One pass over the inputs for all rows.
    ///
    /// # Errors
    /// Mismatch between the inputs; [`CkksError::NotFinite`], [`CkksError::MessageTooLarge`].
    ///
    /// # Panics
    /// If there is no input or a row has another length than the inputs.
    pub fn linear_combinations(
        &self,
        inputs: &[&Ciphertext],
        weights: &[Vec<f64>],
        scale: Scale,
    ) -> Result<Vec<Ciphertext>, CkksError> {
        let first = inputs.first().expect("a combination has an input");
        for input in inputs {
            self.check_sum(first, input)?;
            input.check_parts(2)?;
        }
        let residues = self.residue_rows(weights, inputs.len(), scale, first.level())?;
        let ring = self.ring();
        let basis = first.parts[0].basis();
        let mut parts: Vec<[Poly<_>; 2]> = weights
            .iter()
            .map(|_| [0, 1].map(|_| Poly::unspecified(ring, basis)))
            .collect();
        for half in 0..2 {
            let mut by_limb: Vec<Vec<&mut [u64]>> = (0..basis.chain).map(|_| Vec::new()).collect();
            for part in &mut parts {
                for (limb, words) in part[half].limbs_mut().enumerate() {
                    by_limb[limb].push(words);
                }
            }
            by_limb
                .into_par_iter()
                .enumerate()
                .for_each(|(limb, mut rows)| {
                    for start in (0..ring.degree()).step_by(TILE) {
                        let tile = start..(start + TILE).min(ring.degree());
                        let sources: Vec<&[u64]> = inputs
                            .iter()
                            .map(|input| &input.parts[half].limb(limb)[tile.clone()])
                            .collect();
                        for (out, weights) in rows.iter_mut().zip(&residues) {
                            let q = &ring.moduli()[limb];
                            let out = &mut out[tile.clone()];
                            kernels::combine(ring.isa(), q, out, &sources, &weights[limb]);
                        }
                    }
                });
        }
        let product = first.scale.times(scale)?;
        Ok(parts
            .into_iter()
            .map(|parts| Ciphertext {
                parts: parts.into(),
                scale: product,
                ..first.without_parts()
            })
            .collect())
    }

    /// For each row of weights and each limb, the residues.
    fn residue_rows(
        &self,
        weights: &[Vec<f64>],
        inputs: usize,
        scale: Scale,
        level: Level,
    ) -> Result<Vec<Vec<Vec<u64>>>, CkksError> {
        weights
            .iter()
            .map(|row| {
                assert_eq!(row.len(), inputs, "one weight per input");
                let mut limbs = vec![Vec::with_capacity(inputs); level.limbs()];
                for &weight in row {
                    let residues = constant_residues(&self.parameters, weight, scale, level)?;
                    for (limb, residue) in limbs.iter_mut().zip(residues) {
                        limb.push(residue);
                    }
                }
                Ok(limbs)
            })
            .collect()
    }
}
