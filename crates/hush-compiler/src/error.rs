//! Why a model cannot be compiled.

use std::fmt::{self, Display, Formatter};

use hush_graph::EvaluateError;
use hush_program::ProgramError;
use thiserror::Error;

/// One part of a model that the compiler cannot translate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsupported {
    /// Names of the nodes in the model.
    pub nodes: String,
    /// What they do.
    pub operator: String,
    /// What to do about it.
    pub hint: String,
}

impl Display for Unsupported {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        write!(out, "`{}`: {} ({})", self.nodes, self.operator, self.hint)
    }
}

fn lines(list: &[Unsupported]) -> String {
    list.iter().map(|entry| format!("\n  {entry}")).collect()
}

/// Why a model cannot be compiled.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CompileError {
    /// Parts of the model have no encrypted form; all of them are listed.
    #[error("the model has {} unsupported part{}:{}", .0.len(), if .0.len() == 1 { "" } else { "s" }, lines(.0))]
    Unsupported(Vec<Unsupported>),
    /// The calibration data does not fit the model's inputs.
    #[error("calibration data: {0}")]
    CalibrationShape(#[source] EvaluateError),
    /// A calibration value is NaN or infinite.
    #[error(
        "calibration data: input `{input}` holds {value} in row {row}; remove or repair that row"
    )]
    CalibrationValue {
        /// Input tensor.
        input: String,
        /// Sample.
        row: usize,
        /// The value.
        value: f64,
    },
    /// The float model gives NaN or infinity on the calibration data.
    #[error(
        "the float model gives {value} at `{tensor}` for calibration row {row}; check the weights and the data's scaling"
    )]
    NotFinite {
        /// Tensor.
        tensor: String,
        /// Sample.
        row: usize,
        /// The value.
        value: f64,
    },
    /// There are too few calibration rows.
    #[error("calibration data has {rows} row{}, at least {needed} are needed to find ranges", if *.rows == 1 { "" } else { "s" })]
    TooFewRows {
        /// Rows given.
        rows: usize,
        /// Rows needed.
        needed: usize,
    },
    /// An option is out of range.
    #[error("option {option}: {reason}")]
    Option {
        /// The option.
        option: &'static str,
        /// What is wrong.
        reason: &'static str,
    },
    /// A function is not defined for all arguments on the calibration data.
    #[error(
        "{node}: {function} has no value or an infinite slope inside the range of its arguments on the calibration \
         data, [{smallest:.3e}, {largest:.3e}]; keep them away from zero, for example by adding a constant before it"
    )]
    Domain {
        /// The node.
        node: String,
        /// The function.
        function: String,
        /// Smallest argument.
        smallest: f64,
        /// Largest argument.
        largest: f64,
    },
    /// A function jumps at an argument between those on the calibration data.
    #[error(
        "{node}: {function} jumps at {at}, inside the range of its arguments on the calibration data, [{smallest:.3e}, \
         {largest:.3e}], and polynomials cannot follow; use a continuous function"
    )]
    Jump {
        /// The node.
        node: String,
        /// The function.
        function: String,
        /// Where it jumps.
        at: f64,
        /// Smallest argument.
        smallest: f64,
        /// Largest argument.
        largest: f64,
    },
    /// No polynomial of supported degree is close enough.
    #[error(
        "no polynomials up to degree {degree} (--max-degree) bring the output error below {target:.1e}: the best is \
         {reached:.1e}, mostly due to {node} on [{lo:.3}, {hi:.3}]; ask for --precision {suggestion:.1e}, allow a \
         higher degree or train with a smoother activation"
    )]
    Approximation {
        /// Highest degree tried.
        degree: usize,
        /// Output error allowed for approximation.
        target: f64,
        /// Output error reached.
        reached: f64,
        /// The activation that fits worst.
        node: String,
        /// Its range.
        lo: f64,
        /// Its range.
        hi: f64,
        /// A precision that works.
        suggestion: f64,
    },
    /// No secure parameters have enough levels.
    #[error("{0}")]
    TooDeep(Box<TooDeep>),
    /// Parameters have enough levels, but not enough precision.
    #[error(
        "no secure parameters reach an output error of {target:.1e}: the best is {reached:.1e}; ask for --precision \
         {reached:.0e} or a lower security level"
    )]
    Precision {
        /// Error asked for.
        target: f64,
        /// Error reached.
        reached: f64,
    },
    /// The model does not fit the packing.
    #[error("no {packing} layout fits: {reason}")]
    Layout {
        /// The packing.
        packing: &'static str,
        /// What does not fit.
        reason: String,
    },
    /// Merging patterns of the graph failed.
    #[error("the graph could not be simplified")]
    Graph(#[from] hush_graph::GraphError),
    /// The compiler emitted a program that its own checks refuse.
    #[error("the emitted program is not valid; this is a bug in the compiler")]
    Emitted(#[from] ProgramError),
}

/// A model that only bootstrapping, which refreshes levels, could run.
#[derive(Clone, Debug, PartialEq)]
pub struct TooDeep {
    /// Levels of the model.
    pub needed: usize,
    /// What there is too little of.
    pub shortage: Shortage,
    /// Rotations of one run, where they could be counted.
    pub rotations: Option<usize>,
    /// Nodes before which levels would have to be refreshed; the first is where they run out.
    pub refreshes: Vec<String>,
}

/// What a deep model lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Shortage {
    /// No secure parameters have more levels.
    Levels {
        /// Levels of the largest ones.
        available: usize,
    },
    /// Parameters with so many levels need keys that are too large.
    Keys {
        /// Bytes of the smallest keys.
        needed: u64,
        /// [`crate::Options::max_key_bytes`].
        limit: u64,
    },
}

impl Display for TooDeep {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        write!(formatter, "the model needs {} levels", self.needed)?;
        if let Some(rotations) = self.rotations {
            write!(formatter, " and {rotations} rotations")?;
        }
        match self.shortage {
            Shortage::Levels { available } => write!(
                formatter,
                ", secure parameters have at most {available} at this precision: {} too many",
                self.needed - available
            )?,
            Shortage::Keys { needed, limit } => write!(
                formatter,
                ", for which evaluation keys take {:.1} GB at least, more than {:.1} GB (--max-keys)",
                needed as f64 / 1e9,
                limit as f64 / 1e9
            )?,
        }
        if let Some(first) = self.refreshes.first() {
            write!(
                formatter,
                "; levels run out at {first}, and bootstrapping, which this compiler lacks, would go before {} node{}: {}",
                self.refreshes.len(),
                if self.refreshes.len() == 1 { "" } else { "s" },
                self.refreshes.join(", ")
            )?;
        }
        formatter.write_str(
            "; use activations of lower degree (--max-degree), fewer layers, a smaller range (--activation-margin), \
             or ask for a larger error (--precision)",
        )
    }
}
