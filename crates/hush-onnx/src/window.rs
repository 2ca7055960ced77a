//! The window of a convolution or a pool: kernel, strides, padding and dilations.

use crate::node::{NodeContext, Problem};
use hush_graph::{Shape, ValueId};

/// A window over the spatial axes; every list has one entry for each.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Window {
    pub(crate) kernel: Vec<usize>,
    pub(crate) strides: Vec<usize>,
    /// Before and after.
    pub(crate) padding: Vec<(usize, usize)>,
    pub(crate) dilations: Vec<usize>,
    /// How many positions the window takes.
    pub(crate) outputs: Vec<usize>,
}

/// How a model states its padding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AutoPad {
    /// In `pads`.
    Explicit,
    /// As many positions as the input divided by the stride; the odd zero comes last.
    SameUpper,
    /// The same, but the odd zero comes first.
    SameLower,
    /// None.
    Valid,
}

impl AutoPad {
    pub(crate) fn read(context: &NodeContext<'_>) -> Result<AutoPad, Problem> {
        match context.text_attribute("auto_pad", "NOTSET")?.as_str() {
            "NOTSET" | "" => Ok(AutoPad::Explicit),
            "SAME_UPPER" => Ok(AutoPad::SameUpper),
            "SAME_LOWER" => Ok(AutoPad::SameLower),
            "VALID" => Ok(AutoPad::Valid),
            other => Err(Problem::malformed(format!("its auto_pad is `{other}`"))),
        }
    }

    /// Divides `total` over both ends.
    pub(crate) fn divide(self, total: usize) -> (usize, usize) {
        let half = total / 2;
        match self {
            AutoPad::SameLower => (total - half, half),
            _ => (half, total - half),
        }
    }
}

/// The data of a pool over whole images, and its shape: channels, then at least one axis.
pub(crate) fn image(context: &mut NodeContext<'_>) -> Result<(ValueId, Shape), Problem> {
    let input = context.data(0)?;
    let shape = context.shape(input);
    if shape.rank() < 2 {
        let reason = format!("{shape} has no dimensions after the channels");
        return Err(Problem::malformed(reason));
    }
    Ok((input, shape))
}

impl Window {
    /// Reads the attributes of a node whose input has `lengths` along its spatial axes.
    pub(crate) fn read(
        context: &NodeContext<'_>,
        kernel: Vec<usize>,
        lengths: &[usize],
    ) -> Result<Window, Problem> {
        let axes = lengths.len();
        if axes == 0 || kernel.len() != axes {
            return Err(Problem::malformed(format!(
                "its window has {} dimensions but its input has {axes} after the channels",
                kernel.len()
            )));
        }
        let strides = positive(context, "strides", axes)?;
        let dilations = positive(context, "dilations", axes)?;
        let auto_pad = AutoPad::read(context)?;
        let explicit = pads(context, axes)?;
        let rounds_up = context.integer_attribute("ceil_mode", 0)? != 0;
        let (mut padding, mut outputs) = (Vec::new(), Vec::new());
        for axis in 0..axes {
            let (length, stride) = (lengths[axis], strides[axis]);
            let span = span(kernel[axis], dilations[axis])?;
            let around = match auto_pad {
                AutoPad::Explicit => explicit[axis],
                AutoPad::Valid => (0, 0),
                AutoPad::SameUpper | AutoPad::SameLower => {
                    let reach = (length.div_ceil(stride) - 1) * stride;
                    let total = reach.saturating_add(span).saturating_sub(length);
                    auto_pad.divide(total)
                }
            };
            outputs.push(positions(length, stride, span, around, rounds_up)?);
            padding.push(around);
        }
        Ok(Window {
            kernel,
            strides,
            padding,
            dilations,
            outputs,
        })
    }

    /// The positions of the input that window `output` covers along `axis`, padding left out.
    pub(crate) fn covers(
        &self,
        axis: usize,
        output: usize,
        length: usize,
    ) -> impl ExactSizeIterator<Item = usize> + '_ {
        let (start, before) = (output * self.strides[axis], self.padding[axis].0);
        let taps = self.taps_until(axis, start, before)
            ..self.taps_until(axis, start, before.saturating_add(length));
        taps.map(move |tap| start + tap * self.dilations[axis] - before)
    }

    /// How many elements of the kernel lie inside the input or its padding when window `output`
    /// is placed along `axis`.
    pub(crate) fn covers_with_padding(&self, axis: usize, output: usize, length: usize) -> usize {
        let (before, after) = self.padding[axis];
        let end = before.saturating_add(length).saturating_add(after);
        self.taps_until(axis, output * self.strides[axis], end)
    }

    /// How many elements of a kernel placed at `start` come before `end`; both are counted from
    /// the start of the padding.
    fn taps_until(&self, axis: usize, start: usize, end: usize) -> usize {
        let taps = end.saturating_sub(start).div_ceil(self.dilations[axis]);
        taps.min(self.kernel[axis])
    }
}

/// How many positions the window takes on an axis. With `rounds_up` the last may reach past the
/// padding, but starts inside the input or the padding before it.
fn positions(
    length: usize,
    stride: usize,
    span: usize,
    (before, after): (usize, usize),
    rounds_up: bool,
) -> Result<usize, Problem> {
    if before.max(after) > Shape::MAX_ELEMENTS {
        return Err(Problem::malformed("its padding is too large"));
    }
    let too_large = || {
        Problem::malformed(format!(
            "its window of {span} is larger than a dimension of {length} with its padding"
        ))
    };
    let padded = length
        .checked_add(before)
        .and_then(|sum| sum.checked_add(after));
    let padded = padded.ok_or_else(too_large)?;
    if rounds_up && padded < span && span - padded < stride {
        return Ok(1);
    }
    let room = padded.checked_sub(span).ok_or_else(too_large)?;
    if !rounds_up {
        return Ok(room / stride + 1);
    }
    let outputs = room.div_ceil(stride) + 1;
    let starts_outside = (outputs - 1).saturating_mul(stride) >= length + before;
    Ok(if starts_outside { outputs - 1 } else { outputs })
}

/// From the first to the last element of a dilated kernel.
pub(crate) fn span(kernel: usize, dilation: usize) -> Result<usize, Problem> {
    let wide = kernel
        .checked_sub(1)
        .and_then(|steps| steps.checked_mul(dilation)?.checked_add(1));
    wide.ok_or_else(|| Problem::malformed("its window is empty or too large"))
}

/// The attribute `kernel_shape`, if there is one.
pub(crate) fn kernel_shape(context: &NodeContext<'_>) -> Result<Option<Vec<usize>>, Problem> {
    let Some(kernel) = context.integers_attribute("kernel_shape")? else {
        return Ok(None);
    };
    let sizes = kernel.iter().map(|&size| usize::try_from(size).ok());
    let sizes = sizes.map(|size| size.filter(|&size| size > 0)).collect();
    let bad = || Problem::malformed(format!("its kernel_shape is {kernel:?}"));
    Option::<Vec<usize>>::ok_or_else(sizes, bad).map(Some)
}

/// A list attribute of positive numbers, one for each axis; ones if it is absent.
pub(crate) fn positive(
    context: &NodeContext<'_>,
    name: &str,
    axes: usize,
) -> Result<Vec<usize>, Problem> {
    let given = match context.integers_attribute(name)? {
        Some(given) if !given.is_empty() => given,
        _ => return Ok(vec![1; axes]),
    };
    let numbers = given
        .iter()
        .filter_map(|&entry| usize::try_from(entry).ok().filter(|&entry| entry > 0));
    let numbers: Vec<usize> = numbers.collect();
    if numbers.len() != axes || given.len() != axes {
        return Err(Problem::malformed(format!(
            "its {name} are {given:?} for {axes} axes"
        )));
    }
    Ok(numbers)
}

/// The attribute `pads`: all starts, then all ends.
pub(crate) fn pads(context: &NodeContext<'_>, axes: usize) -> Result<Vec<(usize, usize)>, Problem> {
    let given = match context.integers_attribute("pads")? {
        Some(given) if !given.is_empty() => given,
        _ => return Ok(vec![(0, 0); axes]),
    };
    let bad = || Problem::malformed(format!("its pads are {given:?} for {axes} axes"));
    if given.len() != 2 * axes {
        return Err(bad());
    }
    let number = |entry: i64| usize::try_from(entry).map_err(|_| bad());
    (0..axes)
        .map(|axis| Ok((number(given[axis])?, number(given[axis + axes])?)))
        .collect()
}
