//! `DepthToSpace` and `SpaceToDepth`: channels become blocks of the image, and back.

use crate::node::{NodeContext, Problem};
use hush_graph::{Movement, Operator, Shape, ValueId};

pub(crate) fn import(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    let input = context.data(0)?;
    let (block, [channels, height, width]) = read(context, input)?;
    if !channels.is_multiple_of(block * block) {
        return Err(Problem::malformed(format!(
            "{channels} channels are not a multiple of {}",
            block * block
        )));
    }
    let depth = channels / (block * block);
    let (split, permutation) = match context.text_attribute("mode", "DCR")?.as_str() {
        "DCR" => ([block, block, depth, height, width], [2, 3, 0, 4, 1]),
        "CRD" => ([depth, block, block, height, width], [0, 3, 1, 4, 2]),
        other => return Err(Problem::malformed(format!("its mode is `{other}`"))),
    };
    let joined = [depth, height * block, width * block];
    rearrange(context, input, split, permutation, joined)
}

pub(crate) fn import_inverse(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    let input = context.data(0)?;
    let (block, [channels, height, width]) = read(context, input)?;
    if !height.is_multiple_of(block) || !width.is_multiple_of(block) {
        return Err(Problem::malformed(format!(
            "{height} by {width} cannot be cut into blocks of {block}"
        )));
    }
    let (rows, columns) = (height / block, width / block);
    let split = [channels, rows, block, columns, block];
    let joined = [channels * block * block, rows, columns];
    rearrange(context, input, split, [2, 4, 0, 1, 3], joined)
}

/// The length of a block and the dimensions of the input; their squares do not overflow.
fn read(context: &NodeContext<'_>, input: ValueId) -> Result<(usize, [usize; 3]), Problem> {
    let block = context.integer_attribute("blocksize", 0)?;
    let bad = || Problem::malformed(format!("its blocksize is {block}"));
    let valid = |block: &usize| (1..Shape::MAX_ELEMENTS).contains(block);
    let block = usize::try_from(block).ok().filter(valid).ok_or_else(bad)?;
    let shape = context.shape(input);
    match *shape.dimensions() {
        [channels, height, width] => Ok((block, [channels, height, width])),
        _ => Err(Problem::malformed(format!("{shape} is not an image"))),
    }
}

fn rearrange(
    context: &mut NodeContext<'_>,
    input: ValueId,
    split: [usize; 5],
    permutation: [usize; 5],
    joined: [usize; 3],
) -> Result<(), Problem> {
    let reshape = |dimensions: &[usize]| -> Result<Operator, Problem> {
        let shape = Shape::new(dimensions.to_vec())?;
        Ok(Operator::Movement(Movement::Reshape { shape }))
    };
    let permutation = permutation.to_vec();
    let split = context.emit(reshape(&split)?, &[input])?;
    let moved = Operator::Movement(Movement::Transpose { permutation });
    let moved = context.emit(moved, &[split])?;
    context.finish(reshape(&joined)?, &[moved])
}
