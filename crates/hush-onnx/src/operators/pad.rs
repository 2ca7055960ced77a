//! `Pad` of each sample; negative pads cut off.

use crate::node::{Known, NodeContext, Problem};
use crate::separable::Separable;
use hush_graph::Shape;

pub(crate) fn import(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    let input = context.data(0)?;
    let shape = context.shape(input);
    let mode = Mode::read(context)?;
    let pads = pads(context, shape.rank() + 1)?;
    if pads[0] != (0, 0) {
        return Err(Problem::mixes_samples("it pads the batch"));
    }
    let mut padded = Separable::new("pad");
    if mode == Mode::Constant {
        padded.fill(value(context)?);
    }
    for (axis, &(before, after)) in pads[1..].iter().enumerate() {
        if (before, after) == (0, 0) {
            continue;
        }
        let length = shape.dimensions()[axis];
        // What is cut off is not there when the rest is padded.
        let skipped = cut(before);
        let kept = length.saturating_sub(skipped).saturating_sub(cut(after));
        let (before, after) = (grown(before), grown(after));
        if kept == 0 {
            return Err(Problem::malformed(format!(
                "nothing is left of dimension {} of {shape}",
                axis + 1
            )));
        }
        let new_length = kept.saturating_add(before).saturating_add(after);
        if new_length > Shape::MAX_ELEMENTS {
            return Err(Problem::malformed("its result is too large"));
        }
        padded.along(context, axis, length, new_length, |position| {
            let place = position as i64 - before as i64;
            let source = mode.source(place, kept as i64);
            source
                .map(|source| (skipped + source, 1.0))
                .into_iter()
                .collect()
        })?;
    }
    let value = padded.emit(context, 0, input, None)?;
    context.define(Known::Data(value))
}

pub(crate) fn cut(pad: i64) -> usize {
    usize::try_from(pad.min(0).unsigned_abs()).unwrap_or(usize::MAX)
}

pub(crate) fn grown(pad: i64) -> usize {
    usize::try_from(pad.max(0)).unwrap_or(usize::MAX)
}

/// What stands outside the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// One number.
    Constant,
    /// The elements mirrored at the first and the last, which are not repeated.
    Reflect,
    /// The nearest element.
    Edge,
    /// The input again.
    Wrap,
}

impl Mode {
    pub(crate) fn read(context: &NodeContext<'_>) -> Result<Mode, Problem> {
        match context.text_attribute("mode", "constant")?.as_str() {
            "constant" => Ok(Mode::Constant),
            "reflect" => Ok(Mode::Reflect),
            "edge" => Ok(Mode::Edge),
            "wrap" => Ok(Mode::Wrap),
            other => Err(Problem::malformed(format!("its mode is `{other}`"))),
        }
    }

    /// Which of `length` elements stands at `place`.
    pub(crate) fn source(self, place: i64, length: i64) -> Option<usize> {
        let source = match self {
            Mode::Constant if !(0..length).contains(&place) => return None,
            Mode::Constant => place,
            Mode::Edge => place.clamp(0, length - 1),
            Mode::Wrap => place.rem_euclid(length),
            Mode::Reflect if length == 1 => 0,
            Mode::Reflect => {
                let period = 2 * (length - 1);
                let place = place.rem_euclid(period);
                place.min(period - place)
            }
        };
        usize::try_from(source).ok()
    }
}

/// Before and after each of `rank` axes, the batch included.
pub(crate) fn pads(context: &mut NodeContext<'_>, rank: usize) -> Result<Vec<(i64, i64)>, Problem> {
    let old = context.operator_set() < 11;
    let pads = match old {
        true => context.integers_attribute("pads")?,
        false => context.integers(1)?,
    };
    let pads = pads.ok_or_else(|| Problem::malformed("its pads are missing"))?;
    let axes = match old {
        true => None,
        false => context.integers(3)?,
    };
    let axes = axes.unwrap_or_else(|| (0..rank as i64).collect());
    if pads.len() != 2 * axes.len() {
        return Err(Problem::malformed(format!(
            "its pads are {pads:?} for {} axes",
            axes.len()
        )));
    }
    let mut result = vec![(0, 0); rank];
    for (position, &axis) in axes.iter().enumerate() {
        let axis = crate::node::full_axis(axis, rank)?;
        result[axis] = (pads[position], pads[position + axes.len()]);
    }
    Ok(result)
}

pub(crate) fn value(context: &mut NodeContext<'_>) -> Result<f64, Problem> {
    if context.operator_set() < 11 {
        return context.float_attribute("value", 0.0);
    }
    if context.optional_input(2)?.is_none() {
        return Ok(0.0);
    }
    let value = context.tensor(2)?;
    let single = || Problem::malformed("its value is not a single number");
    value.as_scalar().ok_or_else(single)
}
