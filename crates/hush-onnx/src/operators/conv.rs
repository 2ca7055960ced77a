//! `Conv` with a constant kernel, over any number of spatial axes.

use crate::node::{Known, NodeContext, Problem};
use crate::window::{Window, kernel_shape};
use hush_graph::{Convolution, Operator, Tensor};

pub(crate) fn import(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    let input = context.data(0)?;
    let shape = context.shape(input);
    let weight = kernel(context)?;
    let kernel = weight.shape()[2..].to_vec();
    let lengths = shape.dimensions().get(1..).unwrap_or_default();
    let window = Window::read(context, kernel, lengths)?;
    let groups = groups(context)?;
    let bias = match context.optional_input(2)? {
        None => None,
        Some(_) => Some(context.tensor(2)?),
    };
    let convolution = Convolution {
        weight,
        bias,
        strides: window.strides,
        padding: window.padding,
        dilations: window.dilations,
        groups,
    };
    context.finish(Operator::Convolution(convolution), &[input])
}

/// The second input, of at least three dimensions; `kernel_shape` must agree with it.
pub(super) fn kernel(context: &mut NodeContext<'_>) -> Result<Tensor, Problem> {
    if matches!(context.input(1)?, Known::Data(_)) {
        return Err(Problem::new(
            "its kernel depends on the data",
            "only constant kernels are supported",
        ));
    }
    let weight = context.tensor(1)?;
    let stated = kernel_shape(context)?;
    match weight.shape() {
        [_, _, kernel @ ..]
            if !kernel.is_empty() && stated.as_deref().is_none_or(|stated| stated == kernel) =>
        {
            Ok(weight)
        }
        other => Err(Problem::malformed(format!(
            "its kernel has shape {other:?}{}",
            stated.map_or(String::new(), |stated| format!(
                " but kernel_shape says {stated:?}"
            ))
        ))),
    }
}

pub(super) fn groups(context: &NodeContext<'_>) -> Result<usize, Problem> {
    let groups = context.integer_attribute("group", 1)?;
    let bad = || Problem::malformed(format!("its group is {groups}"));
    usize::try_from(groups)
        .ok()
        .filter(|&groups| groups > 0)
        .ok_or_else(bad)
}
