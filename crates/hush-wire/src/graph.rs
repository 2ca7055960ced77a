//! A graph of tensors, for parties that compute it on shares without its weights.

use serde::{Deserialize, Serialize};

/// A graph.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GraphV1 {
    /// Its name.
    pub name: String,
    /// Inputs; they are the first values.
    pub inputs: Vec<GraphInputV1>,
    /// Nodes in order; each defines the next value.
    pub nodes: Vec<GraphNodeV1>,
    /// Results.
    pub outputs: Vec<GraphOutputV1>,
}

/// An input of a graph.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GraphInputV1 {
    /// Its name.
    pub name: String,
    /// Shape of one sample.
    pub shape: Vec<u64>,
}

/// A node of a graph.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GraphNodeV1 {
    /// Names of the model's nodes.
    pub names: Vec<String>,
    /// What it computes.
    pub operator: GraphOperatorV1,
    /// Numbers of the values that it reads.
    pub inputs: Vec<u32>,
    /// Name of the value that it defines.
    pub output: String,
}

/// A result of a graph.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GraphOutputV1 {
    /// Its name.
    pub name: String,
    /// Number of the value.
    pub value: u32,
    /// What indices stand for.
    pub classes: Vec<String>,
}

/// A constant: without elements where they are private.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GraphTensorV1 {
    /// Its shape.
    pub shape: Vec<u64>,
    /// Its elements, row-major.
    pub data: Option<Vec<f64>>,
}

/// What a node computes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum GraphOperatorV1 {
    /// A dense layer.
    Linear {
        /// `[outputs, inputs]`.
        weight: GraphTensorV1,
        /// `[outputs]`.
        bias: Option<GraphTensorV1>,
    },
    /// A convolution.
    Convolution {
        /// `[outputs, inputs / groups, kernel…]`.
        weight: GraphTensorV1,
        /// `[outputs]`.
        bias: Option<GraphTensorV1>,
        /// One a spatial axis.
        strides: Vec<u64>,
        /// Before and after, one pair a spatial axis.
        padding: Vec<(u64, u64)>,
        /// One a spatial axis.
        dilations: Vec<u64>,
        /// Groups of channels.
        groups: u64,
    },
    /// A sparse matrix on all elements of a sample.
    Sparse {
        /// What it stands for.
        name: String,
        /// Whether its numbers are private constants of the model, which are written as zeros.
        trained: bool,
        /// Number of elements that it reads.
        columns: u64,
        /// Columns and values of each row.
        rows: Vec<Vec<(u32, f64)>>,
        /// One a row.
        bias: Option<Vec<f64>>,
        /// Shape of the result.
        shape: Vec<u64>,
    },
    /// `scale x + offset`, broadcast.
    Affine {
        /// Factor.
        scale: GraphTensorV1,
        /// Addend.
        offset: GraphTensorV1,
    },
    /// A function of each element.
    Elementwise(GraphFunctionV1),
    /// Another shape of the same elements.
    Reshape(Vec<u64>),
    /// Other order of axes.
    Transpose(Vec<u64>),
    /// Broadcast to a shape.
    Expand(Vec<u64>),
    /// Two values combined: 0 add, 1 subtract, 2 multiply, 3 maximum, 4 minimum.
    Binary(u8),
    /// Values one after another.
    Concatenate(u64),
    /// Soft-max along an axis.
    Softmax(u64),
    /// Its logarithm.
    LogSoftmax(u64),
    /// Position of the largest.
    ArgMax {
        /// Along which axis.
        axis: u64,
        /// Whether the axis stays.
        keep_dimension: bool,
        /// Whether the last of equals counts.
        last: bool,
    },
}

/// A function of each element.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum GraphFunctionV1 {
    /// One function.
    Single(GraphSingleV1),
    /// Steps on earlier steps; operand 0 is the argument.
    Composition(Vec<GraphStepV1>),
}

/// A function that is not made of others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum GraphSingleV1 {
    /// The number of a named function, and its parameters in their order.
    Named(u8, Vec<f64>),
    /// Between bounds that may be missing.
    Clip(Option<f64>, Option<f64>),
    /// Coefficients, constant first.
    Polynomial(Vec<f64>),
}

/// A step of a function made of others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum GraphStepV1 {
    /// Scale, offset, operand.
    Affine(f64, f64, u32),
    /// Function and operand.
    Function(GraphSingleV1, u32),
    /// Operator as in [`GraphOperatorV1::Binary`], left and right operand.
    Binary(u8, u32, u32),
}
