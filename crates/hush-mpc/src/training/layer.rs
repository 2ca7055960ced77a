//! Layers, forwards and backwards.

use hush_simd::words::Word;

use super::gradient::{input_gradient, kernel_gradient};
use super::normalize::{BatchNorm, NormTrace};
use super::pool::{self, PoolTrace};
use super::{Draw, TRAINED};
use crate::operations::{self, Convolution2d};
use crate::{Bits, Fixed, MpcError, Protocol, Secret};

/// What a layer is.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum LayerSpec {
    /// `x · W + b` on the last axis.
    Dense {
        /// Results for each sample.
        units: usize,
    },
    /// A convolution of `[channels, height, width]`, with a bias.
    Convolution {
        /// Channels of the result.
        filters: usize,
        /// Height and width of the window.
        kernel: [usize; 2],
        /// How the window moves.
        options: Convolution2d,
    },
    /// The largest of each window of this height and width; windows do not overlap.
    MaxPool([usize; 2]),
    /// The mean of each window; windows do not overlap.
    AveragePool([usize; 2]),
    /// All dimensions of a sample as one.
    Flatten,
    /// `max(x, 0)`.
    Relu,
    /// A sigmoid.
    Sigmoid(SigmoidKind),
    /// Each channel (the first dimension of a sample) with the mean and variance of two weights: normalised by the
    /// statistics of the batch in training, by their running means in predictions.
    BatchNorm {
        /// What is kept of the running means at each step.
        momentum: f64,
        /// Added to variances.
        epsilon: f64,
    },
}

/// How a sigmoid is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SigmoidKind {
    /// Three linear pieces, off by up to 0.38 (at ±1/2); the cheapest.
    Three,
    /// Five linear pieces, off by at most 0.03.
    Five,
    /// Off by at most 1e-4.
    Accurate,
}

/// A layer with its weights.
pub(super) enum Layer<W> {
    Dense {
        weight: Secret<W>,
        bias: Secret<W>,
    },
    Convolution {
        weight: Secret<W>,
        bias: Secret<W>,
        options: Convolution2d,
    },
    MaxPool([usize; 2]),
    AveragePool([usize; 2]),
    Flatten,
    Relu,
    Sigmoid(SigmoidKind),
    BatchNorm(Box<BatchNorm<W>>),
}

/// What the way back needs of the way there.
pub(super) enum Trace<W> {
    Input(Secret<W>),
    Shape(Vec<usize>),
    Positive(Bits),
    Pool(PoolTrace),
    Sigmoid(Secret<W>),
    Norm(NormTrace<W>),
}

/// The sigmoid of a kind.
pub(super) fn sigmoid<W: Word>(
    protocol: &mut dyn Protocol<W>,
    x: &Secret<W>,
    kind: SigmoidKind,
) -> Result<Secret<W>, MpcError> {
    match kind {
        SigmoidKind::Three => operations::sigmoid_three(protocol, x),
        SigmoidKind::Five => operations::sigmoid_five(protocol, x),
        SigmoidKind::Accurate => {
            let function = |x: f64| 1.0 / (1.0 + libm::exp(-x));
            let fitted =
                operations::Piecewise::fit(function, (-10.0, 10.0), (0.0, 0.0), (1.0, 0.0), 1e-4);
            operations::piecewise(protocol, x, &fitted)
        }
    }
}

fn wrong<T>(operation: &'static str, shape: &[usize], reason: &str) -> Result<T, MpcError> {
    Err(MpcError::Shape {
        operation,
        shape: shape.to_vec(),
        reason: reason.to_string(),
    })
}

impl<W: Word> Layer<W> {
    /// The layer for samples of a shape, and the shape of its results.
    pub(super) fn build(
        protocol: &dyn Protocol<W>,
        spec: LayerSpec,
        shape: &[usize],
        fixed: Fixed,
        draw: &mut Draw,
    ) -> Result<(Self, Vec<usize>), MpcError> {
        let mut uniform = |shape: &[usize], inputs: usize, outputs: usize| {
            let limit = libm::sqrt(6.0 / (inputs + outputs) as f64);
            Secret::public(
                protocol,
                shape,
                fixed,
                &draw.uniform(limit, shape.iter().product()),
            )
        };
        let zeros = |count: usize| Secret::public(protocol, &[count], fixed, &vec![0.0; count]);
        match spec {
            LayerSpec::Dense { units } => {
                let Some((&inputs, outer)) = shape.split_last() else {
                    return wrong("dense layer", shape, "a sample has no dimension");
                };
                let layer = Layer::Dense {
                    weight: uniform(&[inputs, units], inputs, units)?,
                    bias: zeros(units)?,
                };
                Ok((layer, [outer, &[units]].concat()))
            }
            LayerSpec::Convolution {
                filters,
                kernel,
                options,
            } => {
                let &[channels, height, width] = shape else {
                    return wrong(
                        "convolution",
                        shape,
                        "a sample needs channels, height and width",
                    );
                };
                let group = channels / options.groups.max(1);
                let kernel = [filters, group, kernel[0], kernel[1]];
                let map = operations::ConvolutionMap::new(
                    options,
                    &[1, channels, height, width],
                    &kernel,
                );
                let Some(map) = map else {
                    return wrong("convolution", shape, "the window does not fit");
                };
                let window = kernel[2] * kernel[3];
                let weight = uniform(&kernel, group * window, filters * window)?;
                let layer = Layer::Convolution {
                    weight,
                    bias: zeros(filters)?,
                    options,
                };
                Ok((layer, map.result_shape()[1..].to_vec()))
            }
            LayerSpec::MaxPool(window) | LayerSpec::AveragePool(window) => {
                let &[channels, height, width] = shape else {
                    return wrong(
                        "pooling",
                        shape,
                        "a sample needs channels, height and width",
                    );
                };
                if window.contains(&0)
                    || !height.is_multiple_of(window[0])
                    || !width.is_multiple_of(window[1])
                {
                    return wrong(
                        "pooling",
                        shape,
                        "the windows do not cover height and width",
                    );
                }
                let result = vec![channels, height / window[0], width / window[1]];
                let max = matches!(spec, LayerSpec::MaxPool(_));
                Ok((
                    if max {
                        Layer::MaxPool(window)
                    } else {
                        Layer::AveragePool(window)
                    },
                    result,
                ))
            }
            LayerSpec::Flatten => Ok((Layer::Flatten, vec![shape.iter().product()])),
            LayerSpec::Relu => Ok((Layer::Relu, shape.to_vec())),
            LayerSpec::Sigmoid(kind) => Ok((Layer::Sigmoid(kind), shape.to_vec())),
            LayerSpec::BatchNorm { momentum, epsilon } => {
                let Some(&channels) = shape.first() else {
                    return wrong("batch normalisation", shape, "a sample has no dimension");
                };
                let norm = BatchNorm::new(protocol, channels, fixed, (momentum, epsilon))?;
                Ok((Layer::BatchNorm(Box::new(norm)), shape.to_vec()))
            }
        }
    }

    /// Weights and biases, and running statistics behind them.
    pub(super) fn parameters(&self) -> Vec<&Secret<W>> {
        match self {
            Layer::Dense { weight, bias } | Layer::Convolution { weight, bias, .. } => {
                vec![weight, bias]
            }
            Layer::BatchNorm(norm) => vec![&norm.scale, &norm.shift, &norm.mean, &norm.variance],
            _ => Vec::new(),
        }
    }

    pub(super) fn parameters_mut(&mut self) -> Vec<&mut Secret<W>> {
        match self {
            Layer::Dense { weight, bias } | Layer::Convolution { weight, bias, .. } => {
                vec![weight, bias]
            }
            Layer::BatchNorm(norm) => vec![
                &mut norm.scale,
                &mut norm.shift,
                &mut norm.mean,
                &mut norm.variance,
            ],
            _ => Vec::new(),
        }
    }

    /// What gradients change: parameters without running statistics.
    pub(super) fn trained(&self) -> Vec<&Secret<W>> {
        let mut parameters = self.parameters();
        parameters.truncate(TRAINED);
        parameters
    }

    /// As [`Layer::trained`].
    pub(super) fn trained_mut(&mut self) -> Vec<&mut Secret<W>> {
        let mut parameters = self.parameters_mut();
        parameters.truncate(TRAINED);
        parameters
    }

    /// Takes what a batch tells of its statistics.
    pub(super) fn absorb(
        &mut self,
        protocol: &mut dyn Protocol<W>,
        trace: &Trace<W>,
    ) -> Result<(), MpcError> {
        match (self, trace) {
            (Layer::BatchNorm(norm), Trace::Norm(trace)) => norm.absorb(protocol, trace),
            _ => Ok(()),
        }
    }

    /// The result without a trace, as predictions need it.
    pub(super) fn predict(
        &self,
        protocol: &mut dyn Protocol<W>,
        x: &Secret<W>,
        fixed: Fixed,
    ) -> Result<Secret<W>, MpcError> {
        match self {
            Layer::BatchNorm(norm) => norm.predict(protocol, x, fixed),
            layer => Ok(layer.forward(protocol, x, fixed)?.0),
        }
    }

    pub(super) fn forward(
        &self,
        protocol: &mut dyn Protocol<W>,
        x: &Secret<W>,
        fixed: Fixed,
    ) -> Result<(Secret<W>, Trace<W>), MpcError> {
        match self {
            Layer::Dense { weight, bias } => {
                let (rows, inputs) = flat(x)?;
                let rows_of = x.clone().reshape(vec![rows, inputs])?;
                let product = operations::matrix_product_to(protocol, &rows_of, weight, fixed)?;
                let sum = product
                    .add(&bias.broadcast_to(product.shape())?)?
                    .declare(fixed.integer_bits);
                let mut shape = x.shape().to_vec();
                if let Some(last) = shape.last_mut() {
                    *last = weight.shape()[1];
                }
                Ok((sum.reshape(shape)?, Trace::Input(x.clone())))
            }
            Layer::Convolution {
                weight,
                bias,
                options,
            } => {
                let result = operations::convolve(protocol, x, weight, *options, Some(fixed))?;
                let filters = bias.len();
                let bias = bias
                    .clone()
                    .reshape(vec![filters, 1, 1])?
                    .broadcast_to(result.shape())?;
                Ok((
                    result.add(&bias)?.declare(fixed.integer_bits),
                    Trace::Input(x.clone()),
                ))
            }
            Layer::MaxPool(window) => {
                let (result, trace) = pool::max_forward(protocol, x, *window)?;
                Ok((result, Trace::Pool(trace)))
            }
            Layer::AveragePool(window) => {
                let result = pool::average_forward(protocol, x, *window)?;
                Ok((result, Trace::Shape(x.shape().to_vec())))
            }
            Layer::Flatten => {
                let shape = x.shape().to_vec();
                let size = shape[1..].iter().product();
                Ok((
                    x.clone().reshape(vec![shape[0], size])?,
                    Trace::Shape(shape),
                ))
            }
            Layer::Relu => {
                let positive = operations::is_negative(protocol, x)?.not(protocol.constant_part());
                let kept = protocol.inject(&positive, x.share())?;
                Ok((x.with_share(x.fixed(), kept), Trace::Positive(positive)))
            }
            Layer::Sigmoid(kind) => {
                let result = sigmoid(protocol, x, *kind)?;
                Ok((result.clone(), Trace::Sigmoid(result)))
            }
            Layer::BatchNorm(norm) => {
                let (result, trace) = norm.forward(protocol, x, fixed)?;
                Ok((result, Trace::Norm(trace)))
            }
        }
    }

    /// Gradients of the parameters, and of the input if it is wanted.
    #[allow(clippy::type_complexity)]
    pub(super) fn backward(
        &self,
        protocol: &mut dyn Protocol<W>,
        trace: &Trace<W>,
        gradient: &Secret<W>,
        fixed: Fixed,
        wanted: bool,
    ) -> Result<(Vec<Secret<W>>, Option<Secret<W>>), MpcError> {
        let alone = |gradient: Secret<W>| Ok((Vec::new(), Some(gradient)));
        match (self, trace) {
            (Layer::Dense { weight, .. }, Trace::Input(x)) => {
                let (rows, inputs) = flat(x)?;
                let turned = x.clone().reshape(vec![rows, inputs])?.transpose(&[1, 0])?;
                let units = weight.shape()[1];
                let flat_gradient = gradient.clone().reshape(vec![rows, units])?;
                let of_weight =
                    operations::matrix_product_to(protocol, &turned, &flat_gradient, fixed)?;
                let of_bias = flat_gradient.declare(0).sum(0)?.declare(fixed.integer_bits);
                let of_input = if wanted {
                    let flat_gradient = gradient.clone().reshape(vec![rows, units])?;
                    let product = operations::matrix_product_to(
                        protocol,
                        &flat_gradient,
                        &weight.transpose(&[1, 0])?,
                        fixed,
                    )?;
                    Some(product.reshape(x.shape().to_vec())?)
                } else {
                    None
                };
                Ok((vec![of_weight, of_bias], of_input))
            }
            (
                Layer::Convolution {
                    weight, options, ..
                },
                Trace::Input(x),
            ) => {
                let of_weight =
                    kernel_gradient(protocol, x, gradient, weight.shape(), *options, fixed)?;
                let &[samples, filters, height, width] = gradient.shape() else {
                    return wrong(
                        "convolution",
                        gradient.shape(),
                        "a gradient needs four dimensions",
                    );
                };
                let lines = gradient
                    .clone()
                    .reshape(vec![samples, filters, height * width])?;
                let of_bias = lines
                    .transpose(&[0, 2, 1])?
                    .reshape(vec![samples * height * width, filters])?;
                let of_bias = of_bias.declare(0).sum(0)?.declare(fixed.integer_bits);
                let of_input = if wanted {
                    Some(input_gradient(
                        protocol,
                        weight,
                        gradient,
                        x.shape(),
                        *options,
                        fixed,
                    )?)
                } else {
                    None
                };
                Ok((vec![of_weight, of_bias], of_input))
            }
            (Layer::MaxPool(window), Trace::Pool(trace)) => {
                alone(pool::max_backward(protocol, gradient, trace, *window)?)
            }
            (Layer::AveragePool(window), Trace::Shape(shape)) => {
                alone(pool::average_backward(protocol, gradient, shape, *window)?)
            }
            (Layer::Flatten, Trace::Shape(shape)) => {
                alone(gradient.clone().reshape(shape.clone())?)
            }
            (Layer::Relu, Trace::Positive(positive)) => {
                let kept = protocol.inject(positive, gradient.share())?;
                alone(gradient.with_share(gradient.fixed(), kept))
            }
            (Layer::Sigmoid(_), Trace::Sigmoid(result)) => {
                // σ' = σ (1 - σ).
                let rest = result.negate().add_public(&*protocol, &[1.0])?;
                let slope = operations::multiply_to(
                    protocol,
                    result,
                    &rest,
                    Fixed {
                        integer_bits: 1,
                        ..fixed
                    },
                )?;
                alone(operations::multiply_to(protocol, gradient, &slope, fixed)?)
            }
            (Layer::BatchNorm(norm), Trace::Norm(trace)) => {
                norm.backward(protocol, trace, gradient, fixed, wanted)
            }
            _ => wrong(
                "gradient",
                gradient.shape(),
                "a layer met the trace of another one",
            ),
        }
    }
}

/// Rows and the length of the last axis.
fn flat<W: Word>(x: &Secret<W>) -> Result<(usize, usize), MpcError> {
    match x.shape().last() {
        Some(&inputs) if inputs > 0 => Ok((x.len() / inputs, inputs)),
        _ => wrong("dense layer", x.shape(), "a sample has no element"),
    }
}
