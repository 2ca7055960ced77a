//! Windows that do not overlap, rows in another order, elements at public places.

use hush_simd::words::Word;

use super::order::max_along;
use crate::{MpcError, Protocol, Secret};

/// `[samples, channels, height, width]` with the elements of each window next to each other: sources of
/// `[windows, size]`.
pub(crate) fn windows(shape: &[usize], [rows, columns]: [usize; 2]) -> Vec<usize> {
    let (planes, height, width) = (shape[0] * shape[1], shape[2], shape[3]);
    let mut sources = Vec::with_capacity(planes * height * width);
    for plane in 0..planes {
        for y in (0..height).step_by(rows) {
            for x in (0..width).step_by(columns) {
                for row in 0..rows {
                    let start = (plane * height + y + row) * width + x;
                    sources.extend(start..start + columns);
                }
            }
        }
    }
    sources
}

/// The shape of a result with one element a window.
pub(crate) fn pooled(shape: &[usize], window: [usize; 2]) -> Vec<usize> {
    vec![
        shape[0],
        shape[1],
        shape[2] / window[0],
        shape[3] / window[1],
    ]
}

/// `[windows, size]`, if the windows cover `[samples, channels, height, width]`.
fn lines<W: Word>(x: &Secret<W>, window: [usize; 2]) -> Result<Secret<W>, MpcError> {
    let covered = match *x.shape() {
        [_, _, height, width] => {
            !window.contains(&0)
                && height.is_multiple_of(window[0])
                && width.is_multiple_of(window[1])
        }
        _ => false,
    };
    if !covered {
        return Err(MpcError::Shape {
            operation: "pooling",
            shape: x.shape().to_vec(),
            reason: format!("windows of {window:?} do not cover height and width"),
        });
    }
    let size = window[0] * window[1];
    x.gather(vec![x.len() / size, size], &windows(x.shape(), window))
}

/// The largest element of each window of `[samples, channels, height, width]`, exactly. Costs ⌈log2⌉ of the window's
/// size comparisons and selections in turn.
pub fn max_pool<W: Word>(
    protocol: &mut dyn Protocol<W>,
    x: &Secret<W>,
    window: [usize; 2],
) -> Result<Secret<W>, MpcError> {
    max_along(protocol, &lines(x, window)?, 1)?.reshape(pooled(x.shape(), window))
}

/// The mean of each window of `[samples, channels, height, width]`. Costs a truncation.
pub fn average_pool<W: Word>(
    protocol: &mut dyn Protocol<W>,
    x: &Secret<W>,
    window: [usize; 2],
) -> Result<Secret<W>, MpcError> {
    let size = window[0] * window[1];
    let sum = lines(x, window)?.sum(1)?;
    super::divide_public(protocol, &sum, size as f64)?
        .declare_at_most(x.fixed().integer_bits)
        .reshape(pooled(x.shape(), window))
}

/// Rows, along the first axis, in a random order that no party knows. Costs [`Protocol::shuffle`].
pub fn shuffle<W: Word>(
    protocol: &mut dyn Protocol<W>,
    x: &Secret<W>,
) -> Result<Secret<W>, MpcError> {
    let row = x.shape().iter().skip(1).product();
    let share = protocol.shuffle(x.share(), row)?;
    Ok(x.with_share(x.fixed(), share))
}

/// Elements at public places along an axis.
pub fn gather_along<W: Word>(
    x: &Secret<W>,
    axis: usize,
    places: &[usize],
) -> Result<Secret<W>, MpcError> {
    let (outer, length, inner) = x.around("gather", axis)?;
    if let Some(outside) = places.iter().find(|&&place| place >= length) {
        return Err(MpcError::Shape {
            operation: "gather",
            shape: x.shape().to_vec(),
            reason: format!("dimension {axis} has no element {outside}"),
        });
    }
    let mut shape = x.shape().to_vec();
    shape[axis] = places.len();
    let starts = (0..outer).flat_map(|block| {
        places
            .iter()
            .map(move |place| (block * length + place) * inner)
    });
    let sources: Vec<usize> = starts.flat_map(|start| start..start + inner).collect();
    x.gather(shape, &sources)
}
