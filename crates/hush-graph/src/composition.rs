//! Several scalar functions as one.

use crate::{BinaryOperator, Function};
use std::fmt;

/// A scalar function of `x` in steps, each on `x` or on the results of earlier steps; the last
/// step gives the value.
///
/// It exists so that what a model computes from one value, in however many nodes, can be
/// approximated at once.
#[derive(Debug, Clone, PartialEq)]
pub struct Composition {
    steps: Vec<Step>,
}

/// Arguments, less one, on which [`Composition::is_defined_on`] looks.
const SAMPLES: i32 = 256;

/// Keeps the arguments of [`Composition::jumps`] off the places where models switch, such as zero.
const OFF_GRID: f64 = 0.0123;
/// How close to a switch it looks, and which change it calls a jump.
const NARROW: f64 = 1e-7;
const JUMP: f64 = 1e-4;

/// One step of a [`Composition`]. Operand 0 is `x`, operand `n` the result of the `n`-th step.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Step {
    /// `scale · operand + offset`.
    Affine {
        /// The factor.
        scale: f64,
        /// The addend.
        offset: f64,
        /// The operand.
        input: usize,
    },
    /// A function of one operand.
    Function {
        /// The function.
        function: Function,
        /// The operand.
        input: usize,
    },
    /// Two operands combined.
    Binary {
        /// How.
        operator: BinaryOperator,
        /// The left operand.
        left: usize,
        /// The right operand.
        right: usize,
    },
}

impl Composition {
    /// `None` if there is no step, or a step reads itself or a later one.
    pub fn new(steps: Vec<Step>) -> Option<Composition> {
        let readable = |(position, step): (usize, &Step)| match *step {
            Step::Affine { input, .. } | Step::Function { input, .. } => input <= position,
            Step::Binary { left, right, .. } => left.max(right) <= position,
        };
        let fine = !steps.is_empty() && steps.iter().enumerate().all(readable);
        fine.then_some(Composition { steps })
    }

    /// The steps, in order.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The value at `x`.
    pub fn evaluate(&self, x: f64) -> f64 {
        self.values(x)[self.steps.len()]
    }

    /// `x` and the results of all steps.
    fn values(&self, x: f64) -> Vec<f64> {
        let mut values = Vec::with_capacity(self.steps.len() + 1);
        values.push(x);
        for step in &self.steps {
            values.push(match step {
                Step::Affine {
                    scale,
                    offset,
                    input,
                } => scale * values[*input] + offset,
                Step::Function { function, input } => function.evaluate(values[*input]),
                Step::Binary {
                    operator,
                    left,
                    right,
                } => operator.evaluate(values[*left], values[*right]),
            });
        }
        values
    }

    /// Whether it jumps where a [`Function::Step`] in it does, judged on arguments from -32 to 32.
    pub fn jumps(&self) -> bool {
        let steps = self.steps.iter().filter_map(|step| match step {
            Step::Function {
                function: Function::Step { .. },
                input,
            } => Some(*input),
            _ => None,
        });
        steps.into_iter().any(|operand| {
            let above = |x: f64| self.values(x)[operand] > 0.0;
            (-SAMPLES..SAMPLES).any(|sample| {
                let mut low = f64::from(sample) / 8.0 + OFF_GRID;
                let mut high = low + 0.125;
                if above(low) == above(high) {
                    return false;
                }
                while high - low > NARROW {
                    let middle = 0.5 * (low + high);
                    if above(middle) == above(low) {
                        low = middle;
                    } else {
                        high = middle;
                    }
                }
                let (before, after) = (self.evaluate(low), self.evaluate(high));
                (before - after).abs() > JUMP * (1.0 + before.abs())
            })
        })
    }

    /// Where it is defined as far as its steps on `x` itself tell; see [`Function::domain`].
    pub(crate) fn domain(&self) -> (f64, f64) {
        let whole = (f64::NEG_INFINITY, f64::INFINITY);
        self.steps.iter().fold(whole, |(least, greatest), step| {
            let (low, high) = match step {
                Step::Function { function, input: 0 } => function.domain(),
                _ => whole,
            };
            (least.max(low), greatest.min(high))
        })
    }

    /// Whether every step is defined for what reaches it from the closed interval, judged on
    /// samples.
    pub(crate) fn is_defined_on(&self, low: f64, high: f64) -> bool {
        let mut ranges = vec![(f64::INFINITY, f64::NEG_INFINITY); self.steps.len() + 1];
        for sample in 0..=SAMPLES {
            let x = low + (high - low) * f64::from(sample) / f64::from(SAMPLES);
            for (range, value) in ranges.iter_mut().zip(self.values(x)) {
                if !value.is_finite() {
                    return false;
                }
                *range = (range.0.min(value), range.1.max(value));
            }
        }
        self.steps.iter().all(|step| match step {
            Step::Function { function, input } => {
                function.is_defined_on(ranges[*input].0, ranges[*input].1)
            }
            _ => true,
        })
    }

    pub(crate) fn is_finite(&self) -> bool {
        self.steps.iter().all(|step| match step {
            Step::Affine { scale, offset, .. } => scale.is_finite() && offset.is_finite(),
            Step::Function { function, .. } => function.is_finite(),
            Step::Binary { .. } => true,
        })
    }
}

impl fmt::Display for Composition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |operand: usize| match operand {
            0 => "x".to_string(),
            operand => format!("a{operand}"),
        };
        for (position, step) in self.steps.iter().enumerate() {
            if position + 1 < self.steps.len() {
                write!(formatter, "{} = ", name(position + 1))?;
            }
            match step {
                Step::Affine {
                    scale,
                    offset,
                    input,
                } => write!(formatter, "{scale}·{} + {offset}", name(*input))?,
                Step::Function { function, input } => {
                    write!(formatter, "{function} of {}", name(*input))?;
                }
                Step::Binary {
                    operator,
                    left,
                    right,
                } => {
                    let symbol = match operator {
                        BinaryOperator::Add => "+",
                        BinaryOperator::Subtract => "-",
                        BinaryOperator::Multiply => "·",
                        BinaryOperator::Maximum => "max",
                        BinaryOperator::Minimum => "min",
                    };
                    write!(formatter, "{} {symbol} {}", name(*left), name(*right))?;
                }
            }
            if position + 1 < self.steps.len() {
                formatter.write_str("; ")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evaluates_and_prints_steps_in_order() {
        let function = |function, input| Step::Function { function, input };
        let steps = vec![
            function(Function::Tanh, 0),
            Step::Affine {
                scale: 2.0,
                offset: 1.0,
                input: 1,
            },
            Step::Binary {
                operator: BinaryOperator::Multiply,
                left: 0,
                right: 2,
            },
        ];
        let composition = Composition::new(steps).unwrap();
        let expected = 0.5 * (2.0 * libm::tanh(0.5) + 1.0);
        assert_eq!(composition.evaluate(0.5), expected);
        assert_eq!(
            Function::Composition(composition).to_string(),
            "composition(a1 = tanh of x; a2 = 2·a1 + 1; x · a2)"
        );
    }

    /// `step(x - 1) · factor(x)` jumps at 1 unless the factor vanishes there.
    #[test]
    fn finds_jumps() {
        let gated = |offset: f64| {
            let affine = |offset, input| Step::Affine {
                scale: 1.0,
                offset,
                input,
            };
            let step = Step::Function {
                function: Function::Step { inclusive: false },
                input: 1,
            };
            let product = Step::Binary {
                operator: BinaryOperator::Multiply,
                left: 2,
                right: 3,
            };
            Composition::new(vec![affine(-1.0, 0), step, affine(offset, 0), product]).unwrap()
        };
        assert!(!gated(-1.0).jumps());
        assert!(gated(-1.5).jumps());
        assert!(gated(0.0).jumps());
    }

    #[test]
    fn refuses_steps_that_read_ahead() {
        let step = |input| Step::Function {
            function: Function::Relu,
            input,
        };
        assert!(Composition::new(vec![]).is_none());
        assert!(Composition::new(vec![step(1)]).is_none());
        assert!(Composition::new(vec![step(0), step(1)]).is_some());
    }
}
