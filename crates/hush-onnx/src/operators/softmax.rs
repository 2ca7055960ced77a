//! `Softmax`.

use crate::node::{NodeContext, Problem};
use hush_graph::{Movement, Operator, Shape};

pub(crate) fn import(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    import_as(context, |axis| Operator::Softmax { axis })
}

/// Before operator set 13 the dimensions from `axis` on are taken together.
pub(super) fn import_as(
    context: &mut NodeContext<'_>,
    operator: impl Fn(usize) -> Operator,
) -> Result<(), Problem> {
    let input = context.data(0)?;
    let shape = context.shape(input);
    let together = context.operator_set() < 13;
    let axis = context.integer_attribute("axis", if together { 1 } else { -1 })?;
    let axis = context.sample_axis(axis, shape.rank() + 1)?;
    if !together || axis + 1 == shape.rank() {
        return context.finish(operator(axis), &[input]);
    }
    let (before, after) = shape.dimensions().split_at(axis);
    let flat = Shape::new(vec![before.iter().product(), after.iter().product()])?;
    let flat = context.emit(
        Operator::Movement(Movement::Reshape { shape: flat }),
        &[input],
    )?;
    let result = context.emit(operator(1), &[flat])?;
    context.finish(Operator::Movement(Movement::Reshape { shape }), &[result])
}
