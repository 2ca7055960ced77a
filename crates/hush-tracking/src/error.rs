//! Why a request is refused, in the codes that MLflow's clients know.

use http::StatusCode;

/// A refusal, as the caller is told.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("{message}")]
pub struct TrackingError {
    code: ErrorCode,
    message: String,
}

/// The class of a refusal: MLflow's `error_code`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorCode {
    /// The request does not hold together. HTTP 400.
    InvalidParameterValue,
    /// The request cannot be read at all. HTTP 400.
    BadRequest,
    /// Something of that name is there already. HTTP 400, as MLflow has it.
    ResourceAlreadyExists,
    /// No such experiment, run, model … HTTP 404.
    ResourceDoesNotExist,
    /// No such route. HTTP 404.
    EndpointNotFound,
    /// Nobody that the server knows. HTTP 401.
    Unauthenticated,
    /// Known, but not allowed. HTTP 403.
    PermissionDenied,
    /// Somebody else was first. HTTP 409.
    ResourceConflict,
    /// Larger or more than a limit of the server. HTTP 429.
    ResourceExhausted,
    /// The stored state does not allow it. HTTP 500, as MLflow has it.
    InvalidState,
    /// The server's own fault; details are in its log. HTTP 500.
    InternalError,
    /// The server does not do that. HTTP 501.
    NotImplemented,
    /// The store cannot be reached. HTTP 503.
    TemporarilyUnavailable,
}

impl ErrorCode {
    /// MLflow's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::InvalidParameterValue => "INVALID_PARAMETER_VALUE",
            Self::BadRequest => "BAD_REQUEST",
            Self::ResourceAlreadyExists => "RESOURCE_ALREADY_EXISTS",
            Self::ResourceDoesNotExist => "RESOURCE_DOES_NOT_EXIST",
            Self::EndpointNotFound => "ENDPOINT_NOT_FOUND",
            Self::Unauthenticated => "UNAUTHENTICATED",
            Self::PermissionDenied => "PERMISSION_DENIED",
            Self::ResourceConflict => "RESOURCE_CONFLICT",
            Self::ResourceExhausted => "RESOURCE_EXHAUSTED",
            Self::InvalidState => "INVALID_STATE",
            Self::InternalError => "INTERNAL_ERROR",
            Self::NotImplemented => "NOT_IMPLEMENTED",
            Self::TemporarilyUnavailable => "TEMPORARILY_UNAVAILABLE",
        }
    }

    /// The HTTP status.
    #[must_use]
    pub fn http_status(self) -> StatusCode {
        match self {
            Self::InvalidParameterValue | Self::BadRequest | Self::ResourceAlreadyExists => {
                StatusCode::BAD_REQUEST
            }
            Self::ResourceDoesNotExist | Self::EndpointNotFound => StatusCode::NOT_FOUND,
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::PermissionDenied => StatusCode::FORBIDDEN,
            Self::ResourceConflict => StatusCode::CONFLICT,
            Self::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
            Self::InvalidState | Self::InternalError => StatusCode::INTERNAL_SERVER_ERROR,
            Self::NotImplemented => StatusCode::NOT_IMPLEMENTED,
            Self::TemporarilyUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// MLflow's `sqlstate` and `error_class`, which newer clients show.
    pub(crate) fn classes(self) -> Option<(&'static str, &'static str)> {
        const CALLER: &str = "KAM00";
        const SERVER: &str = "XXM00";
        match self {
            Self::InvalidParameterValue | Self::BadRequest => {
                Some((CALLER, "INVALID_PARAMETER_VALUE"))
            }
            Self::ResourceAlreadyExists => Some((CALLER, "RESOURCE_ALREADY_EXISTS")),
            Self::ResourceDoesNotExist | Self::EndpointNotFound => {
                Some((CALLER, "RESOURCE_NOT_FOUND"))
            }
            Self::PermissionDenied => Some((CALLER, "PERMISSION_DENIED")),
            Self::InvalidState | Self::InternalError | Self::TemporarilyUnavailable => {
                Some((SERVER, "CLIENT_INTERNAL_ERROR"))
            }
            _ => None,
        }
    }
}

impl TrackingError {
    /// An error with a message for the caller: what is wrong and what to do.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    /// A refusal of a value.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::InvalidParameterValue, message)
    }

    /// A refusal of something that is not there.
    pub fn missing(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::ResourceDoesNotExist, message)
    }

    /// A fault of the server: the caller learns that there is one, the log what it is.
    pub(crate) fn internal(what: &str, cause: &dyn std::fmt::Display) -> Self {
        tracing::error!(%cause, what, "internal error");
        Self::new(
            ErrorCode::InternalError,
            format!("the server failed at {what}; its log says more"),
        )
    }

    /// The class.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        self.code
    }
}
