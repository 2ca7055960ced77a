//! One line of log for each request, a number for it, and what metrics count. Nothing of what it carries.

use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::HeaderName;
use axum::http::{HeaderMap, HeaderValue, Response};
use axum::middleware::Next;

use tracing::Instrument;
use tracing::field::Empty;

use super::authenticate::Asker;
use super::is_grpc;
use crate::connections::Peer;
use crate::traces;
use crate::traffic::Traffic;

/// A request's number: the caller's own, or one that is made.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Longest number that is taken from a caller.
const LONGEST: usize = 64;

/// Middleware.
pub(crate) async fn observe(
    State(traffic): State<Traffic>,
    request: Request,
    next: Next,
) -> Response<Body> {
    let begun = Instant::now();
    let id = request_id(request.headers(), &traffic);
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let grpc = is_grpc(request.headers());
    let peer = request.extensions().get::<Peer>().map(|peer| peer.address);
    let span = tracing::info_span!("request", request = %id, %method, path, status = Empty);
    traces::continue_from(&span, request.headers());
    let mut response = next.run(request).instrument(span.clone()).await;
    let elapsed = begun.elapsed();
    let status = response.status().as_u16();
    // A call that is refused at once says so in the headers; one that answers does not.
    let code = response.headers().get("grpc-status");
    let code = code.and_then(|code| code.to_str().ok()?.parse::<u16>().ok());
    traffic.count(grpc, if grpc { code.unwrap_or(0) } else { status }, elapsed);
    span.record("status", code.unwrap_or(status));
    let asker = response.extensions().get::<Asker>();
    let account = asker.map_or("", |asker| &asker.0);
    let quiet = is_probe(&path);
    let (peer, milliseconds) = (peer.map(tracing::field::display), milliseconds(elapsed));
    match (quiet, grpc) {
        (true, _) => {
            tracing::debug!(request = %id, peer, %method, path, status, milliseconds, "request");
        }
        (false, true) => {
            let code = code.unwrap_or(0);
            tracing::info!(request = %id, peer, account, path, code, milliseconds, "call");
        }
        (false, false) => {
            tracing::info!(request = %id, peer, account, %method, path, status, milliseconds, "request");
        }
    }
    response.headers_mut().insert(REQUEST_ID, id.value);
    response
}

/// What comes every few seconds says nothing new.
fn is_probe(path: &str) -> bool {
    path == "/metrics"
        || path.starts_with("/v2/health/")
        || path.starts_with("/grpc.health.v1.Health/")
        || path.ends_with("/ServerLive")
        || path.ends_with("/ServerReady")
}

fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

struct RequestId {
    value: HeaderValue,
}

impl std::fmt::Display for RequestId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.value.to_str().unwrap_or_default())
    }
}

fn request_id(headers: &HeaderMap, traffic: &Traffic) -> RequestId {
    let given = headers.get(REQUEST_ID).filter(|value| {
        let bytes = value.as_bytes();
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
        (1..=LONGEST).contains(&bytes.len()) && bytes.iter().all(plain)
    });
    let value = given.cloned().unwrap_or_else(|| {
        let made = HeaderValue::try_from(traffic.next_id());
        made.unwrap_or_else(|_| HeaderValue::from_static("-"))
    });
    RequestId { value }
}
