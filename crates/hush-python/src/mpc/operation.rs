//! Operations on tensors by the names that Python calls them.

use hush_mpc::operations::{self, Piecewise};
use hush_mpc::protocol::rep3::Rep3;
use hush_mpc::{Bits, Fixed, MpcError, Protocol, Secret};

/// What an operation gets; which numbers and counts it takes depends on its name.
pub(super) struct Arguments<'a> {
    pub(super) operands: &'a [Secret<u64>],
    pub(super) numbers: &'a [f64],
    pub(super) counts: &'a [usize],
    /// The type of results.
    pub(super) fixed: Fixed,
}

impl Arguments<'_> {
    fn operand(&self, index: usize) -> Result<&Secret<u64>, MpcError> {
        self.operands.get(index).ok_or(MpcError::Count {
            what: "operands",
            expected: index + 1,
            found: self.operands.len(),
        })
    }

    fn number(&self, index: usize) -> Result<f64, MpcError> {
        self.numbers.get(index).copied().ok_or(MpcError::Count {
            what: "numbers",
            expected: index + 1,
            found: self.numbers.len(),
        })
    }

    fn count(&self, index: usize) -> Result<usize, MpcError> {
        self.counts.get(index).copied().ok_or(MpcError::Count {
            what: "counts",
            expected: index + 1,
            found: self.counts.len(),
        })
    }

    /// Two operands under one shape, as NumPy broadcasts.
    fn pair(&self) -> Result<(Secret<u64>, Secret<u64>), MpcError> {
        let (left, right) = (self.operand(0)?, self.operand(1)?);
        let shape = hush_graph::broadcast_shape(left.shape(), right.shape());
        let shape = shape.ok_or_else(|| MpcError::Shapes {
            operation: "broadcast",
            left: left.shape().to_vec(),
            right: right.shape().to_vec(),
        })?;
        Ok((left.broadcast_to(&shape)?, right.broadcast_to(&shape)?))
    }
}

/// Bits as the numbers zero and one of a type.
fn as_numbers(
    protocol: &mut Rep3,
    bits: &Bits,
    shape: &[usize],
    fraction_bits: u32,
) -> Result<Secret<u64>, MpcError> {
    let words = Protocol::<u64>::bits_to_words(protocol, bits)?.scale(1 << fraction_bits);
    Secret::new(shape.to_vec(), Fixed::new(1, fraction_bits), words)
}

/// A smooth function by pieces, off by at most 1e-4.
fn fitted(
    protocol: &mut Rep3,
    x: &Secret<u64>,
    function: impl Fn(f64) -> f64,
    reach: f64,
    (left, right): ((f64, f64), (f64, f64)),
) -> Result<Secret<u64>, MpcError> {
    let pieces = Piecewise::fit(function, (-reach, reach), left, right, 1e-4);
    operations::piecewise(protocol, x, &pieces)
}

/// Calculates the operation `name`.
pub(super) fn apply(
    protocol: &mut Rep3,
    name: &str,
    arguments: Arguments<'_>,
) -> Result<Secret<u64>, MpcError> {
    let (a, fixed) = (&arguments, arguments.fixed);
    let x = a.operand(0)?;
    match name {
        "add" => {
            let (left, right) = a.pair()?;
            left.add(&right)
        }
        "subtract" => {
            let (left, right) = a.pair()?;
            left.sub(&right)
        }
        "negate" => Ok(x.negate()),
        "multiply" => operations::multiply_to(protocol, x, a.operand(1)?, fixed),
        "add_public" => x.add_public(&*protocol, a.numbers),
        "multiply_public" => {
            let product = operations::multiply_public(protocol, x, a.numbers)?;
            Ok(product.declare_at_most(fixed.integer_bits))
        }
        "matmul" => operations::matrix_product_to(protocol, x, a.operand(1)?, fixed),
        "less" => {
            let (left, right) = a.pair()?;
            let bits = operations::less(protocol, &left, &right)?;
            as_numbers(protocol, &bits, left.shape(), fixed.fraction_bits)
        }
        "equal" => {
            let (left, right) = a.pair()?;
            let bits = operations::equal(protocol, &left, &right)?;
            as_numbers(protocol, &bits, left.shape(), fixed.fraction_bits)
        }
        "relu" => operations::relu(protocol, x),
        "leaky_relu" => operations::leaky_relu(protocol, x, a.number(0)?),
        "absolute" => operations::absolute(protocol, x),
        "maximum" => operations::maximum(protocol, x, a.operand(1)?),
        "minimum" => operations::minimum(protocol, x, a.operand(1)?),
        "clip" => operations::clip(protocol, x, Some(a.number(0)?), Some(a.number(1)?)),
        "reciprocal" => operations::reciprocal(protocol, x),
        "divide" => {
            let (left, right) = a.pair()?;
            operations::divide(protocol, &left, &right, fixed)
        }
        "sqrt" => operations::square_root(protocol, x),
        "inverse_sqrt" => operations::inverse_square_root(protocol, x),
        "exp" => operations::exp(protocol, x, a.number(0)?),
        "log" => operations::logarithm(protocol, x),
        "sigmoid" => {
            let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
            fitted(protocol, x, sigmoid, 10.0, ((0.0, 0.0), (1.0, 0.0)))
        }
        "tanh" => fitted(protocol, x, f64::tanh, 6.0, ((-1.0, 0.0), (1.0, 0.0))),
        "softmax" => operations::softmax(protocol, x, a.count(0)?),
        "log_softmax" => operations::log_softmax(protocol, x, a.count(0)?),
        "sum" => x.sum(a.count(0)?),
        "max" => operations::max_along(protocol, x, a.count(0)?),
        "argmax" => operations::arg_max(protocol, x, a.count(0)?, false),
        "sort" => operations::sort(protocol, x),
        "top" => operations::top(protocol, x, a.count(0)?),
        "reshape" => x.clone().reshape(a.counts.to_vec()),
        "transpose" => x.transpose(a.counts),
        "slice" => x.slice(a.count(0)?, a.count(1)?..a.count(2)?),
        "broadcast" => x.broadcast_to(a.counts),
        "concatenate" => {
            let all: Vec<&Secret<u64>> = a.operands.iter().collect();
            Secret::concatenate(a.count(0)?, &all)
        }
        name => Err(MpcError::Node {
            node: name.to_owned(),
            reason: "there is no such operation".to_owned(),
        }),
    }
}
