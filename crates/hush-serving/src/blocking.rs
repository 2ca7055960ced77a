//! Work that would hold up the threads that serve connections.

use crate::{ErrorKind, ServingError};

/// Runs work that blocks on a thread for that.
///
/// # Errors
/// Those of the work; [`ErrorKind::Internal`] if it panics.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ServingError> + Send + 'static,
) -> Result<T, ServingError> {
    tokio::task::spawn_blocking(work).await.map_err(stopped)?
}

/// The work panicked, or the runtime shuts down.
pub(crate) fn stopped(error: tokio::task::JoinError) -> ServingError {
    if error.is_cancelled() {
        return ServingError::new(ErrorKind::Unavailable, "the server is shutting down");
    }
    broken()
}

/// Our own fault.
pub(crate) fn broken() -> ServingError {
    ServingError::new(
        ErrorKind::Internal,
        "the server failed on this request; its log says where",
    )
}
