//! `Split` of each sample into several results.

use crate::node::{Known, NodeContext, Problem};
use crate::separable::Separable;

pub(crate) fn import(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    let input = context.data(0)?;
    let shape = context.shape(input);
    let axis = context.integer_attribute("axis", 0)?;
    let axis = context.sample_axis(axis, shape.rank() + 1)?;
    let length = shape.dimensions()[axis];
    let mut start = 0;
    for (output, size) in sizes(context, length)?.into_iter().enumerate() {
        let end = start + size;
        if context.has_output(output) {
            let mut part = Separable::new("split");
            part.along(context, axis, 0, size, |position| {
                vec![(start + position, 1.0)]
            })?;
            let value = part.emit(context, output, input, None)?;
            context.define_output(output, Known::Data(value));
        }
        start = end;
    }
    Ok(())
}

/// The lengths of the results along the axis; together they are `length`.
fn sizes(context: &mut NodeContext<'_>, length: usize) -> Result<Vec<usize>, Problem> {
    let given = match context.operator_set() {
        ..13 => context.integers_attribute("split")?,
        _ => context.integers(1)?,
    };
    let outputs = context.node.output.len();
    let sizes = match given {
        Some(sizes) => {
            let sizes = sizes.iter().map(|&size| usize::try_from(size));
            let bad = |_| Problem::malformed("a part has a negative length");
            sizes.collect::<Result<Vec<usize>, _>>().map_err(bad)?
        }
        None => {
            let stated = context.integer_attribute("num_outputs", outputs as i64)?;
            if outputs == 0 || stated != outputs as i64 {
                return Err(Problem::malformed(format!(
                    "it splits into {stated} parts but has {outputs} results"
                )));
            }
            // The last part may be shorter.
            let part = length.div_ceil(outputs);
            let ends = (1..=outputs).map(|end| (end * part).min(length));
            let starts = (0..outputs).map(|start| (start * part).min(length));
            ends.zip(starts).map(|(end, start)| end - start).collect()
        }
    };
    let sum = sizes
        .iter()
        .try_fold(0usize, |sum, &size| sum.checked_add(size));
    if sizes.contains(&0) {
        return Err(Problem::new(
            format!("of its parts {sizes:?} one is empty"),
            "leave out the part without elements before exporting",
        ));
    }
    if sum != Some(length) || sizes.len() != outputs {
        return Err(Problem::malformed(format!(
            "parts of {sizes:?} do not make up a dimension of {length} in {outputs} results"
        )));
    }
    Ok(sizes)
}
