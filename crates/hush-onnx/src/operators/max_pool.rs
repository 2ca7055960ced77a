//! `MaxPool` and `GlobalMaxPool`, axis by axis.

use crate::extremum::{self, Windows};
use crate::node::{Known, NodeContext, Problem};
use crate::window::{Window, image, kernel_shape};
use hush_graph::BinaryOperator;

pub(crate) fn import(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    if context.has_output(1) {
        return Err(Problem::new(
            "it also returns the indices of the largest elements",
            "only their values are supported; export the model without the second result",
        ));
    }
    let input = context.data(0)?;
    let shape = context.shape(input);
    let missing = || Problem::malformed("its kernel_shape is missing");
    let kernel = kernel_shape(context)?.ok_or_else(missing)?;
    let lengths = shape.dimensions().get(1..).unwrap_or_default();
    let window = Window::read(context, kernel, lengths)?;
    let mut value = input;
    // The last axis first: its elements are neighbours.
    for axis in (0..lengths.len()).rev() {
        context.environment.spend_entries(window.outputs[axis])?;
        // Padding is below 2^28 and so is the input.
        let start =
            |output: usize| (output * window.strides[axis]) as i64 - window.padding[axis].0 as i64;
        let windows = Windows {
            starts: (0..window.outputs[axis]).map(start).collect(),
            taps: window.kernel[axis],
            dilation: window.dilations[axis],
        };
        value = extremum::along(
            context,
            "max_pool",
            BinaryOperator::Maximum,
            value,
            axis + 1,
            &windows,
        )?;
    }
    context.define(Known::Data(value))
}

pub(crate) fn import_global(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    let (input, shape) = image(context)?;
    let mut value = input;
    for axis in (1..shape.rank()).rev() {
        let windows = Windows::whole(shape.dimensions()[axis]);
        value = extremum::along(
            context,
            "max_pool",
            BinaryOperator::Maximum,
            value,
            axis,
            &windows,
        )?;
    }
    context.define(Known::Data(value))
}
