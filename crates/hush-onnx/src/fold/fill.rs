//! Constants made from their shape or their bounds.

use super::{Inputs, spend};
use crate::constant::{BATCH_SIZE, Constant, Elements};
use crate::node::{NodeContext, Problem, node_name};

/// `ConstantOfShape`. The batch becomes a dimension of one, which broadcasts to any batch.
pub(super) fn constant_of_shape(
    context: &mut NodeContext<'_>,
    inputs: &Inputs<'_>,
) -> Result<Constant, Problem> {
    let bad = || Problem::malformed("its shape has a negative dimension");
    let sizes = inputs.integers(0)?.iter().map(|&size| match size {
        BATCH_SIZE => Ok(1),
        size => usize::try_from(size).map_err(|_| bad()),
    });
    let shape = sizes.collect::<Result<Vec<usize>, _>>()?;
    let size = spend(context, &shape)?;
    let zero = || Elements::Floats(vec![0.0]);
    let value = context
        .node
        .attribute
        .iter()
        .find(|attribute| attribute.name == "value")
        .and_then(|attribute| attribute.t.as_ref());
    let value = match value {
        None => zero(),
        Some(tensor) => {
            let read = Constant::from_proto(tensor, node_name(context.node));
            let refused = |error: crate::ImportError| Problem::malformed(error.to_string());
            read.map_err(refused)?.elements
        }
    };
    let elements = match value {
        Elements::Floats(value) if value.len() == 1 => Elements::Floats(vec![value[0]; size]),
        Elements::Integers(value) if value.len() == 1 => Elements::Integers(vec![value[0]; size]),
        _ => return Err(Problem::malformed("its value is not a single number")),
    };
    Ok(Constant { shape, elements })
}

pub(super) fn range(
    context: &mut NodeContext<'_>,
    inputs: &Inputs<'_>,
) -> Result<Constant, Problem> {
    let bounds = [inputs.at(0)?, inputs.at(1)?, inputs.at(2)?];
    if bounds.iter().any(|bound| bound.holds_batch_size()) {
        return Err(Problem::mixes_samples("it counts the samples"));
    }
    let numbers = bounds.map(|bound| bound.floats());
    let [[start], [limit], [step]] = numbers.each_ref().map(Vec::as_slice) else {
        return Err(Problem::malformed("its bounds are not single numbers"));
    };
    let count = ((limit - start) / step).ceil().max(0.0);
    if !count.is_finite() {
        return Err(Problem::malformed("its bounds give no finite range"));
    }
    // The conversion saturates, and the budget refuses what is too much.
    let shape = vec![count as usize];
    let size = spend(context, &shape)?;
    let whole = |bound: &&Constant| matches!(bound.elements, Elements::Integers(_));
    let floats = (0..size).map(|position| start + position as f64 * step);
    let elements = match bounds.iter().all(whole) {
        true => Elements::Integers(floats.map(|float| float as i64).collect()),
        false => Elements::Floats(floats.collect()),
    };
    Ok(Constant { shape, elements })
}

pub(super) fn size(
    _context: &mut NodeContext<'_>,
    inputs: &Inputs<'_>,
) -> Result<Constant, Problem> {
    let size = i64::try_from(inputs.at(0)?.size());
    let size = size.map_err(|_| Problem::malformed("its input is too large"))?;
    Ok(Constant {
        shape: vec![],
        elements: Elements::Integers(vec![size]),
    })
}
