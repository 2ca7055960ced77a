//! Spans by the OpenTelemetry protocol over HTTP: `POST /v1/traces`, in protobuf.

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use prost_grpc::Message;

use super::Fail;
use super::call::{caller, unpack, whole};
use super::span_json::{Export, new_span};
use crate::{ErrorCode, Tracking, TrackingError};

/// Which experiment spans belong to.
const EXPERIMENT: &str = "x-mlflow-experiment-id";
const PROTOBUF: &str = "application/x-protobuf";
/// Bytes of one request.
const LARGEST: usize = 32 << 20;

pub(super) fn routes() -> Router<Tracking> {
    Router::new().route("/v1/traces", post(export))
}

async fn export(State(tracking): State<Tracking>, request: Request) -> Result<Response, Fail> {
    let bad = |message: &str| Fail(TrackingError::new(ErrorCode::BadRequest, message));
    let (parts, body) = request.into_parts();
    let caller = caller(&parts.extensions)?;
    let text = |name: &str| {
        parts
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok())
    };
    if text(CONTENT_TYPE.as_str()) != Some(PROTOBUF) {
        return Err(bad("Invalid Content-Type: expected application/x-protobuf"));
    }
    let experiment =
        text(EXPERIMENT).ok_or_else(|| bad("the header x-mlflow-experiment-id is missing"))?;
    let body = whole(body, LARGEST).await?;
    let unpacked;
    let body = match text(CONTENT_ENCODING.as_str()) {
        None | Some("identity") => body.as_ref(),
        Some("gzip") => {
            unpacked = unpack(&body)?;
            &unpacked
        }
        Some(_) => return Err(bad("the request's body has an unknown content-encoding")),
    };
    let export = Export::decode(body).map_err(|_| bad("Invalid OpenTelemetry protobuf format"))?;
    let spans: Option<Vec<_>> = export.spans().map(new_span).collect();
    let spans = spans.ok_or_else(|| bad("a span has no valid number"))?;
    if spans.is_empty() {
        return Err(bad("no spans were found"));
    }
    tracking.keep_spans(&caller, experiment, spans).await?;
    // An empty message is no bytes.
    Ok(([(CONTENT_TYPE, PROTOBUF)], "").into_response())
}
