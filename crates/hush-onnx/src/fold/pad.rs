//! `Pad` of constants.

use super::{Inputs, spend};
use crate::constant::{Constant, Elements};
use crate::node::{NodeContext, Problem};
use crate::operators::pad::{Mode, cut, grown, pads, value};

pub(super) fn pad(context: &mut NodeContext<'_>, inputs: &Inputs<'_>) -> Result<Constant, Problem> {
    let input = inputs.at(0)?;
    if input.holds_batch_size() {
        return Err(Problem::mixes_samples("it computes with the batch size"));
    }
    let mode = Mode::read(context)?;
    let fill = match mode {
        Mode::Constant => value(context)?,
        _ => 0.0,
    };
    let mut shape = input.shape.clone();
    // For each element so far the element of the input, if it is not filled.
    let mut sources: Vec<Option<usize>> = (0..input.size()).map(Some).collect();
    for (axis, (before, after)) in pads(context, shape.len())?.into_iter().enumerate() {
        let (skipped, length) = (cut(before), shape[axis]);
        let kept = length.saturating_sub(skipped).saturating_sub(cut(after));
        if kept == 0 && mode != Mode::Constant {
            return Err(Problem::malformed("nothing is left to pad with"));
        }
        let inner: usize = shape[axis + 1..].iter().product();
        let outer: usize = shape[..axis].iter().product();
        shape[axis] = kept
            .saturating_add(grown(before))
            .saturating_add(grown(after));
        spend(context, &shape)?;
        // Positions count even where another dimension is zero.
        spend(context, &[shape[axis]])?;
        let mut padded = Vec::with_capacity(outer * shape[axis] * inner);
        for block in 0..outer {
            for position in 0..shape[axis] {
                let place = position as i64 - grown(before) as i64;
                match mode.source(place, kept as i64) {
                    Some(source) => {
                        let start = (block * length + skipped + source) * inner;
                        padded.extend_from_slice(&sources[start..start + inner]);
                    }
                    None => padded.extend(std::iter::repeat_n(None, inner)),
                }
            }
        }
        sources = padded;
    }
    let elements = match &input.elements {
        Elements::Floats(floats) => {
            let at = |source: Option<usize>| source.map_or(fill, |source| floats[source]);
            Elements::Floats(sources.into_iter().map(at).collect())
        }
        Elements::Integers(integers) => {
            let at = |source: Option<usize>| source.map_or(fill as i64, |source| integers[source]);
            Elements::Integers(sources.into_iter().map(at).collect())
        }
    };
    Ok(Constant { shape, elements })
}
