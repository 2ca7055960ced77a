//! `Slice` within each sample.

use crate::fold::positions;
use crate::node::{Known, NodeContext, Problem, full_axis};
use crate::separable::Separable;

pub(crate) fn import(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    let input = context.data(0)?;
    let shape = context.shape(input);
    let missing = || Problem::malformed("its bounds are missing");
    let starts = bounds(context, "starts", 1)?.ok_or_else(missing)?;
    let ends = bounds(context, "ends", 2)?.ok_or_else(missing)?;
    let all = || (0..starts.len() as i64).collect();
    let axes = bounds(context, "axes", 3)?.unwrap_or_else(all);
    let steps = bounds(context, "steps", 4)?.unwrap_or_else(|| vec![1; starts.len()]);
    if [ends.len(), axes.len(), steps.len()] != [starts.len(); 3] {
        return Err(Problem::malformed("its bounds differ in number"));
    }
    let mut slices = Separable::new("slice");
    for (((&start, &end), &axis), &step) in starts.iter().zip(&ends).zip(&axes).zip(&steps) {
        if full_axis(axis, shape.rank() + 1)? == 0 {
            keeps_batch(start, end, step, context.environment.single_sample)?;
            continue;
        }
        let axis = context.sample_axis(axis, shape.rank() + 1)?;
        let length = shape.dimensions()[axis];
        context.environment.spend_entries(length)?;
        let along = positions(start, end, step, length)?;
        if along.is_empty() {
            return Err(Problem::malformed(format!(
                "nothing is left of dimension {} of {shape}",
                axis + 1
            )));
        }
        slices.select(context, axis, &along)?;
    }
    let value = slices.emit(context, 0, input, None)?;
    context.define(Known::Data(value))
}

/// From an attribute in old models, from an input in new ones.
fn bounds(
    context: &mut NodeContext<'_>,
    name: &str,
    position: usize,
) -> Result<Option<Vec<i64>>, Problem> {
    match context.operator_set() {
        ..10 => context.integers_attribute(name),
        _ => context.integers(position),
    }
}

/// Some exporters slice the batch and keep all of it.
fn keeps_batch(start: i64, end: i64, step: i64, single_sample: bool) -> Result<(), Problem> {
    let end_is_open = end >= i64::from(i32::MAX) || (single_sample && end >= 1);
    if start == 0 && step == 1 && end_is_open {
        return Ok(());
    }
    Err(Problem::mixes_samples("it slices the batch"))
}
