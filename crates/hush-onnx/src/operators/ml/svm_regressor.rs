//! `SVMRegressor`.

use super::kernel::Machine;
use super::transform::Transform;
use crate::node::{Known, NodeContext, Problem};
use hush_graph::Tensor;

pub(crate) fn import(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    if context.integer_attribute("one_class", 0)? != 0 {
        return Err(Problem::new(
            "it tells only the sign of its score, which takes a comparison",
            "export the score itself (one_class = 0)",
        ));
    }
    if Transform::read(context)? != Transform::None {
        return Err(Problem::new(
            "implementations differ on its post_transform",
            "use post_transform NONE and transform the result after decryption",
        ));
    }
    let count = usize::try_from(context.integer_attribute("n_supports", 0)?).unwrap_or(0);
    let machine = Machine::read(context, count)?;
    let coefficients = context
        .floats_attribute("coefficients")?
        .unwrap_or_default();
    if coefficients.len() != count {
        return Err(Problem::malformed(format!(
            "its {} coefficients do not fit {count} support vectors",
            coefficients.len()
        )));
    }
    let offsets = context.floats_attribute("rho")?.unwrap_or_default();
    if offsets.len() != 1 {
        return Err(Problem::malformed("attribute `rho` is not one number"));
    }
    let coefficients = Tensor::new(vec![1, count], coefficients)?;
    let result = machine.emit(context, coefficients, offsets)?;
    context.define(Known::Data(result))
}
