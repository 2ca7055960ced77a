//! `/v2` and `/v2/health/…`: the server itself.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde_json::json;

use super::Rest;
use super::error::json_body;
use crate::about;

/// Name, version, extensions.
pub(super) async fn metadata() -> impl IntoResponse {
    json_body(&json!({
        "name": about::NAME,
        "version": about::VERSION,
        "extensions": about::EXTENSIONS,
    }))
}

/// Whether the process answers at all.
pub(super) async fn live() -> impl IntoResponse {
    json_body(&json!({ "live": true }))
}

/// Whether the models are loaded and the server is not about to stop.
pub(super) async fn ready(State(rest): State<Rest>) -> impl IntoResponse {
    let ready = rest.service.is_ready();
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, json_body(&json!({ "ready": ready })))
}
