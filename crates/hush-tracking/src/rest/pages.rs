//! The built web pages of MLflow, from a folder that the operator names.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Path as Captured;
use axum::response::Response;
use axum::routing::get;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, StatusCode, Uri};

use super::{Fail, not_here};
use crate::artifacts::ArtifactPath;
use crate::{Tracking, TrackingError};

/// Routes of the pages: everything that is no route of the API is the one page, which finds its own way.
pub(super) fn routes(folder: &Path) -> Router<Tracking> {
    let folder: Arc<PathBuf> = Arc::new(folder.to_owned());
    let (files, page) = (Arc::clone(&folder), folder);
    let file = move |Captured(path): Captured<String>| send(Arc::clone(&files), path);
    let page = move |method: Method, uri: Uri| {
        let folder = Arc::clone(&page);
        async move {
            let api = ["/api/", "/ajax-api/", "/v1/", "/v2/"]
                .iter()
                .any(|root| uri.path().starts_with(root));
            if api || method != Method::GET {
                return Err(not_here(method, uri).await);
            }
            send(folder, "index.html".into()).await
        }
    };
    Router::new()
        .route("/static-files/{*path}", get(file))
        .fallback(page)
}

async fn send(folder: Arc<PathBuf>, path: String) -> Result<Response, Fail> {
    let path = ArtifactPath::parse(&path)?;
    let file = path
        .names()
        .iter()
        .fold(PathBuf::clone(&folder), |place, name| place.join(name));
    let absent = || TrackingError::missing(format!("No such file: '{path}'"));
    let bytes = tokio::fs::read(&file).await.map_err(|_| absent())?;
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = StatusCode::OK;
    let name = path.names().last().map_or("", String::as_str);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type(name)));
    let fixed = path.names().first().is_some_and(|first| first == "static");
    let cache = if fixed {
        "public, max-age=2419200"
    } else {
        "no-cache"
    };
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(cache));
    Ok(response)
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("json" | "map") => "application/json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("gif") => "image/gif",
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("ico") => "image/x-icon",
        Some("woff2") => "font/woff2",
        Some("woff") => "font/woff",
        Some("ttf") => "font/ttf",
        Some("wasm") => "application/wasm",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
