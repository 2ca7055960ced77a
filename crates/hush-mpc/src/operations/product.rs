//! Products of matrices and convolutions.

use hush_simd::Isa;
use hush_simd::words::{MatrixShape, Word, multiply_add_matrices};

use super::arithmetic::check_product;
use crate::fixed::bits_of_count;
use crate::{BilinearMap, Fixed, MpcError, Protocol, Secret};

struct MatrixProduct(MatrixShape);

impl<W: Word> BilinearMap<W> for MatrixProduct {
    fn length(&self) -> usize {
        self.0.rows * self.0.columns
    }

    fn add_into(&self, left: &[W], right: &[W], result: &mut [W]) {
        multiply_add_matrices(Isa::active(), self.0, left, right, result);
    }
}

/// `[rows, depth] · [depth, columns]`, truncated once for each element of the result. Costs a
/// truncated product for each, whatever the depth is.
pub fn matrix_product<W: Word>(
    protocol: &mut dyn Protocol<W>,
    left: &Secret<W>,
    right: &Secret<W>,
) -> Result<Secret<W>, MpcError> {
    let depth = left.shape().last().copied().unwrap_or(1);
    matrix_product_to(
        protocol,
        left,
        right,
        sum_type(left.fixed(), right.fixed(), depth),
    )
}

/// The type of a sum of so many products that keeps the left fraction.
pub(crate) fn sum_type(left: Fixed, right: Fixed, terms: usize) -> Fixed {
    let integer_bits = left.integer_bits + right.integer_bits + bits_of_count(terms);
    Fixed::new(integer_bits, left.fraction_bits)
}

/// [`matrix_product`] with a result of the given type, which must hold it.
pub fn matrix_product_to<W: Word>(
    protocol: &mut dyn Protocol<W>,
    left: &Secret<W>,
    right: &Secret<W>,
    to: Fixed,
) -> Result<Secret<W>, MpcError> {
    let (&[rows, depth], &[inner, columns]) = (left.shape(), right.shape()) else {
        return Err(shapes("matrix product", left, right));
    };
    if depth != inner {
        return Err(shapes("matrix product", left, right));
    }
    let bits = check_product::<W>("matrix product", left.fixed(), right.fixed(), to)?;
    let map = MatrixProduct(MatrixShape {
        rows,
        depth,
        columns,
    });
    let share = protocol.bilinear(&map, left.share(), right.share(), bits)?;
    Secret::new(vec![rows, columns], to, share)
}

pub(super) fn shapes<W: Word>(
    operation: &'static str,
    left: &Secret<W>,
    right: &Secret<W>,
) -> MpcError {
    MpcError::Shapes {
        operation,
        left: left.shape().to_vec(),
        right: right.shape().to_vec(),
    }
}

/// A window that moves over two spatial axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Convolution2d {
    /// Steps of the window.
    pub strides: [usize; 2],
    /// Zeros before and after on each axis.
    pub padding: [(usize, usize); 2],
    /// Distance between neighbouring kernel elements.
    pub dilations: [usize; 2],
    /// Into how many groups the channels are divided; as many as there are channels for a depthwise
    /// convolution.
    pub groups: usize,
}

impl Default for Convolution2d {
    fn default() -> Self {
        Self {
            strides: [1, 1],
            padding: [(0, 0); 2],
            dilations: [1, 1],
            groups: 1,
        }
    }
}

/// The matrices of a convolution: for each sample and group a kernel `[rows, depth]` times windows
/// `[depth, positions]`.
pub(crate) struct ConvolutionSizes {
    pub(crate) samples: usize,
    /// Elements of one sample.
    pub(crate) sample: usize,
    pub(crate) groups: usize,
    pub(crate) rows: usize,
    pub(crate) depth: usize,
    pub(crate) positions: usize,
}

/// A convolution of known sizes as a map of the words of both operands.
pub(crate) struct ConvolutionMap {
    options: Convolution2d,
    samples: usize,
    channels: usize,
    input: [usize; 2],
    outputs: usize,
    kernel: [usize; 2],
    output: [usize; 2],
}

impl ConvolutionMap {
    /// For an input `[samples, channels, height, width]` and a kernel `[outputs, channels / groups,
    /// height, width]`; `None` if they do not fit.
    pub(crate) fn new(options: Convolution2d, input: &[usize], kernel: &[usize]) -> Option<Self> {
        let (&[samples, channels, height, width], &[outputs, group, rows, columns]) =
            (input, kernel)
        else {
            return None;
        };
        let divides = options.groups > 0 && outputs.is_multiple_of(options.groups);
        if !divides || group * options.groups != channels {
            return None;
        }
        let (size, window) = ([height, width], [rows, columns]);
        let mut output = [0; 2];
        for axis in 0..2 {
            let (before, after) = options.padding[axis];
            let extent = (window[axis].checked_sub(1)?) * options.dilations[axis] + 1;
            let steps = (size[axis] + before + after).checked_sub(extent)?;
            output[axis] = steps / options.strides[axis].max(1) + 1;
        }
        Some(Self {
            options,
            samples,
            channels,
            input: size,
            outputs,
            kernel: window,
            output,
        })
    }

    /// `[samples, outputs, height, width]`.
    pub(crate) fn result_shape(&self) -> Vec<usize> {
        vec![self.samples, self.outputs, self.output[0], self.output[1]]
    }

    /// Products in one element of the result.
    pub(crate) fn terms(&self) -> usize {
        self.channels / self.options.groups * self.kernel[0] * self.kernel[1]
    }

    /// Elements of a kernel.
    pub(crate) fn kernel_length(&self) -> usize {
        self.outputs * self.terms()
    }

    /// Sizes of the matrices behind it.
    pub(crate) fn sizes(&self) -> ConvolutionSizes {
        let groups = self.options.groups;
        ConvolutionSizes {
            samples: self.samples,
            sample: self.channels * self.input[0] * self.input[1],
            groups,
            rows: self.outputs / groups,
            depth: self.terms(),
            positions: self.output[0] * self.output[1],
        }
    }

    /// Adds what [`ConvolutionMap::windows`] would read to where it would read it.
    pub(crate) fn add_windows<W: Word>(&self, windows: &[W], group: usize, sample: &mut [W]) {
        let Convolution2d {
            strides,
            padding,
            dilations,
            groups,
        } = self.options;
        let [height, width] = self.input;
        let channels = self.channels / groups;
        let mut windows = windows.iter();
        for channel in group * channels..(group + 1) * channels {
            let plane = &mut sample[channel * height * width..(channel + 1) * height * width];
            for row in 0..self.kernel[0] {
                for column in 0..self.kernel[1] {
                    for y in 0..self.output[0] {
                        let y = (y * strides[0] + row * dilations[0]).wrapping_sub(padding[0].0);
                        for (x, word) in windows.by_ref().take(self.output[1]).enumerate() {
                            let x =
                                (x * strides[1] + column * dilations[1]).wrapping_sub(padding[1].0);
                            if y < height && x < width {
                                plane[y * width + x] = plane[y * width + x].plus(*word);
                            }
                        }
                    }
                }
            }
        }
    }

    /// What the windows of one group of one sample read: a matrix `[terms, positions]`.
    pub(crate) fn windows<W: Word>(&self, sample: &[W], group: usize, windows: &mut Vec<W>) {
        let Convolution2d {
            strides,
            padding,
            dilations,
            groups,
        } = self.options;
        let [height, width] = self.input;
        let channels = self.channels / groups;
        windows.clear();
        for channel in group * channels..(group + 1) * channels {
            let plane = &sample[channel * height * width..(channel + 1) * height * width];
            for row in 0..self.kernel[0] {
                for column in 0..self.kernel[1] {
                    for y in 0..self.output[0] {
                        let y = (y * strides[0] + row * dilations[0]).wrapping_sub(padding[0].0);
                        let line = if y < height {
                            &plane[y * width..(y + 1) * width]
                        } else {
                            &[][..]
                        };
                        windows.extend((0..self.output[1]).map(|x| {
                            let x =
                                (x * strides[1] + column * dilations[1]).wrapping_sub(padding[1].0);
                            line.get(x).copied().unwrap_or(W::ZERO)
                        }));
                    }
                }
            }
        }
    }
}

impl<W: Word> BilinearMap<W> for ConvolutionMap {
    fn length(&self) -> usize {
        self.samples * self.outputs * self.output[0] * self.output[1]
    }

    fn add_into(&self, left: &[W], right: &[W], result: &mut [W]) {
        let groups = self.options.groups;
        let positions = self.output[0] * self.output[1];
        let sample_size = self.channels * self.input[0] * self.input[1];
        let shape = MatrixShape {
            rows: self.outputs / groups,
            depth: self.terms(),
            columns: positions,
        };
        let mut windows = Vec::with_capacity(shape.depth * positions);
        let results = result.chunks_exact_mut(self.outputs * positions);
        for (sample, result) in left.chunks_exact(sample_size).zip(results) {
            let kernels = right.chunks_exact(shape.rows * shape.depth);
            let results = result.chunks_exact_mut(shape.rows * positions);
            for (group, (kernel, result)) in kernels.zip(results).enumerate() {
                self.windows(sample, group, &mut windows);
                multiply_add_matrices(Isa::active(), shape, kernel, &windows, result);
            }
        }
    }
}

/// `[samples, channels, height, width]` with a kernel `[outputs, channels / groups, height, width]`, as
/// in ONNX. Costs a truncated product for each element of the result. `to` must hold the result;
/// without it the type follows from those of both operands.
pub fn convolve<W: Word>(
    protocol: &mut dyn Protocol<W>,
    input: &Secret<W>,
    kernel: &Secret<W>,
    options: Convolution2d,
    to: Option<Fixed>,
) -> Result<Secret<W>, MpcError> {
    let map = ConvolutionMap::new(options, input.shape(), kernel.shape());
    let map = map.ok_or_else(|| shapes("convolution", input, kernel))?;
    let to = to.unwrap_or(sum_type(input.fixed(), kernel.fixed(), map.terms()));
    let bits = check_product::<W>("convolution", input.fixed(), kernel.fixed(), to)?;
    let share = protocol.bilinear(&map, input.share(), kernel.share(), bits)?;
    Secret::new(map.result_shape(), to, share)
}
