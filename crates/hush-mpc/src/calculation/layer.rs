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
        LayerSpec::BatchNorm { momentum, epsilon } => {
            let Some(&channels) = shape.first() else {
                return refuse("batch_norm", "a sample has no dimension");
            };
            if !(0.0..=1.0).contains(&momentum) || !(0.0..=1.0).contains(&epsilon) {
                return refuse("batch_norm", "momentum and epsilon are in 0..=1");
            }
            Ok((vec![vec![channels]; 4], shape.to_vec()))
        }
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

/// A layer's name, choice, counts and numbers.
pub fn layer_parts(layer: LayerSpec) -> (&'static str, &'static str, Vec<usize>, Vec<f64>) {
    let of = |kind, counts| (kind, "", counts, Vec::new());
    match layer {
        LayerSpec::Dense { units } => of("dense", vec![units]),
        LayerSpec::Convolution {
            filters,
            kernel,
            options,
        } => {
            let counts = [
                &[filters, kernel[0], kernel[1]],
                &window_counts(options)[..],
            ];
            of("convolution", counts.concat())
        }
        LayerSpec::MaxPool(window) => of("max_pool", window.to_vec()),
        LayerSpec::AveragePool(window) => of("average_pool", window.to_vec()),
        LayerSpec::Flatten => of("flatten", Vec::new()),
        LayerSpec::Relu => of("relu", Vec::new()),
        LayerSpec::Sigmoid(kind) => ("sigmoid", sigmoid_name(kind), Vec::new(), Vec::new()),
        LayerSpec::BatchNorm { momentum, epsilon } => {
            ("batch_norm", "", Vec::new(), vec![momentum, epsilon])
        }
    }
}

/// The reverse of [`layer_parts`].
///
/// # Errors
/// If there is no such layer.
pub fn layer_of(
    kind: &str,
    word: &str,
    counts: &[usize],
    numbers: &[f64],
) -> Result<LayerSpec, MpcError> {
    let found = match (kind, counts, numbers) {
        ("dense", &[units], []) => Some(LayerSpec::Dense { units }),
        ("convolution", &[filters, height, width, ref window @ ..], []) => {
            window_of(window).map(|options| LayerSpec::Convolution {
                filters,
                kernel: [height, width],
                options,
            })
        }
        ("max_pool", &[height, width], []) => Some(LayerSpec::MaxPool([height, width])),
        ("average_pool", &[height, width], []) => Some(LayerSpec::AveragePool([height, width])),
        ("flatten", [], []) => Some(LayerSpec::Flatten),
        ("relu", [], []) => Some(LayerSpec::Relu),
        ("sigmoid", [], []) => sigmoid_of(word).map(LayerSpec::Sigmoid),
        ("batch_norm", [], &[momentum, epsilon]) => {
            Some(LayerSpec::BatchNorm { momentum, epsilon })
        }
        _ => None,
    };
    match found {
        Some(layer) => Ok(layer),
        None => {
            let kind: String = kind.chars().take(40).collect();
            refuse(
                "network",
                format!(
                    "there is no layer `{kind}` with {} counts and {} numbers",
                    counts.len(),
                    numbers.len()
                ),
            )
        }
    }
}
