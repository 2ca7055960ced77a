//! Batch normalisation (Ioffe and Szegedy, ICML 2015): each channel of a batch with mean zero and variance one, then
//! scaled and shifted by weights.

use hush_simd::words::Word;

use crate::operations;
use crate::{Fixed, MpcError, Protocol, Secret};

/// Weights and running statistics, one element a channel each.
pub(super) struct BatchNorm<W> {
    pub(super) scale: Secret<W>,
    pub(super) shift: Secret<W>,
    pub(super) mean: Secret<W>,
    pub(super) variance: Secret<W>,
    momentum: f64,
    epsilon: f64,
}

/// What the way back needs: normalised elements and the inverse deviation, and the statistics of the batch.
pub(super) struct NormTrace<W> {
    normalized: Secret<W>,
    inverse: Secret<W>,
    /// Means, then variances.
    statistics: Secret<W>,
    shape: Vec<usize>,
}

/// Gradients of weights, and of the input.
type Gradients<W> = (Vec<Secret<W>>, Option<Secret<W>>);

/// Channels come first in a sample.
fn last<W: Word>(x: &Secret<W>) -> Result<Secret<W>, MpcError> {
    let shape = x.shape();
    let channels = shape[1];
    let rows = x.len() / channels;
    if shape.len() == 2 {
        return Ok(x.clone());
    }
    x.clone()
        .reshape(vec![shape[0], channels, rows / shape[0]])?
        .transpose(&[0, 2, 1])?
        .reshape(vec![rows, channels])
}

/// The reverse of [`last`].
fn first<W: Word>(x: Secret<W>, shape: &[usize]) -> Result<Secret<W>, MpcError> {
    let channels = shape[1];
    if shape.len() == 2 {
        return Ok(x);
    }
    let rows = x.len() / channels / shape[0];
    x.reshape(vec![shape[0], rows, channels])?
        .transpose(&[0, 2, 1])?
        .reshape(shape.to_vec())
}

/// The mean of each column.
fn mean<W: Word>(
    protocol: &mut dyn Protocol<W>,
    x: &Secret<W>,
    fixed: Fixed,
) -> Result<Secret<W>, MpcError> {
    let rows = x.shape()[0];
    let mean = operations::divide_public(protocol, &x.sum(0)?, rows as f64)?;
    Ok(mean.declare(fixed.integer_bits))
}

/// As [`mean`]'s argument, but finer by as many bits as squares leave room for, at most eight: a small variance makes every
/// unit count.
fn finer<W: Word>(fixed: Fixed) -> Fixed {
    let room = (W::BITS - 2).saturating_sub(fixed.integer_bits + 2 * fixed.fraction_bits);
    Fixed {
        fraction_bits: fixed.fraction_bits + (room / 2).min(8),
        ..fixed
    }
}

/// Every row minus a row, in the type of all numbers.
fn less<W: Word>(x: &Secret<W>, row: &Secret<W>, fixed: Fixed) -> Result<Secret<W>, MpcError> {
    let row = row.broadcast_to(x.shape())?;
    Ok(x.sub(&row)?.declare(fixed.integer_bits))
}

impl<W: Word> BatchNorm<W> {
    /// Scale one, shift zero; the running statistics of a standard distribution.
    pub(super) fn new(
        protocol: &dyn Protocol<W>,
        channels: usize,
        fixed: Fixed,
        (momentum, epsilon): (f64, f64),
    ) -> Result<Self, MpcError> {
        let of = |value: f64| Secret::public(protocol, &[channels], fixed, &vec![value; channels]);
        Ok(Self {
            scale: of(1.0)?,
            shift: of(0.0)?,
            mean: of(0.0)?,
            variance: of(1.0)?,
            momentum,
            epsilon,
        })
    }

    /// `1 / √(variance + ε)`.
    fn inverse(
        &self,
        protocol: &mut dyn Protocol<W>,
        variance: &Secret<W>,
        fixed: Fixed,
    ) -> Result<Secret<W>, MpcError> {
        let epsilon = self.epsilon.max(libm::exp2(-16.0));
        let raised = variance
            .add_public(&*protocol, &[epsilon])?
            .declare(fixed.integer_bits);
        Ok(operations::inverse_square_root(protocol, &raised)?.declare_at_most(fixed.integer_bits))
    }

    fn shifted(&self, scaled: &Secret<W>, fixed: Fixed) -> Result<Secret<W>, MpcError> {
        let shift = self.shift.broadcast_to(scaled.shape())?;
        Ok(scaled.add(&shift)?.declare(fixed.integer_bits))
    }

    /// By the running statistics.
    pub(super) fn predict(
        &self,
        protocol: &mut dyn Protocol<W>,
        x: &Secret<W>,
        fixed: Fixed,
    ) -> Result<Secret<W>, MpcError> {
        let inverse = self.inverse(protocol, &self.variance, fixed)?;
        let factor = operations::multiply_to(protocol, &inverse, &self.scale, fixed)?;
        let distance = less(&last(x)?, &self.mean, fixed)?;
        let scaled = operations::multiply_to(protocol, &distance, &factor, fixed)?;
        first(self.shifted(&scaled, fixed)?, x.shape())
    }

    /// By the statistics of the batch.
    pub(super) fn forward(
        &self,
        protocol: &mut dyn Protocol<W>,
        x: &Secret<W>,
        fixed: Fixed,
    ) -> Result<(Secret<W>, NormTrace<W>), MpcError> {
        let fine = finer::<W>(fixed);
        let rows = operations::rescale(protocol, &last(x)?, fine.fraction_bits)?;
        let average = mean(protocol, &rows, fine)?;
        let distance = less(&rows, &average, fine)?;
        let squares = operations::multiply_to(protocol, &distance, &distance, fine)?;
        let variance = mean(protocol, &squares, fine)?;
        let inverse = self.inverse(protocol, &variance, fine)?;
        let normalized = operations::multiply_to(protocol, &distance, &inverse, fixed)?;
        let scaled = operations::multiply_to(protocol, &normalized, &self.scale, fixed)?;
        let result = first(self.shifted(&scaled, fixed)?, x.shape())?;
        let trace = NormTrace {
            normalized,
            inverse,
            statistics: Secret::concatenate(0, &[&average, &variance])?,
            shape: x.shape().to_vec(),
        };
        Ok((result, trace))
    }

    /// Gradients of scale and shift, and of the input if it is wanted.
    pub(super) fn backward(
        &self,
        protocol: &mut dyn Protocol<W>,
        trace: &NormTrace<W>,
        gradient: &Secret<W>,
        fixed: Fixed,
        wanted: bool,
    ) -> Result<Gradients<W>, MpcError> {
        let rows = last(gradient)?;
        let count = rows.shape()[0] as f64;
        let product = operations::multiply_to(protocol, &rows, &trace.normalized, fixed)?;
        let total = |x: &Secret<W>| Ok::<_, MpcError>(x.sum(0)?.declare(fixed.integer_bits));
        let (of_scale, of_shift) = (total(&product)?, total(&rows)?);
        if !wanted {
            return Ok((vec![of_scale, of_shift], None));
        }
        let channels = of_scale.len();
        // Both sums by the count at once.
        let sums = Secret::concatenate(0, &[&of_scale, &of_shift])?;
        let means = operations::divide_public(protocol, &sums, count)?.declare(fixed.integer_bits);
        let (scale_mean, shift_mean) = (
            means.slice(0, 0..channels)?,
            means.slice(0, channels..2 * channels)?,
        );
        let along = operations::multiply_to(protocol, &trace.normalized, &scale_mean, fixed)?;
        let rest = less(&rows, &shift_mean, fixed)?
            .sub(&along)?
            .declare(fixed.integer_bits);
        let factor = operations::multiply_to(protocol, &self.scale, &trace.inverse, fixed)?;
        let of_input = operations::multiply_to(protocol, &rest, &factor, fixed)?;
        Ok((
            vec![of_scale, of_shift],
            Some(first(of_input, &trace.shape)?),
        ))
    }

    /// Moves the running statistics towards those of the batch.
    pub(super) fn absorb(
        &mut self,
        protocol: &mut dyn Protocol<W>,
        trace: &NormTrace<W>,
    ) -> Result<(), MpcError> {
        let channels = self.mean.len();
        let running = Secret::concatenate(0, &[&self.mean, &self.variance])?;
        let fraction_bits = self.mean.fixed().fraction_bits;
        let batch = operations::rescale(protocol, &trace.statistics, fraction_bits)?;
        let change =
            operations::multiply_public(protocol, &batch.sub(&running)?, &[1.0 - self.momentum])?;
        let moved = running
            .add(&change)?
            .declare(self.mean.fixed().integer_bits);
        self.mean = moved.slice(0, 0..channels)?;
        self.variance = moved.slice(0, channels..2 * channels)?;
        Ok(())
    }
}
