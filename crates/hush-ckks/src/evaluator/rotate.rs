//! Rotations of the slots, conjugation, and sums of rotations.

use super::{Evaluator, Extended};
use crate::{Ciphertext, CkksError, EvaluationKeys, GaloisElement, SwitchingKey};

impl Evaluator {
    /// Rotates left: slot i of the result is slot i + `steps` (cyclic in the slots).
    ///
    /// Cost: one key switch, (d + 2)(l + 1 + K) NTTs.
    ///
    /// # Errors
    /// [`CkksError::MissingRotationKey`]; mismatch of key or number of parts.
    pub fn rotate(
        &self,
        a: &Ciphertext,
        steps: usize,
        keys: &EvaluationKeys,
    ) -> Result<Ciphertext, CkksError> {
        self.check_keys(a, keys)?;
        a.check_parts(2)?;
        let steps = steps % a.slots;
        if steps == 0 {
            return Ok(a.clone());
        }
        let key = keys.rotation(steps, a.level())?;
        let element = GaloisElement::rotation(&self.parameters, steps);
        Ok(self.apply(a, element, key))
    }

    /// Conjugates every slot.
    ///
    /// Cost: one key switch.
    ///
    /// # Errors
    /// [`CkksError::MissingConjugationKey`]; mismatch of key or number of parts.
    pub fn conjugate(
        &self,
        a: &Ciphertext,
        keys: &EvaluationKeys,
    ) -> Result<Ciphertext, CkksError> {
        self.check_keys(a, keys)?;
        a.check_parts(2)?;
        let key = keys.conjugation(a.level())?;
        Ok(self.apply(a, GaloisElement::conjugation(&self.parameters), key))
    }

    fn apply(&self, a: &Ciphertext, element: GaloisElement, key: &SwitchingKey) -> Ciphertext {
        let switched = self.switch(&a.parts[1], key);
        self.finish_rotation(a, element, &switched)
    }

    fn finish_rotation(
        &self,
        a: &Ciphertext,
        element: GaloisElement,
        switched: &Extended,
    ) -> Ciphertext {
        let mut parts = self.divide_special(switched);
        self.ring().add_assign(&mut parts[0], &a.parts[0]);
        let element = element.value() as usize;
        Ciphertext {
            parts: parts
                .iter()
                .map(|part| self.ring().automorphism(part, element))
                .collect(),
            ..a.without_parts()
        }
    }

    /// One rotation per entry of `steps`, the digits of `a` extended only once.
    ///
    /// Cost: d (l + 1 + K) NTTs, and 2 (l + 1 + K) for each rotation.
    ///
    /// # Errors
    /// As [`Evaluator::rotate`].
    pub fn rotate_hoisted(
        &self,
        a: &Ciphertext,
        steps: &[usize],
        keys: &EvaluationKeys,
    ) -> Result<Vec<Ciphertext>, CkksError> {
        self.check_keys(a, keys)?;
        a.check_parts(2)?;
        let hoisted = self.hoist(&a.parts[1]);
        steps
            .iter()
            .map(|&steps| {
                let steps = steps % a.slots;
                if steps == 0 {
                    return Ok(a.clone());
                }
                let key = keys.rotation(steps, a.level())?;
                let element = GaloisElement::rotation(&self.parameters, steps);
                Ok(self.finish_rotation(a, element, &self.switch_hoisted(&hoisted, key)))
            })
            .collect()
    }

    /// a + Σ rotate(a, s) over `steps`: the rotations share the extension of the digits and
    /// one division by the special primes.
    ///
    /// Cost: (d + 2)(l + 1 + K) NTTs whatever the number of rotations.
    ///
    /// # Errors
    /// As [`Evaluator::rotate`].
    pub fn rotate_sum(
        &self,
        a: &Ciphertext,
        steps: &[usize],
        keys: &EvaluationKeys,
    ) -> Result<Ciphertext, CkksError> {
        self.check_keys(a, keys)?;
        a.check_parts(2)?;
        let hoisted = (steps.len() > 1).then(|| self.hoist(&a.parts[1]));
        let ring = self.ring();
        let mut out = a.clone();
        let mut sum: Option<Extended> = None;
        for &steps in steps {
            let steps = steps % a.slots;
            if steps == 0 {
                self.add_assign(&mut out, a)?;
                continue;
            }
            let key = keys.rotation(steps, a.level())?;
            let element = GaloisElement::rotation(&self.parameters, steps).value() as usize;
            let switched = match &hoisted {
                Some(hoisted) => self.switch_hoisted(hoisted, key),
                None => self.switch(&a.parts[1], key),
            };
            ring.permute_add_assign(&mut out.parts[0], &a.parts[0], element);
            match &mut sum {
                None => {
                    sum = Some(Extended {
                        parts: switched
                            .parts
                            .each_ref()
                            .map(|part| ring.automorphism(part, element)),
                    });
                }
                Some(sum) => {
                    for (sum, part) in sum.parts.iter_mut().zip(&switched.parts) {
                        ring.permute_add_assign(sum, part, element);
                    }
                }
            }
        }
        let Some(sum) = sum else { return Ok(out) };
        let parts = self.divide_special(&sum);
        ring.add_assign(&mut out.parts[0], &parts[0]);
        // c_1 itself takes part in the sum: rotation by zero.
        ring.add_assign(&mut out.parts[1], &parts[1]);
        Ok(out)
    }
}
