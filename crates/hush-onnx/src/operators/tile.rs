//! `Tile`: repeats each sample along its dimensions.

use crate::node::{Known, NodeContext, Problem};
use crate::separable::Separable;
use hush_graph::Shape;

pub(crate) fn import(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    let input = context.data(0)?;
    let shape = context.shape(input);
    let missing = || Problem::malformed("its repeats are missing");
    let repeats = context.integers(1)?.ok_or_else(missing)?;
    let [batch, rest @ ..] = repeats.as_slice() else {
        return Err(missing());
    };
    if rest.len() != shape.rank() {
        return Err(Problem::malformed(format!(
            "its repeats are {repeats:?} for {shape}"
        )));
    }
    if *batch != 1 {
        return Err(Problem::mixes_samples("it repeats the batch"));
    }
    let mut tiled = Separable::new("tile");
    for (axis, (&length, &repeat)) in shape.dimensions().iter().zip(rest).enumerate() {
        if repeat == 1 {
            continue;
        }
        let repeat = usize::try_from(repeat).ok().filter(|&repeat| repeat > 0);
        let new_length = repeat.and_then(|repeat| repeat.checked_mul(length));
        let new_length = new_length.filter(|&length| length <= Shape::MAX_ELEMENTS);
        let bad = || Problem::malformed(format!("its repeats are {repeats:?} for {shape}"));
        tiled.along(
            context,
            axis,
            length,
            new_length.ok_or_else(bad)?,
            |position| vec![(position % length, 1.0)],
        )?;
    }
    let value = tiled.emit(context, 0, input, None)?;
    context.define(Known::Data(value))
}
