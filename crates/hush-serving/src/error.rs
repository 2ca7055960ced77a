//! Why a request is refused; both protocols map [`ErrorKind`] to their own codes in one place.

use std::time::Duration;

/// A refusal, as the caller is told.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("{message}")]
pub struct ServingError {
    kind: ErrorKind,
    message: String,
}

/// What class of refusal it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The request does not hold together, or does not fit the model. HTTP 400, INVALID_ARGUMENT.
    InvalidArgument,
    /// No such model, version or key. HTTP 404, NOT_FOUND.
    NotFound,
    /// Something else is there already, or a step came too early. HTTP 409, FAILED_PRECONDITION.
    Conflict,
    /// Nobody that the server knows. HTTP 401, UNAUTHENTICATED.
    Unauthenticated,
    /// Known, but not allowed. HTTP 403, PERMISSION_DENIED.
    PermissionDenied,
    /// Larger than a limit of the server. HTTP 413, RESOURCE_EXHAUSTED.
    TooLarge,
    /// The server has too much to do. HTTP 429, RESOURCE_EXHAUSTED.
    Busy {
        /// When it is worth another try.
        retry_after: Duration,
    },
    /// The caller's deadline passed. HTTP 504, DEADLINE_EXCEEDED.
    DeadlineExceeded,
    /// The caller went away. HTTP 499, CANCELLED.
    Cancelled,
    /// Loading, draining or stopped. HTTP 503, UNAVAILABLE.
    Unavailable,
    /// The server does not do that. HTTP 501, UNIMPLEMENTED.
    Unimplemented,
    /// The server's own fault; details are in its log. HTTP 500, INTERNAL.
    Internal,
}

impl ServingError {
    /// An error with a message for the caller: what is wrong and what to do.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }

    /// The class.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}
