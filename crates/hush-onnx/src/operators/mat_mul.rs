//! `MatMul` of two values, or of a value and constant matrices on either side.

use super::gemm::transpose;
use crate::node::{Known, NodeContext, Problem};
use crate::stack;
use hush_graph::{Movement, Operator, Shape, Tensor, ValueId};

pub(crate) fn import(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    match (context.input(0)?, context.input(1)?) {
        (Known::Data(left), Known::Data(right)) => {
            let product = stack::times(context, left, right)?;
            context.define(Known::Data(product))
        }
        (Known::Data(value), _) => multiply_right(context, value),
        _ => {
            let value = context.data(1)?;
            multiply_left(context, value)
        }
    }
}

/// `x · W`
fn multiply_right(context: &mut NodeContext<'_>, value: ValueId) -> Result<(), Problem> {
    let shape = context.shape(value);
    if shape.rank() == 0 {
        return Err(Problem::mixes_samples("it multiplies along the batch"));
    }
    let weight = matrices(context.tensor(1)?, shape.rank() + 1)?;
    match *weight.shape() {
        [inputs] => {
            let weight = weight.reshape(vec![1, inputs])?;
            let product = context.emit(Operator::Linear { weight, bias: None }, &[value])?;
            let dimensions = shape.dimensions()[..shape.rank() - 1].to_vec();
            let shape = Shape::new(dimensions)?;
            context.finish(Operator::Movement(Movement::Reshape { shape }), &[product])
        }
        [_, _] => {
            let weight = transpose(&weight)?;
            context.finish(Operator::Linear { weight, bias: None }, &[value])
        }
        _ => {
            let product = stack::times_constant(context, value, &weight)?;
            context.define(Known::Data(product))
        }
    }
}

/// `W · x`, which is `(xᵀ · Wᵀ)ᵀ`.
fn multiply_left(context: &mut NodeContext<'_>, value: ValueId) -> Result<(), Problem> {
    let rank = context.shape(value).rank();
    let weight = matrices(context.tensor(0)?, rank + 1)?;
    if rank < 2 || weight.shape().len() < 2 {
        return Err(Problem::mixes_samples(
            "it multiplies along the batch from the left",
        ));
    }
    if weight.shape().len() > 2 {
        let product = stack::constant_times(context, &weight, value)?;
        return context.define(Known::Data(product));
    }
    let mut permutation: Vec<usize> = (0..rank).collect();
    permutation.swap(rank - 1, rank - 2);
    let swap = Operator::Movement(Movement::Transpose { permutation });
    let swapped = context.emit(swap.clone(), &[value])?;
    let product = context.emit(Operator::Linear { weight, bias: None }, &[swapped])?;
    context.finish(swap, &[product])
}

/// Drops leading dimensions of one; the result has one dimension, or is a matrix or a stack of matrices that is the
/// same for all samples.
fn matrices(constant: Tensor, full_rank: usize) -> Result<Tensor, Problem> {
    let mut shape = constant.shape().to_vec();
    if shape.is_empty() {
        return Err(Problem::malformed("its constant is a single number"));
    }
    if shape.len() > full_rank.max(2) {
        return Err(Problem::mixes_samples(
            "its constant has more dimensions than the data",
        ));
    }
    while shape.len() > 2 && shape[0] == 1 {
        shape.remove(0);
    }
    if shape.len() > 2 && shape.len() == full_rank {
        return Err(Problem::mixes_samples(format!(
            "its constant of shape {shape:?} has a matrix for each sample"
        )));
    }
    Ok(constant.reshape(shape)?)
}
