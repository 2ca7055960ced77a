//! Registers, instructions and the program that holds them.

use std::collections::BTreeMap;

/// Encryption parameters as plain numbers, unchecked; the scheme's own parameters are made from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParameterSpec {
    /// log2 of the ring degree N.
    pub log_degree: u32,
    /// The chain q_0..q_L, in the order in which limbs are kept; rescaling drops the last.
    pub moduli: Vec<u64>,
    /// The special primes that only key switching uses.
    pub special_moduli: Vec<u64>,
}

impl ParameterSpec {
    /// Ring degree N.
    pub fn degree(&self) -> usize {
        1 << self.log_degree
    }

    /// The level of a ciphertext that has every limb of the chain.
    pub fn max_level(&self) -> usize {
        self.moduli.len().saturating_sub(1)
    }

    /// log2 of the product of all primes, special ones included: what the security table bounds.
    pub fn log_q_p(&self) -> f64 {
        self.moduli
            .iter()
            .chain(&self.special_moduli)
            .map(|&prime| (prime as f64).log2())
            .sum()
    }
}

/// Names one value of a program: a ciphertext at run time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Register(pub u32);

/// Straight-line encrypted program.
#[derive(Clone, Debug, PartialEq)]
pub struct Program {
    /// The model's name.
    pub name: String,
    /// Encryption parameters it was compiled for.
    pub parameters: ParameterSpec,
    /// Cyclic slots n: a power of two, at most N/2. A ciphertext repeats its n values N/2/n times.
    pub slots: usize,
    /// Registers that hold the encrypted inputs, in the order of the client spec's ciphertexts.
    pub inputs: Vec<Register>,
    /// Level of the inputs.
    pub input_level: usize,
    /// Scale of the inputs.
    pub input_scale: f64,
    /// In order of execution; each register is written once.
    pub instructions: Vec<Instruction>,
    /// Registers to return, in the order of the client spec's ciphertexts.
    pub outputs: Vec<Register>,
}

/// One operation with the exact level and scale of its results.
#[derive(Clone, Debug, PartialEq)]
pub struct Instruction {
    /// Names of the model's nodes that it computes, for progress and errors.
    pub label: String,
    /// What to compute.
    pub operation: Operation,
    /// Registers written; one except for [`Operation::Linear`].
    pub results: Vec<Register>,
    /// Level of all results.
    pub level: usize,
    /// Scale of all results.
    pub scale: f64,
}

/// What an instruction computes.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Operation {
    /// A linear operator on slots with a bias, for one or several ciphertexts.
    ///
    /// `y[o] = rescale(sum over blocks (o, i), over (r, w) in diagonals: w * rotate(x[i], r))`, then for each
    /// step s of `folds` in order `y[o] += rotate(y[o], s)`, then `y[o] += bias[o]`. One level: the plaintext
    /// scale is chosen so that the result has exactly the instruction's scale. Rotations are split as
    /// `r = giant * baby_step + baby` with `baby < baby_step`: the baby rotations act on the inputs, the giant
    /// ones on sums of products; both happen before the rescale.
    Linear {
        /// Ciphertexts read, all at the level one above the results and of equal scale.
        inputs: Vec<Register>,
        /// Non-zero blocks, sorted by (output, input), each pair at most once.
        blocks: Vec<Block>,
        /// Baby-step width, at least one; `slots` means that no giant steps are used.
        baby_step: usize,
        /// Rotate-and-add steps after the rescale.
        folds: Vec<usize>,
        /// Added last; one entry per result.
        bias: Vec<Option<Plain>>,
    },
    /// A polynomial of every slot. Consumes ceil(log2(degree + 1)) levels and hits the scale exactly.
    Polynomial {
        /// Ciphertext read.
        input: Register,
        /// Degree at least two.
        polynomial: Polynomial,
    },
    /// Sum; both operands have the scale of the result, and a level that is not below it.
    Add {
        /// First operand.
        left: Register,
        /// Second operand.
        right: Register,
    },
    /// Difference; as [`Operation::Add`].
    Subtract {
        /// Minuend.
        left: Register,
        /// Subtrahend.
        right: Register,
    },
    /// Product, relinearised and rescaled: one level below the lower operand. The scale of the result is the
    /// product of the operands' scales divided by the dropped prime.
    Multiply {
        /// First factor.
        left: Register,
        /// Second factor; may be the same register (a square).
        right: Register,
    },
    /// Adds slots known to the model's owner; free of level and keys.
    AddPlain {
        /// Ciphertext read.
        input: Register,
        /// Values added.
        plain: Plain,
    },
    /// For each step s in order `x += rotate(x, s)`; level and scale stay.
    Fold {
        /// Ciphertext read.
        input: Register,
        /// Rotate-and-add steps, 1..n.
        steps: Vec<usize>,
    },
    /// Brings a ciphertext to the result's level and scale. Dropping limbs is free; another scale costs a level
    /// (multiply by one, rescale).
    Align {
        /// Ciphertext read.
        input: Register,
    },
}

impl Operation {
    /// Registers read, in order, repeated if read twice.
    pub fn reads(&self) -> Vec<Register> {
        match self {
            Operation::Linear { inputs, .. } => inputs.clone(),
            Operation::Polynomial { input, .. }
            | Operation::AddPlain { input, .. }
            | Operation::Fold { input, .. }
            | Operation::Align { input } => vec![*input],
            Operation::Add { left, right }
            | Operation::Subtract { left, right }
            | Operation::Multiply { left, right } => vec![*left, *right],
        }
    }

    /// The operation's name as printed by the text form.
    pub fn name(&self) -> &'static str {
        match self {
            Operation::Linear { .. } => "linear",
            Operation::Polynomial { .. } => "polynomial",
            Operation::Add { .. } => "add",
            Operation::Subtract { .. } => "subtract",
            Operation::Multiply { .. } => "multiply",
            Operation::AddPlain { .. } => "add_plain",
            Operation::Fold { .. } => "fold",
            Operation::Align { .. } => "align",
        }
    }
}

/// The part of a linear operator that leads from one input ciphertext to one output ciphertext.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    /// Index into the instruction's results.
    pub output: usize,
    /// Index into the operation's inputs.
    pub input: usize,
    /// Rotation (0..n) to the plaintext that multiplies the rotated input. Not empty.
    pub diagonals: BTreeMap<usize, Plain>,
}

/// Values that the model's owner knows in the clear.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Plain {
    /// The same value in every slot.
    Constant(f64),
    /// One value per slot; length n.
    Slots(Vec<f64>),
}

impl Plain {
    /// The value in one slot.
    pub fn at(&self, slot: usize) -> f64 {
        match self {
            Plain::Constant(value) => *value,
            Plain::Slots(values) => values[slot],
        }
    }

    /// Largest absolute value.
    pub fn max_abs(&self) -> f64 {
        match self {
            Plain::Constant(value) => value.abs(),
            Plain::Slots(values) => values
                .iter()
                .fold(0.0, |largest, value| value.abs().max(largest)),
        }
    }
}

/// A polynomial with real coefficients.
#[derive(Clone, Debug, PartialEq)]
pub struct Polynomial {
    /// `coefficients[k]` belongs to the k-th basis polynomial; the last one is not zero.
    pub coefficients: Vec<f64>,
    /// What the coefficients multiply.
    pub basis: Basis,
}

/// The basis of a [`Polynomial`].
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Basis {
    /// 1, x, x², …
    Power,
    /// T_k(u) with u = (2x − lo − hi) / (hi − lo). The compiler emits lo = −1, hi = 1 (so that u = x) and puts
    /// the change of variable into the linear operator before.
    Chebyshev {
        /// Lower end of the interval.
        lo: f64,
        /// Upper end of the interval.
        hi: f64,
    },
}

impl Polynomial {
    /// Degree, counting the length only.
    pub fn degree(&self) -> usize {
        self.coefficients.len().saturating_sub(1)
    }

    /// Levels that evaluation consumes: ceil(log2(degree + 1)).
    pub fn depth(&self) -> usize {
        (self.degree() + 1).next_power_of_two().trailing_zeros() as usize
    }

    /// The slopes at every x: the values of the derivative.
    pub fn slopes(&self, x: &[f64]) -> Vec<f64> {
        let derivative = self.derivative();
        let mut slopes = Vec::with_capacity(x.len());
        for block in x.chunks(LANES) {
            let mut lanes = [0.0; LANES];
            lanes[..block.len()].copy_from_slice(block);
            slopes.extend_from_slice(&derivative.evaluate_lanes(lanes)[..block.len()]);
        }
        slopes
    }

    /// The derivative, in the same basis.
    fn derivative(&self) -> Self {
        let coefficients = &self.coefficients;
        let mut slopes = vec![0.0; coefficients.len()];
        match self.basis {
            Basis::Power => {
                for (power, &coefficient) in coefficients.iter().enumerate().skip(1) {
                    slopes[power - 1] = power as f64 * coefficient;
                }
            }
            // d_{k-1} = d_{k+1} + 2 k c_k, the first one halved; u(x) has the slope 2 / (hi - lo).
            Basis::Chebyshev { lo, hi } => {
                for (power, &coefficient) in coefficients.iter().enumerate().skip(1).rev() {
                    let above = slopes.get(power + 1).copied().unwrap_or(0.0);
                    slopes[power - 1] = above + 2.0 * power as f64 * coefficient;
                }
                if let Some(first) = slopes.first_mut() {
                    *first /= 2.0;
                }
                slopes
                    .iter_mut()
                    .for_each(|slope| *slope *= 2.0 / (hi - lo));
            }
        }
        Self {
            coefficients: slopes,
            basis: self.basis,
        }
    }

    /// As [`Polynomial::evaluate`], for several x side by side: each waits for its own last step only.
    fn evaluate_lanes(&self, x: [f64; LANES]) -> [f64; LANES] {
        match self.basis {
            Basis::Power => {
                let mut sum = [0.0; LANES];
                for &coefficient in self.coefficients.iter().rev() {
                    for lane in 0..LANES {
                        sum[lane] = sum[lane] * x[lane] + coefficient;
                    }
                }
                sum
            }
            Basis::Chebyshev { lo, hi } => {
                let u = x.map(|x| (2.0 * x - lo - hi) / (hi - lo));
                let (mut next, mut after) = ([0.0; LANES], [0.0; LANES]);
                for &coefficient in self.coefficients.iter().skip(1).rev() {
                    for lane in 0..LANES {
                        let value = coefficient + 2.0 * u[lane] * next[lane] - after[lane];
                        (next[lane], after[lane]) = (value, next[lane]);
                    }
                }
                let first = self.coefficients.first().copied().unwrap_or(0.0);
                std::array::from_fn(|lane| first + u[lane] * next[lane] - after[lane])
            }
        }
    }

    /// The value at x: Horner's rule or Clenshaw's recurrence.
    pub fn evaluate(&self, x: f64) -> f64 {
        match self.basis {
            Basis::Power => self
                .coefficients
                .iter()
                .rev()
                .fold(0.0, |sum, &c| sum * x + c),
            Basis::Chebyshev { lo, hi } => {
                let u = (2.0 * x - lo - hi) / (hi - lo);
                let (mut next, mut after) = (0.0, 0.0);
                for &coefficient in self.coefficients.iter().skip(1).rev() {
                    (next, after) = (coefficient + 2.0 * u * next - after, next);
                }
                self.coefficients.first().copied().unwrap_or(0.0) + u * next - after
            }
        }
    }
}

/// Arguments of a polynomial that are worked on side by side.
const LANES: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_is_the_ceiling_of_log2_of_degree_plus_one() {
        for (degree, depth) in [
            (0, 0),
            (1, 1),
            (2, 2),
            (3, 2),
            (4, 3),
            (7, 3),
            (8, 4),
            (15, 4),
            (16, 5),
        ] {
            let polynomial = Polynomial {
                coefficients: vec![1.0; degree + 1],
                basis: Basis::Power,
            };
            assert_eq!(polynomial.depth(), depth, "degree {degree}");
        }
    }

    #[test]
    fn slopes_are_those_of_small_steps() {
        let points: Vec<f64> = (0..37).map(|step| f64::from(step) / 10.0 - 1.9).collect();
        for basis in [Basis::Power, Basis::Chebyshev { lo: -2.0, hi: 2.5 }] {
            for degree in 0..12 {
                let coefficients = (0..=degree).map(|k| f64::from(k + 1).sin()).collect();
                let polynomial = Polynomial {
                    coefficients,
                    basis,
                };
                let slopes = polynomial.slopes(&points);
                assert_eq!(slopes.len(), points.len());
                for (&x, slope) in points.iter().zip(slopes) {
                    let step = 1e-6;
                    let rise = polynomial.evaluate(x + step) - polynomial.evaluate(x - step);
                    let difference = (rise / (2.0 * step) - slope).abs();
                    assert!(
                        difference < 1e-4 * (1.0 + slope.abs()),
                        "degree {degree}, x = {x}"
                    );
                }
            }
        }
    }

    #[test]
    fn both_bases_agree_on_the_same_cubic() {
        // 4u³ − 3u = T_3(u), with u = x / 2.
        let chebyshev = Polynomial {
            coefficients: vec![0.0, 0.0, 0.0, 1.0],
            basis: Basis::Chebyshev { lo: -2.0, hi: 2.0 },
        };
        let power = Polynomial {
            coefficients: vec![0.0, -1.5, 0.0, 0.5],
            basis: Basis::Power,
        };
        for step in -20..=20 {
            let x = f64::from(step) / 10.0;
            assert!(
                (chebyshev.evaluate(x) - power.evaluate(x)).abs() < 1e-12,
                "x = {x}"
            );
        }
    }
}
