//! `Selu`: `gamma · x` where it is positive, `gamma · alpha · (exp(x) - 1)` elsewhere.

use crate::node::{NodeContext, Problem};
use hush_graph::Function;

/// The constants of the standard, as 32-bit floats.
const ALPHA: f32 = 1.673_263_2;
const GAMMA: f32 = 1.050_701;

pub(crate) fn import(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    let alpha = context.float_attribute("alpha", f64::from(ALPHA))?;
    let gamma = context.float_attribute("gamma", f64::from(GAMMA))?;
    context.finish_elementwise(Function::Selu { alpha, gamma })
}
