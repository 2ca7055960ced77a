//! `Scaler`: `(x - offset) · scale`.

use crate::node::{NodeContext, Problem};
use hush_graph::{Operator, Tensor};

pub(crate) fn import(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    let input = context.data(0)?;
    let shape = context.shape(input);
    let features = shape.dimensions().last().copied().unwrap_or(1);
    let [offset, scale] = [("offset", 0.0), ("scale", 1.0)].map(|(name, default)| {
        let numbers = context.floats_attribute(name)?.unwrap_or(vec![default]);
        match numbers.len() {
            1 => Ok(vec![numbers[0]; features]),
            length if length == features => Ok(numbers),
            length => Err(Problem::malformed(format!(
                "attribute `{name}` has {length} numbers for {features} features"
            ))),
        }
    });
    let (offset, scale) = (offset?, scale?);
    let offset = offset.iter().zip(&scale).map(|(o, s)| -o * s).collect();
    let scale = Tensor::new(vec![features], scale)?;
    let offset = Tensor::new(vec![features], offset)?;
    context.finish(Operator::Affine { scale, offset }, &[input])
}
