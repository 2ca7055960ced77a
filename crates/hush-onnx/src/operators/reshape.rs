//! `Reshape` within each sample.

use crate::constant::BATCH_SIZE;
use crate::node::{NodeContext, Problem};
use hush_graph::{Movement, Operator, Shape};

pub(crate) fn import(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    let input = context.data(0)?;
    let shape = context.shape(input);
    let missing = || Problem::malformed("its shape is missing");
    let target = context.integers(1)?.ok_or_else(missing)?;
    let copies_zero = context.integer_attribute("allowzero", 0)? == 0;
    let shape = sample_shape(
        &shape,
        &target,
        copies_zero,
        context.environment.single_sample,
    )?;
    context.finish(Operator::Movement(Movement::Reshape { shape }), &[input])
}

/// The shape of a sample after a reshape to `target`, whose first dimension must be the batch.
fn sample_shape(
    shape: &Shape,
    target: &[i64],
    copies_zero: bool,
    single_sample: bool,
) -> Result<Shape, Problem> {
    let mixes = || {
        Problem::mixes_samples(format!(
            "its target {} does not keep the batch",
            Target(target)
        ))
    };
    let (&first, rest) = target.split_first().ok_or_else(mixes)?;
    let keeps_batch = match first {
        BATCH_SIZE | -1 => true,
        0 => copies_zero,
        1 => single_sample,
        _ => false,
    };
    if !keeps_batch {
        return Err(mixes());
    }
    let mut dimensions = Vec::with_capacity(rest.len());
    let mut free = None;
    for (index, &size) in rest.iter().enumerate() {
        dimensions.push(match size {
            -1 if free.is_none() && first != -1 => {
                free = Some(index);
                1
            }
            0 if copies_zero => *shape.dimensions().get(index).ok_or_else(mixes)?,
            size if size > 0 => usize::try_from(size).map_err(|_| mixes())?,
            _ => return Err(mixes()),
        });
    }
    let size = dimensions
        .iter()
        .try_fold(1usize, |size, &d| size.checked_mul(d))
        .ok_or_else(mixes)?;
    if let Some(free) = free {
        if !shape.size().is_multiple_of(size) {
            return Err(mixes());
        }
        dimensions[free] = shape.size() / size;
    } else if size != shape.size() {
        return Err(mixes());
    }
    Ok(Shape::new(dimensions)?)
}

struct Target<'a>(&'a [i64]);

impl std::fmt::Display for Target<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = self.0.iter().map(|&size| match size {
            BATCH_SIZE => "batch".to_string(),
            size => size.to_string(),
        });
        write!(formatter, "[{}]", names.collect::<Vec<_>>().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_batch_in_front() {
        let shape = Shape::new(vec![2, 6]).unwrap();
        let to = |target: &[i64]| {
            sample_shape(&shape, target, true, false).map(|s| s.dimensions().to_vec())
        };
        assert_eq!(to(&[-1, 12]), Ok(vec![12]));
        assert_eq!(to(&[0, -1]), Ok(vec![12]));
        assert_eq!(to(&[0, 0, 3, 2]), Ok(vec![2, 3, 2]));
        assert_eq!(to(&[BATCH_SIZE, 4, -1]), Ok(vec![4, 3]));
        assert_eq!(
            sample_shape(&shape, &[1, 12], true, true)
                .unwrap()
                .dimensions(),
            &[12]
        );
        for bad in [
            &[1, 12][..],
            &[-1, 6],
            &[-1, -1],
            &[12, -1],
            &[0, 5, -1],
            &[],
            &[0, 0, 0, 0],
            &[0, -2],
        ] {
            assert!(to(bad).is_err(), "{bad:?}");
        }
        assert!(to(&[0, i64::MAX, i64::MAX]).is_err());
    }
}
