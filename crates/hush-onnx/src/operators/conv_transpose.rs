//! `ConvTranspose` with a constant kernel, as one sparse matrix.

use super::conv::{groups, kernel};
use crate::node::{NodeContext, Problem};
use crate::window::{AutoPad, pads, positive, span};
use hush_graph::{Operator, Shape, SparseLinear, SparseMatrix, Tensor};

pub(crate) fn import(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    let input = context.data(0)?;
    let shape = context.shape(input);
    let weight = kernel(context)?;
    let axes = weight.shape().len() - 2;
    let groups = groups(context)?;
    let channels = weight.shape()[0];
    if shape.rank() != axes + 1
        || shape.dimensions()[0] != channels
        || !channels.is_multiple_of(groups)
    {
        return Err(Problem::malformed(format!(
            "its kernel of shape {:?} in {groups} groups does not fit {shape}",
            weight.shape()
        )));
    }
    let outputs = weight.shape()[1].saturating_mul(groups);
    let bias = match context.optional_input(2)? {
        None => None,
        Some(_) => Some(context.tensor(2)?),
    };
    if bias.as_ref().is_some_and(|bias| bias.shape() != [outputs]) {
        return Err(Problem::malformed(format!(
            "its bias needs {outputs} elements"
        )));
    }
    let lengths = &shape.dimensions()[1..];
    let axes = read_axes(context, lengths, &weight.shape()[2..])?;
    let mut dimensions = vec![outputs];
    dimensions.extend(axes.iter().map(|axis| axis.output));
    let result = Shape::new(dimensions)?;
    // Each element of the input meets each element of the kernel at most once.
    let pairs = shape
        .size()
        .saturating_mul(weight.data().len() / channels.max(1));
    context
        .environment
        .spend_entries(pairs.saturating_add(result.size()))?;
    let windows = windows(context, &axes)?;
    let (matrix, bias) = matrix(&weight, bias.as_ref(), groups, lengths, &windows);
    let sparse = SparseLinear {
        name: "convolution_transpose",
        trained: true,
        matrix,
        bias,
        shape: result,
    };
    context.finish(Operator::Sparse(sparse), &[input])
}

/// Element `k` of the kernel takes position `i` of the input to `i · stride + k · dilation − before`.
struct Axis {
    length: usize,
    kernel: usize,
    stride: usize,
    dilation: usize,
    before: usize,
    output: usize,
}

fn read_axes(
    context: &mut NodeContext<'_>,
    lengths: &[usize],
    kernel: &[usize],
) -> Result<Vec<Axis>, Problem> {
    let count = lengths.len();
    let strides = positive(context, "strides", count)?;
    let dilations = positive(context, "dilations", count)?;
    let pads = pads(context, count)?;
    let auto_pad = AutoPad::read(context)?;
    let numbers = |list: Option<Vec<i64>>, name: &str| match list {
        Some(list) if !list.is_empty() => {
            let bad = || Problem::malformed(format!("its {name} is {list:?}"));
            // Some files state batch and channels too.
            let skipped = list.len().checked_sub(count).filter(|&s| s == 0 || s == 2);
            let list = &list[skipped.ok_or_else(bad)?..];
            let list = list.iter().map(|&entry| usize::try_from(entry).ok());
            list.collect::<Option<Vec<usize>>>()
                .ok_or_else(bad)
                .map(Some)
        }
        _ => Ok(None),
    };
    let extra = numbers(
        context.integers_attribute("output_padding")?,
        "output_padding",
    )?;
    let stated = numbers(context.integers_attribute("output_shape")?, "output_shape")?;
    let mut axes = Vec::with_capacity(count);
    for axis in 0..count {
        let stride = strides[axis];
        let extra = extra.as_ref().map_or(0, |extra| extra[axis]);
        let span = span(kernel[axis], dilations[axis])?;
        let too_large = || Problem::malformed("its result is too large");
        let full = (lengths[axis] - 1)
            .checked_mul(stride)
            .and_then(|reach| reach.checked_add(span)?.checked_add(extra))
            .ok_or_else(too_large)?;
        let same = matches!(auto_pad, AutoPad::SameUpper | AutoPad::SameLower);
        let target = match &stated {
            Some(stated) => Some(stated[axis]),
            None if same => Some(lengths[axis].checked_mul(stride).ok_or_else(too_large)?),
            None => None,
        };
        let (before, output) = match target {
            Some(output) => {
                // The standard cuts the odd element off the end only for SAME_UPPER.
                let side = match auto_pad {
                    AutoPad::SameUpper => auto_pad,
                    _ => AutoPad::SameLower,
                };
                (side.divide(full.saturating_sub(output)).0, output)
            }
            None => {
                let (before, after) = match auto_pad {
                    AutoPad::Explicit => pads[axis],
                    _ => (0, 0),
                };
                let cut = full.checked_sub(before.saturating_add(after));
                let nothing = || Problem::malformed("its padding leaves nothing");
                (before, cut.filter(|&rest| rest > 0).ok_or_else(nothing)?)
            }
        };
        axes.push(Axis {
            length: lengths[axis],
            kernel: kernel[axis],
            stride,
            dilation: dilations[axis],
            before,
            output,
        });
    }
    Ok(axes)
}

/// For each position of the result the (position of the input, element of the kernel) it reads.
fn windows(
    context: &mut NodeContext<'_>,
    axes: &[Axis],
) -> Result<Vec<Vec<(usize, usize)>>, Problem> {
    let mut windows = vec![vec![(0, 0)]];
    for axis in axes {
        context
            .environment
            .spend_entries(windows.len().saturating_mul(axis.output))?;
        let mut reads = vec![Vec::new(); axis.output];
        for source in 0..axis.length {
            for tap in 0..axis.kernel {
                let place = (source * axis.stride + tap * axis.dilation).checked_sub(axis.before);
                if let Some(reads) = place.and_then(|place| reads.get_mut(place)) {
                    reads.push((source, tap));
                }
            }
        }
        let product = |window: &Vec<(usize, usize)>, read: &Vec<(usize, usize)>| {
            let pairs = window.iter().flat_map(|&(source, tap)| {
                read.iter()
                    .map(move |&(s, t)| (source * axis.length + s, tap * axis.kernel + t))
            });
            pairs.collect()
        };
        windows = windows
            .iter()
            .flat_map(|window| reads.iter().map(move |read| product(window, read)))
            .collect();
    }
    Ok(windows)
}

fn matrix(
    weight: &Tensor,
    bias: Option<&Tensor>,
    groups: usize,
    lengths: &[usize],
    windows: &[Vec<(usize, usize)>],
) -> (SparseMatrix, Option<Vec<f64>>) {
    let (channels, per_group) = (weight.shape()[0], weight.shape()[1]);
    let input_size: usize = lengths.iter().product();
    let kernel_size: usize = weight.shape()[2..].iter().product();
    let mut matrix = SparseMatrix::empty(channels * input_size);
    for output in 0..per_group * groups {
        let (group, within) = (output / per_group, output % per_group);
        let in_group = channels / groups;
        for window in windows {
            let row = (group * in_group..(group + 1) * in_group).flat_map(|channel| {
                let kernel = (channel * per_group + within) * kernel_size;
                window.iter().map(move |&(source, tap)| {
                    (channel * input_size + source, weight.data()[kernel + tap])
                })
            });
            matrix.push_pattern(row);
        }
    }
    let bias = bias.map(|bias| {
        let repeat = |&offset| std::iter::repeat_n(offset, windows.len());
        bias.data().iter().flat_map(repeat).collect()
    });
    (matrix, bias)
}
