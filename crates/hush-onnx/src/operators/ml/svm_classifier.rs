//! `SVMClassifier`: one score per pair of classes.
//!
//! The label of more than two classes is a vote among the pairs, which takes comparisons, so only
//! the scores are supported there.

use super::classes;
use super::kernel::Machine;
use super::linear_classifier::pair;
use super::transform::Transform;
use crate::node::{Known, NodeContext, Problem};
use hush_graph::{Tensor, ValueId};

pub(crate) fn import(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    let classes = classes::read(context, "classlabels_ints")?;
    let per_class: Vec<usize> = context
        .integers_attribute("vectors_per_class")?
        .unwrap_or_default()
        .iter()
        .map(|&count| usize::try_from(count))
        .collect::<Result<_, _>>()
        .map_err(|_| Problem::malformed("a class has a negative number of vectors"))?;
    if classes.len() < 2 || per_class.len() != classes.len() {
        return Err(Problem::new(
            format!(
                "it has {} classes and vectors of {}",
                classes.len(),
                per_class.len()
            ),
            "export a model with support vectors of at least two classes",
        ));
    }
    let total = per_class
        .iter()
        .try_fold(0usize, |sum, &count| sum.checked_add(count));
    let machine = Machine::read(context, total.unwrap_or(0))?;
    let combinations = combinations(context, &per_class)?;
    let offsets = context.floats_attribute("rho")?.unwrap_or_default();
    if offsets.len() != combinations.shape()[0] {
        return Err(Problem::malformed(
            "attribute `rho` does not fit its classes",
        ));
    }
    let scores = machine.emit(context, combinations, offsets)?;
    let probability = probability(context, &classes)?;
    if classes.len() == 2 {
        return two_classes(context, scores, probability, classes);
    }
    let result = Transform::read(context)?.apply(context, 1, scores)?;
    let vote = Problem::new(
        format!(
            "its label is a vote among the pairs of {} classes, which takes comparisons",
            classes.len()
        ),
        "take its scores, one per pair of classes, and count the votes after decryption",
    );
    context.leave_out(0, vote);
    context.define_output(1, Known::Data(result));
    Ok(())
}

/// A positive score speaks for the first class.
fn two_classes(
    context: &mut NodeContext<'_>,
    score: ValueId,
    probability: Option<(f64, f64)>,
    classes: Vec<String>,
) -> Result<(), Problem> {
    let transform = Transform::read(context)?;
    let (label, result) = match (probability, transform) {
        // The probability of the second class is sigmoid(a · score + b).
        (Some((a, b)), Transform::None) => {
            let arguments = pair(context, score, [-a, a], [-b, b])?;
            (arguments, Transform::Logistic.apply(context, 1, arguments)?)
        }
        (None, Transform::None | Transform::Logistic) => {
            let label = pair(context, score, [1.0, -1.0], [0.0, 0.0])?;
            let signed = pair(context, score, [-1.0, 1.0], [0.0, 0.0])?;
            (label, transform.apply(context, 1, signed)?)
        }
        _ => {
            return Err(Problem::new(
                "implementations differ on its post_transform",
                "use post_transform NONE and transform the result after decryption",
            ));
        }
    };
    // Encrypted results end in the same way, so the label cannot come beside the scores.
    if probability.is_none() && context.is_read(1) {
        let reason = format!(
            "its label is {} where the second score is positive and {} elsewhere",
            classes[0], classes[1]
        );
        context.leave_out(0, Problem::new(reason, "find it after decryption"));
    } else {
        classes::define_label(context, label, classes)?;
    }
    context.define_output(1, Known::Data(result));
    Ok(())
}

/// The two parameters of the probability of two classes, if it is asked for.
fn probability(
    context: &NodeContext<'_>,
    classes: &[String],
) -> Result<Option<(f64, f64)>, Problem> {
    let slopes = context.floats_attribute("prob_a")?.unwrap_or_default();
    let offsets = context.floats_attribute("prob_b")?.unwrap_or_default();
    match (slopes.as_slice(), offsets.as_slice()) {
        ([], _) => Ok(None),
        (&[slope], &[offset]) => Ok(Some((slope, offset))),
        _ => Err(Problem::new(
            format!(
                "it couples the probabilities of {} classes by iteration",
                classes.len()
            ),
            "train it without probabilities (probability=False)",
        )),
    }
}

/// One row per pair of classes, one column per support vector: which kernels the score of the
/// pair sums, and with which factor.
fn combinations(context: &mut NodeContext<'_>, per_class: &[usize]) -> Result<Tensor, Problem> {
    let coefficients = context
        .floats_attribute("coefficients")?
        .unwrap_or_default();
    let (classes, vectors) = (per_class.len(), per_class.iter().sum::<usize>());
    if (classes - 1).checked_mul(vectors) != Some(coefficients.len()) {
        return Err(Problem::malformed(format!(
            "its {} coefficients do not fit {classes} classes with {vectors} support vectors",
            coefficients.len()
        )));
    }
    let pairs = classes * (classes - 1) / 2;
    context.environment.spend(pairs.saturating_mul(vectors))?;
    let starts: Vec<usize> = per_class
        .iter()
        .scan(0, |next, count| {
            let start = *next;
            *next += count;
            Some(start)
        })
        .collect();
    let mut data = Vec::with_capacity(pairs * vectors);
    for first in 0..classes {
        for second in first + 1..classes {
            let mut row = vec![0.0; vectors];
            for vector in starts[first]..starts[first] + per_class[first] {
                row[vector] = coefficients[(second - 1) * vectors + vector];
            }
            for vector in starts[second]..starts[second] + per_class[second] {
                row[vector] = coefficients[first * vectors + vector];
            }
            data.extend(row);
        }
    }
    Ok(Tensor::new(vec![pairs, vectors], data)?)
}
