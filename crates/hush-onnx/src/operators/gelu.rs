//! `Gelu`, by the error function or by its tanh form.

use crate::node::{NodeContext, Problem};
use hush_graph::Function;

pub(crate) fn import(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    match context.text_attribute("approximate", "none")?.as_str() {
        "none" => context.finish_elementwise(Function::Gelu),
        "tanh" => context.finish_elementwise(Function::GeluTanh),
        other => Err(Problem::malformed(format!(
            "attribute `approximate` is `{other}`"
        ))),
    }
}
