//! `ThresholdedRelu`: `x` where it exceeds `alpha`, zero elsewhere.

use crate::node::{NodeContext, Problem};
use hush_graph::Function;

pub(crate) fn import(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    let alpha = context.float_attribute("alpha", 1.0)?;
    context.finish_elementwise(Function::ThresholdedRelu { alpha })
}
