//! What a model says of itself.

use std::collections::BTreeMap;

use crate::DataType;

/// Whether a model can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModelState {
    /// It answers.
    Ready,
    /// It is being read and prepared.
    Loading,
    /// It cannot be asked; see the reason.
    Unavailable,
}

impl ModelState {
    /// Its name in the protocol: `READY`, `LOADING` or `UNAVAILABLE`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ready => "READY",
            Self::Loading => "LOADING",
            Self::Unavailable => "UNAVAILABLE",
        }
    }
}

/// One line of the repository's index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelStatus {
    /// Name of the model.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Whether it can be asked.
    pub state: ModelState,
    /// Why not, or what went wrong at the last reload; empty if all is well.
    pub reason: String,
}

/// A tensor that goes in or comes out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorMetadata {
    /// Its name.
    pub name: String,
    /// Type of its elements.
    pub data_type: DataType,
    /// Its shape; -1 where any size goes.
    pub shape: Vec<i64>,
}

/// What a model takes and gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelMetadata {
    /// Name of the model.
    pub name: String,
    /// Versions that can be asked, ascending.
    pub versions: Vec<String>,
    /// What runs it: `hush` for encrypted models.
    pub platform: String,
    /// What goes in.
    pub inputs: Vec<TensorMetadata>,
    /// What comes out.
    pub outputs: Vec<TensorMetadata>,
    /// More, by names that begin with `hush.`.
    pub properties: BTreeMap<String, String>,
}
