//! Convolutions over any number of spatial axes.

use crate::shape::strides;
use crate::{Shape, SparseMatrix, Tensor};
use std::fmt;
use std::ops::Range;

/// `y[o, p] = bias[o] + Σ weight[o, c, k] · x[first channel of the group of o + c, p · stride + k · dilation − padding]`,
/// with zeros around the input (a cross-correlation, as in ONNX).
///
/// Input `[in_channels, spatial…]`, result `[out_channels, spatial…]`; all lists have one entry for
/// each spatial axis, of which there is at least one.
#[derive(Debug, Clone, PartialEq)]
pub struct Convolution {
    /// Shape `[out_channels, in_channels / groups, kernel…]`.
    pub weight: Tensor,
    /// Shape `[out_channels]`.
    pub bias: Option<Tensor>,
    /// Steps of the window, at least one.
    pub strides: Vec<usize>,
    /// Zeros before and after.
    pub padding: Vec<(usize, usize)>,
    /// Distance between neighbouring kernel elements, at least one.
    pub dilations: Vec<usize>,
    /// Into how many groups the channels are divided; each output channel reads one group.
    pub groups: usize,
}

/// Elements on one line of the last axis: output `output + i` reads input `input + i · stride`.
struct Line {
    output: usize,
    input: usize,
    length: usize,
}

impl Convolution {
    /// The number of output channels.
    pub fn output_channels(&self) -> usize {
        self.weight.shape()[0]
    }

    /// The number of input channels that one output channel reads.
    pub fn group_channels(&self) -> usize {
        self.weight.shape()[1]
    }

    /// The dimensions of the kernel.
    pub fn kernel(&self) -> &[usize] {
        &self.weight.shape()[2..]
    }

    /// Whether every constant is a finite number.
    pub(crate) fn is_finite(&self) -> bool {
        self.weight.is_finite() && self.bias.as_ref().is_none_or(Tensor::is_finite)
    }

    /// The shape of the result, or what does not fit.
    pub(crate) fn result_shape(&self, input: &Shape) -> Result<Shape, String> {
        let weight = self.weight.shape();
        let axes = weight.len().saturating_sub(2);
        if axes == 0 || input.rank() != axes + 1 {
            return Err(format!(
                "a kernel of shape {weight:?} needs {} dimensions after the batch",
                axes.max(1) + 1
            ));
        }
        if [self.strides.len(), self.padding.len(), self.dilations.len()] != [axes; 3] {
            return Err(format!(
                "strides, padding and dilations need {axes} entries each"
            ));
        }
        let positive = |list: &[usize]| list.iter().all(|&entry| entry > 0);
        if !positive(weight) || !positive(&self.strides) || !positive(&self.dilations) {
            return Err("kernel, strides and dilations must be positive".to_string());
        }
        let outputs = weight[0];
        if self.groups == 0 || !outputs.is_multiple_of(self.groups) {
            return Err(format!(
                "{outputs} channels cannot be divided into {} groups",
                self.groups
            ));
        }
        if weight[1].checked_mul(self.groups) != Some(input.dimensions()[0]) {
            return Err(format!(
                "a kernel of shape {weight:?} in {} groups does not read {} channels",
                self.groups,
                input.dimensions()[0]
            ));
        }
        let is_wrong = |bias: &Tensor| bias.shape() != [outputs];
        if self.bias.as_ref().is_some_and(is_wrong) {
            return Err(format!("the bias must have {outputs} elements"));
        }
        let mut dimensions = vec![outputs];
        for axis in 0..axes {
            let length = self.output_length(axis, input.dimensions()[axis + 1]);
            dimensions.push(length.ok_or_else(|| {
                format!(
                    "the window is larger than dimension {} with its padding",
                    axis + 2
                )
            })?);
        }
        Shape::new(dimensions).map_err(|error| error.to_string())
    }

    fn output_length(&self, axis: usize, length: usize) -> Option<usize> {
        let (before, after) = self.padding[axis];
        let padded = length.checked_add(before)?.checked_add(after)?;
        let window = (self.kernel()[axis] - 1)
            .checked_mul(self.dilations[axis])?
            .checked_add(1)?;
        Some(padded.checked_sub(window)? / self.strides[axis] + 1)
    }

    /// Dimensions of the result without the channels. The graph checked `input`.
    fn output_dimensions(&self, input: &Shape) -> Vec<usize> {
        let lengths = input.dimensions()[1..].iter().enumerate();
        lengths
            .map(|(axis, &length)| {
                self.output_length(axis, length)
                    .expect("the graph checked the shape of this convolution")
            })
            .collect()
    }

    /// The output positions along `axis` for which kernel element `tap` lies inside the input.
    fn inside(&self, axis: usize, tap: usize, length: usize, outputs: usize) -> Range<usize> {
        let (stride, before) = (self.strides[axis], self.padding[axis].0);
        let shift = tap * self.dilations[axis];
        let first = before.saturating_sub(shift).div_ceil(stride);
        let end = (length + before).saturating_sub(shift).div_ceil(stride);
        first.min(outputs)..end.min(outputs)
    }

    /// For each kernel element the lines on which it lies inside the input, within one channel.
    fn lines(&self, input: &Shape) -> Vec<Vec<Line>> {
        let lengths = &input.dimensions()[1..];
        let outputs = self.output_dimensions(input);
        let (input_strides, output_strides) = (strides(lengths), strides(&outputs));
        let last = lengths.len() - 1;
        let mut elements = vec![vec![0; lengths.len()]];
        for (axis, &size) in self.kernel().iter().enumerate() {
            elements = elements
                .into_iter()
                .flat_map(|taps: Vec<usize>| {
                    (0..size).map(move |tap| {
                        let mut taps = taps.clone();
                        taps[axis] = tap;
                        taps
                    })
                })
                .collect();
        }
        let line = |taps: Vec<usize>| {
            let mut starts = vec![(0, 0)];
            let mut length = 1;
            for (axis, &tap) in taps.iter().enumerate() {
                let inside = self.inside(axis, tap, lengths[axis], outputs[axis]);
                let offset = |position: usize| {
                    let source = position * self.strides[axis] + tap * self.dilations[axis]
                        - self.padding[axis].0;
                    (
                        position * output_strides[axis],
                        source * input_strides[axis],
                    )
                };
                let positions = if axis == last {
                    length = inside.len();
                    inside.start..inside.start + usize::from(!inside.is_empty())
                } else {
                    inside
                };
                starts = starts
                    .into_iter()
                    .flat_map(|(output, input)| {
                        positions.clone().map(move |position| {
                            let (to, from) = offset(position);
                            (output + to, input + from)
                        })
                    })
                    .collect();
            }
            let lines = starts.into_iter().map(|(output, input)| Line {
                output,
                input,
                length,
            });
            lines.collect()
        };
        elements.into_iter().map(line).collect()
    }

    /// The convolution of one sample of shape `input` as a matrix on its elements, and what is
    /// added to each element of the result. `input` must be a shape that the graph accepted.
    pub fn matrix(&self, input: &Shape) -> (SparseMatrix, Vec<f64>) {
        let (input_size, output_size) = self.channel_sizes(input);
        let channels = self.group_channels();
        let stride = self.strides.last().copied().unwrap_or(1);
        let lines = self.lines(input);
        // For each output position the kernel elements that lie inside, and what they read.
        let mut windows: Vec<Vec<(usize, usize)>> = vec![Vec::new(); output_size];
        for (tap, lines) in lines.iter().enumerate() {
            for line in lines {
                for step in 0..line.length {
                    windows[line.output + step].push((tap, line.input + step * stride));
                }
            }
        }
        let mut matrix = SparseMatrix::empty(input.size());
        let mut bias = Vec::with_capacity(self.output_channels() * output_size);
        for output in 0..self.output_channels() {
            let first = self.first_channel(output);
            let kernel = lines.len();
            let weights = &self.weight.data()[output * channels * kernel..];
            for window in &windows {
                let row = (0..channels).flat_map(|channel| {
                    let base = (first + channel) * input_size;
                    window
                        .iter()
                        .map(move |&(tap, source)| (base + source, weights[channel * kernel + tap]))
                });
                matrix.push_row(row);
            }
            let offset = self.bias.as_ref().map_or(0.0, |bias| bias.data()[output]);
            bias.extend(std::iter::repeat_n(offset, output_size));
        }
        (matrix, bias)
    }

    fn first_channel(&self, output: usize) -> usize {
        output / (self.output_channels() / self.groups) * self.group_channels()
    }

    /// Elements of one channel of the input and of the result.
    fn channel_sizes(&self, input: &Shape) -> (usize, usize) {
        let output = self.output_dimensions(input).iter().product();
        (input.dimensions()[1..].iter().product(), output)
    }

    /// The results of a batch of samples of shape `input`, one after the other.
    pub(crate) fn evaluate(&self, samples: &[f64], input: &Shape) -> Vec<f64> {
        let (input_size, output_size) = self.channel_sizes(input);
        let (channels, outputs) = (self.group_channels(), self.output_channels());
        let stride = self.strides.last().copied().unwrap_or(1);
        let lines = self.lines(input);
        let mut results = Vec::with_capacity(samples.len() / input.size() * outputs * output_size);
        for sample in samples.chunks_exact(input.size()) {
            for output in 0..outputs {
                let offset = self.bias.as_ref().map_or(0.0, |bias| bias.data()[output]);
                let mut sums = vec![offset; output_size];
                for channel in 0..channels {
                    let source = (self.first_channel(output) + channel) * input_size;
                    let source = &sample[source..source + input_size];
                    let weights =
                        &self.weight.data()[(output * channels + channel) * lines.len()..];
                    for (lines, &weight) in lines.iter().zip(weights) {
                        for line in lines {
                            add_line(&mut sums, source, line, stride, weight);
                        }
                    }
                }
                results.extend(sums);
            }
        }
        results
    }
}

fn add_line(sums: &mut [f64], source: &[f64], line: &Line, stride: usize, weight: f64) {
    let sums = &mut sums[line.output..line.output + line.length];
    let source = &source[line.input..];
    if stride == 1 {
        for (sum, x) in sums.iter_mut().zip(source) {
            *sum += weight * x;
        }
    } else {
        for (sum, x) in sums.iter_mut().zip(source.iter().step_by(stride)) {
            *sum += weight * x;
        }
    }
}

/// Without what has its usual value.
impl fmt::Display for Convolution {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plus = if self.bias.is_some() { " + bias" } else { "" };
        write!(
            formatter,
            "convolution(weight {:?}{plus}",
            self.weight.shape()
        )?;
        if self.strides.iter().any(|&stride| stride != 1) {
            write!(formatter, ", strides {:?}", self.strides)?;
        }
        if self.padding.iter().any(|&padding| padding != (0, 0)) {
            write!(formatter, ", padding {:?}", self.padding)?;
        }
        if self.dilations.iter().any(|&dilation| dilation != 1) {
            write!(formatter, ", dilations {:?}", self.dilations)?;
        }
        if self.groups != 1 {
            write!(formatter, ", groups {}", self.groups)?;
        }
        formatter.write_str(")")
    }
}

#[cfg(test)]
mod tests;
