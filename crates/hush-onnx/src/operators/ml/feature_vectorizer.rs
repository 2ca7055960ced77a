//! `FeatureVectorizer`: its inputs side by side.

use crate::node::{Known, NodeContext, Problem};
use hush_graph::Operator;

pub(crate) fn import(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    let count = context.node.input.len();
    let stated = context.integers_attribute("inputdimensions")?;
    let mut values = Vec::with_capacity(count);
    for position in 0..count {
        let value = context.data(position)?;
        let shape = context.shape(value);
        let stated = stated.as_ref().and_then(|stated| stated.get(position));
        let fits = stated.is_none_or(|&stated| i64::try_from(shape.size()) == Ok(stated));
        if shape.rank() != 1 || !fits {
            return Err(Problem::malformed(format!(
                "input {position} of shape {shape} does not have the stated features"
            )));
        }
        values.push(value);
    }
    match values.as_slice() {
        [] => Err(Problem::malformed("it has no inputs")),
        &[value] => context.define(Known::Data(value)),
        values => context.finish(Operator::Concatenate { axis: 0 }, values),
    }
}
