//! `Mul` of two values, or of a value and a constant.

use crate::broadcast;
use crate::node::{Known, NodeContext, Problem};
use hush_graph::{BinaryOperator, Operator, Tensor, ValueId};

pub(crate) fn import(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    match (context.input(0)?, context.input(1)?) {
        (Known::Data(left), Known::Data(right)) => {
            let (left, right) = broadcast::values(context, left, right)?;
            context.finish(Operator::Binary(BinaryOperator::Multiply), &[left, right])
        }
        (Known::Data(value), _) => scale(context, value, 1),
        _ => {
            let value = context.data(1)?;
            scale(context, value, 0)
        }
    }
}

fn scale(context: &mut NodeContext<'_>, value: ValueId, position: usize) -> Result<(), Problem> {
    let constant = context.tensor(position)?;
    let (value, scale) = broadcast::with_constant(context, value, constant)?;
    context.finish(
        Operator::Affine {
            scale,
            offset: Tensor::scalar(0.0),
        },
        &[value],
    )
}
