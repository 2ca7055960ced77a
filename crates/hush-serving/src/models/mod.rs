//! The models that are served: read from files, replaced while requests run.

mod metadata;
mod plain;

pub use metadata::{ModelMetadata, ModelState, ModelStatus, TensorMetadata};
pub use plain::PlainModel;
