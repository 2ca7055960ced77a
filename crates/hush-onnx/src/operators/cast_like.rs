//! `CastLike`: floating-point types are not told apart.

use crate::node::{Known, NodeContext, Problem};

pub(crate) fn import(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    let input = context.data(0)?;
    let target = match context.input(1)? {
        Known::Data(value) => Some(context.environment.builder.value(value).element),
        Known::Constant(constant) => match constant.elements {
            crate::constant::Elements::Floats(_) => Some(hush_graph::ElementType::Float),
            crate::constant::Elements::Integers(_) => None,
        },
        Known::Lost { .. } => None,
    };
    if target != Some(context.environment.builder.value(input).element) {
        return Err(Problem::new(
            "it casts to another kind of number",
            "only float32 and float64 can be used",
        ));
    }
    context.define(Known::Data(input))
}
