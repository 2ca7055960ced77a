//! `Gather` along a dimension of a sample, with constant indices.

use crate::constant::Elements;
use crate::node::{Known, NodeContext, Problem, full_axis};
use crate::separable::Separable;

pub(crate) fn import(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    if matches!(context.input(1)?, Known::Data(_)) {
        return Err(Problem::new(
            "its indices depend on the data",
            "only constant indices are supported",
        ));
    }
    let input = context.data(0)?;
    let shape = context.shape(input);
    let axis = context.integer_attribute("axis", 0)?;
    let axis = context.sample_axis(axis, shape.rank() + 1)?;
    let indices = context.constant(1)?;
    let Elements::Integers(integers) = &indices.elements else {
        return Err(Problem::malformed("its indices are not integers"));
    };
    let length = shape.dimensions()[axis];
    let sources = integers
        .iter()
        .map(|&index| full_axis(index, length))
        .collect::<Result<Vec<usize>, _>>()
        .map_err(|_| Problem::malformed(format!("an index is outside a dimension of {length}")))?;
    let mut dimensions = shape.dimensions()[..axis].to_vec();
    dimensions.extend(&indices.shape);
    dimensions.extend(&shape.dimensions()[axis + 1..]);
    let mut gathered = Separable::new("gather");
    gathered.select(context, axis, &sources)?;
    let value = gathered.emit(context, 0, input, Some(dimensions))?;
    context.define(Known::Data(value))
}
