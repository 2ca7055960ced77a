//! What the server is.

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::CONTENT_TYPE;
use serde_json::json;

use super::{Answer, Object};
use crate::Tracking;

/// The version of MLflow whose API this is. Clients choose forms of requests by it.
const VERSION: &str = "3.17.2";

pub(super) fn routes() -> Router<Tracking> {
    Router::new()
        .route("/health", get(|| async { text("OK") }))
        .route("/version", get(|| async { text(VERSION) }))
}

pub(super) fn versioned() -> Router<Tracking> {
    Router::new()
        .route("/mlflow/server-info", get(server_info))
        // What pages ask for; there is no gateway.
        .route(
            "/mlflow/gateway-proxy",
            get(async || Object::new().with("endpoints", &[(); 0])),
        )
}

fn text(text: &'static str) -> Response {
    ([(CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response()
}

async fn server_info() -> Answer {
    Ok(Object::new()
        .with("store_type", "SqlStore")
        .with("workspaces_enabled", &false)
        .with("trace_archival_enabled", &false)
        .with("multipart_uploads_enabled", &false)
        .with("multipart_downloads_enabled", &false)
        .with("presigned_upload_run_id_supported", &true)
        .with("presigned_upload_model_id_supported", &true)
        .with("features_enabled", &json!({"gateway": false})))
}
