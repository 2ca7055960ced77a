//! `Where`: a mask if its condition is constant, or else a choice by a comparison.

use crate::broadcast;
use crate::node::{Known, NodeContext, Problem};
use hush_graph::{BinaryOperator, Operator, Tensor, ValueId};

pub(crate) fn import(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    if let Known::Data(condition) = context.input(0)? {
        return choose(context, condition);
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

/// `other + condition · (chosen - other)`, where the condition is zero or one.
fn choose(context: &mut NodeContext<'_>, condition: ValueId) -> Result<(), Problem> {
    let affine = |scale: f64, offset: Tensor| Operator::Affine {
        scale: Tensor::scalar(scale),
        offset,
    };
    let (chosen, other) = (context.input(1)?, context.input(2)?);
    let difference = match (&chosen, &other) {
        (&Known::Data(left), &Known::Data(right)) => {
            let (left, right) = broadcast::values(context, left, right)?;
            context.emit(Operator::Binary(BinaryOperator::Subtract), &[left, right])?
        }
        (&Known::Data(value), _) => {
            let constant = context.tensor(2)?.map(|element| -element);
            let (value, offset) = broadcast::with_constant(context, value, constant)?;
            context.emit(affine(1.0, offset), &[value])?
        }
        (_, &Known::Data(value)) => {
            let constant = context.tensor(1)?;
            let (value, offset) = broadcast::with_constant(context, value, constant)?;
            context.emit(affine(-1.0, offset), &[value])?
        }
        _ => {
            return Err(Problem::new(
                "it chooses between constants by comparing encrypted values",
                "use a continuous function instead",
            ));
        }
    };
    let (condition, difference) = broadcast::values(context, condition, difference)?;
    let multiply = Operator::Binary(BinaryOperator::Multiply);
    let gated = context.emit(multiply, &[condition, difference])?;
    match other {
        Known::Data(other) => {
            let (gated, other) = broadcast::values(context, gated, other)?;
            context.finish(Operator::Binary(BinaryOperator::Add), &[gated, other])
        }
        _ => {
            let constant = context.tensor(2)?;
            let (gated, offset) = broadcast::with_constant(context, gated, constant)?;
            context.finish(affine(1.0, offset), &[gated])
        }
    }
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
