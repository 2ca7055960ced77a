//! `PRelu`: `x` where it is positive, `slope · x` elsewhere.

use crate::broadcast;
use crate::node::{Known, NodeContext, Problem};
use hush_graph::{BinaryOperator, Function, Operator, Tensor, ValueId};

pub(crate) fn import(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    let input = context.data(0)?;
    if let Known::Data(slopes) = context.input(1)? {
        return of_data(context, input, slopes);
    }
    let slopes = context.tensor(1)?;
    let (value, slopes) = broadcast::with_constant(context, input, slopes)?;
    check_shape(context, input, value)?;
    if let Some(slope) = slopes.as_scalar() {
        return context.finish_elementwise(Function::LeakyRelu { slope });
    }
    // slope · x + (1 - slope) · relu(x)
    let affine = |scale: Tensor| Operator::Affine {
        scale,
        offset: Tensor::scalar(0.0),
    };
    let positive = context.emit(Operator::Elementwise(Function::Relu), &[input])?;
    let rest = context.emit(affine(slopes.map(|slope| 1.0 - slope)), &[positive])?;
    let line = context.emit(affine(slopes), &[input])?;
    context.finish(Operator::Binary(BinaryOperator::Add), &[line, rest])
}

/// `relu(x) + slope · (x - relu(x))`
fn of_data(context: &mut NodeContext<'_>, input: ValueId, slopes: ValueId) -> Result<(), Problem> {
    let (value, slopes) = broadcast::values(context, input, slopes)?;
    check_shape(context, input, value)?;
    let binary = Operator::Binary;
    let positive = context.emit(Operator::Elementwise(Function::Relu), &[input])?;
    let negative = context.emit(binary(BinaryOperator::Subtract), &[input, positive])?;
    let scaled = context.emit(binary(BinaryOperator::Multiply), &[slopes, negative])?;
    context.finish(binary(BinaryOperator::Add), &[positive, scaled])
}

/// Slopes broadcast to the input, never the other way round.
fn check_shape(
    context: &NodeContext<'_>,
    input: ValueId,
    broadcast: ValueId,
) -> Result<(), Problem> {
    let shape = context.shape(input);
    if context.shape(broadcast) != shape {
        return Err(Problem::malformed(format!(
            "its slopes do not broadcast to {shape}"
        )));
    }
    Ok(())
}
