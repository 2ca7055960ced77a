//! `Pow` with a constant whole exponent: a polynomial.

use crate::broadcast;
use crate::node::{Known, NodeContext, Problem};
use hush_graph::{Function, Operator, Polynomial};

/// Powers above this are refused.
const LARGEST_EXPONENT: f64 = 64.0;

pub(crate) fn import(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    let (Known::Data(value), Known::Constant(_)) = (context.input(0)?, context.input(1)?) else {
        return Err(Problem::new(
            "its exponent depends on the data",
            "only powers with a constant exponent are supported",
        ));
    };
    let exponents = context.tensor(1)?;
    let (value, exponent) = broadcast::with_constant(context, value, exponents)?;
    let whole = exponent
        .as_scalar()
        .filter(|exponent| exponent.fract() == 0.0 && (0.0..=LARGEST_EXPONENT).contains(exponent));
    let Some(exponent) = whole else {
        return Err(Problem::new(
            "its exponent is not one whole number from 0 to 64",
            "write the function as a polynomial or with a supported activation",
        ));
    };
    let polynomial = Polynomial::monomial(exponent as usize);
    context.finish(
        Operator::Elementwise(Function::Polynomial(polynomial)),
        &[value],
    )
}
