//! Answers: JSON objects, and refusals in MLflow's form.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::json;

use crate::wire::Page;
use crate::{ErrorCode, TrackingError};

/// What a handler gives.
pub(crate) type Answer = Result<Object, Fail>;

/// A JSON object that is written field by field.
pub(crate) struct Object(Vec<u8>);

impl Object {
    pub(crate) fn new() -> Self {
        Self(vec![b'{'])
    }

    /// Adds a field.
    pub(crate) fn with<T: Serialize + ?Sized>(mut self, name: &str, value: &T) -> Self {
        if self.0.len() > 1 {
            self.0.push(b',');
        }
        self.0.push(b'"');
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(b"\":");
        // Writing into memory fails for no type of the API.
        if serde_json::to_writer(&mut self.0, value).is_err() {
            self.0.extend_from_slice(b"null");
        }
        self
    }

    /// Adds a list, which is left out if it is empty.
    pub(crate) fn with_list<T: Serialize>(self, name: &str, values: &[T]) -> Self {
        if values.is_empty() {
            self
        } else {
            self.with(name, values)
        }
    }

    /// Adds a value, which is left out if there is none.
    pub(crate) fn with_some<T: Serialize>(self, name: &str, value: Option<&T>) -> Self {
        match value {
            None => self,
            Some(value) => self.with(name, value),
        }
    }

    /// Adds a page and the token of the next.
    pub(crate) fn with_page<T: Serialize>(self, name: &str, page: &Page<T>) -> Self {
        self.with_list(name, &page.items)
            .with_some("next_page_token", page.next.as_ref())
    }
}

impl IntoResponse for Object {
    fn into_response(mut self) -> Response {
        self.0.push(b'}');
        json_response(StatusCode::OK, self.0)
    }
}

/// A refusal.
pub(crate) struct Fail(pub(crate) TrackingError);

impl From<TrackingError> for Fail {
    fn from(error: TrackingError) -> Self {
        Self(error)
    }
}

impl IntoResponse for Fail {
    fn into_response(self) -> Response {
        refuse(&self.0)
    }
}

/// A refusal in MLflow's form.
#[must_use]
pub fn refuse(error: &TrackingError) -> Response {
    let code = error.code();
    let mut body = json!({"error_code": code.name(), "message": error.to_string()});
    if let Some((state, class)) = code.classes() {
        body["sqlstate"] = state.into();
        body["error_class"] = class.into();
    }
    let mut response = json_response(code.http_status(), body.to_string().into_bytes());
    if code == ErrorCode::Unauthenticated {
        // The web pages' browsers ask their user only for the scheme that they know.
        let asked = HeaderValue::from_static("Basic realm=\"hush-server\", charset=\"UTF-8\"");
        response.headers_mut().insert(WWW_AUTHENTICATE, asked);
    }
    response
}

fn json_response(status: StatusCode, body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
