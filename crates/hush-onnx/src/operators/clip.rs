//! `Clip`: bounds as inputs, or as attributes in old models.

use crate::node::{NodeContext, Problem};
use hush_graph::Function;

pub(crate) fn import(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    let (minimum, maximum) = if context.operator_set() < 11 {
        let unbounded = f64::from(f32::MAX);
        let minimum = context.float_attribute("min", -unbounded)?;
        (
            Some(minimum),
            Some(context.float_attribute("max", unbounded)?),
        )
    } else {
        (bound(context, 1)?, bound(context, 2)?)
    };
    if minimum.into_iter().chain(maximum).any(f64::is_nan) {
        return Err(Problem::malformed("a bound is not a number"));
    }
    // Exporters write the largest float, or infinity, for a bound that does not matter.
    let effective = |bound: &f64| bound.abs() < f64::from(f32::MAX);
    let function = match (minimum.filter(effective), maximum.filter(effective)) {
        (Some(0.0), None) => Function::Relu,
        (minimum, maximum) => Function::Clip { minimum, maximum },
    };
    context.finish_elementwise(function)
}

fn bound(context: &mut NodeContext<'_>, position: usize) -> Result<Option<f64>, Problem> {
    let Some(constant) = context.optional_constant(position)? else {
        return Ok(None);
    };
    match constant.floats().as_slice() {
        [bound] => Ok(Some(*bound)),
        _ => Err(Problem::malformed("a bound is not a single number")),
    }
}
