//! `LeakyRelu`: `x` where it is positive, `alpha · x` elsewhere.

use crate::node::{NodeContext, Problem};
use hush_graph::Function;

pub(crate) fn import(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    let slope = context.float_attribute("alpha", f64::from(0.01f32))?;
    context.finish_elementwise(Function::LeakyRelu { slope })
}
