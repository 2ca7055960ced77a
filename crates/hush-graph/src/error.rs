//! What can be wrong with a graph, and with what is fed to it.

/// Why a tensor, a node or a graph was refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum GraphError {
    /// A dimension is zero, or the tensor has more elements than [`crate::Shape::MAX_ELEMENTS`].
    #[error("shape {dimensions:?} is empty or has more than {maximum} elements")]
    ShapeSize {
        /// The dimensions asked for.
        dimensions: Vec<usize>,
        /// The largest number of elements.
        maximum: usize,
    },
    /// The number of elements differs from what the shape says.
    #[error("tensor of shape {shape:?} needs {expected} elements but has {actual}")]
    ElementCount {
        /// The shape.
        shape: Vec<usize>,
        /// The elements that the shape needs.
        expected: usize,
        /// The elements that were given.
        actual: usize,
    },
    /// A constant does not broadcast to the shape it is used with.
    #[error("shape {from:?} does not broadcast to {to:?}")]
    Broadcast {
        /// The shape of the constant.
        from: Vec<usize>,
        /// The shape that it should have.
        to: Vec<usize>,
    },
    /// A node was given the wrong number of inputs.
    #[error("node `{node}` takes {expected} inputs but has {actual}")]
    InputCount {
        /// The node.
        node: String,
        /// How many inputs its operator takes.
        expected: usize,
        /// How many it has.
        actual: usize,
    },
    /// A node reads a value that no earlier node and no input defines.
    #[error("node `{node}` reads value {value}, which is not defined before it")]
    UndefinedValue {
        /// The node, or the output.
        node: String,
        /// Its number.
        value: u32,
    },
    /// The shape of an input does not suit the operator.
    #[error("node `{node}`: {operator} does not accept shape {shape}: {reason}")]
    NodeShape {
        /// The node.
        node: String,
        /// The operator.
        operator: &'static str,
        /// The offending shape, batch included.
        shape: String,
        /// What the operator needs.
        reason: String,
    },
    /// A constant, coefficient or parameter of a node is NaN or infinite.
    #[error(
        "node `{node}` has a constant that is not a finite number; export the model again after checking its weights"
    )]
    NotFinite {
        /// The node.
        node: String,
    },
    /// A node computes on element indices (the result of ArgMax).
    #[error("node `{node}` computes on indices; only reshaping can follow an arg-max")]
    IndexArithmetic {
        /// The node.
        node: String,
    },
    /// Two inputs or two outputs have the same name.
    #[error("name `{name}` is used twice")]
    DuplicateName {
        /// The name.
        name: String,
    },
    /// The graph has no input or no output.
    #[error("graph has no {what}")]
    Empty {
        /// `input` or `output`.
        what: &'static str,
    },
}

/// Why [`crate::evaluate`] refused its inputs.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EvaluateError {
    /// The number of tensors differs from the number of graph inputs.
    #[error("graph takes {expected} inputs but {actual} were given")]
    InputCount {
        /// Inputs of the graph.
        expected: usize,
        /// Tensors given.
        actual: usize,
    },
    /// An input tensor has the wrong shape.
    #[error("input `{name}` must have shape {expected} but has {actual:?}")]
    InputShape {
        /// The input.
        name: String,
        /// The shape of the graph, batch included.
        expected: String,
        /// The shape of the tensor.
        actual: Vec<usize>,
    },
    /// Two inputs hold different numbers of samples.
    #[error("input `{name}` holds {actual} samples but the first input holds {expected}")]
    BatchMismatch {
        /// The input.
        name: String,
        /// Samples of the first input.
        expected: usize,
        /// Samples of this one.
        actual: usize,
    },
}
