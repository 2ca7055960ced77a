//! Rotations of the slots, conjugation, and sums of rotations.

use hush_ring::{Basis, Poly};
use hush_simd::kernels;

use super::key_switch::{Digits, Finish};
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
        self.rotated(a, element, key, &self.digits(&a.parts[1]))
    }

    fn rotated(
        &self,
        a: &Ciphertext,
        element: GaloisElement,
        key: &SwitchingKey,
        digits: &Digits<'_>,
    ) -> Ciphertext {
        let finish = Finish {
            lifted: [Some(&a.parts[0]), None],
            automorphism: Some(element),
        };
        Ciphertext {
            parts: self
                .switch_and_divide(digits, key, &self.special, &finish)
                .into(),
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
                Ok(self.rotated(a, element, key, &(&hoisted).into()))
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
        let mut keyed = Vec::with_capacity(steps.len());
        let mut copies = 1;
        for steps in steps.iter().map(|steps| steps % a.slots) {
            if steps == 0 {
                copies += 1;
            } else {
                let element = GaloisElement::rotation(&self.parameters, steps);
                keyed.push((element, keys.rotation(steps, a.level())?));
            }
        }
        let mut out = match keyed[..] {
            [] => {
                copies -= 1;
                a.clone()
            }
            [(element, key)] => self.apply(a, element, key),
            _ => Ciphertext {
                parts: self
                    .divide_special(&self.sum_of_rotations(a, &keyed))
                    .into(),
                ..a.without_parts()
            },
        };
        for _ in 0..copies {
            self.add_assign(&mut out, a)?;
        }
        Ok(out)
    }

    /// Σ rotations of `a` over the extended basis, from one extension of its digits.
    fn sum_of_rotations(
        &self,
        a: &Ciphertext,
        keyed: &[(GaloisElement, &SwitchingKey)],
    ) -> Extended {
        let ring = self.ring();
        let degree = ring.degree();
        let digits = self.digits(&a.parts[1]);
        let chain = a.level().limbs();
        let basis = Basis::extended(chain);
        let keyed: Vec<_> = keyed
            .iter()
            .map(|(element, key)| (ring.permutation(element.value() as usize), *key))
            .collect();
        let mut parts = [0; 2].map(|_| Poly::zero(ring, basis));
        ring.for_each_limb_of(parts.each_mut(), |limb, [sum0, sum1]| {
            let q = ring.modulus_of(basis, limb);
            let mut switched = ring.pool().take(2 * degree);
            let (out0, out1) = switched.split_at_mut(degree);
            self.with_limb(&digits, limb, |values| {
                for (permutation, key) in &keyed {
                    self.inner_product(a.level(), limb, values, key, [out0, out1]);
                    if limb < chain {
                        self.add_lifted_limb(limb, out0, &a.parts[0]);
                    }
                    kernels::permute_add_assign(ring.isa(), q, permutation, sum0, out0);
                    kernels::permute_add_assign(ring.isa(), q, permutation, sum1, out1);
                }
            });
        });
        Extended { parts }
    }
}
