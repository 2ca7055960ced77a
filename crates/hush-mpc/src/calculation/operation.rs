//! Operations on tensors, and the names by which files and Python call them.

use crate::MpcError;
use crate::operations::Convolution2d;

/// What makes one tensor of others.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Operation {
    /// The sum, broadcast as in NumPy.
    Add,
    /// The difference, broadcast.
    Subtract,
    /// Products, element by element, broadcast.
    Multiply,
    /// Quotients by positive numbers, broadcast.
    Divide,
    /// The larger, broadcast.
    Maximum,
    /// The smaller, broadcast.
    Minimum,
    /// One where the first is less than the second, zero elsewhere, broadcast.
    Less,
    /// One where both are equal, broadcast.
    Equal,
    /// `[rows, depth] · [depth, columns]`.
    MatrixProduct,
    /// Minus the operand.
    Negate,
    /// Plus public numbers, which repeat along leading dimensions.
    AddPublic(Vec<f64>),
    /// Times public numbers, which repeat along leading dimensions.
    MultiplyPublic(Vec<f64>),
    /// A polynomial with public coefficients, lowest first.
    Polynomial(Vec<f64>),
    /// The magnitude.
    Absolute,
    /// `max(x, 0)`.
    Relu,
    /// `slope · x` below zero.
    LeakyRelu(f64),
    /// The nearest number between two.
    Clip(f64, f64),
    /// `1 / x` of positive numbers.
    Reciprocal,
    /// Of positive numbers.
    SquareRoot,
    /// `1 / √x` of positive numbers.
    InverseSquareRoot,
    /// Of numbers up to this one; larger ones count as it.
    Exp(f64),
    /// The natural logarithm of positive numbers.
    Logarithm,
    /// `1 / (1 + exp(-x))`.
    Sigmoid,
    /// The hyperbolic tangent.
    Tanh,
    /// `x · Φ(x)`.
    Gelu,
    /// `x · sigmoid(x)`.
    Silu,
    /// `ln(1 + exp(x))`.
    Softplus,
    /// `alpha · (exp(x) - 1)` below zero.
    Elu(f64),
    /// The error function.
    Erf,
    /// Along an axis.
    Softmax(usize),
    /// Along an axis.
    LogSoftmax(usize),
    /// Along an axis, which goes away.
    Sum(usize),
    /// The largest along an axis, which goes away.
    Largest(usize),
    /// The place of the largest along an axis, which goes away.
    ArgMax(usize),
    /// Ascending along the last axis.
    Sort,
    /// So many largest along the last axis, largest first.
    Top(usize),
    /// Rows, along the first axis, in an order that nobody knows. What belongs together is joined first.
    Shuffle,
    /// The same elements under another shape.
    Reshape(Vec<usize>),
    /// Dimensions in another order.
    Transpose(Vec<usize>),
    /// Elements from the second to below the third along the first.
    Slice(usize, usize, usize),
    /// Elements at public places along an axis.
    Gather(usize, Vec<usize>),
    /// Zeros before and after along an axis.
    Pad(usize, usize, usize),
    /// Repeated along missing and unit dimensions.
    Broadcast(Vec<usize>),
    /// One after the other along an axis.
    Concatenate(usize),
    /// `[samples, channels, height, width]` with a kernel `[outputs, channels / groups, height, width]`.
    Convolve(Convolution2d),
    /// The largest of each window of this height and width of `[samples, channels, height, width]`.
    MaxPool([usize; 2]),
    /// The mean of each window.
    AveragePool([usize; 2]),
}

impl Operation {
    /// Its name in files and in Python.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Subtract => "subtract",
            Self::Multiply => "multiply",
            Self::Divide => "divide",
            Self::Maximum => "maximum",
            Self::Minimum => "minimum",
            Self::Less => "less",
            Self::Equal => "equal",
            Self::MatrixProduct => "matmul",
            Self::Negate => "negate",
            Self::AddPublic(_) => "add_public",
            Self::MultiplyPublic(_) => "multiply_public",
            Self::Polynomial(_) => "polynomial",
            Self::Absolute => "absolute",
            Self::Relu => "relu",
            Self::LeakyRelu(_) => "leaky_relu",
            Self::Clip(..) => "clip",
            Self::Reciprocal => "reciprocal",
            Self::SquareRoot => "sqrt",
            Self::InverseSquareRoot => "inverse_sqrt",
            Self::Exp(_) => "exp",
            Self::Logarithm => "log",
            Self::Sigmoid => "sigmoid",
            Self::Tanh => "tanh",
            Self::Gelu => "gelu",
            Self::Silu => "silu",
            Self::Softplus => "softplus",
            Self::Elu(_) => "elu",
            Self::Erf => "erf",
            Self::Softmax(_) => "softmax",
            Self::LogSoftmax(_) => "log_softmax",
            Self::Sum(_) => "sum",
            Self::Largest(_) => "max",
            Self::ArgMax(_) => "argmax",
            Self::Sort => "sort",
            Self::Top(_) => "top",
            Self::Shuffle => "shuffle",
            Self::Reshape(_) => "reshape",
            Self::Transpose(_) => "transpose",
            Self::Slice(..) => "slice",
            Self::Gather(..) => "gather",
            Self::Pad(..) => "pad",
            Self::Broadcast(_) => "broadcast",
            Self::Concatenate(_) => "concatenate",
            Self::Convolve(_) => "convolve",
            Self::MaxPool(_) => "max_pool",
            Self::AveragePool(_) => "average_pool",
        }
    }

    /// From its name, public numbers and counts.
    ///
    /// # Errors
    /// If there is no such operation, or it takes other numbers or counts.
    pub fn parse(name: &str, numbers: Vec<f64>, counts: Vec<usize>) -> Result<Self, MpcError> {
        let found = match (name, &numbers[..], &counts[..]) {
            ("add", [], []) => Self::Add,
            ("subtract", [], []) => Self::Subtract,
            ("multiply", [], []) => Self::Multiply,
            ("divide", [], []) => Self::Divide,
            ("maximum", [], []) => Self::Maximum,
            ("minimum", [], []) => Self::Minimum,
            ("less", [], []) => Self::Less,
            ("equal", [], []) => Self::Equal,
            ("matmul", [], []) => Self::MatrixProduct,
            ("negate", [], []) => Self::Negate,
            ("add_public", _, []) => Self::AddPublic(numbers),
            ("multiply_public", _, []) => Self::MultiplyPublic(numbers),
            ("polynomial", _, []) => Self::Polynomial(numbers),
            ("absolute", [], []) => Self::Absolute,
            ("relu", [], []) => Self::Relu,
            ("leaky_relu", &[slope], []) => Self::LeakyRelu(slope),
            ("clip", &[low, high], []) => Self::Clip(low, high),
            ("reciprocal", [], []) => Self::Reciprocal,
            ("sqrt", [], []) => Self::SquareRoot,
            ("inverse_sqrt", [], []) => Self::InverseSquareRoot,
            ("exp", &[most], []) => Self::Exp(most),
            ("log", [], []) => Self::Logarithm,
            ("sigmoid", [], []) => Self::Sigmoid,
            ("tanh", [], []) => Self::Tanh,
            ("gelu", [], []) => Self::Gelu,
            ("silu", [], []) => Self::Silu,
            ("softplus", [], []) => Self::Softplus,
            ("elu", &[alpha], []) => Self::Elu(alpha),
            ("erf", [], []) => Self::Erf,
            ("softmax", [], &[axis]) => Self::Softmax(axis),
            ("log_softmax", [], &[axis]) => Self::LogSoftmax(axis),
            ("sum", [], &[axis]) => Self::Sum(axis),
            ("max", [], &[axis]) => Self::Largest(axis),
            ("argmax", [], &[axis]) => Self::ArgMax(axis),
            ("sort", [], []) => Self::Sort,
            ("top", [], &[count]) => Self::Top(count),
            ("shuffle", [], []) => Self::Shuffle,
            ("reshape", [], _) => Self::Reshape(counts),
            ("transpose", [], _) => Self::Transpose(counts),
            ("slice", [], &[axis, start, end]) => Self::Slice(axis, start, end),
            ("gather", [], [axis, places @ ..]) => Self::Gather(*axis, places.to_vec()),
            ("pad", [], &[axis, before, after]) => Self::Pad(axis, before, after),
            ("broadcast", [], _) => Self::Broadcast(counts),
            ("concatenate", [], &[axis]) => Self::Concatenate(axis),
            ("convolve", [], counts) => match window_of(counts) {
                Some(options) => Self::Convolve(options),
                None => return Err(unknown(name, &numbers, counts)),
            },
            ("max_pool", [], &[height, width]) => Self::MaxPool([height, width]),
            ("average_pool", [], &[height, width]) => Self::AveragePool([height, width]),
            _ => return Err(unknown(name, &numbers, &counts)),
        };
        Ok(found)
    }

    /// Its public numbers and counts, as [`Operation::parse`] takes them.
    pub fn arguments(&self) -> (Vec<f64>, Vec<usize>) {
        let numbers = match self {
            Self::AddPublic(numbers)
            | Self::MultiplyPublic(numbers)
            | Self::Polynomial(numbers) => numbers.clone(),
            Self::LeakyRelu(number) | Self::Exp(number) | Self::Elu(number) => vec![*number],
            Self::Clip(low, high) => vec![*low, *high],
            _ => Vec::new(),
        };
        let counts = match self {
            Self::Softmax(count)
            | Self::LogSoftmax(count)
            | Self::Sum(count)
            | Self::Largest(count)
            | Self::ArgMax(count)
            | Self::Top(count)
            | Self::Concatenate(count) => vec![*count],
            Self::Reshape(counts) | Self::Transpose(counts) | Self::Broadcast(counts) => {
                counts.clone()
            }
            Self::Slice(axis, one, other) | Self::Pad(axis, one, other) => {
                vec![*axis, *one, *other]
            }
            Self::Gather(axis, places) => [&[*axis], &places[..]].concat(),
            Self::Convolve(options) => window_counts(*options).to_vec(),
            Self::MaxPool(window) | Self::AveragePool(window) => window.to_vec(),
            _ => Vec::new(),
        };
        (numbers, counts)
    }
}

/// Strides, padding on each axis, dilations and groups.
pub(super) fn window_counts(options: Convolution2d) -> [usize; 9] {
    let Convolution2d {
        strides,
        padding: [(top, bottom), (left, right)],
        dilations,
        groups,
    } = options;
    [
        strides[0],
        strides[1],
        top,
        bottom,
        left,
        right,
        dilations[0],
        dilations[1],
        groups,
    ]
}

/// The reverse of [`window_counts`]; dilations and groups may be left out.
pub(super) fn window_of(counts: &[usize]) -> Option<Convolution2d> {
    let (&[down, across, top, bottom, left, right], rest) = counts.split_first_chunk::<6>()?;
    let (dilations, groups) = match rest {
        [] => ([1, 1], 1),
        &[down, across, groups] => ([down, across], groups),
        _ => return None,
    };
    Some(Convolution2d {
        strides: [down, across],
        padding: [(top, bottom), (left, right)],
        dilations,
        groups,
    })
}

fn unknown(name: &str, numbers: &[f64], counts: &[usize]) -> MpcError {
    MpcError::Calculation {
        place: name.chars().take(40).collect(),
        reason: format!(
            "there is no such operation with {} numbers and {} counts",
            numbers.len(),
            counts.len()
        ),
    }
}
