//! Constants whose elements are moved, repeated or dropped.

use super::{Inputs, spend, take};
use crate::constant::{BATCH_SIZE, Constant, Elements};
use crate::node::{NodeContext, Problem, full_axis};
use hush_graph::{Movement, Shape, broadcast_shape};

pub(super) fn transpose(
    context: &mut NodeContext<'_>,
    inputs: &Inputs<'_>,
) -> Result<Constant, Problem> {
    let input = inputs.at(0)?;
    let rank = input.shape.len();
    let reversed = || (0..rank as i64).rev().collect();
    let order = context.integers_attribute("perm")?.unwrap_or_else(reversed);
    let permutation = order
        .iter()
        .map(|&axis| full_axis(axis, rank))
        .collect::<Result<Vec<_>, _>>()?;
    let mut sorted = permutation.clone();
    sorted.sort_unstable();
    if sorted.into_iter().ne(0..rank) {
        return Err(Problem::malformed(format!(
            "{order:?} is not a permutation of its axes"
        )));
    }
    spend(context, &input.shape)?;
    moved(input, Movement::Transpose { permutation })
}

pub(super) fn expand(
    context: &mut NodeContext<'_>,
    inputs: &Inputs<'_>,
) -> Result<Constant, Problem> {
    let input = inputs.at(0)?;
    let target = inputs.integers(1)?;
    let bad = || Problem::malformed(format!("{:?} cannot expand to {target:?}", input.shape));
    // A batch of one broadcasts to any other.
    let target = target.iter().map(|&size| match size {
        BATCH_SIZE => Ok(1),
        size => usize::try_from(size).map_err(|_| bad()),
    });
    let target = target.collect::<Result<Vec<_>, _>>()?;
    let shape = broadcast_shape(&input.shape, &target).ok_or_else(bad)?;
    spend(context, &shape)?;
    moved(
        input,
        Movement::Expand {
            shape: Shape::new(shape)?,
        },
    )
}

/// `movement` must accept the shape of `input`.
fn moved(input: &Constant, movement: Movement) -> Result<Constant, Problem> {
    let shape = Shape::new(input.shape.clone())?;
    let sources = movement.sources(&shape);
    let dimensions = match &movement {
        Movement::Expand { shape } => shape.dimensions().to_vec(),
        Movement::Transpose { permutation } => {
            permutation.iter().map(|&axis| input.shape[axis]).collect()
        }
        _ => input.shape.clone(),
    };
    Ok(take(input, dimensions, &sources))
}

pub(super) fn gather(
    context: &mut NodeContext<'_>,
    inputs: &Inputs<'_>,
) -> Result<Constant, Problem> {
    let (input, indices) = (inputs.at(0)?, inputs.integers(1)?);
    let axis = full_axis(context.integer_attribute("axis", 0)?, input.shape.len())?;
    let along = indices
        .iter()
        .map(|&index| full_axis(index, input.shape[axis]))
        .collect::<Result<Vec<_>, _>>()?;
    let mut shape = input.shape[..axis].to_vec();
    shape.extend(&inputs.at(1)?.shape);
    shape.extend(&input.shape[axis + 1..]);
    spend(context, &shape)?;
    Ok(along_axis(input, axis, &along, shape))
}

pub(super) fn slice(
    context: &mut NodeContext<'_>,
    inputs: &Inputs<'_>,
) -> Result<Constant, Problem> {
    let input = inputs.at(0)?;
    let rank = input.shape.len();
    let old = context.operator_set() < 10;
    let missing = || Problem::malformed("its bounds are missing");
    let bounds = |context: &NodeContext<'_>, name: &str, position: usize| match old {
        true => context.integers_attribute(name),
        false => Ok(inputs.optional_integers(position)?.map(<[i64]>::to_vec)),
    };
    let starts = bounds(context, "starts", 1)?.ok_or_else(missing)?;
    let ends = bounds(context, "ends", 2)?.ok_or_else(missing)?;
    let axes = bounds(context, "axes", 3)?.unwrap_or_else(|| (0..starts.len() as i64).collect());
    let steps = bounds(context, "steps", 4)?.unwrap_or_else(|| vec![1; starts.len()]);
    if [ends.len(), axes.len(), steps.len()] != [starts.len(); 3] {
        return Err(Problem::malformed("its bounds differ in number"));
    }
    let mut result = input.clone();
    for (((&start, &end), &axis), &step) in starts.iter().zip(&ends).zip(&axes).zip(&steps) {
        let axis = full_axis(axis, rank)?;
        let along = positions(start, end, step, result.shape[axis])?;
        let mut shape = result.shape.clone();
        shape[axis] = along.len();
        spend(context, &shape)?;
        result = along_axis(&result, axis, &along, shape);
    }
    Ok(result)
}

/// The positions from `start` to `end` (not included) in a dimension of `size`.
pub(crate) fn positions(
    start: i64,
    end: i64,
    step: i64,
    size: usize,
) -> Result<Vec<usize>, Problem> {
    let length = i64::try_from(size).map_err(|_| Problem::malformed("a dimension is too large"))?;
    let counted = |bound: i64| {
        if bound < 0 {
            bound.saturating_add(length)
        } else {
            bound
        }
    };
    let stride = usize::try_from(step.unsigned_abs()).unwrap_or(usize::MAX);
    // Within 0..=size, so the conversions keep the values.
    let clamp = |bound: i64| bound.clamp(0, length) as usize;
    match step {
        1.. => Ok((clamp(counted(start))..clamp(counted(end)))
            .step_by(stride)
            .collect()),
        0 => Err(Problem::malformed("its step is zero")),
        _ => {
            let first = clamp(counted(start).saturating_add(1));
            let last = clamp(counted(end).saturating_add(1));
            Ok((last..first).rev().step_by(stride).collect())
        }
    }
}

/// The slices at `along` of one axis.
fn along_axis(input: &Constant, axis: usize, along: &[usize], shape: Vec<usize>) -> Constant {
    let inner: usize = input.shape[axis + 1..].iter().product();
    let outer: usize = input.shape[..axis].iter().product();
    let length = input.shape[axis];
    let mut sources = Vec::new();
    for block in 0..outer {
        for position in along {
            let start = (block * length + position) * inner;
            sources.extend(start..start + inner);
        }
    }
    take(input, shape, &sources)
}

/// Repeats the whole tensor along each axis.
pub(super) fn tile(
    context: &mut NodeContext<'_>,
    inputs: &Inputs<'_>,
) -> Result<Constant, Problem> {
    let (input, repeats) = (inputs.at(0)?, inputs.integers(1)?);
    let bad = || Problem::malformed(format!("it repeats {:?} by {repeats:?}", input.shape));
    if repeats.len() != input.shape.len() {
        return Err(bad());
    }
    let mut result = input.clone();
    for (axis, &count) in repeats.iter().enumerate() {
        let count = usize::try_from(count).map_err(|_| bad())?;
        let mut shape = result.shape.clone();
        shape[axis] = shape[axis].checked_mul(count).ok_or_else(bad)?;
        spend(context, &shape)?;
        let length = result.shape[axis];
        let along: Vec<usize> = (0..count).flat_map(|_| 0..length).collect();
        result = along_axis(&result, axis, &along, shape);
    }
    Ok(result)
}

/// The indices of elements that are not zero: one row per axis, one column per element.
pub(super) fn non_zero(
    context: &mut NodeContext<'_>,
    inputs: &Inputs<'_>,
) -> Result<Constant, Problem> {
    let input = inputs.at(0)?;
    let found: Vec<usize> = match &input.elements {
        Elements::Floats(floats) => (0..floats.len()).filter(|&i| floats[i] != 0.0).collect(),
        Elements::Integers(integers) => (0..integers.len()).filter(|&i| integers[i] != 0).collect(),
    };
    let shape = vec![input.shape.len(), found.len()];
    spend(context, &shape)?;
    let mut indices = Vec::new();
    for axis in 0..input.shape.len() {
        let inner: usize = input.shape[axis + 1..].iter().product();
        let index = |&position: &usize| (position / inner % input.shape[axis]) as i64;
        indices.extend(found.iter().map(index));
    }
    let elements = Elements::Integers(indices);
    Ok(Constant { shape, elements })
}

pub(super) fn concat(
    context: &mut NodeContext<'_>,
    inputs: &Inputs<'_>,
) -> Result<Constant, Problem> {
    let first = inputs.at(0)?;
    let axis = full_axis(context.integer_attribute("axis", 0)?, first.shape.len())?;
    let mut parts = Vec::with_capacity(inputs.0.len());
    let mut shape = first.shape.clone();
    shape[axis] = 0;
    for position in 0..inputs.0.len() {
        let part = inputs.at(position)?;
        let mut expected = shape.clone();
        expected[axis] = part.shape.get(axis).copied().unwrap_or(0);
        if part.shape != expected {
            return Err(Problem::malformed(format!(
                "input {position} has shape {:?}",
                part.shape
            )));
        }
        shape[axis] = shape[axis].saturating_add(expected[axis]);
        parts.push(part);
    }
    spend(context, &shape)?;
    let outer: usize = shape[..axis].iter().product();
    let is_integer = |part: &&Constant| matches!(part.elements, Elements::Integers(_));
    let elements = if parts.iter().all(is_integer) {
        Elements::Integers(interleave(&parts, outer, |part| match &part.elements {
            Elements::Integers(integers) => integers.clone(),
            Elements::Floats(_) => Vec::new(),
        }))
    } else {
        Elements::Floats(interleave(&parts, outer, Constant::floats))
    };
    Ok(Constant { shape, elements })
}

fn interleave<T: Copy>(
    parts: &[&Constant],
    outer: usize,
    elements: impl Fn(&Constant) -> Vec<T>,
) -> Vec<T> {
    let parts: Vec<Vec<T>> = parts.iter().map(|part| elements(part)).collect();
    let mut joined = Vec::new();
    for block in 0..outer {
        for part in &parts {
            let length = part.len() / outer;
            joined.extend_from_slice(&part[block * length..(block + 1) * length]);
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slice_positions() {
        let to = |start, end, step, size| positions(start, end, step, size).unwrap();
        assert_eq!(to(1, i64::MAX, 1, 4), vec![1, 2, 3]);
        assert_eq!(to(-2, i64::MAX, 1, 4), vec![2, 3]);
        assert_eq!(to(0, -1, 2, 6), vec![0, 2, 4]);
        assert_eq!(to(-1, i64::MIN, -1, 3), vec![2, 1, 0]);
        assert_eq!(to(3, 0, -2, 4), vec![3, 1]);
        assert!(to(3, 1, 1, 4).is_empty());
        assert!(to(i64::MIN, i64::MIN, 1, 4).is_empty());
        assert_eq!(to(0, 9, i64::MAX, 4), vec![0]);
        assert!(positions(0, 1, 0, 4).is_err());
    }
}
