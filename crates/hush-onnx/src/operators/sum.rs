//! `Sum` and `Mean` of any number of values and constants, element by element.

use crate::broadcast;
use crate::node::{Known, NodeContext, Problem};
use hush_graph::{BinaryOperator, Operator, Tensor};

pub(crate) fn import(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    sum(context, 1.0)
}

pub(crate) fn import_mean(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    let count = context.node.input.len().max(1);
    sum(context, 1.0 / count as f64)
}

/// Values first: a constant needs one to be added to.
fn sum(context: &mut NodeContext<'_>, factor: f64) -> Result<(), Problem> {
    let (mut values, mut constants) = (Vec::new(), Vec::new());
    for position in 0..context.node.input.len() {
        match context.input(position)? {
            Known::Data(value) => values.push(value),
            _ => constants.push(context.tensor(position)?),
        }
    }
    let mut values = values.into_iter();
    let missing = || Problem::malformed("none of its inputs depends on the data");
    let mut total = values.next().ok_or_else(missing)?;
    for value in values {
        let (left, right) = broadcast::values(context, total, value)?;
        total = context.emit(Operator::Binary(BinaryOperator::Add), &[left, right])?;
    }
    for constant in constants {
        let (value, offset) = broadcast::with_constant(context, total, constant)?;
        let scale = Tensor::scalar(1.0);
        total = context.emit(Operator::Affine { scale, offset }, &[value])?;
    }
    if factor != 1.0 {
        total = context.emit(Operator::affine(factor, 0.0), &[total])?;
    }
    context.define(Known::Data(total))
}
