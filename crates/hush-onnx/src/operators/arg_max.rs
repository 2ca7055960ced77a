//! `ArgMax` and `ArgMin` within each sample.

use crate::node::{NodeContext, Problem};
use hush_graph::{Operator, ValueId};

pub(crate) fn import(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    let input = context.data(0)?;
    largest(context, input)
}

pub(crate) fn import_min(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    let input = context.data(0)?;
    let negated = context.emit(Operator::affine(-1.0, 0.0), &[input])?;
    largest(context, negated)
}

fn largest(context: &mut NodeContext<'_>, input: ValueId) -> Result<(), Problem> {
    let full_rank = context.shape(input).rank() + 1;
    let axis = context.integer_attribute("axis", 0)?;
    let axis = context.sample_axis(axis, full_rank)?;
    let keep_dimension = context.integer_attribute("keepdims", 1)? != 0;
    let last = context.integer_attribute("select_last_index", 0)? != 0;
    context.finish(
        Operator::ArgMax {
            axis,
            keep_dimension,
            last,
        },
        &[input],
    )
}
