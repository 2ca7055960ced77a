//! Pooling by windows that do not overlap.

use hush_simd::words::Word;

use crate::operations::{self, pooled, windows};
use crate::{Bits, Fixed, MpcError, Protocol, Secret, Share};

/// The bits of a max pool's tree of comparisons: for each level which of two neighbours is larger.
pub(super) struct PoolTrace {
    levels: Vec<(usize, Bits)>,
    shape: Vec<usize>,
}

/// Back from `[windows, size]` to the shape before.
fn spread<W: Word>(share: &Share<W>, shape: &[usize], window: [usize; 2]) -> Share<W> {
    let mut places = vec![0; share.len()];
    for (place, source) in windows(shape, window).into_iter().enumerate() {
        places[source] = place;
    }
    share.gather(&places)
}

pub(super) fn max_forward<W: Word>(
    protocol: &mut dyn Protocol<W>,
    x: &Secret<W>,
    window: [usize; 2],
) -> Result<(Secret<W>, PoolTrace), MpcError> {
    let size = window[0] * window[1];
    let mut lines = x.gather(vec![x.len() / size, size], &windows(x.shape(), window))?;
    let mut levels = Vec::new();
    while lines.shape()[1] > 1 {
        let (length, half) = (lines.shape()[1], lines.shape()[1] / 2);
        let (left, right) = (lines.slice(1, 0..half)?, lines.slice(1, half..2 * half)?);
        let difference = left.sub(&right)?;
        let larger = operations::is_negative(protocol, &difference)?.not(protocol.constant_part());
        let excess = protocol.inject(&larger, difference.share())?;
        let most = right.with_share(x.fixed(), excess.add(right.share()));
        levels.push((length, larger));
        lines = Secret::concatenate(1, &[&most, &lines.slice(1, 2 * half..length)?])?;
    }
    let shape = x.shape().to_vec();
    Ok((
        lines.reshape(pooled(&shape, window))?,
        PoolTrace { levels, shape },
    ))
}

pub(super) fn max_backward<W: Word>(
    protocol: &mut dyn Protocol<W>,
    gradient: &Secret<W>,
    trace: &PoolTrace,
    window: [usize; 2],
) -> Result<Secret<W>, MpcError> {
    let mut lines = gradient.clone().reshape(vec![gradient.len(), 1])?;
    for (length, larger) in trace.levels.iter().rev() {
        let half = length / 2;
        let (winners, rest) = (
            lines.slice(1, 0..half)?,
            lines.slice(1, half..length - half)?,
        );
        let left = protocol.inject(larger, winners.share())?;
        let left = winners.with_share(winners.fixed(), left);
        let right = winners.with_share(winners.fixed(), winners.share().clone().sub(left.share()));
        lines = Secret::concatenate(1, &[&left, &right, &rest])?;
    }
    Secret::new(
        trace.shape.clone(),
        gradient.fixed(),
        spread(lines.share(), &trace.shape, window),
    )
}

/// Means; where the window has a power of two elements one truncation, which is exact to a unit.
pub(super) fn average_forward<W: Word>(
    protocol: &mut dyn Protocol<W>,
    x: &Secret<W>,
    window: [usize; 2],
) -> Result<Secret<W>, MpcError> {
    let size = window[0] * window[1];
    let lines = x.gather(vec![x.len() / size, size], &windows(x.shape(), window))?;
    let mean = operations::divide_public(protocol, &lines.sum(1)?, size as f64)?;
    mean.declare(x.fixed().integer_bits)
        .reshape(pooled(x.shape(), window))
}

pub(super) fn average_backward<W: Word>(
    protocol: &mut dyn Protocol<W>,
    gradient: &Secret<W>,
    shape: &[usize],
    window: [usize; 2],
) -> Result<Secret<W>, MpcError> {
    let size = window[0] * window[1];
    let part = operations::divide_public(protocol, gradient, size as f64)?;
    let repeated: Vec<usize> = (0..part.len())
        .flat_map(|window| std::iter::repeat_n(window, size))
        .collect();
    let share = spread(&part.share().gather(&repeated), shape, window);
    let fixed = Fixed {
        integer_bits: gradient.fixed().integer_bits,
        ..part.fixed()
    };
    Secret::new(shape.to_vec(), fixed, share)
}
