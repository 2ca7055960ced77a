//! Scalar functions that apply to each element.

use crate::Polynomial;
use std::fmt;

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
    /// `1 / (1 + exp(-x))`.
    Sigmoid,
    /// The hyperbolic tangent.
    Tanh,
    /// `ln(1 + exp(x))`.
    Softplus,
    /// `x · Φ(x)` with the normal distribution function, by the error function.
    Gelu,
    /// The tanh form of GELU: `x/2 · (1 + tanh(√(2/π) (x + 0.044715 x³)))`.
    GeluTanh,
    /// `x · sigmoid(x)`, also called Swish.
    Silu,
    /// `e^x`.
    Exp,
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
}

/// `√(2/π)`, from the tanh form of GELU.
pub(crate) const GELU_TANH_SCALE: f64 = 0.797_884_560_802_865_4;
/// The cubic coefficient of the tanh form of GELU.
pub(crate) const GELU_TANH_CUBIC: f64 = 0.044715;

impl Function {
    /// The value at `x`. Finite for finite `x`, except [`Function::Exp`] and
    /// [`Function::Polynomial`] on large arguments.
    pub fn evaluate(&self, x: f64) -> f64 {
        match self {
            Function::Relu => x.max(0.0),
            Function::LeakyRelu { slope } => {
                if x >= 0.0 {
                    x
                } else {
                    slope * x
                }
            }
            Function::Sigmoid => sigmoid(x),
            Function::Tanh => libm::tanh(x),
            Function::Softplus => x.max(0.0) + libm::log1p(libm::exp(-x.abs())),
            Function::Gelu => 0.5 * x * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2),
            Function::GeluTanh => {
                0.5 * x * (1.0 + libm::tanh(GELU_TANH_SCALE * (x + GELU_TANH_CUBIC * x * x * x)))
            }
            Function::Silu => x * sigmoid(x),
            Function::Exp => libm::exp(x),
            Function::Erf => libm::erf(x),
            Function::Clip { minimum, maximum } => {
                let raised = minimum.map_or(x, |minimum| x.max(minimum));
                maximum.map_or(raised, |maximum| raised.min(maximum))
            }
            Function::Polynomial(polynomial) => polynomial.evaluate(x),
        }
    }

    /// Whether every parameter is a finite number.
    pub fn is_finite(&self) -> bool {
        match self {
            Function::LeakyRelu { slope } => slope.is_finite(),
            Function::Clip { minimum, maximum } => {
                minimum.is_none_or(f64::is_finite) && maximum.is_none_or(f64::is_finite)
            }
            Function::Polynomial(polynomial) => polynomial
                .coefficients()
                .iter()
                .all(|coefficient| coefficient.is_finite()),
            _ => true,
        }
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

impl fmt::Display for Function {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Function::Relu => formatter.write_str("relu"),
            Function::LeakyRelu { slope } => write!(formatter, "leaky_relu(slope {slope})"),
            Function::Sigmoid => formatter.write_str("sigmoid"),
            Function::Tanh => formatter.write_str("tanh"),
            Function::Softplus => formatter.write_str("softplus"),
            Function::Gelu => formatter.write_str("gelu"),
            Function::GeluTanh => formatter.write_str("gelu_tanh"),
            Function::Silu => formatter.write_str("silu"),
            Function::Exp => formatter.write_str("exp"),
            Function::Erf => formatter.write_str("erf"),
            Function::Clip { minimum, maximum } => {
                let bound = |bound: &Option<f64>| {
                    bound.map_or("none".to_string(), |value| value.to_string())
                };
                write!(formatter, "clip({}, {})", bound(minimum), bound(maximum))
            }
            Function::Polynomial(polynomial) => write!(formatter, "polynomial({polynomial})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        let near = |function: Function, x: f64, expected: f64| {
            let actual = function.evaluate(x);
            assert!(
                (actual - expected).abs() < 1e-12,
                "{function} at {x}: {actual}, not {expected}"
            );
        };
        near(Function::Sigmoid, 0.0, 0.5);
        near(Function::Sigmoid, -800.0, 0.0);
        near(Function::Sigmoid, 800.0, 1.0);
        near(Function::Softplus, 800.0, 800.0);
        near(Function::Softplus, 0.0, std::f64::consts::LN_2);
        near(Function::Erf, 1.0, 0.842_700_792_949_714_9);
        near(Function::Gelu, 1.0, 0.841_344_746_068_542_9);
        near(Function::GeluTanh, 1.0, 0.841_191_990_608_276_3);
        near(Function::Silu, 1.0, 0.731_058_578_630_004_9);
        near(Function::LeakyRelu { slope: 0.1 }, -2.0, -0.2);
        near(
            Function::Clip {
                minimum: None,
                maximum: Some(6.0),
            },
            9.0,
            6.0,
        );
        near(
            Function::Clip {
                minimum: Some(-1.0),
                maximum: None,
            },
            -9.0,
            -1.0,
        );
        near(Function::Relu, -1.0, 0.0);
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
        assert!(Function::Silu.is_finite());
    }
}
