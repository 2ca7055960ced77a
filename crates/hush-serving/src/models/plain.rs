//! Models on plain tensors, for trying out clients.

use crate::{ModelMetadata, ServingError, Tensor};

/// A model on plain tensors, served beside the encrypted ones under the same rules.
pub trait PlainModel: Send + Sync + 'static {
    /// Name, the one version, and the tensors.
    fn metadata(&self) -> ModelMetadata;

    /// Answers; short enough to run where it is called. `outputs` names the tensors asked for, all of them if
    /// it is empty.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] for tensors that do not fit.
    fn infer(&self, inputs: &[Tensor], outputs: &[String]) -> Result<Vec<Tensor>, ServingError>;
}
