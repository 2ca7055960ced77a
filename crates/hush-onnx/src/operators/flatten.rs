//! `Flatten` of all dimensions of a sample.

use crate::node::{NodeContext, Problem, full_axis};
use hush_graph::{Movement, Operator, Shape};

pub(crate) fn import(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    let input = context.data(0)?;
    let shape = context.shape(input);
    let full_rank = shape.rank() + 1;
    let axis = context.integer_attribute("axis", 1)?;
    // Unlike other axes, this one may point past the last dimension.
    let axis = if axis == full_rank as i64 {
        full_rank
    } else {
        full_axis(axis, full_rank)?
    };
    let axis = match axis {
        // The batch of one is the first dimension of the result either way.
        0 if context.environment.single_sample => 1,
        axis => axis,
    };
    let before = axis
        .checked_sub(1)
        .map(|end| shape.dimensions()[..end].iter().product::<usize>());
    if before != Some(1) {
        return Err(Problem::mixes_samples(format!(
            "it merges the batch of {shape} with other dimensions"
        )));
    }
    let shape = Shape::new(vec![shape.size()])?;
    context.finish(Operator::Movement(Movement::Reshape { shape }), &[input])
}
