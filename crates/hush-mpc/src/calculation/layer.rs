//! Layers: what they make of shapes, and their names in files and in Python.

use crate::MpcError;
use crate::calculation::operation::{window_counts, window_of};
use crate::calculation::scope::refuse;
use crate::calculation::shape::{convolved, pooled};
use crate::training::{LayerSpec, SigmoidKind};

/// The shapes of a layer's weights and biases, and of its result for samples of a shape.
pub(super) fn shapes(
    layer: LayerSpec,
    shape: &[usize],
) -> Result<(Vec<Vec<usize>>, Vec<usize>), MpcError> {
    let alone = |shape: Vec<usize>| Ok((Vec::new(), shape));
    match layer {
        LayerSpec::Dense { units } => {
            let Some((&inputs, outer)) = shape.split_last() else {
                return refuse("dense", "a sample has no dimension");
            };
            Ok((
                vec![vec![inputs, units], vec![units]],
                [outer, &[units]].concat(),
            ))
        }
        LayerSpec::Convolution {
            filters,
            kernel,
            options,
        } => {
            let &[channels, height, width] = shape else {
                return refuse(
                    "convolution",
                    format!("a sample has channels, height and width, not shape {shape:?}"),
                );
            };
            let weight = vec![
                filters,
                channels / options.groups.max(1),
                kernel[0],
                kernel[1],
            ];
            let result = convolved(options, &[1, channels, height, width], &weight)?;
            Ok((vec![weight, vec![filters]], result[1..].to_vec()))
        }
        LayerSpec::MaxPool(window) | LayerSpec::AveragePool(window) => {
            let &[channels, height, width] = shape else {
                return refuse(
                    "pooling",
                    format!("a sample has channels, height and width, not shape {shape:?}"),
                );
            };
            alone(pooled(window, &[1, channels, height, width])?[1..].to_vec())
        }
        LayerSpec::Flatten => alone(vec![shape.iter().product()]),
        LayerSpec::Relu | LayerSpec::Sigmoid(_) => alone(shape.to_vec()),
    }
}

pub(super) fn sigmoid_name(kind: SigmoidKind) -> &'static str {
    match kind {
        SigmoidKind::Three => "three",
        SigmoidKind::Five => "five",
        SigmoidKind::Accurate => "accurate",
    }
}

pub(super) fn sigmoid_of(name: &str) -> Option<SigmoidKind> {
    Some(match name {
        "three" => SigmoidKind::Three,
        "five" => SigmoidKind::Five,
        "accurate" => SigmoidKind::Accurate,
        _ => return None,
    })
}

/// A layer's name, choice and counts.
pub fn layer_parts(layer: LayerSpec) -> (&'static str, &'static str, Vec<usize>) {
    match layer {
        LayerSpec::Dense { units } => ("dense", "", vec![units]),
        LayerSpec::Convolution {
            filters,
            kernel,
            options,
        } => {
            let counts = [
                &[filters, kernel[0], kernel[1]],
                &window_counts(options)[..],
            ];
            ("convolution", "", counts.concat())
        }
        LayerSpec::MaxPool(window) => ("max_pool", "", window.to_vec()),
        LayerSpec::AveragePool(window) => ("average_pool", "", window.to_vec()),
        LayerSpec::Flatten => ("flatten", "", Vec::new()),
        LayerSpec::Relu => ("relu", "", Vec::new()),
        LayerSpec::Sigmoid(kind) => ("sigmoid", sigmoid_name(kind), Vec::new()),
    }
}

/// The reverse of [`layer_parts`].
///
/// # Errors
/// If there is no such layer.
pub fn layer_of(kind: &str, word: &str, counts: &[usize]) -> Result<LayerSpec, MpcError> {
    let found = match (kind, counts) {
        ("dense", &[units]) => Some(LayerSpec::Dense { units }),
        ("convolution", &[filters, height, width, ref window @ ..]) => {
            window_of(window).map(|options| LayerSpec::Convolution {
                filters,
                kernel: [height, width],
                options,
            })
        }
        ("max_pool", &[height, width]) => Some(LayerSpec::MaxPool([height, width])),
        ("average_pool", &[height, width]) => Some(LayerSpec::AveragePool([height, width])),
        ("flatten", []) => Some(LayerSpec::Flatten),
        ("relu", []) => Some(LayerSpec::Relu),
        ("sigmoid", []) => sigmoid_of(word).map(LayerSpec::Sigmoid),
        _ => None,
    };
    match found {
        Some(layer) => Ok(layer),
        None => {
            let kind: String = kind.chars().take(40).collect();
            refuse(
                "network",
                format!("there is no layer `{kind}` with {} counts", counts.len()),
            )
        }
    }
}
