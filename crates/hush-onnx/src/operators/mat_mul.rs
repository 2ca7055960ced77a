//! `MatMul` of a value and a constant matrix, on either side.

use super::gemm::transpose;
use crate::node::{Known, NodeContext, Problem};
use hush_graph::{Movement, Operator, Shape, Tensor, ValueId};

pub(crate) fn import(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    match (context.input(0)?, context.input(1)?) {
        (Known::Data(value), Known::Constant(_)) => multiply_right(context, value),
        (Known::Constant(_), Known::Data(value)) => multiply_left(context, value),
        _ => Err(Problem::new(
            "both of its inputs depend on the data",
            "only products with a constant matrix are supported",
        )),
    }
}

/// `x · W`
fn multiply_right(context: &mut NodeContext<'_>, value: ValueId) -> Result<(), Problem> {
    let shape = context.shape(value);
    if shape.rank() == 0 {
        return Err(Problem::mixes_samples("it multiplies along the batch"));
    }
    let weight = matrix(context.tensor(1)?, shape.rank() + 1)?;
    if let &[inputs] = weight.shape() {
        let weight = weight.reshape(vec![1, inputs])?;
        let product = context.emit(Operator::Linear { weight, bias: None }, &[value])?;
        let dimensions = shape.dimensions()[..shape.rank() - 1].to_vec();
        let shape = Shape::new(dimensions)?;
        return context.finish(Operator::Movement(Movement::Reshape { shape }), &[product]);
    }
    let weight = transpose(&weight)?;
    context.finish(Operator::Linear { weight, bias: None }, &[value])
}

/// `W · x`, which is `(xᵀ · Wᵀ)ᵀ`.
fn multiply_left(context: &mut NodeContext<'_>, value: ValueId) -> Result<(), Problem> {
    let rank = context.shape(value).rank();
    let weight = matrix(context.tensor(0)?, rank + 1)?;
    if rank < 2 || weight.shape().len() != 2 {
        return Err(Problem::mixes_samples(
            "it multiplies along the batch from the left",
        ));
    }
    let mut permutation: Vec<usize> = (0..rank).collect();
    permutation.swap(rank - 1, rank - 2);
    let swap = Operator::Movement(Movement::Transpose { permutation });
    let swapped = context.emit(swap.clone(), &[value])?;
    let product = context.emit(Operator::Linear { weight, bias: None }, &[swapped])?;
    context.finish(swap, &[product])
}

/// Drops leading dimensions of one; the result has one or two dimensions.
fn matrix(constant: Tensor, full_rank: usize) -> Result<Tensor, Problem> {
    let mut shape = constant.shape().to_vec();
    if shape.len() > full_rank.max(2) {
        return Err(Problem::mixes_samples(
            "its constant has more dimensions than the data",
        ));
    }
    while shape.len() > 2 && shape[0] == 1 {
        shape.remove(0);
    }
    if shape.is_empty() || shape.len() > 2 {
        return Err(Problem::new(
            format!("its constant has shape {:?}", constant.shape()),
            "only a single constant matrix is supported",
        ));
    }
    Ok(constant.reshape(shape)?)
}
