//! Every refusal is `{"error": "…"}`.

use axum::http::HeaderValue;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::codes::whole_seconds;
use crate::{ErrorKind, ServingError};

/// What a handler that refuses returns.
#[derive(Debug)]
pub(super) struct RestError(pub(super) ServingError);

impl<E: Into<ServingError>> From<E> for RestError {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for RestError {
    fn into_response(self) -> Response {
        let kind = self.0.kind();
        let body = json!({ "error": self.0.to_string() }).to_string();
        let mut response = (
            kind.http_status(),
            [(CONTENT_TYPE, "application/json")],
            body,
        )
            .into_response();
        if let Some(retry_after) = kind.retry_after() {
            let seconds = HeaderValue::from(whole_seconds(retry_after));
            response.headers_mut().insert(RETRY_AFTER, seconds);
        }
        response
    }
}

/// For a path that leads nowhere.
pub(super) async fn unknown_route(uri: axum::http::Uri) -> RestError {
    let message = format!("there is nothing at `{}`", uri.path());
    RestError(ServingError::new(ErrorKind::NotFound, message))
}

/// For a path that other methods know.
pub(super) async fn wrong_method(method: axum::http::Method, uri: axum::http::Uri) -> Response {
    let body = json!({ "error": format!("`{}` does not take {method}", uri.path()) });
    let status = axum::http::StatusCode::METHOD_NOT_ALLOWED;
    (status, json_body(&body)).into_response()
}

/// A body of JSON.
pub(super) fn json_body(value: &serde_json::Value) -> impl IntoResponse + use<> {
    ([(CONTENT_TYPE, "application/json")], value.to_string())
}
