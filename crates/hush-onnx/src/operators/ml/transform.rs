//! What the linear and kernel models apply to their scores (`post_transform`).

use crate::node::{NodeContext, Problem};
use hush_graph::{Function, Operator, ValueId};

/// How scores become results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transform {
    None,
    Logistic,
    Softmax,
}

impl Transform {
    pub(super) fn read(context: &NodeContext<'_>) -> Result<Transform, Problem> {
        match context.text_attribute("post_transform", "NONE")?.as_str() {
            "NONE" => Ok(Transform::None),
            "LOGISTIC" => Ok(Transform::Logistic),
            "SOFTMAX" => Ok(Transform::Softmax),
            other => Err(Problem::new(
                format!("its post_transform is {other}"),
                "use NONE, LOGISTIC or SOFTMAX",
            )),
        }
    }

    /// Applies it to `[batch, scores]`.
    pub(super) fn apply(
        self,
        context: &mut NodeContext<'_>,
        output: usize,
        scores: ValueId,
    ) -> Result<ValueId, Problem> {
        let operator = match self {
            Transform::None => return Ok(scores),
            Transform::Logistic => Operator::Elementwise(Function::Sigmoid),
            Transform::Softmax => Operator::Softmax { axis: 0 },
        };
        context.emit_output(output, operator, &[scores])
    }
}
