//! Uploads in parts and addresses that carry their own permission: forms that this server does not need, since one
//! request of any size streams through it. Clients ask, are told so, and use that.

use axum::Router;
use axum::routing::{get, post};

use super::Fail;
use crate::{ErrorCode, Tracking, TrackingError};

pub(super) fn routes() -> Router<Tracking> {
    Router::new()
        .route("/mlflow-artifacts/mpu/create/{*path}", post(not_needed))
        .route("/mlflow-artifacts/mpu/complete/{*path}", post(not_needed))
        .route("/mlflow-artifacts/mpu/abort/{*path}", post(not_needed))
        .route("/mlflow-artifacts/presigned/{*path}", get(not_needed))
        .route("/mlflow/artifacts/presigned-upload-url", post(not_needed))
        .route("/mlflow/artifacts/presigned-download-url", post(not_needed))
}

async fn not_needed() -> Fail {
    let message =
        "this server takes and gives whole files of any size at mlflow-artifacts/artifacts";
    Fail(TrackingError::new(ErrorCode::NotImplemented, message))
}
