//! `Sub` of two values, or of a value and a constant.

use crate::broadcast;
use crate::node::{Known, NodeContext, Problem};
use hush_graph::{BinaryOperator, Operator, Tensor};

pub(crate) fn import(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    match (context.input(0)?, context.input(1)?) {
        (Known::Data(left), Known::Data(right)) => {
            let (left, right) = broadcast::values(context, left, right)?;
            context.finish(Operator::Binary(BinaryOperator::Subtract), &[left, right])
        }
        (Known::Data(value), _) => {
            let constant = context.tensor(1)?.map(|element| -element);
            let (value, offset) = broadcast::with_constant(context, value, constant)?;
            context.finish(
                Operator::Affine {
                    scale: Tensor::scalar(1.0),
                    offset,
                },
                &[value],
            )
        }
        _ => {
            let value = context.data(1)?;
            let constant = context.tensor(0)?;
            let (value, offset) = broadcast::with_constant(context, value, constant)?;
            context.finish(
                Operator::Affine {
                    scale: Tensor::scalar(-1.0),
                    offset,
                },
                &[value],
            )
        }
    }
}
