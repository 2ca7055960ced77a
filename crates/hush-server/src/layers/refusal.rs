//! A refusal in the caller's own protocol.

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, Response};
use hush_serving::{ErrorKind, ServingError};
use serde_json::json;
use tonic::Status;

/// Whether a request is gRPC.
pub(crate) fn is_grpc(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    content_type.is_some_and(|content_type| content_type.starts_with(b"application/grpc"))
}

/// The answer that refuses.
pub(crate) fn refuse(error: ServingError, grpc: bool) -> Response<Body> {
    if grpc {
        return Status::from(error).into_http();
    }
    let kind = error.kind();
    let mut response = Response::new(Body::from(
        json!({ "error": error.to_string() }).to_string(),
    ));
    *response.status_mut() = kind.http_status();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if kind == ErrorKind::Unauthenticated {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if kind.retry_after().is_some() {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}
