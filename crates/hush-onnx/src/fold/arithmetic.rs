//! Element-by-element arithmetic on constants.

use super::{Inputs, spend};
use crate::constant::{BATCH_SIZE, Constant, Elements};
use crate::node::{NodeContext, Problem};
use hush_graph::{Function, Movement, Shape, broadcast_shape};
use std::sync::Arc;

macro_rules! fold_binary {
    ($($name:ident: $float:expr, $integer:expr, $neutral:expr;)*) => {$(
        pub(super) fn $name(
            context: &mut NodeContext<'_>,
            inputs: &Inputs<'_>,
        ) -> Result<Constant, Problem> {
            let (shape, pairs) = pairs(context, inputs)?;
            combine(shape, pairs, $float, $integer, $neutral)
        }
    )*};
}

fold_binary! {
    add: |a, b| a + b, i64::checked_add, |a, b| a == 0 || b == 0;
    subtract: |a, b| a - b, i64::checked_sub, |_, b| b == 0;
    multiply: |a, b| a * b, i64::checked_mul, |a, b| a == 1 || b == 1;
    divide: |a, b| a / b, i64::checked_div, |_, b| b == 1;
    power: f64::powf, |a, b| a.checked_pow(u32::try_from(b).ok()?), |_, b| b == 1;
}

macro_rules! fold_unary {
    ($($name:ident: $function:expr;)*) => {$(
        pub(super) fn $name(
            context: &mut NodeContext<'_>,
            inputs: &Inputs<'_>,
        ) -> Result<Constant, Problem> {
            unary(context, inputs, $function)
        }
    )*};
}

fold_unary! {
    cos: f64::cos;
    exp: f64::exp;
    floor: f64::floor;
    ceil: f64::ceil;
    log: f64::ln;
    reciprocal: f64::recip;
    relu: |x| Function::Relu.evaluate(x);
    round: f64::round_ties_even;
    sigmoid: |x| Function::Sigmoid.evaluate(x);
    sin: f64::sin;
    sqrt: f64::sqrt;
    tanh: f64::tanh;
}

pub(super) fn negate(
    context: &mut NodeContext<'_>,
    inputs: &Inputs<'_>,
) -> Result<Constant, Problem> {
    on_either(context, inputs, |x| -x, i64::checked_neg)
}

fn unary(
    context: &mut NodeContext<'_>,
    inputs: &Inputs<'_>,
    function: impl Fn(f64) -> f64,
) -> Result<Constant, Problem> {
    let input = inputs.at(0)?;
    refuse_batch_size(input)?;
    spend(context, &input.shape)?;
    let elements = Elements::Floats(input.floats().into_iter().map(function).collect());
    Ok(Constant {
        shape: input.shape.clone(),
        elements,
    })
}

/// The elements of two inputs after broadcasting; integers if both hold integers.
pub(super) enum Pairs {
    Floats(Vec<(f64, f64)>),
    Integers(Vec<(i64, i64)>),
}

/// The first two inputs, and the shape that they broadcast to.
pub(super) fn pairs(
    context: &mut NodeContext<'_>,
    inputs: &Inputs<'_>,
) -> Result<(Vec<usize>, Pairs), Problem> {
    let (left, right) = (inputs.at(0)?, inputs.at(1)?);
    let shape = broadcast_shape(&left.shape, &right.shape).ok_or_else(|| {
        Problem::malformed(format!(
            "{:?} and {:?} do not broadcast",
            left.shape, right.shape
        ))
    })?;
    if spend(context, &shape)? == 0 {
        return Ok((shape, Pairs::Integers(Vec::new())));
    }
    let sources = |constant: &Constant| -> Result<Vec<usize>, Problem> {
        let movement = Movement::Expand {
            shape: Shape::new(shape.clone())?,
        };
        Ok(movement.sources(&Shape::new(constant.shape.clone())?))
    };
    let positions = sources(left)?.into_iter().zip(sources(right)?);
    let pairs = match (&left.elements, &right.elements) {
        (Elements::Integers(a), Elements::Integers(b)) => {
            Pairs::Integers(positions.map(|(i, j)| (a[i], b[j])).collect())
        }
        _ => {
            refuse_batch_size(left)?;
            refuse_batch_size(right)?;
            let (a, b) = (left.floats(), right.floats());
            Pairs::Floats(positions.map(|(i, j)| (a[i], b[j])).collect())
        }
    };
    Ok((shape, pairs))
}

/// `neutral` says of two integers whether their combination is the one that is the batch size.
fn combine(
    shape: Vec<usize>,
    pairs: Pairs,
    on_floats: impl Fn(f64, f64) -> f64,
    on_integers: impl Fn(i64, i64) -> Option<i64>,
    neutral: impl Fn(i64, i64) -> bool,
) -> Result<Constant, Problem> {
    let on_integers = |(a, b): (i64, i64)| match (a, b) {
        (BATCH_SIZE, _) | (_, BATCH_SIZE) if neutral(a, b) => Ok(BATCH_SIZE),
        (BATCH_SIZE, _) | (_, BATCH_SIZE) => {
            Err(Problem::mixes_samples("it computes with the batch size"))
        }
        (a, b) => on_integers(a, b).ok_or_else(overflow),
    };
    let elements = match pairs {
        Pairs::Floats(pairs) => {
            Elements::Floats(pairs.into_iter().map(|(a, b)| on_floats(a, b)).collect())
        }
        Pairs::Integers(pairs) => {
            let results = pairs.into_iter().map(on_integers);
            Elements::Integers(results.collect::<Result<_, _>>()?)
        }
    };
    Ok(Constant { shape, elements })
}

/// `Max` and `Min` of any number of inputs.
pub(super) fn maximum(
    context: &mut NodeContext<'_>,
    inputs: &Inputs<'_>,
) -> Result<Constant, Problem> {
    // The batch is at least one.
    extremum(context, inputs, f64::max, Ord::max, |a, b| a.max(b) <= 1)
}

pub(super) fn minimum(
    context: &mut NodeContext<'_>,
    inputs: &Inputs<'_>,
) -> Result<Constant, Problem> {
    extremum(context, inputs, f64::min, Ord::min, |a, b| a == b)
}

fn extremum(
    context: &mut NodeContext<'_>,
    inputs: &Inputs<'_>,
    on_floats: impl Fn(f64, f64) -> f64,
    on_integers: impl Fn(i64, i64) -> i64,
    neutral: impl Fn(i64, i64) -> bool,
) -> Result<Constant, Problem> {
    let mut result = inputs.at(0)?.clone();
    for position in 1..inputs.0.len() {
        let both = [
            Some(Arc::new(result)),
            Some(Arc::new(inputs.at(position)?.clone())),
        ];
        let (shape, pairs) = pairs(context, &Inputs(&both))?;
        let on_integers = |a, b| Some(on_integers(a, b));
        result = combine(shape, pairs, &on_floats, on_integers, &neutral)?;
    }
    Ok(result)
}

/// `Mod`, with the sign of the divisor or (`fmod`) of the dividend.
pub(super) fn modulo(
    context: &mut NodeContext<'_>,
    inputs: &Inputs<'_>,
) -> Result<Constant, Problem> {
    let like_dividend = context.integer_attribute("fmod", 0)? != 0;
    let (shape, pairs) = pairs(context, inputs)?;
    let on_integers = |a: i64, b: i64| match like_dividend {
        true => a.checked_rem(b),
        false => a.checked_rem(b)?.checked_add(b)?.checked_rem(b),
    };
    combine(shape, pairs, |a, b| a % b, on_integers, |_, _| false)
}

pub(super) fn absolute(
    context: &mut NodeContext<'_>,
    inputs: &Inputs<'_>,
) -> Result<Constant, Problem> {
    on_either(context, inputs, f64::abs, i64::checked_abs)
}

/// A function of one input that keeps its type.
fn on_either(
    context: &mut NodeContext<'_>,
    inputs: &Inputs<'_>,
    on_floats: impl Fn(f64) -> f64,
    on_integers: impl Fn(i64) -> Option<i64>,
) -> Result<Constant, Problem> {
    let input = inputs.at(0)?;
    let Elements::Integers(integers) = &input.elements else {
        return unary(context, inputs, on_floats);
    };
    refuse_batch_size(input)?;
    spend(context, &input.shape)?;
    let results = integers.iter().map(|&integer| on_integers(integer));
    let integers = results.collect::<Option<_>>().ok_or_else(overflow)?;
    Ok(Constant {
        shape: input.shape.clone(),
        elements: Elements::Integers(integers),
    })
}

fn refuse_batch_size(constant: &Constant) -> Result<(), Problem> {
    if constant.holds_batch_size() {
        return Err(Problem::mixes_samples("it computes with the batch size"));
    }
    Ok(())
}

fn overflow() -> Problem {
    Problem::malformed("its integers overflow or are divided by zero")
}
