//! `LinearRegressor`.

use super::transform::Transform;
use crate::node::{Known, NodeContext, Problem};
use hush_graph::{Operator, Tensor, ValueId};

pub(crate) fn import(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    let transform = Transform::read(context)?;
    let targets = context.integer_attribute("targets", 1)?;
    let intercepts = context.floats_attribute("intercepts")?;
    let targets = usize::try_from(targets).unwrap_or(0);
    if targets == 1 && transform != Transform::None {
        return Err(Problem::new(
            "implementations differ on its post_transform of a single target",
            "use post_transform NONE and transform the result after decryption",
        ));
    }
    let scores = linear(
        context,
        intercepts.unwrap_or(vec![0.0; targets.min(1 << 20)]),
    )?;
    if context.shape(scores).size() != targets {
        return Err(Problem::malformed("its intercepts do not fit its targets"));
    }
    let result = transform.apply(context, 0, scores)?;
    context.define(Known::Data(result))
}

/// `coefficients · x + intercepts`, one score per intercept.
pub(super) fn linear(
    context: &mut NodeContext<'_>,
    intercepts: Vec<f64>,
) -> Result<ValueId, Problem> {
    let input = context.data(0)?;
    let shape = context.shape(input);
    let &[features] = shape.dimensions() else {
        return Err(Problem::malformed("its input is not a matrix"));
    };
    let missing = || Problem::malformed("its coefficients are missing");
    let coefficients = context
        .floats_attribute("coefficients")?
        .ok_or_else(missing)?;
    let scores = intercepts.len();
    if scores == 0 || scores.checked_mul(features) != Some(coefficients.len()) {
        return Err(Problem::malformed(format!(
            "its {} coefficients do not fit {scores} scores of {features} features",
            coefficients.len()
        )));
    }
    let weight = Tensor::new(vec![scores, features], coefficients)?;
    let bias = Some(Tensor::new(vec![scores], intercepts)?);
    context.emit(Operator::Linear { weight, bias }, &[input])
}
