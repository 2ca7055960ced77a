//! Answers with the headers that keep pages to themselves.

use axum::body::Body;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, REFERRER_POLICY, SET_COOKIE,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue, Response, StatusCode};
use hush_tracking::{ErrorCode, TrackingError};
use maud::{Markup, html};

use crate::document::{Frame, document};
use crate::visitor::Visitor;

/// What a page may load and do: our own files, and nothing that stands in the page itself.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const PERMISSIONS: HeaderName = HeaderName::from_static("permissions-policy");
const OPENER: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// What goes wrong while a page is made.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) status: StatusCode,
    pub(crate) message: String,
}

pub(crate) type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
        }
    }

    pub(crate) fn missing(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, message)
    }

    /// A form that asks for nothing that its page can do.
    pub(crate) fn no_action() -> Self {
        Self::invalid("the form does not say what to do")
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }
}

impl From<TrackingError> for Failure {
    fn from(error: TrackingError) -> Self {
        // What is there already is a conflict to people, whatever the interface calls it.
        let status = match error.code() {
            ErrorCode::ResourceAlreadyExists => StatusCode::CONFLICT,
            code => code.http_status(),
        };
        Self::new(status, error.to_string())
    }
}

impl From<hush_serving::ServingError> for Failure {
    fn from(error: hush_serving::ServingError) -> Self {
        Self::new(error.kind().http_status(), error.to_string())
    }
}

/// Replaces characters that let text pass for something else: those that turn its direction, and controls. Pages hold none
/// of their own.
fn without_tricks(text: String) -> String {
    let trick = |character: char| {
        matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
            || character.is_control() && !matches!(character, '\n' | '\t' | '\r')
    };
    if text.contains(trick) {
        text.replace(trick, "\u{fffd}")
    } else {
        text
    }
}

/// A page as an answer.
pub(crate) fn page(visitor: &Visitor, status: StatusCode, markup: Markup) -> Response<Body> {
    let mut response = Response::new(Body::from(without_tricks(markup.into_string())));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    );
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(OPENER, HeaderValue::from_static("same-origin"));
    headers.insert(
        PERMISSIONS,
        HeaderValue::from_static("camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    );
    // Pages are somebody's, and change.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(cookie) = visitor.new_cookie() {
        headers.append(SET_COOKIE, cookie);
    }
    response
}

/// Data for scripts.
pub(crate) fn json(value: &serde_json::Value) -> Response<Body> {
    let mut response = Response::new(Body::from(value.to_string()));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Sends the browser to another page after something was done.
pub(crate) fn see(address: &str) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    let place = HeaderValue::try_from(address).unwrap_or_else(|_| HeaderValue::from_static("/"));
    response.headers_mut().insert(LOCATION, place);
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The page that says what went wrong.
pub(crate) fn failure(visitor: &Visitor, failure: &Failure) -> Response<Body> {
    let title = match failure.status {
        StatusCode::NOT_FOUND => "Not there",
        StatusCode::FORBIDDEN => "Not allowed",
        StatusCode::CONFLICT => "Taken",
        status if status.is_client_error() => "That does not work",
        _ => "The server failed",
    };
    let frame = Frame::new(title);
    let body = html! {
        div.empty role="alert" {
            p.code { (failure.status.as_u16()) }
            h1 { (title) }
            p.message { (failure.message) }
            p { a href="/experiments" { "Experiments" } " · " a href="/models" { "Models" } }
        }
    };
    page(visitor, failure.status, document(visitor, &frame, body))
}

/// An answer, or the page that says why there is none.
pub(crate) fn or_failure(visitor: &Visitor, result: Result<Response<Body>>) -> Response<Body> {
    result.unwrap_or_else(|reason| self::failure(visitor, &reason))
}

/// A page, or the one that says why there is none.
pub(crate) fn shown(visitor: &Visitor, result: Result<Markup>) -> Response<Body> {
    let shown = result.map(|markup| page(visitor, StatusCode::OK, markup));
    or_failure(visitor, shown)
}

/// A page of what a search found. A search that cannot be read is said on that page, beside the field that it stands in.
pub(crate) fn searched<T>(
    visitor: &Visitor,
    found: Result<T>,
    render: impl FnOnce(std::result::Result<&T, &str>) -> Markup,
) -> Response<Body> {
    match found {
        Err(reason) if reason.status != StatusCode::BAD_REQUEST => failure(visitor, &reason),
        found => {
            let found = found.as_ref().map_err(|reason| reason.message.as_str());
            page(visitor, StatusCode::OK, render(found))
        }
    }
}

/// JSON inside of a page, for scripts to read: nothing in it can end the element that holds it.
pub(crate) fn data(id: &str, value: &serde_json::Value) -> Markup {
    let text = value
        .to_string()
        .replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026");
    html! { script type="application/json" id=(id) { (maud::PreEscaped(text)) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_does_not_turn_around() {
        assert_eq!(
            without_tricks("a\u{202e}b\u{0}c\nd".into()),
            "a\u{fffd}b\u{fffd}c\nd"
        );
    }

    #[test]
    fn data_does_not_leave_its_element() {
        let written = data("x", &serde_json::json!({"a": "</script><!--<script>&"})).into_string();
        assert_eq!(written.matches('<').count(), 2);
        assert_eq!(written.matches("</script>").count(), 1);
        let text = written
            .split_once('>')
            .unwrap()
            .1
            .strip_suffix("</script>")
            .unwrap();
        let read: serde_json::Value = serde_json::from_str(text).unwrap();
        assert_eq!(read["a"], "</script><!--<script>&");
    }
}
