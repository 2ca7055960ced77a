//! Reductions of constants along axes.

use super::{Inputs, spend};
use crate::constant::{BATCH_SIZE, Constant, Elements};
use crate::node::{NodeContext, Problem, full_axis};
use std::collections::BTreeSet;

macro_rules! fold_reduction {
    ($($name:ident: $float:expr, $integer:expr, $inputs_since:expr;)*) => {$(
        pub(super) fn $name(
            context: &mut NodeContext<'_>,
            inputs: &Inputs<'_>,
        ) -> Result<Constant, Problem> {
            reduce(context, inputs, $float, $integer, $inputs_since)
        }
    )*};
}

// The operator set in which axes became an input.
fold_reduction! {
    sum: |a, b| a + b, i64::checked_add, 13;
    product: |a, b| a * b, i64::checked_mul, 18;
    maximum: f64::max, |a, b| Some(a.max(b)), 18;
    minimum: f64::min, |a, b| Some(a.min(b)), 18;
}

/// Integers round towards zero.
pub(super) fn mean(
    context: &mut NodeContext<'_>,
    inputs: &Inputs<'_>,
) -> Result<Constant, Problem> {
    let before = inputs.at(0)?.size();
    let sum = reduce(context, inputs, |a, b| a + b, i64::checked_add, 18)?;
    let count = before.checked_div(sum.size()).unwrap_or(0).max(1);
    let elements = match sum.elements {
        Elements::Floats(floats) => {
            Elements::Floats(floats.iter().map(|sum| sum / count as f64).collect())
        }
        Elements::Integers(integers) => {
            Elements::Integers(integers.iter().map(|sum| sum / count as i64).collect())
        }
    };
    Ok(Constant { elements, ..sum })
}

fn reduce(
    context: &mut NodeContext<'_>,
    inputs: &Inputs<'_>,
    on_floats: impl Fn(f64, f64) -> f64,
    on_integers: impl Fn(i64, i64) -> Option<i64>,
    inputs_since: i64,
) -> Result<Constant, Problem> {
    let input = inputs.at(0)?;
    let rank = input.shape.len();
    let axes = match context.operator_set() < inputs_since {
        true => context.integers_attribute("axes")?,
        false => inputs.optional_integers(1)?.map(<[i64]>::to_vec),
    };
    let axes = axes.unwrap_or_default();
    if axes.is_empty() && context.integer_attribute("noop_with_empty_axes", 0)? != 0 {
        return Ok(input.clone());
    }
    let reduced: BTreeSet<usize> = match axes.is_empty() {
        true => (0..rank).collect(),
        false => axes
            .iter()
            .map(|&axis| full_axis(axis, rank))
            .collect::<Result<_, _>>()?,
    };
    let keep = context.integer_attribute("keepdims", 1)? != 0;
    spend(context, &input.shape)?;
    let kept: Vec<usize> = (0..rank)
        .map(|axis| match reduced.contains(&axis) {
            true => 1,
            false => input.shape[axis],
        })
        .collect();
    let targets = targets(&input.shape, &kept);
    let size = kept.iter().product();
    let elements = match &input.elements {
        Elements::Integers(integers) => {
            if reduced.iter().any(|&axis| input.shape[axis] != 1) && integers.contains(&BATCH_SIZE)
            {
                return Err(Problem::mixes_samples("it computes with the batch size"));
            }
            let overflow = || Problem::malformed("its integers overflow or are empty");
            let results = gather(integers, &targets, size, &on_integers);
            Elements::Integers(results.ok_or_else(overflow)?)
        }
        Elements::Floats(floats) => {
            let empty = || Problem::malformed("it reduces an empty tensor");
            let results = gather(floats, &targets, size, |a, b| Some(on_floats(a, b)));
            Elements::Floats(results.ok_or_else(empty)?)
        }
    };
    let shape = match keep {
        true => kept,
        false => (0..rank)
            .filter(|axis| !reduced.contains(axis))
            .map(|axis| input.shape[axis])
            .collect(),
    };
    Ok(Constant { shape, elements })
}

/// For each element of `shape` the position in `kept`, where reduced dimensions are one.
fn targets(shape: &[usize], kept: &[usize]) -> Vec<usize> {
    let mut positions = vec![0usize];
    for (&length, &left) in shape.iter().zip(kept) {
        positions = positions
            .into_iter()
            .flat_map(|position| {
                (0..length).map(move |index| position * left + index.min(left - 1))
            })
            .collect();
    }
    positions
}

/// `None` if a combination fails or a result has no element.
fn gather<T: Copy>(
    elements: &[T],
    targets: &[usize],
    size: usize,
    combine: impl Fn(T, T) -> Option<T>,
) -> Option<Vec<T>> {
    let mut results: Vec<Option<T>> = vec![None; size];
    for (&element, &target) in elements.iter().zip(targets) {
        results[target] = Some(match results[target] {
            None => element,
            Some(before) => combine(before, element)?,
        });
    }
    results.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_skip_reduced_axes() {
        assert_eq!(targets(&[2, 3], &[2, 1]), vec![0, 0, 0, 1, 1, 1]);
        assert_eq!(targets(&[2, 3], &[1, 3]), vec![0, 1, 2, 0, 1, 2]);
        assert_eq!(targets(&[2, 3], &[1, 1]), vec![0; 6]);
    }
}
