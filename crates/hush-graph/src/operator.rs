//! The operators of a graph, and the shape of what they compute.

use crate::tensor::check_broadcast;
use crate::{Convolution, ElementType, Function, Movement, Shape, SparseMatrix, Tensor};

/// What a node computes. Few general operators stand for the many of a model file.
///
/// Axes and shapes are those of one sample: the batch dimension is not counted.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Operator {
    /// `y = W x + b` on the last axis: `[…, inputs]` becomes `[…, outputs]`.
    Linear {
        /// Shape `[outputs, inputs]`.
        weight: Tensor,
        /// Shape `[outputs]`.
        bias: Option<Tensor>,
    },
    /// A window that moves over the spatial axes.
    Convolution(Convolution),
    /// Any other linear map of the elements of a sample.
    Sparse(SparseLinear),
    /// `y = scale · x + offset`, element by element.
    Affine {
        /// Broadcasts to the shape of a sample; often a scalar.
        scale: Tensor,
        /// Broadcasts to the shape of a sample; often a scalar.
        offset: Tensor,
    },
    /// One scalar function on every element.
    Elementwise(Function),
    /// Reshape, transpose and the like.
    Movement(Movement),
    /// Two values of the same shape, element by element.
    Binary(BinaryOperator),
    /// Two or more values one after the other along `axis`; the other dimensions agree.
    Concatenate {
        /// The axis that grows.
        axis: usize,
    },
    /// `exp(x_i) / Σ exp(x_j)` along `axis`.
    Softmax {
        /// The axis that sums to one.
        axis: usize,
    },
    /// The logarithm of [`Operator::Softmax`].
    LogSoftmax {
        /// The axis whose exponentials sum to one.
        axis: usize,
    },
    /// The index of the largest element along `axis`; gives [`ElementType::Index`].
    ArgMax {
        /// The axis to search.
        axis: usize,
        /// Keep the axis with length one.
        keep_dimension: bool,
        /// Of equal elements take the last, not the first.
        last: bool,
    },
}

/// `y = matrix · x + bias` on the elements of a sample in row-major order: pooling by averages,
/// padding, slices, resizing and the like.
#[derive(Debug, Clone, PartialEq)]
pub struct SparseLinear {
    /// What it stands for, in dumps.
    pub name: &'static str,
    /// Whether its numbers are constants of the model, such as the kernel of a transposed convolution. Others
    /// belong to the operator and stand in every model of this shape.
    pub trained: bool,
    /// As many rows as `shape` has elements, as many columns as the input has.
    pub matrix: SparseMatrix,
    /// As many numbers as `shape` has elements.
    pub bias: Option<Vec<f64>>,
    /// The shape of the result.
    pub shape: Shape,
}

/// How [`Operator::Binary`] combines its operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BinaryOperator {
    /// `left + right`.
    Add,
    /// `left - right`.
    Subtract,
    /// `left · right`.
    Multiply,
    /// The larger of both.
    Maximum,
    /// The smaller of both.
    Minimum,
}

impl BinaryOperator {
    /// The result for one pair of elements; NaN if one of them is.
    pub fn evaluate(self, left: f64, right: f64) -> f64 {
        match self {
            BinaryOperator::Add => left + right,
            BinaryOperator::Subtract => left - right,
            BinaryOperator::Multiply => left * right,
            _ if left.is_nan() || right.is_nan() => f64::NAN,
            BinaryOperator::Maximum => left.max(right),
            BinaryOperator::Minimum => left.min(right),
        }
    }
}

impl Operator {
    /// A scalar [`Operator::Affine`].
    pub fn affine(scale: f64, offset: f64) -> Operator {
        Operator::Affine {
            scale: Tensor::scalar(scale),
            offset: Tensor::scalar(offset),
        }
    }

    /// The name used in dumps and errors.
    pub fn name(&self) -> &'static str {
        match self {
            Operator::Linear { .. } => "linear",
            Operator::Convolution(_) => "convolution",
            Operator::Sparse(_) => "sparse",
            Operator::Affine { .. } => "affine",
            Operator::Elementwise(_) => "elementwise",
            Operator::Movement(_) => "movement",
            Operator::Binary(BinaryOperator::Add) => "add",
            Operator::Binary(BinaryOperator::Subtract) => "subtract",
            Operator::Binary(BinaryOperator::Multiply) => "multiply",
            Operator::Binary(BinaryOperator::Maximum) => "maximum",
            Operator::Binary(BinaryOperator::Minimum) => "minimum",
            Operator::Concatenate { .. } => "concatenate",
            Operator::Softmax { .. } => "softmax",
            Operator::LogSoftmax { .. } => "log_softmax",
            Operator::ArgMax { .. } => "arg_max",
        }
    }

    /// How many values it reads; [`Operator::Concatenate`] may read more.
    pub fn input_count(&self) -> usize {
        match self {
            Operator::Binary(_) | Operator::Concatenate { .. } => 2,
            _ => 1,
        }
    }

    /// Whether it can read `count` values.
    pub(crate) fn accepts_count(&self, count: usize) -> bool {
        match self {
            Operator::Concatenate { .. } => count >= self.input_count(),
            _ => count == self.input_count(),
        }
    }

    /// Whether every constant is a finite number.
    pub fn is_finite(&self) -> bool {
        match self {
            Operator::Linear { weight, bias } => {
                weight.is_finite() && bias.as_ref().is_none_or(Tensor::is_finite)
            }
            Operator::Affine { scale, offset } => scale.is_finite() && offset.is_finite(),
            Operator::Convolution(convolution) => convolution.is_finite(),
            Operator::Sparse(sparse) => sparse.is_finite(),
            Operator::Elementwise(function) => function.is_finite(),
            _ => true,
        }
    }

    /// What the result holds.
    pub(crate) fn result_element(&self, input: ElementType) -> ElementType {
        match self {
            Operator::ArgMax { .. } => ElementType::Index,
            _ => input,
        }
    }

    /// The shape of the result, or which input (by position) is wrong and why.
    /// [`Operator::accepts_count`] holds for the number of `inputs`.
    pub(crate) fn result_shape(&self, inputs: &[&Shape]) -> Result<Shape, (usize, String)> {
        let input = inputs[0];
        let first = |reason: String| (0, reason);
        match self {
            Operator::Linear { weight, bias } => {
                linear_shape(weight, bias.as_ref(), input).map_err(first)
            }
            Operator::Convolution(convolution) => convolution.result_shape(input).map_err(first),
            Operator::Sparse(sparse) => sparse.result_shape(input).map_err(first),
            Operator::Concatenate { axis } => {
                check_axis(*axis, input).map_err(first)?;
                concatenated_shape(*axis, inputs)
            }
            Operator::Affine { scale, offset } => {
                for constant in [scale, offset] {
                    check_broadcast(constant.shape(), input.dimensions())
                        .map_err(|error| first(error.to_string()))?;
                }
                Ok(input.clone())
            }
            Operator::Elementwise(_) => Ok(input.clone()),
            Operator::Movement(movement) => movement.result_shape(input).map_err(first),
            Operator::Binary(_) if inputs[1] != input => {
                Err((1, format!("the other operand has shape {input}")))
            }
            Operator::Binary(_) => Ok(input.clone()),
            Operator::Softmax { axis } | Operator::LogSoftmax { axis } => {
                check_axis(*axis, input).map_err(first)?;
                Ok(input.clone())
            }
            Operator::ArgMax {
                axis,
                keep_dimension,
                ..
            } => {
                check_axis(*axis, input).map_err(first)?;
                let mut dimensions = input.dimensions().to_vec();
                if *keep_dimension {
                    dimensions[*axis] = 1;
                } else {
                    dimensions.remove(*axis);
                }
                Shape::new(dimensions).map_err(|error| first(error.to_string()))
            }
        }
    }
}

impl SparseLinear {
    fn is_finite(&self) -> bool {
        let bias = self.bias.iter().flatten().copied();
        let entries = self.matrix.entries().map(|(_, _, value)| value);
        bias.chain(entries).all(f64::is_finite)
    }

    fn result_shape(&self, input: &Shape) -> Result<Shape, String> {
        let (rows, columns) = (self.matrix.rows(), self.matrix.columns());
        if columns != input.size() {
            return Err(format!("the matrix has {columns} columns"));
        }
        let size = self.shape.size();
        if rows != size || self.bias.as_ref().is_some_and(|bias| bias.len() != size) {
            return Err(format!("matrix and bias must give {size} elements"));
        }
        Ok(self.shape.clone())
    }
}

fn concatenated_shape(axis: usize, inputs: &[&Shape]) -> Result<Shape, (usize, String)> {
    let mut dimensions = inputs[0].dimensions().to_vec();
    for (position, input) in inputs.iter().enumerate().skip(1) {
        let mut expected = dimensions.clone();
        expected[axis] = input.dimensions().get(axis).copied().unwrap_or(0);
        if input.dimensions() != expected {
            let reason = format!("it is joined along axis {axis} to shape {}", inputs[0]);
            return Err((position, reason));
        }
        dimensions[axis] = dimensions[axis].saturating_add(expected[axis]);
    }
    Shape::new(dimensions).map_err(|error| (0, error.to_string()))
}

fn check_axis(axis: usize, input: &Shape) -> Result<(), String> {
    if axis < input.rank() {
        Ok(())
    } else {
        Err(format!("there is no axis {axis} after the batch"))
    }
}

fn linear_shape(weight: &Tensor, bias: Option<&Tensor>, input: &Shape) -> Result<Shape, String> {
    let &[outputs, inputs] = weight.shape() else {
        return Err(format!(
            "the weight has shape {:?}, not two dimensions",
            weight.shape()
        ));
    };
    if bias.is_some_and(|bias| bias.shape() != [outputs]) {
        return Err(format!("the bias must have {outputs} elements"));
    }
    let mut dimensions = input.dimensions().to_vec();
    match dimensions.last_mut() {
        Some(last) if *last == inputs => *last = outputs,
        _ => return Err(format!("the last dimension must be {inputs}")),
    }
    Shape::new(dimensions).map_err(|error| error.to_string())
}
