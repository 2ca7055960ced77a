//! `/v2/models/…`: what there is, and predictions.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::error::{RestError, json_body};
use super::extract::{Caller, ModelPath};
use super::response::JSON_LENGTH;
use super::{Rest, body, request, response};
use crate::raw::invalid;
use crate::{DataType, TensorMetadata};

/// Names of the models.
pub(super) async fn list(State(rest): State<Rest>, Caller(identity): Caller) -> impl IntoResponse {
    let mut names: Vec<String> = rest
        .service
        .index_for(&identity)
        .into_iter()
        .map(|status| status.name)
        .collect();
    names.dedup();
    json_body(&json!({ "models": names }))
}

/// What a model takes and gives.
pub(super) async fn metadata(
    State(rest): State<Rest>,
    Caller(identity): Caller,
    path: ModelPath,
) -> Result<impl IntoResponse, RestError> {
    let metadata = rest
        .service
        .metadata(&identity, &path.model, path.version())?;
    let mut answer = json!({
        "name": metadata.name,
        "versions": metadata.versions,
        "platform": metadata.platform,
        "inputs": tensors(&metadata.inputs),
        "outputs": tensors(&metadata.outputs),
    });
    if !metadata.properties.is_empty() {
        answer["parameters"] = metadata.properties.into_iter().collect();
    }
    Ok(json_body(&answer))
}

fn tensors(tensors: &[TensorMetadata]) -> Vec<Value> {
    let tensor = |tensor: &TensorMetadata| {
        json!({
            "name": tensor.name,
            "datatype": tensor.data_type.name(),
            "shape": tensor.shape,
        })
    };
    tensors.iter().map(tensor).collect()
}

/// The part of a model's configuration that Triton's clients ask for.
pub(super) async fn config(
    State(rest): State<Rest>,
    Caller(identity): Caller,
    path: ModelPath,
) -> Result<impl IntoResponse, RestError> {
    let metadata = rest
        .service
        .metadata(&identity, &path.model, path.version())?;
    let tensor = |tensor: &TensorMetadata| {
        let data_type = match tensor.data_type {
            DataType::Bytes => "STRING",
            other => other.name(),
        };
        json!({
            "name": tensor.name,
            "data_type": format!("TYPE_{data_type}"),
            "dims": tensor.shape,
        })
    };
    let tensors = |tensors: &[TensorMetadata]| tensors.iter().map(tensor).collect::<Vec<_>>();
    Ok(json_body(&json!({
        "name": metadata.name,
        "platform": metadata.platform,
        "backend": metadata.platform,
        "max_batch_size": 0,
        "input": tensors(&metadata.inputs),
        "output": tensors(&metadata.outputs),
    })))
}

/// Whether a model answers.
pub(super) async fn ready(
    State(rest): State<Rest>,
    Caller(identity): Caller,
    path: ModelPath,
) -> Result<Response, RestError> {
    let ready = rest
        .service
        .model_ready(&identity, &path.model, path.version())?;
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let answer = json!({ "name": path.model, "ready": ready });
    Ok((status, json_body(&answer)).into_response())
}

/// A prediction.
pub(super) async fn infer(
    State(rest): State<Rest>,
    Caller(identity): Caller,
    path: ModelPath,
    request: Request,
) -> Result<Response, RestError> {
    let (parts, body) = request.into_parts();
    let json_length = match parts.headers.get(JSON_LENGTH) {
        None => None,
        Some(value) => {
            let length = value.to_str().ok().and_then(|value| value.parse().ok());
            Some(length.ok_or_else(|| invalid("Inference-Header-Content-Length is no number"))?)
        }
    };
    let body = body::whole(&parts.headers, body, &rest.limits).await?;
    let (request, form) = request::read(path, body, json_length)?;
    let answer = rest.service.infer(&identity, request).await?;
    Ok(response::write(answer, &form)?)
}

/// The `.client` file of an encrypted model.
pub(super) async fn client(
    State(rest): State<Rest>,
    Caller(identity): Caller,
    path: ModelPath,
) -> Result<impl IntoResponse, RestError> {
    let version = path.version();
    let file = rest.service.client_file(&identity, &path.model, version)?;
    let content_type = axum::http::header::CONTENT_TYPE;
    Ok(([(content_type, "application/octet-stream")], file))
}
