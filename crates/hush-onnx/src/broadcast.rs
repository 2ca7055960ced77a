//! NumPy's broadcasting, with the batch dimension kept in front.

use crate::node::{NodeContext, Problem};
use hush_graph::{Movement, Operator, Shape, Tensor, ValueId, broadcast_shape};

/// Brings a value and a constant to a common shape of a sample: the value is expanded if need be,
/// the constant is cut to the dimensions of a sample. A constant with equal elements becomes a
/// scalar.
pub(crate) fn with_constant(
    context: &mut NodeContext<'_>,
    value: ValueId,
    constant: Tensor,
) -> Result<(ValueId, Tensor), Problem> {
    let shape = context.shape(value);
    let full_rank = shape.rank() + 1;
    let mut dimensions = constant.shape().to_vec();
    if dimensions.len() > full_rank || (dimensions.len() == full_rank && dimensions[0] != 1) {
        return Err(Problem::mixes_samples(format!(
            "a constant of shape {dimensions:?} reaches into the batch of {shape}"
        )));
    }
    if dimensions.len() == full_rank {
        dimensions.remove(0);
    }
    let value = expand(context, value, &dimensions)?;
    let constant = constant.reshape(dimensions)?;
    let first = constant.data().first().copied();
    match first.filter(|&first| constant.data().iter().all(|&element| element == first)) {
        Some(first) => Ok((value, Tensor::scalar(first))),
        None => Ok((value, constant)),
    }
}

/// Brings two values to a common shape.
pub(crate) fn values(
    context: &mut NodeContext<'_>,
    left: ValueId,
    right: ValueId,
) -> Result<(ValueId, ValueId), Problem> {
    let (left_shape, right_shape) = (context.shape(left), context.shape(right));
    if left_shape.rank() != right_shape.rank() {
        return Err(Problem::mixes_samples(format!(
            "shapes {left_shape} and {right_shape} differ in rank, so one batch meets another dimension"
        )));
    }
    let left = expand(context, left, right_shape.dimensions())?;
    let right = expand(context, right, left_shape.dimensions())?;
    Ok((left, right))
}

fn expand(
    context: &mut NodeContext<'_>,
    value: ValueId,
    other: &[usize],
) -> Result<ValueId, Problem> {
    let shape = context.shape(value);
    let common = broadcast_shape(shape.dimensions(), other).ok_or_else(|| {
        Problem::malformed(format!("shapes {shape} and {other:?} do not broadcast"))
    })?;
    if common == shape.dimensions() {
        return Ok(value);
    }
    let shape = Shape::new(common)?;
    context.emit(Operator::Movement(Movement::Expand { shape }), &[value])
}
