//! Linear transforms by diagonals, baby-step giant-step, with double hoisting.
//!
//! y_o = Σ_i Σ_r w_{o,i,r} ∘ rotate(x_i, r) with r = giant + baby. The digits of each input
//! are extended once for all its baby rotations; products with plaintexts are summed over
//! the extended basis and divided by the special primes once for each giant step (Bossuat,
//! Mouchet, Troncoso-Pastoriza, Hubaux, ePrint 2020/1203, section 4), and the last division
//! is also the rescale.
//!
//! What is read bounds the time. With l + 1 + K limbs of N residues, b rotated inputs and g
//! giant steps, over all outputs: each of the b + g keys once (2 d limbs of N residues a limb
//! of the basis, at their packed width); each plaintext once (p residues a limb, where p is
//! what repeats, at most N/2); and the second parts of the inner sums are written and read
//! once, g (l + 1 + K) limbs. The first parts never leave the cache: they are permuted and
//! added limb by limb.

mod plan;
mod sums;
mod weights;

use std::collections::BTreeSet;
use std::ops::Range;

use hush_ckks::{
    Ciphertext, CkksError, EvaluationKeys, Evaluator, Extended, GaloisElement, Level, Parameters,
    Scale,
};
use hush_ring::{Ntt, Poly};
use hush_simd::kernels;

use self::plan::Plan;
use self::sums::{Babies, Held, Summation};
use self::weights::Weights;
use crate::CircuitError;

/// Second parts of inner sums held at once, in bytes: outputs beyond are left for another
/// pass over the rotated inputs.
const WAITING: usize = 512 << 20;

/// One diagonal of one block: weights for the rotation of an input by `rotation`.
#[derive(Clone, Copy, Debug)]
pub struct Diagonal<'a> {
    /// Which result it adds to.
    pub output: usize,
    /// Which input it multiplies.
    pub input: usize,
    /// Steps to the left, below the number of slots.
    pub rotation: usize,
    /// One weight per slot of the result; missing ones at the end are zero.
    pub weights: &'a [f64],
}

impl Diagonal<'_> {
    fn place(&self) -> (usize, usize, usize) {
        (self.output, self.input, self.rotation)
    }
}

/// How a transform holds its plaintexts: less memory from one to the next, and more time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Storage {
    /// Residues of every limb, transformed: p of four to seven bytes a limb for a plaintext
    /// that repeats every p slots.
    Kept,
    /// Integers, p of four to eight bytes: half a transform of 2p residues a limb at each use.
    Compact,
    /// Nothing: encoded from the weights at each run as well.
    Streamed,
}

/// A transform, with or without its plaintexts at hand.
///
/// Cost of a run: one level; for each input with rotations one extension of its digits,
/// d (l + 1 + K) NTTs; for each giant step that is not zero one key switch; for each output
/// 2 (l + 1 + K) NTTs. Equal plaintexts are held once, and plaintexts of zeros not at all.
pub struct LinearTransform {
    level: Level,
    plan: Plan,
    weights: Weights,
    input_scale: Scale,
    weight_scale: Scale,
    scale: Scale,
}

impl LinearTransform {
    /// A transform of inputs at `level` and `input_scale` with results one level below at
    /// exactly `scale`. Rotations are split as giant + baby with giant a multiple of
    /// `baby_step`. Its storage is [`Storage::Streamed`] until [`LinearTransform::hold`].
    ///
    /// # Errors
    /// [`CircuitError::BlockOutOfRange`], [`CircuitError::EmptyOutput`],
    /// [`CircuitError::ZeroBabyStep`], [`CircuitError::NotEnoughLevels`], and weights that
    /// are not finite or too many.
    pub fn new(
        parameters: &Parameters,
        diagonals: &[Diagonal<'_>],
        shape: (usize, usize),
        baby_step: usize,
        slots: usize,
        (level, input_scale): (Level, Scale),
        scale: Scale,
    ) -> Result<Self, CircuitError> {
        parameters.check_slots(slots)?;
        parameters.check_level(level)?;
        if level.0 == 0 {
            return Err(CircuitError::NotEnoughLevels { needed: 1, level });
        }
        let modulus = parameters.moduli()[level.0] as f64;
        Ok(Self {
            level,
            plan: Plan::new(diagonals, shape, baby_step, slots)?,
            weights: Weights::Streamed,
            input_scale,
            weight_scale: Scale::new(scale.value() * modulus / input_scale.value())?,
            scale,
        })
    }

    /// Encodes the plaintexts, from the diagonals that it was made from, to be held so.
    ///
    /// # Errors
    /// [`CircuitError::OtherDiagonals`], and what encoding refuses.
    pub fn hold(
        &mut self,
        parameters: &Parameters,
        diagonals: &[Diagonal<'_>],
        storage: Storage,
    ) -> Result<(), CircuitError> {
        self.plan.check_diagonals(diagonals)?;
        let encoding = (self.level, self.weight_scale);
        self.weights = Weights::new(parameters, &self.plan, diagonals, encoding, storage)?;
        Ok(())
    }

    /// How its plaintexts are held.
    #[must_use]
    pub fn storage(&self) -> Storage {
        self.weights.storage()
    }

    /// Bytes of the plaintexts that it holds.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.weights.bytes()
    }

    /// Bytes that a storage takes: exact for [`Storage::Kept`], at most for
    /// [`Storage::Compact`].
    ///
    /// # Errors
    /// [`CircuitError::OtherDiagonals`].
    pub fn bytes_in(
        &self,
        parameters: &Parameters,
        diagonals: &[Diagonal<'_>],
        storage: Storage,
    ) -> Result<usize, CircuitError> {
        self.plan.check_diagonals(diagonals)?;
        Ok(match storage {
            Storage::Kept => weights::kept_bytes(parameters, &self.plan, self.level),
            Storage::Compact => weights::compact_bytes(&self.plan, diagonals, self.weight_scale),
            Storage::Streamed => 0,
        })
    }

    /// Bytes that a run takes besides plaintexts, keys, inputs and results, about: the sums of
    /// the largest pass, and on each thread the rotated rows of a limb.
    #[must_use]
    pub fn working_bytes(&self, parameters: &Parameters, threads: usize) -> usize {
        let ring = parameters.ring();
        let limb = ring.degree() * size_of::<u64>();
        let limbs = ring.limbs(weights::basis(&self.plan, self.level));
        let mut largest = 0;
        let mut start = 0;
        while start < self.plan.outputs {
            let (outputs, groups) = self.pass(parameters, start);
            start = outputs.end;
            largest = largest.max(limbs * (2 * outputs.len() + groups.len()));
        }
        let digits = parameters.digits(self.level);
        let rows = 2 * self.plan.rows.len() + sums::TOGETHER.min(self.plan.groups.len());
        let digits_of_inputs = self.plan.inputs * (self.level.limbs() + digits);
        limb * (largest + digits_of_inputs + threads * (rows + digits))
    }

    /// Slots that the plaintexts say once, over all different ones: the measure of what
    /// encoding and transforming them costs.
    #[must_use]
    pub fn weights(&self) -> usize {
        self.plan
            .plaintexts
            .iter()
            .map(|source| source.period)
            .sum()
    }

    /// Steps that a run needs rotation keys for, at the level of its inputs.
    #[must_use]
    pub fn rotations(&self) -> BTreeSet<usize> {
        let babies = self.plan.rows.iter().map(|&(_, baby)| baby);
        let giants = self.plan.groups.iter().map(|group| group.giant);
        babies.chain(giants).filter(|&steps| steps != 0).collect()
    }

    /// Runs the transform. `diagonals` are read only by [`Storage::Streamed`], and must then
    /// be those it was made from.
    ///
    /// # Errors
    /// [`CircuitError::InputCount`]; mismatch of level, scale, slots or key; a missing
    /// rotation key; [`CircuitError::OtherDiagonals`].
    pub fn apply(
        &self,
        evaluator: &Evaluator,
        inputs: &[&Ciphertext],
        keys: &EvaluationKeys,
        diagonals: &[Diagonal<'_>],
    ) -> Result<Vec<Ciphertext>, CircuitError> {
        self.check(inputs)?;
        let encoded;
        let held = match &self.weights {
            Weights::Kept(kept) => Held::Kept(kept),
            Weights::Compact(plaintexts) => Held::Compact(plaintexts),
            Weights::Streamed => {
                self.plan.check_diagonals(diagonals)?;
                let parameters = evaluator.parameters();
                let scale = self.weight_scale;
                encoded = weights::encode(parameters, &self.plan, diagonals, self.level, scale)?;
                Held::Compact(&encoded)
            }
        };
        if self.plan.rotated() != (false, false) {
            for input in inputs {
                if keys.key_id() != input.key_id() {
                    return Err(CkksError::KeyMismatch {
                        expected: keys.key_id(),
                        actual: input.key_id(),
                    }
                    .into());
                }
            }
        }
        let babies = Babies::of(evaluator, &self.plan, inputs, keys, self.level)?;
        let summation = Summation {
            evaluator,
            plan: &self.plan,
            level: self.level,
            babies: &babies,
            held,
        };
        let mut results = Vec::with_capacity(self.plan.outputs);
        let mut start = 0;
        while start < self.plan.outputs {
            let (outputs, groups) = self.pass(evaluator.parameters(), start);
            start = outputs.end;
            let parts = self.outputs(&summation, outputs, groups, keys)?;
            for parts in parts {
                results.push(self.result(evaluator, inputs[0], parts)?);
            }
        }
        Ok(results)
    }

    fn check(&self, inputs: &[&Ciphertext]) -> Result<(), CircuitError> {
        if inputs.len() != self.plan.inputs {
            return Err(CircuitError::InputCount {
                expected: self.plan.inputs,
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
            let (left, right) = (input.slots(), self.plan.slots);
            if left != right {
                return Err(CkksError::SlotsMismatch { left, right }.into());
            }
            let (expected, actual) = (2, input.parts().len());
            if actual != expected {
                return Err(CkksError::PartsMismatch { expected, actual }.into());
            }
        }
        Ok(())
    }

    /// The outputs from `start` on whose inner sums are held at once, and their groups.
    fn pass(&self, parameters: &Parameters, start: usize) -> (Range<usize>, Range<usize>) {
        let ring = parameters.ring();
        let limbs = ring.limbs(weights::basis(&self.plan, self.level));
        let most = (WAITING / (limbs * ring.degree() * size_of::<u64>())).max(1);
        let groups = &self.plan.groups;
        let first = groups.partition_point(|group| group.output < start);
        let (mut end, mut last) = (start, first);
        while end < self.plan.outputs {
            let next = groups.partition_point(|group| group.output <= end);
            if end > start && next - first > most {
                break;
            }
            (end, last) = (end + 1, next);
        }
        (start..end, first..last)
    }

    /// Both parts of some results.
    fn outputs(
        &self,
        summation: &Summation<'_>,
        outputs: Range<usize>,
        groups: Range<usize>,
        keys: &EvaluationKeys,
    ) -> Result<Vec<[Poly<Ntt>; 2]>, CircuitError> {
        let evaluator = summation.evaluator;
        let groups = &self.plan.groups[groups];
        let sums = summation.run(outputs.clone(), groups);
        let mut totals: Vec<Extended> = sums
            .totals
            .into_iter()
            .map(|parts| Extended { parts })
            .collect();
        for (group, second) in groups.iter().zip(sums.seconds) {
            if let Some(second) = second {
                let total = &mut totals[group.output - outputs.start];
                giant_step(evaluator, total, second, group.giant, self.level, keys)?;
            }
        }
        let extended = self.plan.rotated() != (false, false);
        let finish = |total: Extended| {
            if extended {
                evaluator.divide_special_and_rescale(&total)
            } else {
                evaluator.divide_last(&total)
            }
        };
        Ok(totals.into_iter().map(finish).collect())
    }

    fn result(
        &self,
        evaluator: &Evaluator,
        first: &Ciphertext,
        parts: [Poly<Ntt>; 2],
    ) -> Result<Ciphertext, CircuitError> {
        let (parameters, key) = (evaluator.parameters(), first.key_id());
        let (scale, slots) = (self.scale, self.plan.slots);
        Ok(Ciphertext::new(
            parameters,
            parts.into(),
            scale,
            slots,
            key,
        )?)
    }
}

/// Adds the rotation of what goes with the second part of an inner sum, still over the
/// extended basis.
fn giant_step(
    evaluator: &Evaluator,
    total: &mut Extended,
    second: Poly<Ntt>,
    giant: usize,
    level: Level,
    keys: &EvaluationKeys,
) -> Result<(), CircuitError> {
    let parameters = evaluator.parameters();
    let ring = parameters.ring();
    let key = keys.rotation(giant, level)?;
    let element = GaloisElement::rotation(parameters, giant).value() as usize;
    let permutation = ring.permutation(element);
    let divided = evaluator.divide_special_part(&second);
    drop(second);
    let digits = evaluator.digits(&divided);
    let basis = total.parts[0].basis();
    ring.for_each_limb_of(total.parts.each_mut(), |limb, [total0, total1]| {
        let q = ring.modulus_of(basis, limb);
        let mut switched = ring.pool().take(2 * ring.degree());
        let (sum0, sum1) = switched.split_at_mut(ring.degree());
        evaluator.with_limb(&digits, limb, |values| {
            evaluator.inner_product(level, limb, values, key, [sum0, sum1]);
        });
        kernels::permute_add_assign(ring.isa(), q, &permutation, total0, sum0);
        kernels::permute_add_assign(ring.isa(), q, &permutation, total1, sum1);
    });
    Ok(())
}
