//! `Imputer` of missing values (NaN): encrypted values are never missing, so it does nothing.

use crate::node::{Known, NodeContext, Problem};

pub(crate) fn import(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    let replaced = context.float_attribute("replaced_value_float", 0.0)?;
    if !replaced.is_nan() {
        return Err(Problem::new(
            format!("it replaces values equal to {replaced}, which takes comparisons"),
            "replace them before encryption, and leave this step out of the model",
        ));
    }
    let input = context.data(0)?;
    context.define(Known::Data(input))
}
