//! Rotations of the slots, conjugation, and sums of rotations.

use hush_ring::{Basis, Ntt, Poly};
use hush_simd::kernels;

use super::digits::Sources;
use super::key_switch::{Switch, by_limb, pairs};
use super::{Evaluator, Extended};
use crate::{Ciphertext, CkksError, EvaluationKeys, GaloisElement, SwitchingKey};

/// Rotations that share the extension of the digits.
const TOGETHER: usize = 8;

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
        let mut rotated = self.rotated(a, &[(element, key)], None);
        rotated.remove(0)
    }

    /// Rotations of `a`, `added` added to each.
    fn rotated(
        &self,
        a: &Ciphertext,
        keyed: &[(GaloisElement, &SwitchingKey)],
        added: Option<[&Poly<Ntt>; 2]>,
    ) -> Vec<Ciphertext> {
        let switches = keyed.iter().map(|&(element, key)| Switch {
            key,
            lifted: [Some(&a.parts[0]), None],
            automorphism: Some(element),
            added,
        });
        let switches: Vec<Switch<'_>> = switches.collect();
        let digits = self.digits(&a.parts[1]);
        self.switch_and_divide(&digits, &self.special, &switches)
            .into_iter()
            .map(|parts| Ciphertext {
                parts: parts.into(),
                ..a.without_parts()
            })
            .collect()
    }

    /// One rotation per entry of `steps`, the digits of `a` extended once for every eight.
    ///
    /// Cost: d (l + 1 + K) NTTs for eight rotations, and 2 (l + 1 + K) for each; beside the
    /// results, 2 (K + 1) limbs of memory for each of eight.
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
        let keyed = steps
            .iter()
            .map(|steps| steps % a.slots)
            .filter(|&steps| steps != 0)
            .map(|steps| {
                let key = keys.rotation(steps, a.level())?;
                Ok((GaloisElement::rotation(&self.parameters, steps), key))
            })
            .collect::<Result<Vec<_>, CkksError>>()?;
        let mut rotated = keyed
            .chunks(TOGETHER)
            .flat_map(|keyed| self.rotated(a, keyed, None));
        let all = steps.iter().map(|steps| match steps % a.slots {
            0 => a.clone(),
            _ => rotated.next().expect("a rotation for each step"),
        });
        Ok(all.collect())
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
            [_] => {
                copies -= 1;
                let added = Some([&a.parts[0], &a.parts[1]]);
                self.rotated(a, &keyed, added).remove(0)
            }
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
        let digits = self.digits(&a.parts[1]);
        let level = a.level();
        let basis = Basis::extended(level.limbs());
        let keyed: Vec<_> = keyed
            .iter()
            .map(|(element, key)| (ring.permutation(element.value() as usize), *key))
            .collect();
        let mut parts = [0; 2].map(|_| Poly::unspecified(ring, basis));
        let outs = by_limb(0..ring.limbs(basis), vec![pairs(&mut parts)]);
        self.for_each_tile(&Sources::digits(&digits, 1), outs, |at, values, mut out| {
            let q = ring.modulus_of(basis, at.limb);
            let length = out[0].len();
            let mut scratch = ring.pool().take(2 * length);
            let (words0, words1) = scratch.split_at_mut(length);
            for (i, (permutation, key)) in keyed.iter().enumerate() {
                let tile = permutation.tile(at.first, length);
                let first = tile.source();
                let sums = [&mut *words0, &mut *words1];
                self.inner_product_from(level, at.limb, first, values, key, sums);
                if at.limb < level.limbs() {
                    self.add_lifted_from(at.limb, first, words0, &a.parts[0]);
                }
                for (out, words) in out.iter_mut().zip([&*words0, &*words1]) {
                    if i == 0 {
                        kernels::permute_tile(ring.isa(), tile, out, words);
                    } else {
                        kernels::permute_add_tile(ring.isa(), q, tile, out, words);
                    }
                }
            }
        });
        Extended { parts }
    }
}
