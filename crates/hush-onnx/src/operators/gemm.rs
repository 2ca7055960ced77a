//! `Gemm`: `alpha · A · B + beta · C` with constant `B`; `A` holds one sample per row.

use crate::broadcast;
use crate::node::{Known, NodeContext, Problem};
use hush_graph::{BinaryOperator, Operator, Tensor};

pub(crate) fn import(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    let input = context.data(0)?;
    if context.integer_attribute("transA", 0)? != 0 {
        return Err(Problem::mixes_samples("it transposes the batch (transA)"));
    }
    if context.shape(input).rank() != 1 {
        return Err(Problem::malformed("its first input is not a matrix"));
    }
    let alpha = context.float_attribute("alpha", 1.0)?;
    let beta = context.float_attribute("beta", 1.0)?;
    let weight = context.tensor(1)?;
    let weight = match context.integer_attribute("transB", 0)? {
        0 => transpose(&weight)?,
        _ => weight,
    };
    let weight = if alpha == 1.0 {
        weight
    } else {
        weight.map(|element| alpha * element)
    };
    let outputs = match weight.shape() {
        &[outputs, _] => outputs,
        _ => return Err(Problem::malformed("its weight is not a matrix")),
    };
    match context.optional_input(2)? {
        None => context.finish(Operator::Linear { weight, bias: None }, &[input]),
        Some(Known::Data(addend)) => {
            let product = context.emit(Operator::Linear { weight, bias: None }, &[input])?;
            let addend = match beta {
                1.0 => addend,
                _ => context.emit(Operator::affine(beta, 0.0), &[addend])?,
            };
            let (product, addend) = broadcast::values(context, product, addend)?;
            context.finish(Operator::Binary(BinaryOperator::Add), &[product, addend])
        }
        Some(_) => {
            let bias = row(context.tensor(2)?, outputs)?;
            let bias = if beta == 1.0 {
                bias
            } else {
                bias.map(|element| beta * element)
            };
            context.finish(
                Operator::Linear {
                    weight,
                    bias: Some(bias),
                },
                &[input],
            )
        }
    }
}

/// The addend as one row: the same for all samples.
fn row(addend: Tensor, outputs: usize) -> Result<Tensor, Problem> {
    let mut shape = addend.shape().to_vec();
    if shape.len() == 2 && shape[0] == 1 {
        shape.remove(0);
    }
    if shape.len() > 1 {
        return Err(Problem::mixes_samples(
            "its third input differs from sample to sample",
        ));
    }
    Ok(addend.reshape(shape)?.broadcast_to(&[outputs])?)
}

/// Of a matrix.
pub(super) fn transpose(matrix: &Tensor) -> Result<Tensor, Problem> {
    let &[rows, columns] = matrix.shape() else {
        return Err(Problem::malformed("its weight is not a matrix"));
    };
    let data = matrix.data();
    let columns_first = (0..columns).flat_map(|c| (0..rows).map(move |r| data[r * columns + c]));
    Ok(Tensor::new(vec![columns, rows], columns_first.collect())?)
}
