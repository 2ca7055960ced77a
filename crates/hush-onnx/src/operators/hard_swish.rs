//! `HardSwish`: `x · min(max(x/6 + 1/2, 0), 1)`.

use crate::node::{NodeContext, Problem};
use hush_graph::Function;

pub(crate) fn import(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    context.finish_elementwise(Function::HardSwish)
}
