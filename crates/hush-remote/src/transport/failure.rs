//! From what the libraries below report to [`RemoteError`].

use std::error::Error;
use std::time::Duration;

use http::{HeaderMap, StatusCode};
use hyper_util::client::legacy;
use tonic::{Code, Status};

use crate::{Refusal, RemoteError};

/// When gRPC's own retries would come back.
const PUSHBACK: &str = "grpc-retry-pushback-ms";
/// Longer than any refusal of a server of ours.
const LONGEST_MESSAGE: usize = 4096;

/// No answer came.
pub(super) fn unanswered(server: &str, error: &(dyn Error + 'static)) -> RemoteError {
    let mut causes = vec![error];
    while let Some(cause) = causes[causes.len() - 1].source() {
        causes.push(cause);
    }
    let connecting = causes.iter().any(|cause| {
        let cause = cause.downcast_ref::<legacy::Error>();
        cause.is_some_and(legacy::Error::is_connect)
    });
    // The innermost says most; the others only that something went wrong.
    let reason = causes.last().map(ToString::to_string).unwrap_or_default();
    let server = server.to_owned();
    match connecting {
        true => RemoteError::Connect { server, reason },
        false => RemoteError::Broken { server, reason },
    }
}

/// A call over gRPC that failed, on the way or at the server.
pub(super) fn of_status(server: &str, status: &Status) -> RemoteError {
    if let Some(cause) = status.source() {
        return unanswered(server, cause);
    }
    // What the client's own decoder says of bytes that are not gRPC.
    if status.code() == Code::Internal && status.message().starts_with("protocol error") {
        return RemoteError::Answer {
            server: server.to_owned(),
            reason: "it does not speak gRPC".to_owned(),
        };
    }
    let refusal = match status.code() {
        Code::InvalidArgument | Code::OutOfRange => Refusal::Invalid,
        Code::NotFound => Refusal::NotFound,
        Code::FailedPrecondition | Code::AlreadyExists | Code::Aborted => Refusal::Conflict,
        Code::Unauthenticated => Refusal::Unauthenticated,
        Code::PermissionDenied => Refusal::PermissionDenied,
        // Only who is busy says when to come back.
        Code::ResourceExhausted if !status.metadata().contains_key(PUSHBACK) => Refusal::TooLarge,
        Code::ResourceExhausted => Refusal::Busy,
        Code::DeadlineExceeded => Refusal::DeadlineExceeded,
        Code::Unavailable => Refusal::Unavailable,
        Code::Unimplemented => Refusal::Unimplemented,
        _ => Refusal::Other,
    };
    let pushback = status.metadata().get(PUSHBACK);
    let pushback = pushback.and_then(|value| value.to_str().ok()?.parse().ok());
    let message = match status.message() {
        "" => format!("{:?}", status.code()),
        message => message.to_owned(),
    };
    RemoteError::Refused {
        refusal,
        message: shown(&message),
        retry_after: pushback.map(Duration::from_millis),
    }
}

/// An answer over HTTP that is no success.
pub(super) fn of_http(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> RemoteError {
    let refusal = match status.as_u16() {
        400 => Refusal::Invalid,
        404 => Refusal::NotFound,
        409 => Refusal::Conflict,
        401 => Refusal::Unauthenticated,
        403 => Refusal::PermissionDenied,
        413 => Refusal::TooLarge,
        429 => Refusal::Busy,
        408 | 504 => Refusal::DeadlineExceeded,
        // A proxy in front of a server that restarts says 502.
        502 | 503 => Refusal::Unavailable,
        405 | 501 => Refusal::Unimplemented,
        _ => Refusal::Other,
    };
    let said: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    let said = said.as_ref().and_then(|said| said["error"].as_str());
    let message = said.map_or_else(|| format!("HTTP status {status}"), shown);
    let seconds = headers.get(http::header::RETRY_AFTER);
    let seconds = seconds.and_then(|value| value.to_str().ok()?.parse().ok());
    RemoteError::Refused {
        refusal,
        message,
        retry_after: seconds.map(Duration::from_secs),
    }
}

/// What a stranger wrote, fit for a terminal.
fn shown(message: &str) -> String {
    let printable = message.chars().filter(|c| !c.is_control());
    printable.take(LONGEST_MESSAGE).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn busy_and_too_large_differ_by_the_hint() {
        let mut status = Status::resource_exhausted("no");
        let refusal = |status: &Status| of_status("s", status).refusal();
        assert_eq!(refusal(&status), Some(Refusal::TooLarge));
        status.metadata_mut().insert(PUSHBACK, 1200u64.into());
        assert_eq!(refusal(&status), Some(Refusal::Busy));
        let wait = of_status("s", &status).retry_after();
        assert_eq!(wait, Some(Duration::from_millis(1200)));
    }

    #[test]
    fn refusals_over_http_keep_their_words() {
        let mut headers = HeaderMap::new();
        headers.insert("retry-after", 3u64.into());
        let error = of_http(
            StatusCode::TOO_MANY_REQUESTS,
            &headers,
            br#"{"error":"full\u001b[2J"}"#,
        );
        assert_eq!(error.to_string(), "the server refused: full[2J");
        assert_eq!(error.retry_after(), Some(Duration::from_secs(3)));
        assert!(error.is_transient());
        let error = of_http(StatusCode::BAD_GATEWAY, &HeaderMap::new(), b"<html>");
        assert_eq!(
            error.to_string(),
            "the server refused: HTTP status 502 Bad Gateway"
        );
    }
}
