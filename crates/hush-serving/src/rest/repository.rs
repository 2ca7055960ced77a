//! `/v2/repository/…`: which models there are on disk, loading and unloading them.

use axum::extract::{Request, State};
use axum::response::IntoResponse;
use serde_json::{Map, Value, json};

use super::error::{RestError, json_body};
use super::extract::{Caller, ModelPath};
use super::{Rest, body};
use crate::raw::invalid;
use crate::{ErrorKind, ModelState, ServingError};

/// Every model and version; with `{"ready": true}` only those that answer.
pub(super) async fn index(
    State(rest): State<Rest>,
    Caller(identity): Caller,
    request: Request,
) -> Result<impl IntoResponse, RestError> {
    let body = optional_body(&rest, request).await?;
    let ready = body.get("ready").and_then(Value::as_bool).unwrap_or(false);
    let models: Vec<Value> = rest
        .service
        .index_for(&identity)
        .into_iter()
        .filter(|status| !ready || status.state == ModelState::Ready)
        .map(|status| {
            json!({
                "name": status.name,
                "version": status.version,
                "state": status.state.name(),
                "reason": status.reason,
            })
        })
        .collect();
    Ok(json_body(&models.into()))
}

/// Loads a model from disk.
pub(super) async fn load(
    State(rest): State<Rest>,
    Caller(identity): Caller,
    path: ModelPath,
    request: Request,
) -> Result<impl IntoResponse, RestError> {
    let body = optional_body(&rest, request).await?;
    if let Some(Value::Object(parameters)) = body.get("parameters")
        && let Some(name) = parameters.keys().next()
    {
        return Err(RestError(ServingError::new(
            ErrorKind::Unimplemented,
            format!("a model is loaded as it lies on disk; the parameter `{name}` is not known"),
        )));
    }
    rest.service.load(&identity, &path.model).await?;
    Ok(json_body(&json!({})))
}

/// Stops serving a model.
pub(super) async fn unload(
    State(rest): State<Rest>,
    Caller(identity): Caller,
    path: ModelPath,
) -> Result<impl IntoResponse, RestError> {
    rest.service.unload(&identity, &path.model).await?;
    Ok(json_body(&json!({})))
}

async fn optional_body(rest: &Rest, request: Request) -> Result<Map<String, Value>, RestError> {
    let (parts, body) = request.into_parts();
    let body = body::whole(&parts.headers, body, &rest.small).await?;
    if body.is_empty() {
        return Ok(Map::new());
    }
    let parsed = serde_json::from_slice::<Option<Map<String, Value>>>(&body);
    let parsed = parsed.map_err(|error| invalid(format!("the body is no JSON object: {error}")))?;
    Ok(parsed.unwrap_or_default())
}
