//! `AveragePool` and `GlobalAveragePool`.

use crate::node::{Known, NodeContext, Problem};
use crate::separable::Separable;
use crate::window::{Window, image, kernel_shape};

pub(crate) fn import(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    let input = context.data(0)?;
    let shape = context.shape(input);
    let missing = || Problem::malformed("its kernel_shape is missing");
    let kernel = kernel_shape(context)?.ok_or_else(missing)?;
    let lengths = shape.dimensions().get(1..).unwrap_or_default();
    let window = Window::read(context, kernel, lengths)?;
    let counts_padding = context.integer_attribute("count_include_pad", 0)? != 0;
    let mut means = Separable::new("average_pool");
    for (axis, &length) in lengths.iter().enumerate() {
        means.along(context, axis + 1, length, window.outputs[axis], |output| {
            let covered = window.covers(axis, output, length);
            let count = match counts_padding {
                true => window.covers_with_padding(axis, output, length),
                false => covered.len(),
            };
            let weight = 1.0 / count.max(1) as f64;
            covered.map(|place| (place, weight)).collect()
        })?;
    }
    let value = means.emit(context, 0, input, None)?;
    context.define(Known::Data(value))
}

pub(crate) fn import_global(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    let (input, shape) = image(context)?;
    let mut means = Separable::new("average_pool");
    for (axis, &length) in shape.dimensions().iter().enumerate().skip(1) {
        let weight = 1.0 / length as f64;
        means.along(context, axis, length, 1, |_| {
            (0..length).map(|place| (place, weight)).collect()
        })?;
    }
    let value = means.emit(context, 0, input, None)?;
    context.define(Known::Data(value))
}
