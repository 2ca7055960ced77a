//! Scalar functions that apply to each element.

mod text;

use crate::{Composition, Polynomial};

/// A function from one real number to one real number.
///
/// The values come from the portable `libm`, so they are the same bits on every platform.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Function {
    /// `max(x, 0)`.
    Relu,
    /// `x` where `x ≥ 0`, `slope · x` elsewhere.
    LeakyRelu {
        /// The factor for negative arguments.
        slope: f64,
    },
    /// `x` where `x > alpha`, `0` elsewhere; it jumps at `alpha` unless that is zero.
    ThresholdedRelu {
        /// The largest argument that gives zero.
        alpha: f64,
    },
    /// One where `x > 0`, zero elsewhere; if `inclusive`, one at zero too. It stands for the
    /// comparisons of a model until [`crate::rewrite::simplify`] finds what they are part of; by
    /// itself it jumps, and no polynomial follows it.
    Step {
        /// One at zero.
        inclusive: bool,
    },
    /// `x` where `x ≥ 0`, `alpha · (exp(x) - 1)` elsewhere.
    Elu {
        /// Minus the limit for small arguments.
        alpha: f64,
    },
    /// `gamma · elu(x)`.
    Selu {
        /// The parameter of ELU.
        alpha: f64,
        /// The factor.
        gamma: f64,
    },
    /// `x` where `x ≥ 0`, `alpha · (exp(x / alpha) - 1)` elsewhere.
    Celu {
        /// Not zero; if positive, minus the limit for small arguments.
        alpha: f64,
    },
    /// `1 / (1 + exp(-x))`.
    Sigmoid,
    /// `min(max(alpha · x + beta, 0), 1)`.
    HardSigmoid {
        /// The slope.
        alpha: f64,
        /// The value at zero.
        beta: f64,
    },
    /// The hyperbolic tangent.
    Tanh,
    /// `x / (1 + |x|)`.
    Softsign,
    /// `ln(1 + exp(x))`.
    Softplus,
    /// `x · Φ(x)` with the normal distribution function, by the error function.
    Gelu,
    /// The tanh form of GELU: `x/2 · (1 + tanh(√(2/π) (x + 0.044715 x³)))`.
    GeluTanh,
    /// `x · sigmoid(x)`, also called Swish.
    Silu,
    /// `x · min(max(x/6 + 1/2, 0), 1)`.
    HardSwish,
    /// `x · tanh(softplus(x))`.
    Mish,
    /// `|x|`.
    Abs,
    /// `e^x`.
    Exp,
    /// The natural logarithm, of positive arguments.
    Log,
    /// The square root, of positive arguments.
    Sqrt,
    /// `1 / x`, of positive arguments or of negative ones.
    Reciprocal,
    /// `x^exponent`, of positive arguments.
    Power {
        /// Any finite number; whole ones that are not negative are better polynomials.
        exponent: f64,
    },
    /// The sine.
    Sin,
    /// The cosine.
    Cos,
    /// The error function.
    Erf,
    /// `min(max(x, minimum), maximum)`; a missing bound does not apply.
    Clip {
        /// The lower bound.
        minimum: Option<f64>,
        /// The upper bound.
        maximum: Option<f64>,
    },
    /// A polynomial that the model spells out; it is computed as it is.
    Polynomial(Polynomial),
    /// Several functions that the model applies one after the other to the same value.
    Composition(Composition),
}

/// `√(2/π)`, from the tanh form of GELU.
pub(crate) const GELU_TANH_SCALE: f64 = 0.797_884_560_802_865_4;
/// The cubic coefficient of the tanh form of GELU.
pub(crate) const GELU_TANH_CUBIC: f64 = 0.044715;

impl Function {
    /// The value at `x`. Finite for finite `x` in [`Function::domain`], except where powers,
    /// exponentials and polynomials of large arguments overflow.
    pub fn evaluate(&self, x: f64) -> f64 {
        match self {
            Function::Relu => x.max(0.0),
            Function::LeakyRelu { slope } => at_sign(x, |x| x, |x| slope * x),
            Function::ThresholdedRelu { alpha } => {
                if x > *alpha {
                    x
                } else {
                    0.0
                }
            }
            Function::Step { inclusive } => {
                f64::from(u8::from(x > 0.0 || (*inclusive && x == 0.0)))
            }
            Function::Elu { alpha } => at_sign(x, |x| x, |x| alpha * libm::expm1(x)),
            Function::Selu { alpha, gamma } => {
                at_sign(x, |x| gamma * x, |x| gamma * alpha * libm::expm1(x))
            }
            Function::Celu { alpha } => at_sign(x, |x| x, |x| alpha * libm::expm1(x / alpha)),
            Function::Sigmoid => sigmoid(x),
            Function::HardSigmoid { alpha, beta } => (alpha * x + beta).clamp(0.0, 1.0),
            Function::Tanh => libm::tanh(x),
            Function::Softsign => x / (1.0 + x.abs()),
            Function::Softplus => softplus(x),
            Function::Gelu => 0.5 * x * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2),
            Function::GeluTanh => {
                0.5 * x * (1.0 + libm::tanh(GELU_TANH_SCALE * (x + GELU_TANH_CUBIC * x * x * x)))
            }
            Function::Silu => x * sigmoid(x),
            Function::HardSwish => x * (x / 6.0 + 0.5).clamp(0.0, 1.0),
            Function::Mish => x * libm::tanh(softplus(x)),
            Function::Abs => x.abs(),
            Function::Exp => libm::exp(x),
            Function::Log => libm::log(x),
            Function::Sqrt => libm::sqrt(x),
            Function::Reciprocal => x.recip(),
            Function::Power { exponent } => libm::pow(x, *exponent),
            Function::Sin => libm::sin(x),
            Function::Cos => libm::cos(x),
            Function::Erf => libm::erf(x),
            Function::Clip { minimum, maximum } => {
                let raised = minimum.map_or(x, |minimum| x.max(minimum));
                maximum.map_or(raised, |maximum| raised.min(maximum))
            }
            Function::Polynomial(polynomial) => polynomial.evaluate(x),
            Function::Composition(composition) => composition.evaluate(x),
        }
    }

    /// The open interval of arguments on which the function is defined. It can be approximated
    /// only on closed intervals inside, so a value that comes close to an end is a problem of the
    /// model or of its calibration data.
    ///
    /// [`Function::Reciprocal`] names the positive numbers; see [`Function::is_defined_on`].
    pub fn domain(&self) -> (f64, f64) {
        match self {
            Function::Log | Function::Sqrt | Function::Reciprocal | Function::Power { .. } => {
                (0.0, f64::INFINITY)
            }
            Function::Composition(composition) => composition.domain(),
            _ => (f64::NEG_INFINITY, f64::INFINITY),
        }
    }

    /// Whether the function is defined on the whole closed interval, which for
    /// [`Function::Reciprocal`] may also lie below zero.
    pub fn is_defined_on(&self, low: f64, high: f64) -> bool {
        if let Function::Composition(composition) = self {
            return composition.is_defined_on(low, high);
        }
        let (least, greatest) = self.domain();
        let negative = matches!(self, Function::Reciprocal) && high < 0.0;
        low.is_finite() && high.is_finite() && (negative || (least < low && high < greatest))
    }

    /// The argument at which it jumps, if it does; [`Composition::jumps`] says so of compositions.
    pub fn jump(&self) -> Option<f64> {
        match self {
            Function::Step { .. } => Some(0.0),
            Function::ThresholdedRelu { alpha } => Some(*alpha).filter(|&alpha| alpha != 0.0),
            _ => None,
        }
    }

    /// Whether every parameter is a finite number that the function is defined for.
    pub fn is_finite(&self) -> bool {
        match self {
            Function::LeakyRelu { slope } => slope.is_finite(),
            Function::ThresholdedRelu { alpha } | Function::Elu { alpha } => alpha.is_finite(),
            Function::Selu { alpha, gamma } => alpha.is_finite() && gamma.is_finite(),
            Function::Celu { alpha } => alpha.is_finite() && *alpha != 0.0,
            Function::HardSigmoid { alpha, beta } => alpha.is_finite() && beta.is_finite(),
            Function::Power { exponent } => exponent.is_finite(),
            Function::Clip { minimum, maximum } => {
                minimum.is_none_or(f64::is_finite) && maximum.is_none_or(f64::is_finite)
            }
            Function::Polynomial(polynomial) => polynomial
                .coefficients()
                .iter()
                .all(|coefficient| coefficient.is_finite()),
            Function::Composition(composition) => composition.is_finite(),
            _ => true,
        }
    }
}

fn at_sign(x: f64, not_negative: impl Fn(f64) -> f64, negative: impl Fn(f64) -> f64) -> f64 {
    if x >= 0.0 {
        not_negative(x)
    } else {
        negative(x)
    }
}

/// Without overflow for arguments of either sign.
fn sigmoid(x: f64) -> f64 {
    let decay = libm::exp(-x.abs());
    if x >= 0.0 {
        1.0 / (1.0 + decay)
    } else {
        decay / (1.0 + decay)
    }
}

fn softplus(x: f64) -> f64 {
    x.max(0.0) + libm::log1p(libm::exp(-x.abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn near(function: Function, x: f64, expected: f64) {
        let actual = function.evaluate(x);
        assert!(
            (actual - expected).abs() < 1e-12,
            "{function} at {x}: {actual}, not {expected}"
        );
    }

    #[test]
    fn known_values() {
        near(Function::Sigmoid, 0.0, 0.5);
        near(Function::Sigmoid, -800.0, 0.0);
        near(Function::Sigmoid, 800.0, 1.0);
        near(Function::Softplus, 800.0, 800.0);
        near(Function::Softplus, 0.0, std::f64::consts::LN_2);
        near(Function::Erf, 1.0, 0.842_700_792_949_714_9);
        near(Function::Gelu, 1.0, 0.841_344_746_068_542_9);
        near(Function::GeluTanh, 1.0, 0.841_191_990_608_276_3);
        near(Function::Silu, 1.0, 0.731_058_578_630_004_9);
        near(Function::Mish, 1.0, 0.865_098_388_267_292_4);
        near(Function::Mish, -800.0, 0.0);
        near(Function::Abs, -2.5, 2.5);
        near(Function::Log, 2.0, std::f64::consts::LN_2);
        near(Function::Sqrt, 2.0, std::f64::consts::SQRT_2);
        near(Function::Reciprocal, -4.0, -0.25);
        near(Function::Power { exponent: -0.5 }, 16.0, 0.25);
        near(Function::Sin, 1.0, 0.841_470_984_807_896_5);
        near(Function::Cos, 1.0, 0.540_302_305_868_139_8);
        near(Function::Softsign, -3.0, -0.75);
    }

    #[test]
    fn known_values_of_functions_in_pieces() {
        let clip = |minimum, maximum| Function::Clip { minimum, maximum };
        near(clip(None, Some(6.0)), 9.0, 6.0);
        near(clip(Some(-1.0), None), -9.0, -1.0);
        near(Function::Relu, -1.0, 0.0);
        near(Function::LeakyRelu { slope: 0.1 }, -2.0, -0.2);
        near(Function::ThresholdedRelu { alpha: 1.5 }, 1.5, 0.0);
        near(Function::ThresholdedRelu { alpha: 1.5 }, 1.75, 1.75);
        let small = -0.632_120_558_828_557_7; // exp(-1) - 1
        near(Function::Elu { alpha: 2.0 }, -1.0, 2.0 * small);
        near(Function::Elu { alpha: 2.0 }, 3.0, 3.0);
        near(Function::Celu { alpha: 2.0 }, -2.0, 2.0 * small);
        let selu = Function::Selu {
            alpha: 2.0,
            gamma: 1.5,
        };
        near(selu.clone(), -1.0, 3.0 * small);
        near(selu, 2.0, 3.0);
        let hard_sigmoid = Function::HardSigmoid {
            alpha: 0.2,
            beta: 0.5,
        };
        near(hard_sigmoid.clone(), 1.0, 0.7);
        near(hard_sigmoid, -3.0, 0.0);
        near(Function::HardSwish, 1.0, 2.0 / 3.0);
        near(Function::HardSwish, 4.0, 4.0);
        near(Function::HardSwish, -4.0, 0.0);
    }

    #[test]
    fn parameters_are_checked_for_finiteness() {
        assert!(!Function::LeakyRelu { slope: f64::NAN }.is_finite());
        assert!(!Function::Polynomial(Polynomial::new(vec![f64::INFINITY])).is_finite());
        assert!(
            !Function::Clip {
                minimum: Some(f64::NEG_INFINITY),
                maximum: None
            }
            .is_finite()
        );
        assert!(!Function::Celu { alpha: 0.0 }.is_finite());
        assert!(
            !Function::Selu {
                alpha: 1.0,
                gamma: f64::NAN
            }
            .is_finite()
        );
        assert!(Function::Silu.is_finite());
    }

    #[test]
    fn intervals_of_definition() {
        assert!(Function::Sqrt.is_defined_on(0.1, 9.0));
        assert!(!Function::Sqrt.is_defined_on(0.0, 9.0));
        assert!(!Function::Log.is_defined_on(-1.0, 1.0));
        assert!(Function::Reciprocal.is_defined_on(-9.0, -0.1));
        assert!(!Function::Reciprocal.is_defined_on(-0.1, 0.1));
        assert!(!Function::Log.is_defined_on(-9.0, -0.1));
        assert!(Function::Relu.is_defined_on(-9.0, 9.0));
        assert!(!Function::Relu.is_defined_on(-9.0, f64::NAN));
        assert_eq!(Function::Log.domain(), (0.0, f64::INFINITY));
    }
}
