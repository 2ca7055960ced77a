//! Comparisons and logic on constants; truth is 1, falsehood 0.

use super::arithmetic::{Pairs, pairs};
use super::{Inputs, spend, take};
use crate::constant::{BATCH_SIZE, Constant, Elements};
use crate::node::{NodeContext, Problem};
use hush_graph::{Movement, Shape, broadcast_shape};
use std::cmp::Ordering;

macro_rules! fold_comparison {
    ($($name:ident: $accepts:expr;)*) => {$(
        pub(super) fn $name(
            context: &mut NodeContext<'_>,
            inputs: &Inputs<'_>,
        ) -> Result<Constant, Problem> {
            comparison(context, inputs, $accepts)
        }
    )*};
}

fold_comparison! {
    equal: |order| order == Some(Ordering::Equal);
    greater: |order| order == Some(Ordering::Greater);
    greater_or_equal: |order| matches!(order, Some(Ordering::Greater | Ordering::Equal));
    less: |order| order == Some(Ordering::Less);
    less_or_equal: |order| matches!(order, Some(Ordering::Less | Ordering::Equal));
}

macro_rules! fold_logic {
    ($($name:ident: $function:expr;)*) => {$(
        pub(super) fn $name(
            context: &mut NodeContext<'_>,
            inputs: &Inputs<'_>,
        ) -> Result<Constant, Problem> {
            logic(context, inputs, $function)
        }
    )*};
}

fold_logic! {
    and: |a, b| a && b;
    or: |a, b| a || b;
    xor: |a, b| a != b;
}

fn comparison(
    context: &mut NodeContext<'_>,
    inputs: &Inputs<'_>,
    accepts: impl Fn(Option<Ordering>) -> bool,
) -> Result<Constant, Problem> {
    let (shape, pairs) = pairs(context, inputs)?;
    let truth = match pairs {
        Pairs::Floats(pairs) => pairs
            .iter()
            .map(|(a, b)| i64::from(accepts(a.partial_cmp(b))))
            .collect(),
        Pairs::Integers(pairs) => pairs
            .iter()
            .map(|&(a, b)| Ok(i64::from(accepts(Some(order(a, b)?)))))
            .collect::<Result<_, Problem>>()?,
    };
    let elements = Elements::Integers(truth);
    Ok(Constant { shape, elements })
}

/// Of the batch size no more is known than that it is at least one.
fn order(left: i64, right: i64) -> Result<Ordering, Problem> {
    match (left, right) {
        (BATCH_SIZE, BATCH_SIZE) => Ok(Ordering::Equal),
        (BATCH_SIZE, ..=0) => Ok(Ordering::Greater),
        (..=0, BATCH_SIZE) => Ok(Ordering::Less),
        (BATCH_SIZE, _) | (_, BATCH_SIZE) => {
            Err(Problem::mixes_samples("it depends on the batch size"))
        }
        (left, right) => Ok(left.cmp(&right)),
    }
}

fn logic(
    context: &mut NodeContext<'_>,
    inputs: &Inputs<'_>,
    function: impl Fn(bool, bool) -> bool,
) -> Result<Constant, Problem> {
    let (shape, Pairs::Integers(pairs)) = pairs(context, inputs)? else {
        return Err(Problem::malformed("its inputs are not truth values"));
    };
    let truth = pairs
        .iter()
        .map(|&(a, b)| i64::from(function(a != 0, b != 0)));
    let elements = Elements::Integers(truth.collect());
    Ok(Constant { shape, elements })
}

pub(super) fn not(context: &mut NodeContext<'_>, inputs: &Inputs<'_>) -> Result<Constant, Problem> {
    let (shape, truth) = (&inputs.at(0)?.shape, inputs.integers(0)?);
    spend(context, shape)?;
    let elements = Elements::Integers(truth.iter().map(|&a| i64::from(a == 0)).collect());
    let shape = shape.clone();
    Ok(Constant { shape, elements })
}

/// `Where`: elements of the second input where the first is true, of the third elsewhere.
pub(super) fn choose(
    context: &mut NodeContext<'_>,
    inputs: &Inputs<'_>,
) -> Result<Constant, Problem> {
    let (condition, left, right) = (inputs.at(0)?, inputs.at(1)?, inputs.at(2)?);
    let bad = || Problem::malformed("its inputs do not broadcast");
    let shape = broadcast_shape(&left.shape, &right.shape).ok_or_else(bad)?;
    let shape = broadcast_shape(&condition.shape, &shape).ok_or_else(bad)?;
    if spend(context, &shape)? == 0 {
        let elements = Elements::Integers(Vec::new());
        return Ok(Constant { shape, elements });
    }
    let spread = |constant: &Constant| -> Result<Constant, Problem> {
        let movement = Movement::Expand {
            shape: Shape::new(shape.clone())?,
        };
        let sources = movement.sources(&Shape::new(constant.shape.clone())?);
        Ok(take(constant, shape.clone(), &sources))
    };
    let (condition, left, right) = (spread(condition)?, spread(left)?, spread(right)?);
    let Elements::Integers(truth) = &condition.elements else {
        return Err(Problem::malformed("its condition is not a truth value"));
    };
    fn pick<T: Copy>(truth: &[i64], left: &[T], right: &[T]) -> Vec<T> {
        let both = left.iter().zip(right);
        let chosen = truth.iter().zip(both);
        chosen
            .map(|(&truth, (&left, &right))| if truth != 0 { left } else { right })
            .collect()
    }
    let elements = match (&left.elements, &right.elements) {
        (Elements::Integers(left), Elements::Integers(right)) => {
            Elements::Integers(pick(truth, left, right))
        }
        _ if left.holds_batch_size() || right.holds_batch_size() => {
            return Err(Problem::mixes_samples("it computes with the batch size"));
        }
        _ => Elements::Floats(pick(truth, &left.floats(), &right.floats())),
    };
    Ok(Constant { shape, elements })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_batch_size_is_at_least_one() {
        assert_eq!(order(BATCH_SIZE, -1), Ok(Ordering::Greater));
        assert_eq!(order(0, BATCH_SIZE), Ok(Ordering::Less));
        assert_eq!(order(BATCH_SIZE, BATCH_SIZE), Ok(Ordering::Equal));
        assert!(order(BATCH_SIZE, 1).is_err());
        assert_eq!(order(2, 1), Ok(Ordering::Greater));
    }
}
