//! `Softsign`: `x / (1 + |x|)`.

use crate::node::{NodeContext, Problem};
use hush_graph::Function;

pub(crate) fn import(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    context.finish_elementwise(Function::Softsign)
}
