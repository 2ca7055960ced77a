//! `Swish`: `x · sigmoid(alpha · x)`.

use crate::node::{NodeContext, Problem};
use hush_graph::{Function, Operator};

pub(crate) fn import(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    let alpha = context.float_attribute("alpha", 1.0)?;
    if alpha == 0.0 {
        let input = context.data(0)?;
        return context.finish(Operator::affine(0.5, 0.0), &[input]);
    }
    if alpha == 1.0 {
        return context.finish_elementwise(Function::Silu);
    }
    let input = context.data(0)?;
    let scaled = context.emit(Operator::affine(alpha, 0.0), &[input])?;
    let activated = context.emit(Operator::Elementwise(Function::Silu), &[scaled])?;
    context.finish(Operator::affine(1.0 / alpha, 0.0), &[activated])
}
