//! Why a model file was refused.

use hush_graph::GraphError;
use std::fmt;
use std::path::PathBuf;

/// Why a model file was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The file cannot be read.
    #[error("cannot read `{}`: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file is larger than [`crate::MAXIMUM_MODEL_BYTES`].
    #[error("model has {bytes} bytes; at most {maximum} are read")]
    TooLarge {
        /// The size.
        bytes: u64,
        /// The limit.
        maximum: u64,
    },
    /// The bytes are not an ONNX model, or a truncated one.
    #[error("not an ONNX model: {reason}; check that the file is complete")]
    NotOnnx {
        /// What was found.
        reason: String,
    },
    /// The model needs a version of the ONNX operators that this importer does not know.
    #[error(
        "model uses operator set {version}; supported are {oldest} to {newest}, export it again with one of these"
    )]
    OperatorSet {
        /// The version in the file.
        version: i64,
        /// The oldest supported.
        oldest: i64,
        /// The newest supported.
        newest: i64,
    },
    /// A tensor keeps its data in another file.
    #[error(
        "tensor `{tensor}` keeps its data in another file; save the model with its weights inside"
    )]
    ExternalData {
        /// The tensor.
        tensor: String,
    },
    /// A stored tensor is malformed.
    #[error("tensor `{tensor}`: {reason}")]
    Tensor {
        /// The tensor.
        tensor: String,
        /// What is wrong.
        reason: String,
    },
    /// An input or tensor holds something else than floating-point numbers of 32 or 64 bits.
    #[error("`{name}` has element type {element}; convert the model to float32 or float64")]
    ElementType {
        /// The input or tensor.
        name: String,
        /// The ONNX name of its type.
        element: String,
    },
    /// A dimension other than the batch is not a number.
    #[error(
        "input `{input}`: dimension {axis} (`{dimension}`) is dynamic; only the first (batch) may be, export with fixed sizes"
    )]
    DynamicDimension {
        /// The input.
        input: String,
        /// The axis, counted from zero, batch included.
        axis: usize,
        /// Its name in the file, or `?`.
        dimension: String,
    },
    /// Two inputs have differently named batch dimensions.
    #[error(
        "inputs have two batch dimensions, `{first}` and `{second}`; export with one name for both"
    )]
    TwoBatchDimensions {
        /// The first.
        first: String,
        /// The other.
        second: String,
    },
    /// An input has no usable batch dimension.
    #[error("input `{input}`: {reason}; the first dimension must be the batch, dynamic or 1")]
    BatchDimension {
        /// The input.
        input: String,
        /// What was found.
        reason: String,
    },
    /// A function that the model brings along cannot be used.
    #[error("function `{name}`: {reason}; export the model with its functions inlined")]
    Function {
        /// The function.
        name: String,
        /// What stands in the way.
        reason: String,
    },
    /// Nodes depend on each other in a circle.
    #[error("nodes form a cycle: {}", nodes.join(" → "))]
    Cycle {
        /// The nodes of one circle.
        nodes: Vec<String>,
    },
    /// A value is read but nothing defines it.
    #[error("`{reader}` reads `{value}`, which nothing defines")]
    Undefined {
        /// The node or output.
        reader: String,
        /// The value.
        value: String,
    },
    /// A value is defined twice.
    #[error("value `{value}` is defined twice")]
    DefinedTwice {
        /// The value.
        value: String,
    },
    /// Some nodes cannot be used; all of them are listed.
    #[error("{}", NodeProblems(.0))]
    Nodes(Vec<NodeProblem>),
    /// The graph as a whole is not acceptable.
    #[error(transparent)]
    Graph(#[from] GraphError),
}

/// Why one node cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeProblem {
    /// The name of the node, or of its first output if it has none.
    pub node: String,
    /// The ONNX operator, with its domain if that is not the standard one.
    pub operator: String,
    /// What is wrong.
    pub reason: String,
    /// What to do about it.
    pub hint: String,
}

impl fmt::Display for NodeProblem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let NodeProblem {
            node,
            operator,
            reason,
            hint,
        } = self;
        write!(formatter, "{operator} `{node}`: {reason}; {hint}")
    }
}

/// How many problems a message lists.
const LISTED: usize = 50;

struct NodeProblems<'a>(&'a [NodeProblem]);

impl fmt::Display for NodeProblems<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.len();
        write!(
            formatter,
            "{count} {} cannot be used:",
            if count == 1 { "node" } else { "nodes" }
        )?;
        for problem in self.0.iter().take(LISTED) {
            write!(formatter, "\n  {problem}")?;
        }
        if count > LISTED {
            write!(formatter, "\n  and {} more", count - LISTED)?;
        }
        Ok(())
    }
}
