//! `HardSigmoid`: `min(max(alpha · x + beta, 0), 1)`.

use crate::node::{NodeContext, Problem};
use hush_graph::Function;

pub(crate) fn import(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    let alpha = context.float_attribute("alpha", f64::from(0.2f32))?;
    let beta = context.float_attribute("beta", 0.5)?;
    context.finish_elementwise(Function::HardSigmoid { alpha, beta })
}
