//! `Celu`: `x` where it is positive, `alpha · (exp(x / alpha) - 1)` elsewhere.

use crate::node::{NodeContext, Problem};
use hush_graph::Function;

pub(crate) fn import(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    let alpha = context.float_attribute("alpha", 1.0)?;
    if alpha == 0.0 {
        return Err(Problem::malformed("attribute `alpha` is zero"));
    }
    context.finish_elementwise(Function::Celu { alpha })
}
