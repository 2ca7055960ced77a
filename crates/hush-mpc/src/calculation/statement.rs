//! What a calculation is made of.

use crate::calculation::Operation;
use crate::training::{LayerSpec, Loss, OptimizerSpec};

/// The result of a statement: in a [`super::Calculation`] that of so many statements before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Value(pub u64);

/// One step of a calculation; all defines a tensor but [`Statement::Network`], [`Statement::SetWeights`] and
/// [`Statement::Resume`].
///
/// A network is state: [`Statement::Fit`], [`Statement::SetWeights`] and [`Statement::Resume`] change it, and what
/// follows sees the change.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Statement {
    /// A tensor that a party shares.
    Input {
        /// What policies call it.
        name: String,
        /// All dimensions.
        shape: Vec<usize>,
        /// Name of the party that gives it.
        owner: String,
    },
    /// A tensor that the servers kept of an earlier calculation.
    Load {
        /// Under which name it was kept.
        name: String,
        /// All dimensions.
        shape: Vec<usize>,
    },
    /// Numbers that every party knows, in the form of shares.
    Public {
        /// All dimensions.
        shape: Vec<usize>,
        /// In row-major order.
        values: Vec<f64>,
    },
    /// A tensor calculated from others.
    Apply {
        /// How.
        operation: Operation,
        /// From which.
        operands: Vec<Value>,
    },
    /// A network with public initial weights.
    Network(NetworkSpec),
    /// Replaces all weights and biases of a network, by a vector as [`Statement::Weights`] makes it.
    SetWeights {
        /// Which network.
        network: Value,
        /// One vector of all.
        weights: Value,
    },
    /// Trains a network. The tensor is that of the losses: one an epoch if [`Fit::losses`] is set, and minus one for epochs
    /// that an early stop left out; a single zero otherwise.
    Fit(Fit),
    /// What a network's last layer gives: logits, if the loss is on logits.
    Predict {
        /// Which network.
        network: Value,
        /// Samples, `[rows, …]`.
        x: Value,
    },
    /// The mean loss of results of a network, one element.
    Loss {
        /// Results of [`Statement::Predict`].
        results: Value,
        /// Of the same shape.
        labels: Value,
        /// Which loss.
        loss: Loss,
    },
    /// All weights and biases of a network as one vector, in the order of the layers: what is kept and loaded.
    Weights {
        /// Which network.
        network: Value,
    },
    /// What the optimizer of a network's last training keeps from step to step, as one vector: to be kept beside the
    /// weights, for [`Statement::Resume`] and nothing else. Zeros if the last training had another optimizer.
    OptimizerState {
        /// Which network.
        network: Value,
        /// As in [`Fit::optimizer`].
        optimizer: OptimizerSpec,
    },
    /// The next training of a network by this optimizer goes on from a state of [`Statement::OptimizerState`].
    Resume(Resume),
    /// One weight or bias of a network, in its own shape.
    Parameter {
        /// Which network.
        network: Value,
        /// Its place among the weights and biases of all layers.
        index: usize,
    },
}

/// Layers for samples of one shape.
#[derive(Debug, Clone, PartialEq)]
pub struct NetworkSpec {
    /// Dimensions of a sample, without the batch.
    pub input: Vec<usize>,
    /// In their order.
    pub layers: Vec<LayerSpec>,
    /// Of the public initial weights, uniform after Glorot.
    pub seed: u64,
}

/// How to train.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fit {
    /// Which network.
    pub network: Value,
    /// Samples, `[rows, …]`.
    pub x: Value,
    /// One a sample, of the shape of the network's results.
    pub labels: Value,
    /// What is made small.
    pub loss: Loss,
    /// How gradients change weights. A later training of the same network by the same optimizer goes on from its state.
    pub optimizer: OptimizerSpec,
    /// Decay of the weights at each step, in units of the learning rate.
    pub weight_decay: f64,
    /// Consecutive rows that make a step; the last step of an epoch may have fewer.
    pub batch: usize,
    /// Times that all rows are used.
    pub epochs: usize,
    /// Whether the mean loss of all rows is computed after each epoch. It stays shared unless it is an output.
    pub losses: bool,
    /// Ends the training after the epoch whose mean loss is below; the bit whether it is, is opened to all parties that
    /// compute after each epoch.
    pub stop_below: Option<f64>,
}

/// From where a training goes on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Resume {
    /// Which network.
    pub network: Value,
    /// One vector.
    pub state: Value,
    /// As in [`Fit::optimizer`].
    pub optimizer: OptimizerSpec,
    /// As in [`Fit::weight_decay`].
    pub weight_decay: f64,
    /// How many steps the optimizer took before.
    pub steps: u32,
}

/// A value that is opened to one party and nobody else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputLiteral {
    /// What policies call it.
    pub name: String,
    /// A tensor.
    pub value: Value,
    /// Name of the party that is shown it.
    pub receiver: String,
}

/// A value that the servers keep in shares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptLiteral {
    /// Under which name; letters, digits, `-`, `_` and `.` inside.
    pub name: String,
    /// A tensor.
    pub value: Value,
}

/// A calculation as somebody wrote it, unchecked.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CalculationLiteral {
    /// In their order; the statement at place `i` defines `Value(i)`.
    pub statements: Vec<Statement>,
    /// What is opened.
    pub outputs: Vec<OutputLiteral>,
    /// What is kept.
    pub kept: Vec<KeptLiteral>,
}

impl Statement {
    /// The values that it takes.
    pub fn operands(&self) -> Vec<Value> {
        match self {
            Self::Input { .. } | Self::Load { .. } | Self::Public { .. } | Self::Network(_) => {
                Vec::new()
            }
            Self::Apply { operands, .. } => operands.clone(),
            Self::SetWeights { network, weights } => vec![*network, *weights],
            Self::Fit(fit) => vec![fit.network, fit.x, fit.labels],
            Self::Predict { network, x } => vec![*network, *x],
            Self::Loss {
                results, labels, ..
            } => vec![*results, *labels],
            Self::Resume(resume) => vec![resume.network, resume.state],
            Self::Weights { network }
            | Self::OptimizerState { network, .. }
            | Self::Parameter { network, .. } => vec![*network],
        }
    }

    /// What it is called in reports of progress.
    pub fn label(&self) -> &str {
        match self {
            Self::Input { .. } => "input",
            Self::Load { .. } => "load",
            Self::Public { .. } => "public",
            Self::Apply { operation, .. } => operation.name(),
            Self::Network(_) => "network",
            Self::SetWeights { .. } => "set_weights",
            Self::Fit(_) => "fit",
            Self::Predict { .. } => "predict",
            Self::Loss { .. } => "loss",
            Self::Weights { .. } => "weights",
            Self::OptimizerState { .. } => "optimizer_state",
            Self::Resume(_) => "resume",
            Self::Parameter { .. } => "parameter",
        }
    }
}
