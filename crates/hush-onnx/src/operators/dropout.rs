//! `Dropout`, which does nothing outside training.

use crate::node::{NodeContext, Problem};

pub(crate) fn import(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    let training = context.optional_constant(2)?;
    let ratio = context.optional_constant(1)?;
    let drops = ratio.is_none_or(|ratio| ratio.floats().iter().any(|&ratio| ratio != 0.0));
    if drops && training.is_some_and(|flag| flag.floats().iter().any(|&flag| flag != 0.0)) {
        return Err(Problem::new(
            "it is in training mode",
            "export the model in evaluation mode",
        ));
    }
    let input = context.input(0)?;
    context.define(input)
}
