//! `Squeeze`: removes dimensions of one.

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
    let removed: BTreeSet<usize> = match axes {
        Some(axes) => axes
            .into_iter()
            .map(|axis| context.sample_axis(axis, shape.rank() + 1))
            .collect::<Result<_, Problem>>()?,
        None if context.environment.single_sample => {
            return Err(Problem::mixes_samples(
                "without axes it removes the batch of one",
            ));
        }
        None => (0..shape.rank())
            .filter(|&axis| shape.dimensions()[axis] == 1)
            .collect(),
    };
    if let Some(&axis) = removed.iter().find(|&&axis| shape.dimensions()[axis] != 1) {
        return Err(Problem::malformed(format!(
            "dimension {} of {shape} is not one",
            axis + 1
        )));
    }
    let kept = (0..shape.rank()).filter(|axis| !removed.contains(axis));
    let shape = Shape::new(kept.map(|axis| shape.dimensions()[axis]).collect())?;
    context.finish(Operator::Movement(Movement::Reshape { shape }), &[input])
}
