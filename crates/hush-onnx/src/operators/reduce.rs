//! `ReduceSum`, `ReduceMean`, `ReduceProd`, `ReduceMax`, `ReduceMin`, norms and logarithms of sums
//! over dimensions of a sample.

use crate::extremum::{self, Windows};
use crate::node::{Known, NodeContext, Problem};
use crate::separable::Separable;
use hush_graph::{BinaryOperator, Function, Movement, Operator, Polynomial, Shape, ValueId};
use std::collections::BTreeSet;

pub(crate) fn import_sum(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    import_linear(context, "reduce_sum", |_| 1.0)
}

pub(crate) fn import_mean(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    import_linear(context, "reduce_mean", |length| 1.0 / length as f64)
}

pub(crate) fn import_max(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    import_extremum(context, "reduce_max", BinaryOperator::Maximum)
}

pub(crate) fn import_min(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    import_extremum(context, "reduce_min", BinaryOperator::Minimum)
}

pub(crate) fn import_sum_of_squares(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    let square = Function::Polynomial(Polynomial::monomial(2));
    import_between(context, Some(square), None)
}

pub(crate) fn import_l1(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    import_between(context, Some(Function::Abs), None)
}

pub(crate) fn import_l2(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    let square = Function::Polynomial(Polynomial::monomial(2));
    import_between(context, Some(square), Some(Function::Sqrt))
}

pub(crate) fn import_log_sum(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    import_between(context, None, Some(Function::Log))
}

pub(crate) fn import_log_sum_exp(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    import_between(context, Some(Function::Exp), Some(Function::Log))
}

/// Products of all elements along an axis, in pairs.
pub(crate) fn import_product(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    let input = context.data(0)?;
    let shape = context.shape(input);
    let axes = axes(context, &shape)?;
    let mut value = input;
    for &axis in &axes {
        let mut factors = Vec::new();
        for place in 0..shape.dimensions()[axis] {
            let mut factor = Separable::new("factor");
            factor.select(context, axis, &[place])?;
            factors.push(factor.emit(context, 0, value, None)?);
        }
        while factors.len() > 1 {
            let mut products = Vec::with_capacity(factors.len().div_ceil(2));
            for pair in factors.chunks(2) {
                products.push(match pair {
                    &[left, right] => {
                        let multiply = Operator::Binary(BinaryOperator::Multiply);
                        context.emit(multiply, &[left, right])?
                    }
                    single => single[0],
                });
            }
            factors = products;
        }
        value = factors[0];
    }
    let shape = Shape::new(dimensions(context, &shape, &axes)?)?;
    if shape != context.shape(value) {
        value = context.emit(Operator::Movement(Movement::Reshape { shape }), &[value])?;
    }
    context.define(Known::Data(value))
}

/// `after(Σ before(x))`
fn import_between(
    context: &mut NodeContext<'_>,
    before: Option<Function>,
    after: Option<Function>,
) -> Result<(), Problem> {
    let input = context.data(0)?;
    let shape = context.shape(input);
    let axes = axes(context, &shape)?;
    if axes.is_empty() {
        return Err(Problem::malformed("it reduces nothing"));
    }
    let mut value = input;
    if let Some(before) = before {
        value = context.emit(Operator::Elementwise(before), &[value])?;
    }
    value = linear(context, "reduce_sum", value, &axes, |_| 1.0)?;
    if let Some(after) = after {
        value = context.emit(Operator::Elementwise(after), &[value])?;
    }
    context.define(Known::Data(value))
}

fn import_linear(
    context: &mut NodeContext<'_>,
    name: &'static str,
    weight: impl Fn(usize) -> f64,
) -> Result<(), Problem> {
    let input = context.data(0)?;
    let shape = context.shape(input);
    let axes = axes(context, &shape)?;
    let value = linear(context, name, input, &axes, weight)?;
    context.define(Known::Data(value))
}

fn linear(
    context: &mut NodeContext<'_>,
    name: &'static str,
    input: ValueId,
    axes: &BTreeSet<usize>,
    weight: impl Fn(usize) -> f64,
) -> Result<ValueId, Problem> {
    let shape = context.shape(input);
    let mut sums = Separable::new(name);
    for &axis in axes {
        let length = shape.dimensions()[axis];
        sums.along(context, axis, length, 1, |_| {
            (0..length).map(|place| (place, weight(length))).collect()
        })?;
    }
    let dimensions = dimensions(context, &shape, axes)?;
    sums.emit(context, 0, input, Some(dimensions))
}

fn import_extremum(
    context: &mut NodeContext<'_>,
    name: &'static str,
    binary: BinaryOperator,
) -> Result<(), Problem> {
    let input = context.data(0)?;
    let shape = context.shape(input);
    let axes = axes(context, &shape)?;
    let mut value = input;
    for &axis in axes.iter().rev() {
        let windows = Windows::whole(shape.dimensions()[axis]);
        value = extremum::along(context, name, binary, value, axis, &windows)?;
    }
    let shape = Shape::new(dimensions(context, &shape, &axes)?)?;
    if shape != context.shape(value) {
        value = context.emit(Operator::Movement(Movement::Reshape { shape }), &[value])?;
    }
    context.define(Known::Data(value))
}

/// The reduced axes, from an attribute in old models, from an input in new ones.
fn axes(context: &mut NodeContext<'_>, shape: &Shape) -> Result<BTreeSet<usize>, Problem> {
    let axes = match context.optional_input(1)? {
        Some(_) => context.integers(1)?,
        None => context.integers_attribute("axes")?,
    };
    let axes = axes.unwrap_or_default();
    if axes.is_empty() && context.integer_attribute("noop_with_empty_axes", 0)? == 0 {
        return Err(Problem::mixes_samples("without axes it reduces the batch"));
    }
    axes.into_iter()
        .map(|axis| context.sample_axis(axis, shape.rank() + 1))
        .collect()
}

fn dimensions(
    context: &NodeContext<'_>,
    shape: &Shape,
    axes: &BTreeSet<usize>,
) -> Result<Vec<usize>, Problem> {
    let keeps = context.integer_attribute("keepdims", 1)? != 0;
    let dimension = |(axis, &length): (usize, &usize)| match axes.contains(&axis) {
        true => keeps.then_some(1),
        false => Some(length),
    };
    let dimensions = shape.dimensions().iter().enumerate();
    Ok(dimensions.filter_map(dimension).collect())
}
