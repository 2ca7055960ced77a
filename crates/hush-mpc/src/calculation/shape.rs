//! The shape of an operation's result.

use crate::MpcError;
use crate::calculation::Operation;
use crate::calculation::scope::{ELEMENTS_MOST, elements, finite, refuse};
use crate::operations::{Convolution2d, ConvolutionMap};

/// Longest line that is sorted: the network of comparisons grows with it.
const SORT_MOST: usize = 1 << 20;
/// Largest argument of an exponential: e^19 and its precision fit every ring.
const EXP_MOST: f64 = 19.0;

pub(super) fn result_shape(
    operation: &Operation,
    operands: &[&[usize]],
) -> Result<Vec<usize>, MpcError> {
    let place = operation.name();
    let (numbers, _) = match operation {
        Operation::Gather(..) => Default::default(),
        operation => operation.arguments(),
    };
    finite(place, &numbers)?;
    match operation {
        Operation::Add
        | Operation::Subtract
        | Operation::Multiply
        | Operation::Divide
        | Operation::Maximum
        | Operation::Minimum
        | Operation::Less
        | Operation::Equal => {
            let [left, right] = exactly(place, operands)?;
            hush_graph::broadcast_shape(left, right).ok_or_else(|| shapes(place, left, right))
        }
        Operation::MatrixProduct => {
            let [left, right] = exactly(place, operands)?;
            match (left, right) {
                (&[rows, depth], &[inner, columns]) if depth == inner => Ok(vec![rows, columns]),
                _ => Err(shapes("matrix product", left, right)),
            }
        }
        Operation::Convolve(options) => {
            let [input, kernel] = exactly(place, operands)?;
            convolved(*options, input, kernel)
        }
        Operation::Concatenate(axis) => concatenated(*axis, operands),
        Operation::Shuffle => {
            let [x] = exactly(place, operands)?;
            match x.first() {
                Some(_) => Ok(x.to_vec()),
                None => refuse(place, "there are no rows"),
            }
        }
        operation => {
            let [x] = exactly(place, operands)?;
            unary(operation, x)
        }
    }
}

fn exactly<'a, const COUNT: usize>(
    place: &str,
    operands: &[&'a [usize]],
) -> Result<[&'a [usize]; COUNT], MpcError> {
    operands.try_into().or_else(|_| {
        refuse(
            place,
            format!("takes {COUNT} tensors, not {}", operands.len()),
        )
    })
}

fn shapes(operation: &'static str, left: &[usize], right: &[usize]) -> MpcError {
    MpcError::Shapes {
        operation,
        left: left.to_vec(),
        right: right.to_vec(),
    }
}

fn unary(operation: &Operation, x: &[usize]) -> Result<Vec<usize>, MpcError> {
    let place = operation.name();
    let count = elements(place, x)?;
    let without = |axis: usize| {
        along(place, x, axis)?;
        let mut shape = x.to_vec();
        shape.remove(axis);
        Ok(shape)
    };
    match operation {
        Operation::AddPublic(numbers) | Operation::MultiplyPublic(numbers)
            if numbers.is_empty() || !count.is_multiple_of(numbers.len()) =>
        {
            return Err(shapes(place, x, &[numbers.len()]));
        }
        Operation::Polynomial(numbers) if numbers.is_empty() || numbers.len() > 9 => {
            return refuse(place, "a polynomial has 1 to 9 coefficients");
        }
        Operation::Clip(low, high) if low > high => {
            return refuse(place, format!("{low} is more than {high}"));
        }
        Operation::Exp(most) if !(-10.0..=EXP_MOST).contains(most) => {
            return refuse(
                place,
                format!("the largest argument is in -10..={EXP_MOST}"),
            );
        }
        Operation::LeakyRelu(number) | Operation::Elu(number) if number.abs() > 1000.0 => {
            return refuse(place, "the factor is at most 1000");
        }
        Operation::Softmax(axis) | Operation::LogSoftmax(axis) => {
            along(place, x, *axis)?;
        }
        Operation::Sum(axis) | Operation::Largest(axis) | Operation::ArgMax(axis) => {
            return without(*axis);
        }
        Operation::Sort | Operation::Top(_) => {
            let length = along(place, x, x.len().saturating_sub(1))?;
            if length > SORT_MOST {
                return refuse(place, "lines of more than 2^20 elements are not sorted");
            }
            if let Operation::Top(wanted) = operation {
                let mut shape = x.to_vec();
                if let Some(last) = shape.last_mut() {
                    *last = length.min(*wanted);
                }
                return Ok(shape);
            }
        }
        Operation::Reshape(shape) => {
            if elements(place, shape)? != count {
                return Err(shapes(place, x, shape));
            }
            return Ok(shape.clone());
        }
        Operation::Transpose(order) => {
            let mut sorted = order.clone();
            sorted.sort_unstable();
            if !sorted.into_iter().eq(0..x.len()) {
                return refuse(
                    place,
                    format!("{order:?} is no order of {} dimensions", x.len()),
                );
            }
            return Ok(order.iter().map(|&axis| x[axis]).collect());
        }
        Operation::Slice(axis, start, end) => {
            let length = along(place, x, *axis)?;
            if start >= end || *end > length {
                return refuse(
                    place,
                    format!("dimension {axis} of {x:?} has no elements {start}..{end}"),
                );
            }
            return Ok(replaced(x, *axis, end - start));
        }
        Operation::Gather(axis, places) => {
            let length = along(place, x, *axis)?;
            if places.iter().any(|&place| place >= length) {
                return refuse(place, format!("dimension {axis} has {length} elements"));
            }
            return Ok(replaced(x, *axis, places.len()));
        }
        Operation::Pad(axis, before, after) => {
            let length = along(place, x, *axis)?;
            let padded = length.checked_add(*before);
            let padded = padded.and_then(|length| length.checked_add(*after));
            return Ok(replaced(x, *axis, padded.unwrap_or(usize::MAX)));
        }
        Operation::Broadcast(shape) => {
            if hush_graph::broadcast_shape(x, shape).as_ref() != Some(shape) {
                return Err(shapes(place, x, shape));
            }
            return Ok(shape.clone());
        }
        Operation::MaxPool(window) | Operation::AveragePool(window) => {
            return pooled(*window, x);
        }
        _ => {}
    }
    Ok(x.to_vec())
}

fn along(place: &str, shape: &[usize], axis: usize) -> Result<usize, MpcError> {
    match shape.get(axis) {
        Some(&length) => Ok(length),
        None => refuse(place, format!("there is no dimension {axis} in {shape:?}")),
    }
}

fn replaced(shape: &[usize], axis: usize, length: usize) -> Vec<usize> {
    let mut shape = shape.to_vec();
    shape[axis] = length;
    shape
}

fn concatenated(axis: usize, operands: &[&[usize]]) -> Result<Vec<usize>, MpcError> {
    let place = "concatenate";
    let Some(first) = operands.first() else {
        return refuse(place, "there are no tensors to join");
    };
    along(place, first, axis)?;
    let mut total = 0usize;
    for operand in operands {
        let same = operand.len() == first.len()
            && (0..first.len()).all(|other| other == axis || operand[other] == first[other]);
        if !same {
            return Err(shapes(place, first, operand));
        }
        total = total.saturating_add(operand[axis]);
    }
    Ok(replaced(first, axis, total))
}

/// The result of a convolution, if its sizes are such that nothing overflows.
pub(super) fn convolved(
    options: Convolution2d,
    input: &[usize],
    kernel: &[usize],
) -> Result<Vec<usize>, MpcError> {
    let place = "convolve";
    elements(place, input)?;
    elements(place, kernel)?;
    let counts = super::operation::window_counts(options);
    if counts.iter().any(|&count| count > ELEMENTS_MOST) {
        return refuse(place, "a stride, padding, dilation or group is above 2^28");
    }
    if options.strides.contains(&0) || options.dilations.contains(&0) || options.groups == 0 {
        return refuse(place, "strides, dilations and groups are at least 1");
    }
    let map = ConvolutionMap::new(options, input, kernel)
        .ok_or_else(|| shapes("convolution", input, kernel))?;
    let result = map.result_shape();
    elements(place, &result)?;
    let windows = map.terms().saturating_mul(result[2] * result[3]);
    if windows > ELEMENTS_MOST {
        return refuse(
            place,
            "the windows of one sample have more than 2^28 elements",
        );
    }
    Ok(result)
}

/// The result of pooling by windows that do not overlap.
pub(super) fn pooled(window: [usize; 2], x: &[usize]) -> Result<Vec<usize>, MpcError> {
    let &[samples, channels, height, width] = x else {
        return refuse(
            "pooling",
            format!("takes [samples, channels, height, width], not {x:?}"),
        );
    };
    let [rows, columns] = window;
    let covers = rows > 0 && columns > 0 && height % rows == 0 && width % columns == 0;
    if !covers {
        return refuse(
            "pooling",
            format!("windows of {window:?} do not cover height and width of {x:?}"),
        );
    }
    Ok(vec![samples, channels, height / rows, width / columns])
}
