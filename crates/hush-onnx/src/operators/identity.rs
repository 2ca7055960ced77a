//! `Identity`.

use crate::node::{NodeContext, Problem};

pub(crate) fn import(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    let input = context.input(0)?;
    context.define(input)
}
