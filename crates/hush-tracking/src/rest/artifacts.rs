//! Files of runs and models: listed, uploaded, downloaded, deleted.

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use axum::routing::get;
use http::header::{
    ACCEPT_RANGES, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, RANGE,
};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::call::caller;
use super::{Answer, Call, Fail, Object};
use crate::artifacts::{ArtifactPath, Download, Part};
use crate::{Permission, Tracking, TrackingError};

pub(super) fn routes() -> Router<Tracking> {
    let file = get(download).put(upload).delete(delete);
    Router::new()
        .route("/mlflow/artifacts/list", get(list_of_run))
        .route(
            "/mlflow/logged-models/{model_id}/artifacts/directories",
            get(list_of_model),
        )
        .route(
            "/mlflow/logged-models/{model_id}/artifacts/files",
            get(file_of_model),
        )
        .route("/mlflow-artifacts/artifacts", get(list))
        .route("/mlflow-artifacts/artifacts/", get(list))
        .route("/mlflow-artifacts/artifacts/{*path}", file)
}

/// Routes that pages use.
pub(super) fn unversioned() -> Router<Tracking> {
    Router::new()
        .route("/get-artifact", get(file_of_run))
        .route("/model-versions/get-artifact", get(file_of_version))
}

async fn list(State(tracking): State<Tracking>, call: Call) -> Answer {
    let path = ArtifactPath::below(&call.fields.text("path")?.unwrap_or_default())?;
    tracking
        .may_use_artifact(&call.caller, &path, Permission::Read)
        .await?;
    let files = tracking.artifacts().list(&path).await?;
    Ok(Object::new().with_list("files", &files))
}

/// Lists what lies below a root, with paths from that root.
async fn list_below(tracking: &Tracking, root: String, below: &str) -> Answer {
    let answer = Object::new().with("root_uri", &root);
    let Some(base) = tracking.own_artifact(&root)? else {
        let message = format!("The artifacts at '{root}' are not kept by this server");
        return Err(TrackingError::new(crate::ErrorCode::NotImplemented, message).into());
    };
    let mut files = tracking.artifacts().list(&base.join(below)?).await?;
    let below = ArtifactPath::parse(below)?;
    if !below.is_root() {
        for file in &mut files {
            file.path = format!("{below}/{}", file.path);
        }
    }
    Ok(answer.with_list("files", &files))
}

async fn list_of_run(State(tracking): State<Tracking>, call: Call) -> Answer {
    let run = tracking.run(&call.caller, &call.fields.run_id()?).await?;
    list_below(
        &tracking,
        run.info.artifact_uri,
        &call.fields.text("path")?.unwrap_or_default(),
    )
    .await
}

async fn list_of_model(State(tracking): State<Tracking>, call: Call) -> Answer {
    let model = tracking
        .logged_model(&call.caller, &call.fields.required("model_id")?)
        .await?;
    let path = call
        .fields
        .text("artifact_directory_path")?
        .unwrap_or_default();
    list_below(&tracking, model.info.artifact_uri, &path).await
}

async fn file_of_run(
    State(tracking): State<Tracking>,
    headers: HeaderMap,
    call: Call,
) -> Result<Response, Fail> {
    let run = tracking.run(&call.caller, &call.fields.run_id()?).await?;
    file_below(
        &tracking,
        &run.info.artifact_uri,
        &call.fields.required("path")?,
        &headers,
    )
    .await
}

async fn file_of_model(
    State(tracking): State<Tracking>,
    headers: HeaderMap,
    call: Call,
) -> Result<Response, Fail> {
    let model = tracking
        .logged_model(&call.caller, &call.fields.required("model_id")?)
        .await?;
    file_below(
        &tracking,
        &model.info.artifact_uri,
        &call.fields.required("artifact_file_path")?,
        &headers,
    )
    .await
}

async fn file_of_version(
    State(tracking): State<Tracking>,
    headers: HeaderMap,
    call: Call,
) -> Result<Response, Fail> {
    let (name, version) = (
        call.fields.required("name")?,
        call.fields.required("version")?,
    );
    let root = tracking
        .version_files(&call.caller, &name, &version)
        .await?;
    file_below(&tracking, &root, &call.fields.required("path")?, &headers).await
}

async fn file_below(
    tracking: &Tracking,
    root: &str,
    path: &str,
    headers: &HeaderMap,
) -> Result<Response, Fail> {
    let base = tracking.own_artifact(root)?;
    let base = base.ok_or_else(|| {
        TrackingError::missing(format!(
            "The artifacts at '{root}' are not kept by this server"
        ))
    })?;
    send(tracking, &base.join(path)?, headers, true).await
}

async fn download(
    State(tracking): State<Tracking>,
    Path(path): Path<String>,
    request: Request,
) -> Result<Response, Fail> {
    let (caller, path) = (caller(request.extensions())?, ArtifactPath::parse(&path)?);
    tracking
        .may_use_artifact(&caller, &path, Permission::Read)
        .await?;
    send(&tracking, &path, request.headers(), false).await
}

async fn upload(
    State(tracking): State<Tracking>,
    Path(path): Path<String>,
    request: Request,
) -> Answer {
    let (caller, path) = (caller(request.extensions())?, ArtifactPath::parse(&path)?);
    tracking
        .may_use_artifact(&caller, &path, Permission::Edit)
        .await?;
    tracking
        .artifacts()
        .upload(&path, request.into_body())
        .await?;
    Ok(Object::new())
}

async fn delete(
    State(tracking): State<Tracking>,
    Path(path): Path<String>,
    request: Request,
) -> Answer {
    let (caller, path) = (caller(request.extensions())?, ArtifactPath::parse(&path)?);
    tracking
        .may_use_artifact(&caller, &path, Permission::Manage)
        .await?;
    tracking.artifacts().delete(&path).await?;
    Ok(Object::new())
}

/// Sends a file, or the part of it that is asked for.
pub(super) async fn send(
    tracking: &Tracking,
    path: &ArtifactPath,
    headers: &HeaderMap,
    page: bool,
) -> Result<Response, Fail> {
    let part = headers
        .get(RANGE)
        .and_then(|range| range.to_str().ok())
        .and_then(part)
        .unwrap_or(Part::All);
    let Some(Download { size, range, body }) = tracking.artifacts().download(path, part).await?
    else {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
        return Ok(response);
    };
    let mut response = Response::new(body);
    let name = path.names().last().map_or("", String::as_str);
    let headers = response.headers_mut();
    headers.insert(CONTENT_LENGTH, HeaderValue::from(range.end - range.start));
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type(name)));
    // What somebody uploaded is never run as a page of this server.
    headers.insert(
        "x-content-type-options",
        HeaderValue::from_static("nosniff"),
    );
    headers.insert(
        "content-security-policy",
        HeaderValue::from_static("sandbox; default-src 'none'"),
    );
    if !page || !is_shown(name) {
        let plain: String = name
            .chars()
            .map(|c| {
                if c.is_ascii_graphic() && c != '"' {
                    c
                } else {
                    '_'
                }
            })
            .collect();
        if let Ok(value) = HeaderValue::try_from(format!("attachment; filename=\"{plain}\"")) {
            headers.insert(CONTENT_DISPOSITION, value);
        }
    }
    if part != Part::All {
        let value = format!("bytes {}-{}/{size}", range.start, range.end - 1);
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(CONTENT_RANGE, value);
        }
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    Ok(response)
}

/// Reads `bytes=0-99`, `bytes=100-`, `bytes=-5`; several ranges are read as none, which is allowed.
fn part(range: &str) -> Option<Part> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    if first.is_empty() {
        return last.parse().ok().map(Part::Last);
    }
    let last = if last.is_empty() {
        None
    } else {
        Some(last.parse().ok()?)
    };
    Some(Part::Between(first.parse().ok()?, last))
}

/// The types that pages show; everything else is bytes.
fn media_type(name: &str) -> &'static str {
    let ending = name
        .rsplit_once('.')
        .map(|(_, ending)| ending.to_ascii_lowercase());
    match ending.as_deref() {
        Some("png") => "image/png",
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("gif") => "image/gif",
        Some("webp") => "image/webp",
        Some("svg") => "image/svg+xml",
        Some("pdf") => "application/pdf",
        Some("json") => "application/json",
        Some(
            "txt" | "log" | "csv" | "tsv" | "md" | "yaml" | "yml" | "py" | "toml" | "cfg" | "ini"
            | "html" | "js" | "css" | "xml",
        ) => "text/plain; charset=utf-8",
        None if matches!(name, "MLmodel" | "MLproject" | "requirements") => {
            "text/plain; charset=utf-8"
        }
        _ => "application/octet-stream",
    }
}

/// Whether browsers show a file by itself. Drawings are documents with styles of their own: pages show them as pictures, where
/// those cannot do anything, but nobody goes to one.
fn is_shown(name: &str) -> bool {
    !matches!(
        media_type(name),
        "application/octet-stream" | "image/svg+xml"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        assert_eq!(part("bytes=0-99"), Some(Part::Between(0, Some(99))));
        assert_eq!(part("bytes=100-"), Some(Part::Between(100, None)));
        assert_eq!(part("bytes=-5"), Some(Part::Last(5)));
        for wrong in ["", "bytes=", "bytes=a-b", "items=0-1", "bytes=0-1,3-4"] {
            assert_eq!(part(wrong), None, "{wrong}");
        }
    }
}
