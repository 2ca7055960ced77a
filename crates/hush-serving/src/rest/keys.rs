//! `/v1/keys/…`: evaluation keys.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::extract::{Request, State};
use axum::http::header::HeaderName;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;
use serde_json::{Value, json};

use super::Rest;
use super::body::broken;
use super::error::{RestError, json_body};
use super::extract::{Caller, KeyPath};
use super::range::part;
use crate::admission::BodyShare;
use crate::raw::invalid;
use crate::{KeyState, KeyStatus};

/// Where an upload goes on.
const OFFSET: HeaderName = HeaderName::from_static("upload-offset");
/// Bytes of the whole file.
const LENGTH: HeaderName = HeaderName::from_static("upload-length");

/// The caller's keys.
pub(super) async fn list(
    State(rest): State<Rest>,
    Caller(identity): Caller,
) -> Result<impl IntoResponse, RestError> {
    let keys = rest.service.keys().list(&identity).await?;
    let keys = keys.iter().map(|status| {
        let mut key = described(status);
        // Which models it is for is what people know it by.
        let models = rest
            .service
            .models_of_parameters(&identity, &status.parameters);
        let models = models
            .iter()
            .map(|(name, version)| json!({ "name": name, "version": version }));
        key["models"] = models.collect();
        key
    });
    let keys: Vec<Value> = keys.collect();
    Ok(json_body(&json!({ "keys": keys })))
}

/// How far a key has come.
pub(super) async fn status(
    State(rest): State<Rest>,
    Caller(identity): Caller,
    KeyPath(key): KeyPath,
) -> Result<Response, RestError> {
    Ok(answer(&rest.service.keys().status(&identity, &key).await?))
}

/// Takes a key, or the next part of one, as it arrives.
pub(super) async fn upload(
    State(rest): State<Rest>,
    Caller(identity): Caller,
    KeyPath(key): KeyPath,
    request: Request,
) -> Result<Response, RestError> {
    let (parts, mut body) = request.into_parts();
    let part = part(&parts.headers)?;
    let share = parts.extensions.get::<Arc<BodyShare>>();
    let keys = rest.service.keys();
    let mut upload = keys.begin(&identity, &key, part.offset, part.total).await?;
    let mut left = part.length;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(broken)?.into_data() else {
            continue;
        };
        left = left
            .checked_sub(data.len() as u64)
            .ok_or_else(|| invalid("the body is longer than Content-Range says"))?;
        if !data.is_empty() {
            upload.write(data).await?;
        }
        if let Some(share) = share {
            share.give_back();
        }
    }
    let status = upload.finish().await?;
    if left > 0 {
        return Err(RestError(invalid(format!(
            "the body is {left} bytes shorter than Content-Range says; {} bytes have arrived in all",
            status.offset
        ))));
    }
    Ok(answer(&status))
}

/// Deletes a key.
pub(super) async fn delete(
    State(rest): State<Rest>,
    Caller(identity): Caller,
    KeyPath(key): KeyPath,
) -> Result<StatusCode, RestError> {
    rest.service.keys().delete(&identity, &key).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// 200 for a whole key, 202 for one of which more must come.
fn answer(status: &KeyStatus) -> Response {
    let code = match status.state {
        KeyState::Complete => StatusCode::OK,
        KeyState::Uploading => StatusCode::ACCEPTED,
    };
    let mut headers = HeaderMap::new();
    headers.insert(OFFSET, HeaderValue::from(status.offset));
    headers.insert(LENGTH, HeaderValue::from(status.total));
    (code, headers, json_body(&described(status))).into_response()
}

fn described(status: &KeyStatus) -> Value {
    json!({
        "id": status.id,
        "state": match status.state {
            KeyState::Complete => "complete",
            KeyState::Uploading => "uploading",
        },
        "offset": status.offset,
        "total": status.total,
        "owner": status.owner,
        "created": seconds(status.created),
        "expires": status.expires.map(seconds),
        "parameters": status.parameters,
        "log_degree": status.log_degree,
        "digest": status.digest,
    })
}

/// Since 1970.
fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .map_or(0, |duration| duration.as_secs())
}
