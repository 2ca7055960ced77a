//! `Max` and `Min` of any number of values and constants, element by element.

use crate::broadcast;
use crate::node::{Known, NodeContext, Problem};
use hush_graph::{BinaryOperator, Function, Operator, Tensor, ValueId, broadcast_shape};

pub(crate) fn import(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    extremum(context, BinaryOperator::Maximum)
}

pub(crate) fn import_min(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    extremum(context, BinaryOperator::Minimum)
}

fn extremum(context: &mut NodeContext<'_>, binary: BinaryOperator) -> Result<(), Problem> {
    let mut values = Vec::new();
    let mut bound: Option<Tensor> = None;
    for position in 0..context.node.input.len() {
        match context.input(position)? {
            Known::Data(value) => values.push(value),
            _ => {
                let constant = context.tensor(position)?;
                bound = Some(match bound {
                    None => constant,
                    Some(bound) => combine(context, binary, &bound, &constant)?,
                });
            }
        }
    }
    // As a tree: each level of it costs as much as an activation.
    while values.len() > 1 {
        let mut joined = Vec::with_capacity(values.len().div_ceil(2));
        for pair in values.chunks(2) {
            joined.push(match pair {
                &[left, right] => {
                    let (left, right) = broadcast::values(context, left, right)?;
                    context.emit(Operator::Binary(binary), &[left, right])?
                }
                other => other[0],
            });
        }
        values = joined;
    }
    let missing = || Problem::malformed("none of its inputs depends on the data");
    let value = values.pop().ok_or_else(missing)?;
    let value = match bound {
        None => value,
        Some(bound) => limit(context, binary, value, bound)?,
    };
    context.define(Known::Data(value))
}

/// The extremum of two constants.
fn combine(
    context: &mut NodeContext<'_>,
    binary: BinaryOperator,
    left: &Tensor,
    right: &Tensor,
) -> Result<Tensor, Problem> {
    let shape = broadcast_shape(left.shape(), right.shape()).ok_or_else(|| {
        let (left, right) = (left.shape(), right.shape());
        Problem::malformed(format!("shapes {left:?} and {right:?} do not broadcast"))
    })?;
    let size = shape
        .iter()
        .try_fold(1usize, |size, &d| size.checked_mul(d));
    context.environment.spend(size.unwrap_or(usize::MAX))?;
    let (left, right) = (left.broadcast_to(&shape)?, right.broadcast_to(&shape)?);
    let pairs = left.data().iter().zip(right.data());
    let data = pairs.map(|(&a, &b)| binary.evaluate(a, b)).collect();
    Ok(Tensor::new(shape, data)?)
}

/// `max(x, c)` or `min(x, c)`; if `c` differs from element to element it is
/// `relu(x − c) + c` or `c − relu(c − x)`.
fn limit(
    context: &mut NodeContext<'_>,
    binary: BinaryOperator,
    value: ValueId,
    bound: Tensor,
) -> Result<ValueId, Problem> {
    let (value, bound) = broadcast::with_constant(context, value, bound)?;
    let is_maximum = binary == BinaryOperator::Maximum;
    if let Some(bound) = bound.as_scalar() {
        let function = match (is_maximum, bound) {
            (true, 0.0) => Function::Relu,
            (true, _) => Function::Clip {
                minimum: Some(bound),
                maximum: None,
            },
            (false, _) => Function::Clip {
                minimum: None,
                maximum: Some(bound),
            },
        };
        return context.emit(Operator::Elementwise(function), &[value]);
    }
    let sign = if is_maximum { 1.0 } else { -1.0 };
    let distance = Operator::Affine {
        scale: Tensor::scalar(sign),
        offset: bound.map(|bound| -sign * bound),
    };
    let distance = context.emit(distance, &[value])?;
    let positive = context.emit(Operator::Elementwise(Function::Relu), &[distance])?;
    let shifted = Operator::Affine {
        scale: Tensor::scalar(sign),
        offset: bound,
    };
    context.emit(shifted, &[positive])
}
