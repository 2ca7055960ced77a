//! `Transpose` of the dimensions of a sample.

use crate::node::{NodeContext, Problem};
use hush_graph::{Movement, Operator};

pub(crate) fn import(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    let input = context.data(0)?;
    let full_rank = context.shape(input).rank() + 1;
    let reversed = || (0..full_rank as i64).rev().collect();
    let order = context.integers_attribute("perm")?.unwrap_or_else(reversed);
    if order.first() != Some(&0) {
        return Err(Problem::mixes_samples(format!(
            "its order {order:?} moves the batch"
        )));
    }
    let axes = order[1..]
        .iter()
        .map(|&axis| context.sample_axis(axis, full_rank));
    let permutation = axes.collect::<Result<Vec<usize>, Problem>>()?;
    context.finish(
        Operator::Movement(Movement::Transpose { permutation }),
        &[input],
    )
}
