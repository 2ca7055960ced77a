//! Products of ciphertexts.

use hush_ring::{Basis, Ntt, Poly};
use hush_simd::kernels;

use super::Evaluator;
use super::division::Division;
use super::key_switch::Switch;
use crate::{Ciphertext, CkksError, EvaluationKeys, Level, SwitchingKey};

impl Evaluator {
    /// a b as three parts, without relinearization or rescale.
    ///
    /// # Errors
    /// Mismatch of parameters, key, slots, level or number of parts.
    pub fn multiply(&self, a: &Ciphertext, b: &Ciphertext) -> Result<Ciphertext, CkksError> {
        a.check_level(b.level())?;
        self.multiply_at(a, b, a.level())
    }

    /// [`Evaluator::multiply`] at `level`, which may be below that of either operand: no
    /// limb above is touched.
    ///
    /// # Errors
    /// As [`Evaluator::multiply`]; [`CkksError::LevelTooLow`].
    pub fn multiply_at(
        &self,
        a: &Ciphertext,
        b: &Ciphertext,
        level: Level,
    ) -> Result<Ciphertext, CkksError> {
        self.check(a)?;
        a.check_kin(b)?;
        let actual = a.level().min(b.level());
        if actual < level {
            return Err(CkksError::LevelTooLow {
                needed: level,
                actual,
            });
        }
        a.check_parts(2)?;
        b.check_parts(2)?;
        Ok(Ciphertext {
            parts: self.tensor(&a.parts, &b.parts, level).into(),
            scale: a.scale.times(b.scale)?,
            ..a.without_parts()
        })
    }

    /// a² as three parts, without relinearization or rescale.
    ///
    /// # Errors
    /// As [`Evaluator::multiply`].
    pub fn square(&self, a: &Ciphertext) -> Result<Ciphertext, CkksError> {
        self.multiply(a, a)
    }

    fn tensor(&self, a: &[Poly<Ntt>], b: &[Poly<Ntt>], level: Level) -> [Poly<Ntt>; 3] {
        let ring = self.ring();
        let basis = Basis::chain(level.limbs());
        let [mut first, mut cross, mut last] = [0; 3].map(|_| Poly::unspecified(ring, basis));
        ring.for_each_limb_of([&mut first, &mut cross, &mut last], |limb, out| {
            kernels::tensor_into(
                ring.isa(),
                &ring.moduli()[limb],
                out,
                [a[0].limb(limb), a[1].limb(limb)],
                [b[0].limb(limb), b[1].limb(limb)],
            );
        });
        [first, cross, last]
    }

    /// Three parts to two.
    ///
    /// Cost: one key switch, (d + 2)(l + 1 + K) NTTs.
    ///
    /// # Errors
    /// [`CkksError::MissingRelinearizationKey`]; mismatch of key.
    pub fn relinearize(
        &self,
        a: &Ciphertext,
        keys: &EvaluationKeys,
    ) -> Result<Ciphertext, CkksError> {
        self.check_keys(a, keys)?;
        a.check_parts(3)?;
        let key = keys.relinearization(a.level())?;
        let parts = self.relinearized(a, key, &self.special);
        Ok(Ciphertext {
            parts: parts.into(),
            ..a.without_parts()
        })
    }

    /// Three parts to two and a rescale, with one division for both.
    ///
    /// Cost: one key switch, (d + 2)(l + 1 + K) NTTs, and one level.
    ///
    /// # Errors
    /// As [`Evaluator::relinearize`]; [`CkksError::LevelTooLow`] at level 0.
    pub fn relinearize_rescale(
        &self,
        a: &Ciphertext,
        keys: &EvaluationKeys,
    ) -> Result<Ciphertext, CkksError> {
        self.check_keys(a, keys)?;
        a.check_parts(3)?;
        a.level_below()?;
        let key = keys.relinearization(a.level())?;
        let division = &self.special_and_rescale[a.level().0];
        Ok(Ciphertext {
            parts: self.relinearized(a, key, division).into(),
            scale: a.scale.divided_by(self.modulus(a.level()))?,
            ..a.without_parts()
        })
    }

    fn relinearized(
        &self,
        a: &Ciphertext,
        key: &SwitchingKey,
        division: &Division,
    ) -> [Poly<Ntt>; 2] {
        let switch = Switch {
            key,
            lifted: [Some(&a.parts[0]), Some(&a.parts[1])],
            automorphism: None,
            added: None,
        };
        let digits = self.digits(&a.parts[2]);
        let mut parts = self.switch_and_divide(&digits, division, &[switch]);
        parts.remove(0)
    }

    /// a b, relinearized and rescaled.
    ///
    /// # Errors
    /// As [`Evaluator::multiply`] and [`Evaluator::relinearize_rescale`].
    pub fn multiply_rescale(
        &self,
        a: &Ciphertext,
        b: &Ciphertext,
        keys: &EvaluationKeys,
    ) -> Result<Ciphertext, CkksError> {
        self.relinearize_rescale(&self.multiply(a, b)?, keys)
    }

    /// Refuses keys of another secret or other parameters.
    pub(super) fn check_keys(
        &self,
        a: &Ciphertext,
        keys: &EvaluationKeys,
    ) -> Result<(), CkksError> {
        self.check(a)?;
        if *keys.parameters() != self.parameters {
            return Err(CkksError::ParameterMismatch);
        }
        if keys.key_id() != a.key_id {
            return Err(CkksError::KeyMismatch {
                expected: keys.key_id(),
                actual: a.key_id,
            });
        }
        Ok(())
    }
}
