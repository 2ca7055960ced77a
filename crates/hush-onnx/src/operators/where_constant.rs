//! `Where` with a constant condition: a mask.

use crate::broadcast;
use crate::node::{Known, NodeContext, Problem};
use hush_graph::{BinaryOperator, Operator, Tensor, ValueId};

pub(crate) fn import(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    if !matches!(context.input(0)?, Known::Constant(_)) {
        return Err(Problem::new(
            "its condition depends on the data",
            "encrypted values cannot be compared; use Max, Min, Clip or an activation",
        ));
    }
    let condition = context.tensor(0)?;
    let chosen = branch(context, 1, condition.map(|truth| f64::from(truth != 0.0)))?;
    let other = branch(context, 2, condition.map(|truth| f64::from(truth == 0.0)))?;
    let (chosen, other) = match (chosen, other) {
        (Branch::Data(left), Branch::Data(right)) => {
            let (left, right) = broadcast::values(context, left, right)?;
            return context.finish(Operator::Binary(BinaryOperator::Add), &[left, right]);
        }
        (Branch::Data(value), Branch::Constant(constant))
        | (Branch::Constant(constant), Branch::Data(value)) => (value, constant),
        (Branch::Constant(_), Branch::Constant(_)) => {
            return Err(Problem::malformed("none of its inputs depends on the data"));
        }
    };
    let (value, offset) = broadcast::with_constant(context, chosen, other)?;
    let scale = Tensor::scalar(1.0);
    context.finish(Operator::Affine { scale, offset }, &[value])
}

enum Branch {
    Data(ValueId),
    Constant(Tensor),
}

/// The input at `position`, with zeros where `mask` is zero.
fn branch(context: &mut NodeContext<'_>, position: usize, mask: Tensor) -> Result<Branch, Problem> {
    match context.input(position)? {
        Known::Data(value) => {
            let (value, scale) = broadcast::with_constant(context, value, mask)?;
            let offset = Tensor::scalar(0.0);
            let masked = context.emit(Operator::Affine { scale, offset }, &[value])?;
            Ok(Branch::Data(masked))
        }
        _ => {
            // Infinities outside the mask do not matter.
            let constant = context.constant(position)?;
            let bad = || Problem::malformed("its inputs do not broadcast");
            let shape =
                hush_graph::broadcast_shape(&constant.shape, mask.shape()).ok_or_else(bad)?;
            context.environment.spend(shape.iter().product())?;
            let elements = Tensor::new(constant.shape.clone(), constant.floats())?;
            let (elements, mask) = (elements.broadcast_to(&shape)?, mask.broadcast_to(&shape)?);
            let pairs = elements.data().iter().zip(mask.data());
            let masked = pairs.map(|(&x, &mask)| if mask == 0.0 { 0.0 } else { x });
            Ok(Branch::Constant(Tensor::new(shape, masked.collect())?))
        }
    }
}
