//! `LinearClassifier`: one score per class, and the class with the largest.

use super::classes;
use super::linear_regressor::linear;
use super::transform::Transform;
use crate::node::{Known, NodeContext, Problem};
use hush_graph::{Operator, Tensor, ValueId};

pub(crate) fn import(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    let transform = Transform::read(context)?;
    let classes = classes::read(context, "classlabels_ints")?;
    let intercepts = match context.floats_attribute("intercepts")? {
        Some(intercepts) if !intercepts.is_empty() => intercepts,
        _ => vec![0.0; classes.len()],
    };
    let scores = linear(context, intercepts)?;
    match (context.shape(scores).size(), classes.len()) {
        (1, 2) => single_score(context, scores, transform, classes),
        (count, number) if count == number => {
            let result = transform.apply(context, 1, scores)?;
            classes::define_label(context, scores, classes)?;
            context.define_output(1, Known::Data(result));
            Ok(())
        }
        (count, number) => Err(Problem::malformed(format!(
            "its {count} scores do not fit {number} classes"
        ))),
    }
}

/// One score that speaks for the second class where it is positive.
fn single_score(
    context: &mut NodeContext<'_>,
    score: ValueId,
    transform: Transform,
    classes: Vec<String>,
) -> Result<(), Problem> {
    let signed = pair(context, score, [-1.0, 1.0], [0.0, 0.0])?;
    if transform == Transform::None && context.is_read(1) {
        // Encrypted results end in the same way, so the label cannot come beside the scores.
        let reason = format!(
            "its label is {} where the second score is positive and {} elsewhere",
            classes[1], classes[0]
        );
        context.leave_out(0, Problem::new(reason, "find it after decryption"));
    } else {
        classes::define_label(context, signed, classes)?;
    }
    let result = match transform {
        Transform::None => pair(context, score, [-1.0, 1.0], [1.0, 0.0])?,
        Transform::Logistic => transform.apply(context, 1, signed)?,
        Transform::Softmax => {
            return Err(Problem::new(
                "implementations differ on the softmax of a single score",
                "use post_transform LOGISTIC",
            ));
        }
    };
    context.define_output(1, Known::Data(result));
    Ok(())
}

/// `scales · score + offsets`, from `[batch, 1]` to `[batch, 2]`.
pub(super) fn pair(
    context: &mut NodeContext<'_>,
    score: ValueId,
    scales: [f64; 2],
    offsets: [f64; 2],
) -> Result<ValueId, Problem> {
    let weight = Tensor::new(vec![2, 1], scales.to_vec())?;
    let bias = Some(Tensor::new(vec![2], offsets.to_vec())?);
    context.emit_output(1, Operator::Linear { weight, bias }, &[score])
}
