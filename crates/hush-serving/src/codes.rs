//! The one mapping from the class of a refusal to the codes of both protocols.

use std::time::Duration;

use http::StatusCode;
use tonic::metadata::MetadataValue;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::{ErrorKind, ServingError};

/// Nginx's code for a caller that went away; there is no standard one.
const CLIENT_CLOSED_REQUEST: u16 = 499;

impl ErrorKind {
    /// The HTTP status.
    #[must_use]
    pub fn http_status(self) -> StatusCode {
        match self {
            Self::InvalidArgument => StatusCode::BAD_REQUEST,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Conflict => StatusCode::CONFLICT,
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::PermissionDenied => StatusCode::FORBIDDEN,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Busy { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
            Self::Cancelled => StatusCode::from_u16(CLIENT_CLOSED_REQUEST)
                .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Unimplemented => StatusCode::NOT_IMPLEMENTED,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The gRPC code.
    #[must_use]
    pub fn grpc_code(self) -> Code {
        match self {
            Self::InvalidArgument => Code::InvalidArgument,
            Self::NotFound => Code::NotFound,
            Self::Conflict => Code::FailedPrecondition,
            Self::Unauthenticated => Code::Unauthenticated,
            Self::PermissionDenied => Code::PermissionDenied,
            Self::TooLarge | Self::Busy { .. } => Code::ResourceExhausted,
            Self::DeadlineExceeded => Code::DeadlineExceeded,
            Self::Cancelled => Code::Cancelled,
            Self::Unavailable => Code::Unavailable,
            Self::Unimplemented => Code::Unimplemented,
            Self::Internal => Code::Internal,
        }
    }

    /// When the same request is worth another try, if that may help.
    #[must_use]
    pub fn retry_after(self) -> Option<Duration> {
        match self {
            Self::Busy { retry_after } => Some(retry_after),
            _ => None,
        }
    }
}

/// Seconds for a `retry-after` header, rounded up so that nobody comes too early.
pub(crate) fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

impl From<ServingError> for Status {
    fn from(error: ServingError) -> Self {
        let code = error.kind().grpc_code();
        let Some(retry_after) = error.kind().retry_after() else {
            return Self::new(code, error.to_string());
        };
        let details = ErrorDetails::with_retry_info(Some(retry_after));
        let mut status = Self::with_error_details(code, error.to_string(), details);
        let milliseconds = u64::try_from(retry_after.as_millis()).unwrap_or(u64::MAX);
        let metadata = status.metadata_mut();
        // What gRPC's own retries obey.
        metadata.insert("grpc-retry-pushback-ms", MetadataValue::from(milliseconds));
        metadata.insert(
            "retry-after",
            MetadataValue::from(whole_seconds(retry_after)),
        );
        status
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn busy_says_when_to_come_back() {
        let retry_after = Duration::from_millis(1200);
        let status = Status::from(ServingError::new(ErrorKind::Busy { retry_after }, "full"));
        assert_eq!(status.code(), Code::ResourceExhausted);
        let info = status.get_error_details().retry_info().cloned();
        assert_eq!(info.and_then(|info| info.retry_delay), Some(retry_after));
        assert_eq!(status.metadata().get("retry-after").unwrap(), "2");
        let pushback = status.metadata().get("grpc-retry-pushback-ms").unwrap();
        assert_eq!(pushback, "1200");
    }

    #[test]
    fn one_kind_decides_both_codes() {
        let too_large = ErrorKind::TooLarge;
        assert_eq!(too_large.http_status(), StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(too_large.grpc_code(), Code::ResourceExhausted);
        assert_eq!(ErrorKind::Cancelled.http_status().as_u16(), 499);
    }
}
