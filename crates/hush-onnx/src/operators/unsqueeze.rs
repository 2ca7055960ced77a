//! `Unsqueeze`: inserts dimensions of one.

use crate::node::{NodeContext, Problem};
use hush_graph::{Movement, Operator, Shape};
use std::collections::BTreeSet;

pub(crate) fn import(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    let input = context.data(0)?;
    let shape = context.shape(input);
    let axes = match context.operator_set() {
        ..13 => context.integers_attribute("axes")?,
        _ => context.integers(1)?,
    };
    let axes = axes.ok_or_else(|| Problem::malformed("its axes are missing"))?;
    let full_rank = shape.rank() + 1 + axes.len();
    let inserted = axes
        .iter()
        .map(|&axis| context.sample_axis(axis, full_rank))
        .collect::<Result<BTreeSet<usize>, Problem>>()?;
    if inserted.len() != axes.len() {
        return Err(Problem::malformed("it names an axis twice"));
    }
    let mut old = shape.dimensions().iter().copied();
    let dimensions = (0..full_rank - 1)
        .map(|axis| {
            if inserted.contains(&axis) {
                1
            } else {
                old.next().unwrap_or(1)
            }
        })
        .collect();
    let shape = Shape::new(dimensions)?;
    context.finish(Operator::Movement(Movement::Reshape { shape }), &[input])
}
