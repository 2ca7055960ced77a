//! Linear transforms by diagonals, baby-step giant-step, with double hoisting.
//!
//! y_o = Σ_i Σ_r w_{o,i,r} ∘ rotate(x_i, r) with r = giant + baby. The digits of each input
//! are extended once for all its baby rotations; products with plaintexts are summed over
//! the extended basis and divided by the special primes once for each giant step (Bossuat,
//! Mouchet, Troncoso-Pastoriza, Hubaux, ePrint 2020/1203, section 4), and the last division
//! is also the rescale.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hush_ckks::encoder::CompactPlaintext;
use hush_ckks::{
    Ciphertext, CkksError, Digits, EvaluationKeys, Evaluator, Extended, GaloisElement, Level,
    Parameters, Scale, SwitchingKey,
};
use hush_ring::{Basis, Ntt, Poly, Ring};
use hush_simd::kernels::{self, BlockPermutation};
use rayon::prelude::*;

use crate::CircuitError;

/// One diagonal of one block: weights for the rotation of an input by `rotation`.
#[derive(Clone, Copy, Debug)]
pub struct Diagonal<'a> {
    /// Which result it adds to.
    pub output: usize,
    /// Which input it multiplies.
    pub input: usize,
    /// Steps to the left, below the number of slots.
    pub rotation: usize,
    /// One weight per slot of the result.
    pub weights: &'a [f64],
}

/// A transform with its plaintexts encoded for one level and scale.
///
/// Cost of a run: one level; for each input with rotations one extension of its digits,
/// d (l + 1 + K) NTTs; for each giant step that is not zero one key switch; for each output
/// 2 (l + 1 + K) NTTs. Memory: l + 1 + K limbs a diagonal (l + 1 if nothing is rotated).
pub struct LinearTransform {
    level: Level,
    slots: usize,
    inputs: usize,
    /// Baby rotations of each input.
    babies: Vec<BTreeSet<usize>>,
    /// For each output, for each giant step, the terms of the inner sum.
    outputs: Vec<BTreeMap<usize, Vec<Term>>>,
    input_scale: Scale,
    scale: Scale,
}

struct Term {
    input: usize,
    baby: usize,
    weights: Poly<Ntt>,
}

impl LinearTransform {
    /// Encodes diagonals for inputs at `level` and `input_scale` so that results come out
    /// one level below at exactly `scale`. Rotations are split as
    /// giant + baby with giant a multiple of `baby_step`.
    ///
    /// # Errors
    /// [`CircuitError::BlockOutOfRange`], [`CircuitError::EmptyOutput`],
    /// [`CircuitError::ZeroBabyStep`], [`CircuitError::NotEnoughLevels`], and what encoding
    /// refuses.
    pub fn new(
        parameters: &Parameters,
        diagonals: &[Diagonal<'_>],
        (inputs, outputs): (usize, usize),
        baby_step: usize,
        slots: usize,
        (level, input_scale): (Level, Scale),
        scale: Scale,
    ) -> Result<Self, CircuitError> {
        if baby_step == 0 {
            return Err(CircuitError::ZeroBabyStep);
        }
        parameters.check_level(level)?;
        if level.0 == 0 {
            return Err(CircuitError::NotEnoughLevels { needed: 1, level });
        }
        let rotated = diagonals.iter().any(|diagonal| diagonal.rotation != 0);
        let basis = Basis {
            chain: level.limbs(),
            special: rotated,
        };
        let modulus = parameters.moduli()[level.0] as f64;
        let weight_scale = Scale::new(scale.value() * modulus / input_scale.value())?;
        let mut babies = vec![BTreeSet::new(); inputs];
        let mut groups: Vec<BTreeMap<usize, Vec<Term>>> =
            (0..outputs).map(|_| BTreeMap::new()).collect();
        for diagonal in diagonals {
            let &Diagonal { output, input, .. } = diagonal;
            if input >= inputs || output >= outputs {
                return Err(CircuitError::BlockOutOfRange {
                    output,
                    input,
                    outputs,
                    inputs,
                });
            }
            let baby = diagonal.rotation % baby_step;
            let giant = diagonal.rotation - baby;
            let mut weights = diagonal.weights.to_vec();
            weights.resize(slots.max(weights.len()), 0.0);
            // w ∘ rotate(x, giant + baby) = rotate(rotate(w, -giant) ∘ rotate(x, baby), giant)
            weights.rotate_right(giant % slots.max(1));
            let encoded = CompactPlaintext::real(parameters, &weights, slots, weight_scale, level)?;
            babies[input].insert(baby);
            groups[output].entry(giant).or_default().push(Term {
                input,
                baby,
                weights: encoded.poly(parameters, basis),
            });
        }
        if let Some(output) = groups.iter().position(BTreeMap::is_empty) {
            return Err(CircuitError::EmptyOutput { output });
        }
        Ok(Self {
            level,
            slots,
            inputs,
            babies,
            outputs: groups,
            input_scale,
            scale,
        })
    }

    /// Steps that a run needs rotation keys for, at the level of its inputs.
    #[must_use]
    pub fn rotations(&self) -> BTreeSet<usize> {
        self.babies
            .iter()
            .flatten()
            .chain(self.outputs.iter().flat_map(BTreeMap::keys))
            .copied()
            .filter(|&steps| steps != 0)
            .collect()
    }

    /// Runs the transform.
    ///
    /// # Errors
    /// [`CircuitError::InputCount`]; mismatch of level, scale, slots or key; a missing
    /// rotation key.
    pub fn apply(
        &self,
        evaluator: &Evaluator,
        inputs: &[&Ciphertext],
        keys: &EvaluationKeys,
    ) -> Result<Vec<Ciphertext>, CircuitError> {
        self.check(inputs)?;
        if self.rotations().is_empty() {
            return self.apply_unrotated(evaluator, inputs);
        }
        let sums = self.inner_sums(evaluator, inputs, keys)?;
        let mut sums = sums.into_iter();
        self.outputs
            .iter()
            .map(|giants| {
                let mut total: Option<Extended> = None;
                for (&giant, inner) in giants.keys().zip(sums.by_ref()) {
                    let part = if giant == 0 {
                        inner
                    } else {
                        giant_rotation(evaluator, &inner, giant, self.level, keys)?
                    };
                    total = Some(match total {
                        None => part,
                        Some(sum) => add(evaluator.parameters().ring(), sum, &part),
                    });
                }
                let total = total.expect("every output has a diagonal");
                let parts = evaluator.divide_special_and_rescale(&total).into();
                self.result(evaluator, inputs[0], parts)
            })
            .collect()
    }

    fn check(&self, inputs: &[&Ciphertext]) -> Result<(), CircuitError> {
        if inputs.len() != self.inputs {
            return Err(CircuitError::InputCount {
                expected: self.inputs,
                actual: inputs.len(),
            });
        }
        for input in inputs {
            let (left, right) = (input.level(), self.level);
            if left != right {
                return Err(CkksError::LevelMismatch { left, right }.into());
            }
            let (left, right) = (input.scale(), self.input_scale);
            if !left.matches(right) {
                return Err(CkksError::ScaleMismatch { left, right }.into());
            }
            let (left, right) = (input.slots(), self.slots);
            if left != right {
                return Err(CkksError::SlotsMismatch { left, right }.into());
            }
            if input.parts().len() != 2 {
                let actual = input.parts().len();
                return Err(CkksError::PartsMismatch {
                    expected: 2,
                    actual,
                }
                .into());
            }
        }
        Ok(())
    }

    /// Only products: the extended basis is not needed.
    fn apply_unrotated(
        &self,
        evaluator: &Evaluator,
        inputs: &[&Ciphertext],
    ) -> Result<Vec<Ciphertext>, CircuitError> {
        let ring = evaluator.parameters().ring();
        let product =
            Scale::new(self.scale.value() * evaluator.parameters().moduli()[self.level.0] as f64)?;
        self.outputs
            .iter()
            .map(|giants| {
                let mut parts =
                    [0; 2].map(|_| Poly::unspecified(ring, Basis::chain(self.level.limbs())));
                let terms: Vec<&Term> = giants.values().flatten().collect();
                ring.for_each_limb_of(parts.each_mut(), |limb, [out0, out1]| {
                    let weights: Vec<&[u64]> =
                        terms.iter().map(|term| term.weights.limb(limb)).collect();
                    let rows: Vec<[&[u64]; 2]> = terms
                        .iter()
                        .map(|term| [0, 1].map(|i| inputs[term.input].parts()[i].limb(limb)))
                        .collect();
                    let q = &ring.moduli()[limb];
                    kernels::paired_inner_product(ring.isa(), q, [out0, out1], &weights, &rows);
                });
                let sum = Ciphertext::new(
                    evaluator.parameters(),
                    parts.into(),
                    product,
                    self.slots,
                    inputs[0].key_id(),
                )?;
                let rescaled = evaluator.rescale(&sum)?;
                let parts = rescaled.parts().to_vec();
                self.result(evaluator, inputs[0], parts)
            })
            .collect()
    }

    fn result(
        &self,
        evaluator: &Evaluator,
        first: &Ciphertext,
        parts: Vec<Poly<Ntt>>,
    ) -> Result<Ciphertext, CircuitError> {
        let (parameters, key) = (evaluator.parameters(), first.key_id());
        Ok(Ciphertext::new(
            parameters, parts, self.scale, self.slots, key,
        )?)
    }

    /// For each output and giant step, Σ weights ∘ rotated input, over the extended basis.
    ///
    /// One pass over the limbs: on each, every baby rotation is made once, stays in cache
    /// and is added to all the sums it belongs to.
    fn inner_sums(
        &self,
        evaluator: &Evaluator,
        inputs: &[&Ciphertext],
        keys: &EvaluationKeys,
    ) -> Result<Vec<Extended>, CircuitError> {
        let ring = evaluator.parameters().ring();
        let babies = self.babies(evaluator, inputs, keys)?;
        let groups: Vec<&Vec<Term>> = self.outputs.iter().flat_map(BTreeMap::values).collect();
        let basis = Basis::extended(self.level.limbs());
        let mut sums: Vec<[Poly<Ntt>; 2]> = groups
            .iter()
            .map(|_| [0; 2].map(|_| Poly::zero(ring, basis)))
            .collect();
        let mut by_limb: Vec<Vec<[&mut [u64]; 2]>> =
            (0..ring.limbs(basis)).map(|_| Vec::new()).collect();
        for [sum0, sum1] in &mut sums {
            for (limb, (sum0, sum1)) in sum0.limbs_mut().zip(sum1.limbs_mut()).enumerate() {
                by_limb[limb].push([sum0, sum1]);
            }
        }
        by_limb
            .into_par_iter()
            .enumerate()
            .for_each(|(limb, mut sums)| {
                let q = ring.modulus_of(basis, limb);
                for (input, babies) in babies.iter().enumerate() {
                    babies.on_limb(evaluator, limb, self.level, |baby, rotated| {
                        for ([sum0, sum1], group) in sums.iter_mut().zip(&groups) {
                            let wanted = |term: &&Term| (term.input, term.baby) == (input, baby);
                            for term in group.iter().filter(wanted) {
                                let weights = term.weights.limb(limb);
                                let [row0, row1] = rotated;
                                kernels::multiply_add_assign(ring.isa(), q, sum0, row0, weights);
                                kernels::multiply_add_assign(ring.isa(), q, sum1, row1, weights);
                            }
                        }
                    });
                }
            });
        Ok(sums.into_iter().map(|parts| Extended { parts }).collect())
    }

    /// The baby rotations of each input, with what it takes to make them.
    fn babies<'a>(
        &self,
        evaluator: &Evaluator,
        inputs: &[&'a Ciphertext],
        keys: &'a EvaluationKeys,
    ) -> Result<Vec<Babies<'a>>, CircuitError> {
        let parameters = evaluator.parameters();
        inputs
            .iter()
            .zip(&self.babies)
            .map(|(input, babies)| {
                if keys.key_id() != input.key_id() {
                    return Err(CkksError::KeyMismatch {
                        expected: keys.key_id(),
                        actual: input.key_id(),
                    }
                    .into());
                }
                let switches = babies
                    .iter()
                    .filter(|&&steps| steps != 0)
                    .map(|&steps| {
                        let element = rotation(parameters, steps);
                        Ok(Switch {
                            steps,
                            key: keys.rotation(steps, self.level)?,
                            permutation: parameters.ring().permutation(element),
                        })
                    })
                    .collect::<Result<Vec<_>, CkksError>>()?;
                let parts = input.parts();
                Ok(Babies {
                    parts,
                    unrotated: babies.contains(&0),
                    digits: (!switches.is_empty()).then(|| evaluator.digits(&parts[1])),
                    switches,
                })
            })
            .collect()
    }
}

/// The baby rotations of one input.
struct Babies<'a> {
    parts: &'a [Poly<Ntt>],
    /// Whether the input itself is one.
    unrotated: bool,
    digits: Option<Digits<'a>>,
    switches: Vec<Switch<'a>>,
}

struct Switch<'a> {
    steps: usize,
    key: &'a SwitchingKey,
    permutation: Arc<BlockPermutation>,
}

impl Babies<'_> {
    /// Calls `body` with the steps and both parts, times P, of every rotation on one limb.
    fn on_limb(
        &self,
        evaluator: &Evaluator,
        limb: usize,
        level: Level,
        mut body: impl FnMut(usize, [&[u64]; 2]),
    ) {
        let ring = evaluator.parameters().ring();
        let in_chain = limb < level.limbs();
        let mut rotated = ring.pool().zeros(2 * ring.degree());
        let (out0, out1) = rotated.split_at_mut(ring.degree());
        if self.unrotated && in_chain {
            evaluator.add_lifted_limb(limb, out0, &self.parts[0]);
            evaluator.add_lifted_limb(limb, out1, &self.parts[1]);
            body(0, [out0, out1]);
        }
        let Some(digits) = &self.digits else { return };
        let mut switched = ring.pool().take(2 * ring.degree());
        let (sum0, sum1) = switched.split_at_mut(ring.degree());
        evaluator.with_limb(digits, limb, |values| {
            for switch in &self.switches {
                evaluator.inner_product(level, limb, values, switch.key, [sum0, sum1]);
                if in_chain {
                    evaluator.add_lifted_limb(limb, sum0, &self.parts[0]);
                }
                kernels::permute(ring.isa(), &switch.permutation, out0, sum0);
                kernels::permute(ring.isa(), &switch.permutation, out1, sum1);
                body(switch.steps, [out0, out1]);
            }
        });
    }
}

/// Rotates a sum that is still over the extended basis: only its second part is divided.
fn giant_rotation(
    evaluator: &Evaluator,
    inner: &Extended,
    giant: usize,
    level: Level,
    keys: &EvaluationKeys,
) -> Result<Extended, CircuitError> {
    let parameters = evaluator.parameters();
    let ring = parameters.ring();
    let key = keys.rotation(giant, level)?;
    let second = evaluator.divide_special_part(&inner.parts[1]);
    let mut switched = evaluator.switch(&second, key);
    ring.add_assign(&mut switched.parts[0], &inner.parts[0]);
    Ok(automorphism(ring, &switched, rotation(parameters, giant)))
}

fn rotation(parameters: &Parameters, steps: usize) -> usize {
    GaloisElement::rotation(parameters, steps).value() as usize
}

fn automorphism(ring: &Ring, extended: &Extended, element: usize) -> Extended {
    Extended {
        parts: extended
            .parts
            .each_ref()
            .map(|part| ring.automorphism(part, element)),
    }
}

fn add(ring: &Ring, mut sum: Extended, other: &Extended) -> Extended {
    for (sum, part) in sum.parts.iter_mut().zip(&other.parts) {
        ring.add_assign(sum, part);
    }
    sum
}
