//! `Div` of a value by a constant.

use crate::broadcast;
use crate::node::{Known, NodeContext, Problem};
use hush_graph::{Operator, Tensor};

pub(crate) fn import(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    let (Known::Data(value), Known::Constant(_)) = (context.input(0)?, context.input(1)?) else {
        return Err(Problem::new(
            "it divides by a value that depends on the data",
            "only division by a constant is possible on encrypted data",
        ));
    };
    let constant = context.tensor(1)?;
    if constant.data().contains(&0.0) {
        return Err(Problem::new(
            "it divides by zero",
            "check the constants of the model",
        ));
    }
    let (value, scale) = broadcast::with_constant(context, value, constant.map(f64::recip))?;
    context.finish(
        Operator::Affine {
            scale,
            offset: Tensor::scalar(0.0),
        },
        &[value],
    )
}
