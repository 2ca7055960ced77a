//! The routes of MLflow's REST API. Each handler reads fields, calls one method of [`Tracking`] and writes its result.

mod answer;
mod artifacts;
mod call;
mod evaluation;
mod experiments;
mod graphql;
mod history;
mod info;
mod logged_models;
mod multipart;
mod otlp;
mod pages;
mod permissions;
mod registry;
mod runs;
mod search;
mod span_json;
mod traces;
mod webhooks;

use std::path::Path;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{Method, Uri};

pub use answer::refuse;
pub(crate) use answer::{Answer, Fail, Object};
pub(crate) use call::Call;

use crate::{ErrorCode, Tracking, TrackingError};

/// Every route of the API. The server in front must put a [`Caller`](crate::Caller) among each request's extensions. `pages` is
/// a folder with the built web pages of MLflow, if they are to be served.
pub fn router(tracking: &Tracking, pages: Option<&Path>) -> Router {
    let core = Router::new()
        .merge(experiments::routes())
        .merge(runs::routes())
        .merge(history::routes())
        .merge(artifacts::routes())
        .merge(multipart::routes())
        .merge(logged_models::routes())
        .merge(registry::routes())
        .merge(webhooks::routes())
        .merge(traces::routes())
        .merge(evaluation::routes())
        .merge(permissions::routes())
        .merge(info::versioned())
        .fallback(not_here);
    let mut all = Router::new();
    for root in ["/api", "/ajax-api"] {
        for version in ["2.0", "2.11", "3.0"] {
            all = all.nest(&format!("{root}/{version}"), core.clone());
        }
    }
    all = all
        .merge(artifacts::unversioned())
        .merge(multipart::signed())
        .merge(graphql::routes())
        .merge(otlp::routes())
        .merge(info::routes());
    match pages {
        Some(folder) => all = all.merge(pages::routes(folder)),
        None => all = all.fallback(not_here),
    }
    all.layer(DefaultBodyLimit::disable())
        .with_state(tracking.clone())
}

/// What the API has no handler for: known and not done here, or not known.
async fn not_here(method: Method, uri: Uri) -> Fail {
    const NOT_DONE: [&str; 12] = [
        "/gateway/",
        "/workspaces",
        "/review-queues/",
        "/label-schemas/",
        "/prompt-optimization/",
        "/issues",
        "/unified-traces",
        "/get-online-trace-details",
        "/traces/calculate-filter-correlation",
        "/assistant/",
        "/users/",
        "/jobs",
    ];
    let path = uri.path();
    if NOT_DONE.iter().any(|part| path.contains(part)) {
        let message = format!("this server does not do {method} {path}");
        return Fail(TrackingError::new(ErrorCode::NotImplemented, message));
    }
    let message = format!("No route of the API is {method} {path}");
    Fail(TrackingError::new(ErrorCode::EndpointNotFound, message))
}
