//! `Expand`: repeats each sample along dimensions of one.

use crate::constant::BATCH_SIZE;
use crate::node::{Known, NodeContext, Problem};
use hush_graph::{Movement, Operator, Shape, broadcast_shape};

pub(crate) fn import(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    let input = context.data(0)?;
    let shape = context.shape(input);
    let missing = || Problem::malformed("its shape is missing");
    let target = context.integers(1)?.ok_or_else(missing)?;
    let rest = match target.split_first() {
        _ if target.len() <= shape.rank() => target.as_slice(),
        Some((&(1 | BATCH_SIZE), rest)) if rest.len() == shape.rank() => rest,
        _ => {
            return Err(Problem::mixes_samples(format!(
                "it expands the batch of {shape}"
            )));
        }
    };
    let bad = || Problem::malformed(format!("{shape} cannot expand to {rest:?}"));
    let sizes = rest.iter().map(|&size| usize::try_from(size).ok());
    let sizes: Vec<usize> = sizes.collect::<Option<_>>().ok_or_else(bad)?;
    let expanded = Shape::new(broadcast_shape(shape.dimensions(), &sizes).ok_or_else(bad)?)?;
    if expanded == shape {
        return context.define(Known::Data(input));
    }
    let expand = Operator::Movement(Movement::Expand { shape: expanded });
    context.finish(expand, &[input])
}
