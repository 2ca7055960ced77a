//! `Neg`.

use crate::node::{NodeContext, Problem};
use hush_graph::Operator;

pub(crate) fn import(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    let input = context.data(0)?;
    context.finish(Operator::affine(-1.0, 0.0), &[input])
}
