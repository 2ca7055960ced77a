//! `PRelu` with constant slopes: `x` where it is positive, `slope · x` elsewhere.

use crate::broadcast;
use crate::node::{NodeContext, Problem};
use hush_graph::{BinaryOperator, Function, Operator, Tensor};

pub(crate) fn import(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    let input = context.data(0)?;
    let shape = context.shape(input);
    let slopes = context.tensor(1)?;
    let (value, slopes) = broadcast::with_constant(context, input, slopes)?;
    if context.shape(value) != shape {
        return Err(Problem::malformed(format!(
            "its slopes do not broadcast to {shape}"
        )));
    }
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
