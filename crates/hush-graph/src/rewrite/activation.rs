//! Activations that models spell out: SiLU (Swish) and both forms of GELU.

use super::expression::{Expression, Product};
use crate::function::{GELU_TANH_CUBIC, GELU_TANH_SCALE};
use crate::{Function, Polynomial};

/// How far the constants in a file, often rounded to 32 bits, may be from the exact ones.
const TOLERANCE: f64 = 1e-5;

/// `scale · function(argument_scale · x) + offset`
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Activation {
    pub(super) argument_scale: f64,
    pub(super) function: Function,
    pub(super) scale: f64,
    pub(super) offset: f64,
}

/// The named activation that `expression` is.
pub(super) fn recognize(expression: &Expression) -> Option<Activation> {
    let product = expression.product.as_ref()?;
    let (slope, offset) = match *expression.sum.coefficients() {
        [offset] => (0.0, offset),
        [offset, slope] => (slope, offset),
        _ => return None,
    };
    let &[0.0, factor] = product.factor.coefficients() else {
        return None;
    };
    let (function, argument_scale) = function_of(product)?;
    let argument_scale = snap(argument_scale, 1.0);
    // x σ(s x) = silu(s x) / s, and x (1 + erf(s x / √2)) = 2 gelu(s x) / s.
    let (expected_slope, gain) = if function == Function::Silu {
        (0.0, 1.0)
    } else {
        (factor, 2.0)
    };
    if snap(slope, expected_slope) != expected_slope {
        return None;
    }
    let scale = snap(gain * factor / argument_scale, 1.0);
    Some(Activation {
        argument_scale,
        function,
        scale,
        offset,
    })
}

fn function_of(product: &Product) -> Option<(Function, f64)> {
    match (&product.function, product.argument.coefficients()) {
        (Function::Sigmoid, &[0.0, scale]) => Some((Function::Silu, scale)),
        (Function::Erf, &[0.0, scale]) => Some((Function::Gelu, scale * std::f64::consts::SQRT_2)),
        (Function::Tanh, &[0.0, linear, 0.0, cubic]) => {
            let scale = linear / GELU_TANH_SCALE;
            let expected = GELU_TANH_SCALE * GELU_TANH_CUBIC * scale.powi(3);
            (snap(cubic, expected) == expected).then_some((Function::GeluTanh, scale))
        }
        _ => None,
    }
}

/// `target` if `value` is that up to rounding in the file.
fn snap(value: f64, target: f64) -> f64 {
    if (value - target).abs() <= TOLERANCE * target.abs() {
        target
    } else {
        value
    }
}

impl Activation {
    /// What to apply before the function, if anything.
    pub(super) fn before(&self) -> Option<Polynomial> {
        (self.argument_scale != 1.0).then(|| Polynomial::affine(self.argument_scale, 0.0))
    }

    /// What to apply after the function, if anything.
    pub(super) fn after(&self) -> Option<Polynomial> {
        let after = Polynomial::affine(self.scale, self.offset);
        (after != Polynomial::identity()).then_some(after)
    }
}
