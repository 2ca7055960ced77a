//! `Shrink`, where it is continuous: `x - min(max(x, -lambd), lambd)`.

use crate::node::{NodeContext, Problem};
use hush_graph::{BinaryOperator, Function, Operator};

pub(crate) fn import(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    let threshold = context.float_attribute("lambd", 0.5)?;
    let bias = context.float_attribute("bias", 0.0)?;
    if bias != threshold {
        return Err(Problem::new(
            format!("it jumps at its threshold (lambd {threshold}, bias {bias})"),
            "use the continuous form, with bias equal to lambd",
        ));
    }
    let input = context.data(0)?;
    let clip = Function::Clip {
        minimum: Some(-threshold),
        maximum: Some(threshold),
    };
    let clipped = context.emit(Operator::Elementwise(clip), &[input])?;
    context.finish(
        Operator::Binary(BinaryOperator::Subtract),
        &[input, clipped],
    )
}
