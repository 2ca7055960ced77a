//! Uploads in parts, and addresses that carry their own permission. Both lead to this server, whatever keeps its files.

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures_util::TryStreamExt;
use http::header::{ETAG, HOST};
use http::{HeaderMap, HeaderValue, Method, Uri};
use serde_json::{Value as Json, json};

use super::artifacts::send;
use super::{Answer, Call, Fail, Object};
use crate::artifacts::{ArtifactPath, Part};
use crate::store::Grant;
use crate::wire::Fields;
use crate::{Permission, Tracking, TrackingError, time};

type Result<T> = std::result::Result<T, TrackingError>;

/// Parts of one upload, and how long the addresses of parts are good for.
const PARTS: i64 = 10_000;
const PART_SECONDS: i64 = 6 * 3600;
/// The longest that other addresses are good for, and what they are if nobody says.
const LONGEST_SECONDS: i64 = 7 * 86_400;
const SECONDS: i64 = 900;
/// The path of addresses that are signed.
const SIGNED: &str = "/api/2.0/mlflow-artifacts/signed";

pub(super) fn routes() -> Router<Tracking> {
    Router::new()
        .route("/mlflow-artifacts/mpu/create/{*folder}", post(create))
        .route("/mlflow-artifacts/mpu/complete/{*folder}", post(complete))
        .route("/mlflow-artifacts/mpu/abort/{*folder}", post(abort))
        .route("/mlflow-artifacts/presigned/{*path}", get(presigned))
        .route(
            "/mlflow/artifacts/presigned-upload-url",
            post(upload_address),
        )
        .route(
            "/mlflow/artifacts/presigned-download-url",
            post(download_address),
        )
}

/// What signed addresses lead to.
pub(super) fn signed() -> Router<Tracking> {
    Router::new().route(&format!("{SIGNED}/{{*path}}"), get(download).put(upload))
}

/// Where the caller reached this server.
fn origin(headers: &HeaderMap) -> String {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let scheme = match text("x-forwarded-proto") {
        Some("https") => "https",
        _ => "http",
    };
    format!(
        "{scheme}://{}",
        text("x-forwarded-host")
            .or_else(|| text(HOST.as_str()))
            .unwrap_or("localhost")
    )
}

async fn address(tracking: &Tracking, headers: &HeaderMap, grant: &Grant) -> Result<String> {
    let signature = tracking.sign(grant).await?;
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("expires", &grant.expires.to_string());
    if let Some((upload, number)) = &grant.part {
        query
            .append_pair("upload_id", upload)
            .append_pair("part_number", &number.to_string());
    }
    let query = query.append_pair("signature", &signature).finish();
    let mut path = url::Url::parse("http://x")
        .map_err(|error| TrackingError::internal("an address", &error))?;
    path.set_path(&format!("{SIGNED}/{}", grant.path));
    Ok(format!("{}{}?{query}", origin(headers), path.path()))
}

/// The file that is uploaded: its folder is in the path, its name at the end of a path of the caller's own.
fn target(folder: &str, fields: &Fields) -> Result<ArtifactPath> {
    let name = fields.required("path")?;
    let name = name
        .rsplit(['/', '\\'])
        .next()
        .unwrap_or_default()
        .to_owned();
    ArtifactPath::parse(folder)?.join(&name)
}

/// An upload in parts.
struct Upload {
    path: ArtifactPath,
    id: String,
}

async fn upload_of(tracking: &Tracking, folder: String, call: &Call) -> Result<Upload> {
    let path = target(&folder, &call.fields)?;
    tracking
        .may_use_artifact(&call.caller, &path, Permission::Edit)
        .await?;
    let id = call.fields.text("upload_id")?.unwrap_or_default();
    if !id.chars().all(|c| c.is_ascii_hexdigit()) {
        return Err(TrackingError::invalid("there is no such upload"));
    }
    Ok(Upload { path, id })
}

async fn create(
    State(tracking): State<Tracking>,
    Path(folder): Path<String>,
    headers: HeaderMap,
    call: Call,
) -> Answer {
    let Upload { path, .. } = upload_of(&tracking, folder, &call).await?;
    let count = call.fields.integer("num_parts")?.unwrap_or(1);
    if !(1..=PARTS).contains(&count) {
        return Err(
            TrackingError::invalid(format!("num_parts must be between 1 and {PARTS}.")).into(),
        );
    }
    let id = time::id()?;
    let mut credentials: Vec<Json> = Vec::new();
    for number in 1..=count {
        let grant = Grant {
            method: "PUT".into(),
            path: path.to_string(),
            expires: time::now() / 1000 + PART_SECONDS,
            part: Some((id.clone(), number)),
        };
        credentials.push(json!({"url": address(&tracking, &headers, &grant).await?, "part_number": number, "headers": {}}));
    }
    Ok(Object::new()
        .with("upload_id", &id)
        .with("credentials", &credentials))
}

fn staged(id: &str, number: Option<i64>) -> ArtifactPath {
    match number {
        None => ArtifactPath::own(&[id]),
        Some(number) => ArtifactPath::own(&[id, &format!("{number:05}")]),
    }
}

async fn complete(
    State(tracking): State<Tracking>,
    Path(folder): Path<String>,
    call: Call,
) -> Answer {
    let Upload { path, id } = upload_of(&tracking, folder, &call).await?;
    let numbers: Result<Vec<i64>> = call
        .fields
        .objects("parts")?
        .iter()
        .map(|part| part.required_integer("part_number"))
        .collect();
    let mut numbers = numbers?;
    numbers.sort_unstable();
    if id.is_empty()
        || numbers.is_empty()
        || numbers
            .iter()
            .zip(1..)
            .any(|(number, expected)| *number != expected)
    {
        return Err(TrackingError::invalid(
            "the parts of an upload are numbered from 1, none left out",
        )
        .into());
    }
    let parts: Vec<ArtifactPath> = numbers
        .iter()
        .map(|number| staged(&id, Some(*number)))
        .collect();
    let store = tracking.artifacts().clone();
    let bodies = futures_util::stream::iter(parts.into_iter().map(Ok::<_, std::io::Error>))
        .and_then(move |part| {
            let store = store.clone();
            async move {
                let absent = || std::io::Error::other("a part of the upload is not there");
                let found = store
                    .download(&part, Part::All)
                    .await
                    .map_err(std::io::Error::other)?;
                let body = found.ok_or_else(absent)?.body;
                Ok(body.into_data_stream().map_err(std::io::Error::other))
            }
        });
    tracking
        .artifacts()
        .upload(&path, Body::from_stream(bodies.try_flatten()))
        .await?;
    tracking.artifacts().delete(&staged(&id, None)).await?;
    Ok(Object::new())
}

async fn abort(State(tracking): State<Tracking>, Path(folder): Path<String>, call: Call) -> Answer {
    let Upload { id, .. } = upload_of(&tracking, folder, &call).await?;
    if !id.is_empty() {
        // Nothing of it may have come yet.
        let _ = tracking.artifacts().delete(&staged(&id, None)).await;
    }
    Ok(Object::new())
}

fn expiry(fields: &Fields) -> Result<i64> {
    let seconds = fields
        .integer("expiration")?
        .unwrap_or(SECONDS)
        .clamp(1, LONGEST_SECONDS);
    Ok(time::now() / 1000 + seconds)
}

async fn presigned(
    State(tracking): State<Tracking>,
    Path(path): Path<String>,
    headers: HeaderMap,
    call: Call,
) -> Answer {
    let path = ArtifactPath::parse(&path)?;
    tracking
        .may_use_artifact(&call.caller, &path, Permission::Read)
        .await?;
    let (url, size) = download_grant(&tracking, &headers, &path, expiry(&call.fields)?).await?;
    Ok(Object::new().with("url", &url).with("file_size", &size))
}

async fn download_grant(
    tracking: &Tracking,
    headers: &HeaderMap,
    path: &ArtifactPath,
    expires: i64,
) -> Result<(String, u64)> {
    let found = tracking
        .artifacts()
        .download(path, Part::Between(0, Some(0)))
        .await?;
    let size = found.map_or(0, |found| found.size);
    let grant = Grant {
        method: "GET".into(),
        path: path.to_string(),
        expires,
        part: None,
    };
    Ok((address(tracking, headers, &grant).await?, size))
}

/// The file of a run or logged model that the fields name.
async fn named(tracking: &Tracking, call: &Call) -> Result<ArtifactPath> {
    let root = match call.fields.text("model_id")?.filter(|id| !id.is_empty()) {
        Some(id) => {
            tracking
                .logged_model(&call.caller, &id)
                .await?
                .info
                .artifact_uri
        }
        None => {
            tracking
                .run(&call.caller, &call.fields.run_id()?)
                .await?
                .info
                .artifact_uri
        }
    };
    let base = tracking.own_artifact(&root)?;
    let elsewhere = || {
        TrackingError::missing(format!(
            "The artifacts at '{root}' are not kept by this server"
        ))
    };
    base.ok_or_else(elsewhere)?
        .join(&call.fields.required("path")?)
}

async fn upload_address(
    State(tracking): State<Tracking>,
    headers: HeaderMap,
    call: Call,
) -> Answer {
    let path = named(&tracking, &call).await?;
    tracking
        .may_use_artifact(&call.caller, &path, Permission::Edit)
        .await?;
    let grant = Grant {
        method: "PUT".into(),
        path: path.to_string(),
        expires: expiry(&call.fields)?,
        part: None,
    };
    Ok(Object::new().with(
        "presigned_url",
        &address(&tracking, &headers, &grant).await?,
    ))
}

async fn download_address(
    State(tracking): State<Tracking>,
    headers: HeaderMap,
    call: Call,
) -> Answer {
    let path = named(&tracking, &call).await?;
    let (url, size) = download_grant(&tracking, &headers, &path, expiry(&call.fields)?).await?;
    Ok(Object::new()
        .with("presigned_url", &url)
        .with("file_size", &size))
}

/// What a signed address lets its holder do.
async fn granted(
    tracking: &Tracking,
    path: String,
    method: &Method,
    uri: &Uri,
) -> Result<(Grant, ArtifactPath)> {
    let mut fields = Fields::default();
    for (name, value) in url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()) {
        fields.add(&name, value.into_owned());
    }
    let part = match (fields.text("upload_id")?, fields.integer("part_number")?) {
        (Some(id), Some(number)) => Some((id, number)),
        _ => None,
    };
    let artifact = ArtifactPath::parse(&path)?;
    let grant = Grant {
        // Whoever may read a file may ask how large it is.
        method: method.as_str().replace("HEAD", "GET"),
        path: artifact.to_string(),
        expires: fields.required_integer("expires")?,
        part,
    };
    tracking
        .check_signature(&grant, &fields.required("signature")?)
        .await?;
    Ok((grant, artifact))
}

async fn download(
    State(tracking): State<Tracking>,
    Path(path): Path<String>,
    request: Request,
) -> std::result::Result<Response, Fail> {
    let (parts, _) = request.into_parts();
    let (_, path) = granted(&tracking, path, &parts.method, &parts.uri).await?;
    send(&tracking, &path, &parts.headers, false).await
}

async fn upload(
    State(tracking): State<Tracking>,
    Path(path): Path<String>,
    request: Request,
) -> std::result::Result<Response, Fail> {
    let (parts, body) = request.into_parts();
    let (grant, path) = granted(&tracking, path, &parts.method, &parts.uri).await?;
    let Some((id, number)) = grant.part else {
        tracking.artifacts().upload(&path, body).await?;
        return Ok(Object::new().into_response());
    };
    tracking
        .artifacts()
        .upload(&staged(&id, Some(number)), body)
        .await?;
    let mut response = Object::new().into_response();
    if let Ok(tag) = HeaderValue::try_from(format!("\"{id}-{number}\"")) {
        response.headers_mut().insert(ETAG, tag);
    }
    Ok(response)
}
