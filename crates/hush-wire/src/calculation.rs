//! A calculation on secret tensors, as all parties see it.
//!
//! Every statement has one flat form, whatever it does: a word for what, and lists. So a new operation needs no new version,
//! and nothing nests.

use serde::{Deserialize, Serialize};

/// A whole program.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CalculationV1 {
    /// In their order; each defines the value of its place.
    pub statements: Vec<StatementV1>,
    /// What is opened.
    pub outputs: Vec<CalculationOutputV1>,
    /// What stays shared among the servers.
    pub kept: Vec<CalculationKeptV1>,
}

/// One statement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StatementV1 {
    /// What is done.
    pub does: String,
    /// Places of the statements whose values it takes.
    pub operands: Vec<u64>,
    /// Names and choices.
    pub words: Vec<String>,
    /// Public numbers.
    pub numbers: Vec<f64>,
    /// Shapes, axes and other counts.
    pub counts: Vec<u64>,
    /// Layers, if it is a network.
    pub layers: Vec<LayerV1>,
}

/// One layer of a network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerV1 {
    /// Which.
    pub kind: String,
    /// A choice within the kind.
    pub word: String,
    /// Its sizes.
    pub counts: Vec<u64>,
    /// Its other public numbers.
    pub numbers: Vec<f64>,
}

/// A value that is opened to one party.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CalculationOutputV1 {
    /// Its name.
    pub name: String,
    /// Place of the statement that defines it.
    pub value: u64,
    /// Who is shown it.
    pub receiver: String,
}

/// A value that the servers keep.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CalculationKeptV1 {
    /// Its name.
    pub name: String,
    /// Place of the statement that defines it.
    pub value: u64,
}
