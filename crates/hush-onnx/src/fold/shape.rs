//! Constants under another shape.

use super::{Inputs, spend};
use crate::constant::{BATCH_SIZE, Constant};
use crate::node::{NodeContext, Problem, full_axis};
use std::collections::BTreeSet;

pub(super) fn identity(
    context: &mut NodeContext<'_>,
    inputs: &Inputs<'_>,
) -> Result<Constant, Problem> {
    let input = inputs.at(0)?;
    reshaped(context, input, input.shape.clone())
}

pub(super) fn flatten(
    context: &mut NodeContext<'_>,
    inputs: &Inputs<'_>,
) -> Result<Constant, Problem> {
    let input = inputs.at(0)?;
    let rank = input.shape.len();
    let axis = context.integer_attribute("axis", 1)?;
    // Unlike other axes, this one may point past the last dimension.
    let axis = if axis == rank as i64 {
        rank
    } else {
        full_axis(axis, rank)?
    };
    let (before, after) = input.shape.split_at(axis);
    reshaped(
        context,
        input,
        vec![before.iter().product(), after.iter().product()],
    )
}

pub(super) fn reshape(
    context: &mut NodeContext<'_>,
    inputs: &Inputs<'_>,
) -> Result<Constant, Problem> {
    let input = inputs.at(0)?;
    let copies_zero = context.integer_attribute("allowzero", 0)? == 0;
    let target = inputs.integers(1)?;
    let name = &context.node.input[0];
    if target.contains(&BATCH_SIZE) && !context.environment.batched.contains(name) {
        return Err(Problem::mixes_samples(format!(
            "it gives a constant of shape {:?} the batch of the data",
            input.shape
        )));
    }
    let bad = || Problem::malformed(format!("{:?} cannot become {target:?}", input.shape));
    let mut shape = Vec::with_capacity(target.len());
    let mut free = None;
    for (axis, &size) in target.iter().enumerate() {
        shape.push(match size {
            BATCH_SIZE => 1,
            0 if copies_zero => *input.shape.get(axis).ok_or_else(bad)?,
            -1 if free.is_none() => {
                free = Some(axis);
                1
            }
            size => usize::try_from(size).map_err(|_| bad())?,
        });
    }
    if let Some(free) = free {
        let known = shape
            .iter()
            .try_fold(1usize, |size, &d| size.checked_mul(d))
            .ok_or_else(bad)?;
        shape[free] = input.size().checked_div(known).ok_or_else(bad)?;
    }
    reshaped(context, input, shape)
}

pub(super) fn squeeze(
    context: &mut NodeContext<'_>,
    inputs: &Inputs<'_>,
) -> Result<Constant, Problem> {
    let input = inputs.at(0)?;
    let rank = input.shape.len();
    let removed: BTreeSet<usize> = match axes(context, inputs)? {
        None => (0..rank).filter(|&axis| input.shape[axis] == 1).collect(),
        Some(axes) => axes
            .iter()
            .map(|&axis| full_axis(axis, rank))
            .collect::<Result<_, _>>()?,
    };
    let kept = (0..rank).filter(|axis| !removed.contains(axis));
    reshaped(context, input, kept.map(|axis| input.shape[axis]).collect())
}

pub(super) fn unsqueeze(
    context: &mut NodeContext<'_>,
    inputs: &Inputs<'_>,
) -> Result<Constant, Problem> {
    let input = inputs.at(0)?;
    let axes = axes(context, inputs)?.ok_or_else(|| Problem::malformed("its axes are missing"))?;
    let rank = input.shape.len() + axes.len();
    let inserted = axes
        .iter()
        .map(|&axis| full_axis(axis, rank))
        .collect::<Result<BTreeSet<_>, _>>()?;
    let mut old = input.shape.iter().copied();
    let size = |axis| {
        if inserted.contains(&axis) {
            Some(1)
        } else {
            old.next()
        }
    };
    let shape = (0..rank).map_while(size).collect();
    reshaped(context, input, shape)
}

/// From an attribute in old models, from an input in new ones.
fn axes(context: &NodeContext<'_>, inputs: &Inputs<'_>) -> Result<Option<Vec<i64>>, Problem> {
    match context.operator_set() {
        ..13 => context.integers_attribute("axes"),
        _ => Ok(inputs.optional_integers(1)?.map(<[i64]>::to_vec)),
    }
}

fn reshaped(
    context: &mut NodeContext<'_>,
    input: &Constant,
    shape: Vec<usize>,
) -> Result<Constant, Problem> {
    if spend(context, &shape)? != input.size() {
        return Err(Problem::malformed(format!(
            "{:?} cannot become {shape:?}",
            input.shape
        )));
    }
    Ok(Constant {
        shape,
        elements: input.elements.clone(),
    })
}
