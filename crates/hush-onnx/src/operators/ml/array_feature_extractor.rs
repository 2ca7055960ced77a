//! `ArrayFeatureExtractor`: columns of the data, or the names of classes by index.

use super::classes;
use crate::constant::Elements;
use crate::node::{Known, NodeContext, Problem, full_axis};
use crate::separable::Separable;
use hush_graph::{ElementType, Movement, Operator, Shape, ValueId};

pub(crate) fn import(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    match (context.input(0)?, context.input(1)?) {
        (Known::Data(value), Known::Constant(_)) => columns(context, value),
        (Known::Constant(_), Known::Data(index)) => names(context, index),
        _ => Err(Problem::new(
            "its indices depend on the data",
            "only constant columns are supported",
        )),
    }
}

fn columns(context: &mut NodeContext<'_>, value: ValueId) -> Result<(), Problem> {
    let shape = context.shape(value);
    let Some(axis) = shape.rank().checked_sub(1) else {
        return Err(Problem::mixes_samples("it picks samples"));
    };
    let indices = context.constant(1)?;
    let Elements::Integers(indices) = &indices.elements else {
        return Err(Problem::malformed("its indices are not integers"));
    };
    let length = shape.dimensions()[axis];
    let sources = indices.iter().map(|&index| full_axis(index, length));
    let sources = sources.collect::<Result<Vec<usize>, _>>()?;
    let mut columns = Separable::new("columns");
    columns.select(context, axis, &sources)?;
    let value = columns.emit(context, 0, value, None)?;
    context.define(Known::Data(value))
}

/// The index stays; what it stands for is remembered.
fn names(context: &mut NodeContext<'_>, index: ValueId) -> Result<(), Problem> {
    let value = context.environment.builder.value(index);
    if value.element != ElementType::Index || value.shape.size() != 1 {
        return Err(Problem::new(
            "its indices depend on the data",
            "only the result of ArgMax can be an index",
        ));
    }
    let texts = match context.environment.texts.get(&context.node.input[0]) {
        Some(texts) => texts.clone(),
        None => match &context.constant(0)?.elements {
            Elements::Integers(integers) => integers.iter().map(i64::to_string).collect(),
            Elements::Floats(floats) => floats.iter().map(f64::to_string).collect(),
        },
    };
    let shape = Shape::new(vec![])?;
    let reshape = Operator::Movement(Movement::Reshape { shape });
    let index = context.emit(reshape, &[index])?;
    classes::remember(context, index, texts);
    context.define(Known::Data(index))
}
