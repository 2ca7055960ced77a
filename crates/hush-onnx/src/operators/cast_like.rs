//! `CastLike`: floating-point types are not told apart.

use crate::constant::{Constant, Elements};
use crate::node::{Known, NodeContext, Problem};
use hush_graph::ElementType;
use std::sync::Arc;

pub(crate) fn import(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    let target = match context.input(1)? {
        Known::Data(value) => Some(context.environment.builder.value(value).element),
        Known::Constant(constant) => match constant.elements {
            Elements::Floats(_) => Some(ElementType::Float),
            Elements::Integers(_) => None,
        },
        Known::Lost { .. } => None,
    };
    if let Known::Constant(_) = context.input(0)? {
        return constant(context, target);
    }
    let input = context.data(0)?;
    if target != Some(context.environment.builder.value(input).element) {
        return Err(another_kind());
    }
    context.define(Known::Data(input))
}

/// A constant as floats, for a calculation with data.
fn constant(context: &mut NodeContext<'_>, target: Option<ElementType>) -> Result<(), Problem> {
    if target != Some(ElementType::Float) {
        return Err(another_kind());
    }
    let constant = context.constant(0)?;
    if constant.holds_batch_size() {
        return Err(Problem::mixes_samples("it computes with the batch size"));
    }
    let constant = Constant {
        shape: constant.shape.clone(),
        elements: Elements::Floats(constant.floats()),
    };
    context.define(Known::Constant(Arc::new(constant)))
}

fn another_kind() -> Problem {
    Problem::new(
        "it casts to another kind of number",
        "only float32 and float64 can be used",
    )
}
