//! The gradients of a convolution, which are bilinear maps themselves.

use hush_simd::Isa;
use hush_simd::words::{MatrixShape, Word, multiply_add_matrices};

use crate::operations::{Convolution2d, ConvolutionMap, check_product};
use crate::{BilinearMap, Fixed, MpcError, Protocol, Secret};

struct KernelGradient(ConvolutionMap);
struct InputGradient(ConvolutionMap);

fn transposed<W: Word>(words: &[W], columns: usize, to: &mut Vec<W>) {
    to.clear();
    to.extend((0..columns).flat_map(|column| words.iter().skip(column).step_by(columns).copied()));
}

impl<W: Word> BilinearMap<W> for KernelGradient {
    fn length(&self) -> usize {
        self.0.kernel_length()
    }

    fn add_into(&self, left: &[W], right: &[W], result: &mut [W]) {
        let sizes = self.0.sizes();
        let shape = MatrixShape {
            rows: sizes.rows,
            depth: sizes.positions,
            columns: sizes.depth,
        };
        let (mut windows, mut turned) = (Vec::new(), Vec::new());
        let gradients = right.chunks_exact(sizes.groups * sizes.rows * sizes.positions);
        for (sample, gradient) in left.chunks_exact(sizes.sample).zip(gradients) {
            for group in 0..sizes.groups {
                self.0.windows(sample, group, &mut windows);
                transposed(&windows, sizes.positions, &mut turned);
                let gradient = &gradient[group * sizes.rows * sizes.positions..]
                    [..sizes.rows * sizes.positions];
                let result =
                    &mut result[group * sizes.rows * sizes.depth..][..sizes.rows * sizes.depth];
                multiply_add_matrices(Isa::active(), shape, gradient, &turned, result);
            }
        }
    }
}

impl<W: Word> BilinearMap<W> for InputGradient {
    fn length(&self) -> usize {
        let sizes = self.0.sizes();
        sizes.samples * sizes.sample
    }

    /// `left` is the kernel, `right` the gradient of the result.
    fn add_into(&self, left: &[W], right: &[W], result: &mut [W]) {
        let sizes = self.0.sizes();
        let shape = MatrixShape {
            rows: sizes.depth,
            depth: sizes.rows,
            columns: sizes.positions,
        };
        let mut turned = Vec::new();
        let mut windows = vec![W::ZERO; sizes.depth * sizes.positions];
        let gradients = right.chunks_exact(sizes.groups * sizes.rows * sizes.positions);
        for (sample, gradient) in result.chunks_exact_mut(sizes.sample).zip(gradients) {
            for group in 0..sizes.groups {
                transposed(
                    &left[group * sizes.rows * sizes.depth..][..sizes.rows * sizes.depth],
                    sizes.depth,
                    &mut turned,
                );
                windows.fill(W::ZERO);
                let gradient = &gradient[group * sizes.rows * sizes.positions..]
                    [..sizes.rows * sizes.positions];
                multiply_add_matrices(Isa::active(), shape, &turned, gradient, &mut windows);
                self.0.add_windows(&windows, group, sample);
            }
        }
    }
}

fn map(
    options: Convolution2d,
    input: &[usize],
    kernel: &[usize],
) -> Result<ConvolutionMap, MpcError> {
    ConvolutionMap::new(options, input, kernel).ok_or_else(|| MpcError::Shapes {
        operation: "gradient of a convolution",
        left: input.to_vec(),
        right: kernel.to_vec(),
    })
}

/// The gradient of a kernel of the shape `kernel`.
pub(super) fn kernel_gradient<W: Word>(
    protocol: &mut dyn Protocol<W>,
    x: &Secret<W>,
    gradient: &Secret<W>,
    kernel: &[usize],
    options: Convolution2d,
    fixed: Fixed,
) -> Result<Secret<W>, MpcError> {
    let map = KernelGradient(map(options, x.shape(), kernel)?);
    let bits = check_product::<W>(
        "gradient of a convolution",
        x.fixed(),
        gradient.fixed(),
        fixed,
    )?;
    let share = protocol.bilinear(&map, x.share(), gradient.share(), bits)?;
    Secret::new(kernel.to_vec(), fixed, share)
}

/// The gradient of an input of the shape `input`.
pub(super) fn input_gradient<W: Word>(
    protocol: &mut dyn Protocol<W>,
    weight: &Secret<W>,
    gradient: &Secret<W>,
    input: &[usize],
    options: Convolution2d,
    fixed: Fixed,
) -> Result<Secret<W>, MpcError> {
    let map = InputGradient(map(options, input, weight.shape())?);
    let bits = check_product::<W>(
        "gradient of a convolution",
        weight.fixed(),
        gradient.fixed(),
        fixed,
    )?;
    let share = protocol.bilinear(&map, weight.share(), gradient.share(), bits)?;
    Secret::new(input.to_vec(), fixed, share)
}
