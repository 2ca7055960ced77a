//! `Div` of two values, or of a value and a constant.

use crate::broadcast;
use crate::node::{Known, NodeContext, Problem};
use hush_graph::{BinaryOperator, Function, Operator, Tensor, ValueId};

pub(crate) fn import(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    match (context.input(0)?, context.input(1)?) {
        (Known::Data(left), Known::Data(right)) => {
            let inverse = reciprocal(context, right)?;
            let (left, inverse) = broadcast::values(context, left, inverse)?;
            context.finish(Operator::Binary(BinaryOperator::Multiply), &[left, inverse])
        }
        (Known::Data(value), _) => {
            let divisors = context.tensor(1)?;
            if divisors.data().contains(&0.0) {
                return Err(Problem::new(
                    "it divides by zero",
                    "check the constants of the model",
                ));
            }
            scale(context, value, divisors.map(f64::recip))
        }
        _ => {
            let divisor = context.data(1)?;
            let dividends = context.tensor(0)?;
            let inverse = reciprocal(context, divisor)?;
            scale(context, inverse, dividends)
        }
    }
}

fn reciprocal(context: &mut NodeContext<'_>, value: ValueId) -> Result<ValueId, Problem> {
    context.emit(Operator::Elementwise(Function::Reciprocal), &[value])
}

fn scale(context: &mut NodeContext<'_>, value: ValueId, factors: Tensor) -> Result<(), Problem> {
    let (value, scale) = broadcast::with_constant(context, value, factors)?;
    let offset = Tensor::scalar(0.0);
    context.finish(Operator::Affine { scale, offset }, &[value])
}
