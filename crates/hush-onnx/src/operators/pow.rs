//! `Pow` with a constant exponent, or of a constant base.

use crate::broadcast;
use crate::node::{Known, NodeContext, Problem};
use hush_graph::{Function, Operator, Polynomial, Tensor, ValueId};

/// Whole powers above this are refused.
const LARGEST_EXPONENT: f64 = 64.0;

pub(crate) fn import(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    match (context.input(0)?, context.input(1)?) {
        (Known::Data(value), Known::Constant(_)) => power(context, value),
        (Known::Constant(_), Known::Data(exponent)) => exponential(context, exponent),
        _ => Err(Problem::new(
            "its base and its exponent depend on the data",
            "only powers with a constant base or exponent are supported",
        )),
    }
}

fn power(context: &mut NodeContext<'_>, value: ValueId) -> Result<(), Problem> {
    let exponents = context.tensor(1)?;
    let (value, exponents) = broadcast::with_constant(context, value, exponents)?;
    let Some(exponent) = exponents.as_scalar() else {
        return Err(Problem::new(
            "its exponents differ from element to element",
            "use one exponent for all elements",
        ));
    };
    let function = match exponent {
        0.5 => Function::Sqrt,
        -1.0 => Function::Reciprocal,
        whole if whole.fract() == 0.0 && whole >= 0.0 => {
            if whole > LARGEST_EXPONENT {
                return Err(Problem::new(
                    format!("its exponent {whole} is larger than 64"),
                    "powers this high leave the range of encrypted numbers; use a smaller one",
                ));
            }
            Function::Polynomial(Polynomial::monomial(whole as usize))
        }
        exponent => Function::Power { exponent },
    };
    context.finish(Operator::Elementwise(function), &[value])
}

/// `base^x` is `exp(ln(base) · x)`.
fn exponential(context: &mut NodeContext<'_>, exponent: ValueId) -> Result<(), Problem> {
    let bases = context.tensor(0)?;
    if !bases.data().iter().all(|&base| base > 0.0) {
        return Err(Problem::new(
            "its base is not positive",
            "powers of a constant need a positive one",
        ));
    }
    let (value, scale) = broadcast::with_constant(context, exponent, bases.map(f64::ln))?;
    let offset = Tensor::scalar(0.0);
    let scaled = context.emit(Operator::Affine { scale, offset }, &[value])?;
    context.finish(Operator::Elementwise(Function::Exp), &[scaled])
}
