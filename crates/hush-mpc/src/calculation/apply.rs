//! Operations on shares.

use hush_graph::{Function, Polynomial};
use hush_simd::words::Word;

use crate::calculation::Operation;
use crate::operations;
use crate::{Bits, Fixed, MpcError, Protocol, Secret};

/// Largest error of approximated functions.
const ERROR: f64 = 1e-4;

/// The result of an operation; `fixed` is the type of all tensors.
pub(super) fn apply<W: Word>(
    protocol: &mut dyn Protocol<W>,
    operation: &Operation,
    operands: &[&Secret<W>],
    fixed: Fixed,
) -> Result<Secret<W>, MpcError> {
    let operand = |index: usize| {
        operands.get(index).copied().ok_or(MpcError::Count {
            what: "operands",
            expected: index + 1,
            found: operands.len(),
        })
    };
    let x = operand(0)?;
    match operation {
        Operation::Add => {
            let (left, right) = pair(x, operand(1)?)?;
            left.add(&right)
        }
        Operation::Subtract => {
            let (left, right) = pair(x, operand(1)?)?;
            left.sub(&right)
        }
        Operation::Multiply => operations::multiply_to(protocol, x, operand(1)?, fixed),
        Operation::Divide => {
            let (left, right) = pair(x, operand(1)?)?;
            operations::divide(protocol, &left, &right, fixed)
        }
        Operation::Maximum => operations::maximum(protocol, x, operand(1)?),
        Operation::Minimum => operations::minimum(protocol, x, operand(1)?),
        Operation::Less => {
            let (left, right) = pair(x, operand(1)?)?;
            let bits = operations::less(protocol, &left, &right)?;
            numbers(protocol, &bits, left.shape(), fixed)
        }
        Operation::Equal => {
            let (left, right) = pair(x, operand(1)?)?;
            let bits = operations::equal(protocol, &left, &right)?;
            numbers(protocol, &bits, left.shape(), fixed)
        }
        Operation::MatrixProduct => operations::matrix_product_to(protocol, x, operand(1)?, fixed),
        Operation::Convolve(options) => {
            operations::convolve(protocol, x, operand(1)?, *options, Some(fixed))
        }
        Operation::Concatenate(axis) => Secret::concatenate(*axis, operands),
        operation => unary(protocol, operation, x, fixed),
    }
}

fn unary<W: Word>(
    protocol: &mut dyn Protocol<W>,
    operation: &Operation,
    x: &Secret<W>,
    fixed: Fixed,
) -> Result<Secret<W>, MpcError> {
    let function = match operation {
        Operation::Sigmoid => Function::Sigmoid,
        Operation::Tanh => Function::Tanh,
        Operation::Gelu => Function::Gelu,
        Operation::Silu => Function::Silu,
        Operation::Softplus => Function::Softplus,
        Operation::Elu(alpha) => Function::Elu { alpha: *alpha },
        Operation::Erf => Function::Erf,
        Operation::Polynomial(coefficients) => {
            Function::Polynomial(Polynomial::new(coefficients.clone()))
        }
        operation => return other(protocol, operation, x),
    };
    crate::execute::apply_function(protocol, x, &function, ERROR, fixed)
}

fn other<W: Word>(
    protocol: &mut dyn Protocol<W>,
    operation: &Operation,
    x: &Secret<W>,
) -> Result<Secret<W>, MpcError> {
    match operation {
        Operation::Negate => Ok(x.negate()),
        Operation::AddPublic(numbers) => x.add_public(&*protocol, numbers),
        Operation::MultiplyPublic(numbers) => operations::multiply_public(protocol, x, numbers),
        Operation::Absolute => operations::absolute(protocol, x),
        Operation::Relu => operations::relu(protocol, x),
        Operation::LeakyRelu(slope) => operations::leaky_relu(protocol, x, *slope),
        Operation::Clip(low, high) => operations::clip(protocol, x, Some(*low), Some(*high)),
        Operation::Reciprocal => operations::reciprocal(protocol, x),
        Operation::SquareRoot => operations::square_root(protocol, x),
        Operation::InverseSquareRoot => operations::inverse_square_root(protocol, x),
        Operation::Exp(most) => operations::exp(protocol, x, *most),
        Operation::Logarithm => operations::logarithm(protocol, x),
        Operation::Softmax(axis) => operations::softmax(protocol, x, *axis),
        Operation::LogSoftmax(axis) => operations::log_softmax(protocol, x, *axis),
        Operation::Sum(axis) => x.sum(*axis),
        Operation::Largest(axis) => operations::max_along(protocol, x, *axis),
        Operation::ArgMax(axis) => operations::arg_max(protocol, x, *axis, false),
        Operation::Sort => operations::sort(protocol, x),
        Operation::Top(count) => operations::top(protocol, x, *count),
        Operation::Shuffle => operations::shuffle(protocol, x),
        Operation::Reshape(shape) => x.clone().reshape(shape.clone()),
        Operation::Transpose(order) => x.transpose(order),
        Operation::Slice(axis, start, end) => x.slice(*axis, *start..*end),
        Operation::Gather(axis, places) => operations::gather_along(x, *axis, places),
        Operation::Pad(axis, before, after) => x.pad(*axis, *before, *after),
        Operation::Broadcast(shape) => x.broadcast_to(shape),
        Operation::MaxPool(window) => operations::max_pool(protocol, x, *window),
        Operation::AveragePool(window) => operations::average_pool(protocol, x, *window),
        operation => Err(MpcError::Calculation {
            place: operation.name().to_owned(),
            reason: "takes more than one tensor".to_owned(),
        }),
    }
}

/// Both under one shape, as NumPy broadcasts.
fn pair<W: Word>(left: &Secret<W>, right: &Secret<W>) -> Result<(Secret<W>, Secret<W>), MpcError> {
    operations::broadcast("broadcast", left, right)
}

/// Bits as the numbers zero and one.
fn numbers<W: Word>(
    protocol: &mut dyn Protocol<W>,
    bits: &Bits,
    shape: &[usize],
    fixed: Fixed,
) -> Result<Secret<W>, MpcError> {
    let words = protocol.bits_to_words(bits)?;
    let share = words.scale(W::ONE.left(fixed.fraction_bits));
    Secret::new(shape.to_vec(), Fixed::new(1, fixed.fraction_bits), share)
}
