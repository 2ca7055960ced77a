//! Batch normalisation and scalings taken into the linear layer before them.

use hush_graph::{Graph, GraphBuilder, Operator, Tensor};

use crate::MpcError;

/// The graph with each affine map of the channels of a linear layer or convolution folded into it. What
/// is folded depends on shapes only, so the owner of the weights and everybody else get the same
/// structure.
pub fn fold(graph: &Graph) -> Result<Graph, MpcError> {
    let failed = |error: hush_graph::GraphError| MpcError::Node {
        node: graph.name().to_string(),
        reason: error.to_string(),
    };
    let is_output =
        |value: hush_graph::ValueId| graph.outputs().iter().any(|output| output.value == value);
    let mut builder = GraphBuilder::new(graph.name());
    let mut ids = vec![None; graph.values().len()];
    for &input in graph.inputs() {
        let value = graph.value(input);
        ids[input.index()] = Some(builder.input(value.name.clone(), value.shape.clone()));
    }
    let mut folded: Vec<bool> = vec![false; graph.nodes().len()];
    for (position, node) in graph.nodes().iter().enumerate() {
        if folded[position] {
            continue;
        }
        let (mut operator, mut last, mut names) = (node.operator.clone(), node, node.names.clone());
        loop {
            let mut consumers = graph
                .nodes()
                .iter()
                .enumerate()
                .filter(|(_, other)| other.inputs.contains(&last.output));
            let (Some((next, consumer)), None) = (consumers.next(), consumers.next()) else {
                break;
            };
            if is_output(last.output) {
                break;
            }
            let Operator::Affine { scale, offset } = &consumer.operator else {
                break;
            };
            let Some(joined) = joined(&operator, scale, offset) else {
                break;
            };
            operator = joined;
            names.extend(consumer.names.iter().cloned());
            folded[next] = true;
            last = consumer;
        }
        let inputs: Vec<_> = node
            .inputs
            .iter()
            .map(|input| ids[input.index()].expect("defined before use"))
            .collect();
        let name = graph.value(last.output).name.clone();
        ids[last.output.index()] = Some(
            builder
                .node(names, operator, &inputs, name)
                .map_err(failed)?,
        );
    }
    for output in graph.outputs() {
        let id = ids[output.value.index()].expect("outputs are not folded away");
        builder
            .output_of_classes(output.name.clone(), id, output.classes.clone())
            .map_err(failed)?;
    }
    builder.build().map_err(failed)
}

/// One number for each channel, if the constant says no more than that.
fn by_channel(constant: &Tensor, channels: usize, inner: usize) -> Option<Vec<f64>> {
    if let Some(value) = constant.as_scalar() {
        return Some(vec![value; channels]);
    }
    // Channels, then only dimensions of one where the layer has its spatial axes.
    let shape = constant.shape();
    let tail = shape.len().checked_sub(inner + 1)?;
    let fits = shape[..tail]
        .iter()
        .chain(&shape[tail + 1..])
        .all(|&dimension| dimension == 1);
    (fits && shape[tail] == channels).then(|| constant.data().to_vec())
}

fn joined(operator: &Operator, scale: &Tensor, offset: &Tensor) -> Option<Operator> {
    let scaled = |weight: &Tensor, scale: &[f64]| {
        let size = weight.data().len() / scale.len();
        let data = weight
            .data()
            .chunks(size)
            .zip(scale)
            .flat_map(|(row, scale)| row.iter().map(move |w| w * scale));
        Tensor::new(weight.shape().to_vec(), data.collect()).ok()
    };
    let shifted = |bias: &Option<Tensor>, scale: &[f64], offset: &[f64]| {
        let bias = bias
            .as_ref()
            .map_or(vec![0.0; scale.len()], |bias| bias.data().to_vec());
        let data = bias
            .iter()
            .zip(scale)
            .zip(offset)
            .map(|((b, s), o)| b * s + o)
            .collect();
        Tensor::new(vec![scale.len()], data).ok()
    };
    match operator {
        Operator::Linear { weight, bias } => {
            let channels = weight.shape()[0];
            let (scale, offset) = (
                by_channel(scale, channels, 0)?,
                by_channel(offset, channels, 0)?,
            );
            let bias = Some(shifted(bias, &scale, &offset)?);
            Some(Operator::Linear {
                weight: scaled(weight, &scale)?,
                bias,
            })
        }
        Operator::Convolution(convolution) => {
            let (channels, inner) = (convolution.output_channels(), convolution.kernel().len());
            let (scale, offset) = (
                by_channel(scale, channels, inner)?,
                by_channel(offset, channels, inner)?,
            );
            let mut convolution = convolution.clone();
            convolution.bias = Some(shifted(&convolution.bias, &scale, &offset)?);
            convolution.weight = scaled(&convolution.weight, &scale)?;
            Some(Operator::Convolution(convolution))
        }
        _ => None,
    }
}
