//! Comparisons of values: steps, which must be part of a continuous function in the end.

use crate::broadcast;
use crate::node::{Known, NodeContext, Problem};
use hush_graph::{BinaryOperator, Function, Operator, Tensor};

pub(crate) fn import_greater(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    step(context, [0, 1], false)
}

pub(crate) fn import_greater_or_equal(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    step(context, [0, 1], true)
}

pub(crate) fn import_less(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    step(context, [1, 0], false)
}

pub(crate) fn import_less_or_equal(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    step(context, [1, 0], true)
}

/// `Not` of a comparison.
pub(crate) fn import_not(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    let input = context.data(0)?;
    context.finish(Operator::affine(-1.0, 1.0), &[input])
}

/// `Sign`: `step(x) - step(-x)`.
pub(crate) fn import_sign(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    let input = context.data(0)?;
    let step = Operator::Elementwise(Function::Step { inclusive: false });
    let negated = context.emit(Operator::affine(-1.0, 0.0), &[input])?;
    let above = context.emit(step.clone(), &[input])?;
    let below = context.emit(step, &[negated])?;
    context.finish(Operator::Binary(BinaryOperator::Subtract), &[above, below])
}

/// One where the first of the two inputs is the larger one.
fn step(
    context: &mut NodeContext<'_>,
    [larger, smaller]: [usize; 2],
    inclusive: bool,
) -> Result<(), Problem> {
    let difference = match (context.input(larger)?, context.input(smaller)?) {
        (Known::Data(left), Known::Data(right)) => {
            let (left, right) = broadcast::values(context, left, right)?;
            context.emit(Operator::Binary(BinaryOperator::Subtract), &[left, right])?
        }
        (Known::Data(value), _) => {
            let constant = context.tensor(smaller)?.map(|element| -element);
            let (value, offset) = broadcast::with_constant(context, value, constant)?;
            let scale = Tensor::scalar(1.0);
            context.emit(Operator::Affine { scale, offset }, &[value])?
        }
        _ => {
            let value = context.data(smaller)?;
            let constant = context.tensor(larger)?;
            let (value, offset) = broadcast::with_constant(context, value, constant)?;
            let scale = Tensor::scalar(-1.0);
            context.emit(Operator::Affine { scale, offset }, &[value])?
        }
    };
    let step = Function::Step { inclusive };
    context.finish(Operator::Elementwise(step), &[difference])
}
