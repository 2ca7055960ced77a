//! The models that are served: read from files, replaced while requests run.

mod deployed;
mod metadata;
mod name;
mod plain;
mod repository;
mod scan;

pub use metadata::{ModelMetadata, ModelState, ModelStatus, TensorMetadata};
pub use plain::PlainModel;

pub(crate) use deployed::{Deployed, explained};
pub(crate) use repository::{Repository, Served, no_model};
