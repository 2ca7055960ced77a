//! `BatchNormalization` with its stored statistics: a scale and an offset per channel.

use crate::node::{NodeContext, Problem};
use hush_graph::{Operator, Tensor};

pub(crate) fn import(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    if context.integer_attribute("training_mode", 0)? != 0 {
        return Err(Problem::new(
            "it is in training mode",
            "export the model in evaluation mode",
        ));
    }
    let input = context.data(0)?;
    let shape = context.shape(input);
    let Some(&channels) = shape.dimensions().first() else {
        return Err(Problem::malformed("its input has no channels"));
    };
    let epsilon = context.float_attribute("epsilon", f64::from(1e-5f32))?;
    let [weight, bias, mean, variance] = [
        per_channel(context, 1, channels)?,
        per_channel(context, 2, channels)?,
        per_channel(context, 3, channels)?,
        per_channel(context, 4, channels)?,
    ];
    let scale: Vec<f64> = weight
        .iter()
        .zip(&variance)
        .map(|(weight, variance)| weight / (variance + epsilon).sqrt())
        .collect();
    let offset = bias
        .iter()
        .zip(&mean)
        .zip(&scale)
        .map(|((bias, mean), scale)| bias - mean * scale);
    let offset = offset.collect();
    let mut dimensions = vec![1; shape.rank()];
    dimensions[0] = channels;
    let scale = Tensor::new(dimensions.clone(), scale)?;
    let offset = Tensor::new(dimensions, offset)?;
    context.finish(Operator::Affine { scale, offset }, &[input])
}

fn per_channel(
    context: &mut NodeContext<'_>,
    position: usize,
    channels: usize,
) -> Result<Vec<f64>, Problem> {
    let tensor = context.tensor(position)?;
    if tensor.shape() != [channels] {
        let reason =
            format!("input {position} must have one element for each of {channels} channels");
        return Err(Problem::malformed(reason));
    }
    Ok(tensor.into_data())
}
