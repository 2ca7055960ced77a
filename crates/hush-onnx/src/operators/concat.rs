//! `Concat` of values, and of values and constants.

use crate::node::{Known, NodeContext, Problem};
use hush_graph::{Operator, Shape, SparseLinear, SparseMatrix, Tensor, ValueId};

pub(crate) fn import(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    let count = context.node.input.len();
    let mut parts = Vec::with_capacity(count);
    for position in 0..count {
        parts.push(context.input(position)?);
    }
    let first = parts.iter().find_map(|part| match part {
        Known::Data(value) => Some(*value),
        _ => None,
    });
    let first =
        first.ok_or_else(|| Problem::malformed("none of its inputs depends on the data"))?;
    let rank = context.shape(first).rank() + 1;
    let axis = context.integer_attribute("axis", 1)?;
    let axis = context.sample_axis(axis, rank)?;
    let mut values = Vec::with_capacity(count);
    for (position, part) in parts.into_iter().enumerate() {
        values.push(match part {
            Known::Data(value) => value,
            _ => {
                let tensor = context.tensor(position)?;
                let name = context.node.input[position].clone();
                constant(context, first, &name, tensor)?
            }
        });
    }
    match values.as_slice() {
        &[value] => context.define(Known::Data(value)),
        values => context.finish(Operator::Concatenate { axis }, values),
    }
}

/// A value that holds the same for every sample.
fn constant(
    context: &mut NodeContext<'_>,
    data: ValueId,
    name: &str,
    tensor: Tensor,
) -> Result<ValueId, Problem> {
    let [1, dimensions @ ..] = tensor.shape() else {
        return Err(Problem::mixes_samples(format!(
            "a constant of shape {:?} has a batch of its own",
            tensor.shape()
        )));
    };
    let of_any_batch = context.environment.batched.contains(name);
    if !context.environment.single_sample && !of_any_batch {
        return Err(Problem::mixes_samples(format!(
            "a constant of shape {:?} is joined to a batch of any size",
            tensor.shape()
        )));
    }
    let shape = Shape::new(dimensions.to_vec())?;
    context.environment.spend_entries(shape.size())?;
    let mut matrix = SparseMatrix::empty(context.shape(data).size());
    for _ in 0..shape.size() {
        matrix.push_row([]);
    }
    let sparse = SparseLinear {
        name: "constant",
        trained: true,
        matrix,
        bias: Some(tensor.into_data()),
        shape,
    };
    context.emit(Operator::Sparse(sparse), &[data])
}
