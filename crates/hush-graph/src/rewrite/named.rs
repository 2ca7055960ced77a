//! The names of functions that models spell out, found by comparing values.

use crate::{Composition, Function};

/// How far values may be apart, relative to one plus their size: constants in files are often
/// rounded to 32 bits.
const TOLERANCE: f64 = 1e-5;

/// Arguments on which functions are compared: from -8 to 8, besides some far out.
const SAMPLES: i32 = 80;
const STEP: f64 = 0.1;
const FAR: [f64; 4] = [-30.0, -15.0, 15.0, 30.0];
/// Near zero, where many functions bend or end.
const SMALL: [f64; 6] = [1e-4, 1e-3, 1e-2, -1e-4, -1e-3, -1e-2];

/// The function with a name of its own that `composition` is.
pub(super) fn name(composition: &Composition) -> Option<Function> {
    if composition.jumps() {
        return None;
    }
    let value = |x: f64| composition.evaluate(x);
    let plain = [
        Function::Sigmoid,
        Function::Tanh,
        Function::Softplus,
        Function::Silu,
        Function::Gelu,
        Function::GeluTanh,
        Function::HardSwish,
        Function::Mish,
        Function::Softsign,
        Function::Erf,
        Function::Relu,
        Function::Abs,
    ];
    let found = plain.into_iter().find(|function| same(&value, function));
    found.or_else(|| {
        let mut guesses = guesses(&value).into_iter();
        guesses.find(|function| function.is_finite() && same(&value, function))
    })
}

/// Functions with parameters, as they would have to be.
fn guesses(value: &dyn Fn(f64) -> f64) -> Vec<Function> {
    let (at_zero, at_one, at_minus_one) = (value(0.0), value(1.0), value(-1.0));
    // Exponentials have come to their limit here.
    let limit = -value(-60.0);
    let slope = (value(0.0625) - value(-0.0625)) / 0.125;
    let (lowest, highest) = (value(-1e4), value(1e4));
    let bound = |bound: f64, unbounded: f64| (bound != unbounded).then_some(bound);
    let power = value(4.0).ln() / 4f64.ln();
    let mut guesses = vec![
        Function::LeakyRelu {
            slope: round(-at_minus_one),
        },
        Function::Elu {
            alpha: round(limit),
        },
        Function::Celu {
            alpha: round(limit),
        },
        Function::Selu {
            alpha: round(limit / at_one),
            gamma: round(at_one),
        },
        Function::HardSigmoid {
            alpha: round(slope),
            beta: round(at_zero),
        },
        Function::Clip {
            minimum: bound(lowest, -1e4),
            maximum: bound(highest, 1e4),
        },
    ];
    if value(-1.0).is_nan() || value(0.0).is_infinite() {
        guesses.push(match round(power) {
            0.5 => Function::Sqrt,
            -1.0 => Function::Reciprocal,
            exponent => Function::Power { exponent },
        });
        guesses.push(Function::Log);
    }
    guesses
}

/// Takes away what 32-bit constants leave behind short decimal numbers.
fn round(value: f64) -> f64 {
    let short = (value * 1e6).round() / 1e6;
    if (value - short).abs() <= 1e-7 {
        short
    } else {
        value
    }
}

/// Whether both agree wherever the function is defined.
fn same(value: &dyn Fn(f64) -> f64, function: &Function) -> bool {
    let (least, _) = function.domain();
    let near = (-SAMPLES..=SAMPLES).map(|sample| f64::from(sample) * STEP);
    let mut arguments = near.chain(FAR).chain(SMALL).filter(|&x| x > least);
    arguments.all(|x| {
        let (actual, expected) = (value(x), function.evaluate(x));
        (actual - expected).abs() <= TOLERANCE * (1.0 + expected.abs())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Step;

    fn of(function: Function) -> Composition {
        Composition::new(vec![Step::Function { function, input: 0 }]).unwrap()
    }

    #[test]
    fn finds_itself() {
        for function in [
            Function::Mish,
            Function::Gelu,
            Function::GeluTanh,
            Function::Sqrt,
            Function::Reciprocal,
            Function::Power { exponent: -0.5 },
            Function::Elu { alpha: 0.7 },
            Function::Celu { alpha: 0.7 },
            Function::LeakyRelu { slope: 0.1 },
            Function::HardSigmoid {
                alpha: 0.2,
                beta: 0.5,
            },
            Function::Clip {
                minimum: Some(0.0),
                maximum: Some(6.0),
            },
            Function::Selu {
                alpha: 1.5,
                gamma: 1.25,
            },
        ] {
            assert_eq!(name(&of(function.clone())), Some(function));
        }
        assert_eq!(name(&of(Function::Sin)), None);
        assert_eq!(name(&of(Function::Step { inclusive: true })), None);
    }
}
