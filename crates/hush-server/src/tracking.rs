//! The tracking server beside the service: one listener, told apart by paths.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Response};
use axum::middleware::{Next, from_fn_with_state};
use hush_serving::{ErrorKind, Identity, Role, ServingError};
use hush_tracking::{Caller, ErrorCode, Permission, Tracking, TrackingError, refuse, router};
use tower::ServiceExt;

use crate::ServerError;
use crate::settings::Settings;

/// Opens the store that the settings name.
///
/// # Errors
/// [`ServerError::Tracking`].
pub(crate) async fn open(settings: &Settings) -> Result<Option<Tracking>, ServerError> {
    match &settings.tracking {
        None => Ok(None),
        Some(tracking) => Ok(Some(Tracking::open(tracking.options.clone()).await?)),
    }
}

/// Whether a path is the tracking server's where there is one: whatever is not the service's.
pub(crate) fn is_tracked(path: &str) -> bool {
    let below = |root: &str| {
        path == root
            || path
                .strip_prefix(root)
                .is_some_and(|rest| rest.starts_with('/'))
    };
    !(below("/v2") || below("/v1/keys") || below("/v1/models") || path == "/metrics")
}

/// Paths that strangers may ask for: whether the server is there, the page to sign in, and what they have a signed address
/// of.
pub(crate) fn is_open(path: &str) -> bool {
    // Signed addresses say themselves who may use them.
    matches!(path, "/health" | "/version")
        || path.starts_with("/api/2.0/mlflow-artifacts/signed/")
        || hush_pages::is_open(path)
}

/// Puts the tracking server's routes and the pages beside those of the service.
pub(crate) fn beside(
    service: Router,
    pages: Router,
    tracking: &Tracking,
    settings: &Settings,
) -> Router {
    let Some(set) = &settings.tracking else {
        return service;
    };
    let tracked = router(tracking, set.pages.as_deref())
        .merge(pages)
        .layer(from_fn_with_state(set.default, known));
    let encrypted = settings.tls.is_some();
    Router::new().fallback(move |mut request: Request| {
        if encrypted {
            // For the addresses that the tracking server gives.
            let scheme = HeaderValue::from_static("https");
            request.headers_mut().insert("x-forwarded-proto", scheme);
        }
        let chosen = if is_tracked(request.uri().path()) {
            tracked.clone()
        } else {
            service.clone()
        };
        async move { chosen.oneshot(request).await }
    })
}

/// Middleware: who asks, in the words of the tracking server.
async fn known(
    State(default): State<Permission>,
    mut request: Request,
    next: Next,
) -> Response<Body> {
    let Some(identity) = request.extensions().get::<Identity>() else {
        return refuse(&TrackingError::new(
            ErrorCode::Unauthenticated,
            "the server needs to know who asks",
        ));
    };
    if !is_open(request.uri().path()) {
        if let Err(error) = identity.require(Role::Track) {
            return refused(&error);
        }
        let caller = Caller {
            name: Arc::clone(&identity.name),
            administrator: identity.has(Role::Administer),
            default,
        };
        request.extensions_mut().insert(caller);
    }
    next.run(request).await
}

/// A refusal in MLflow's form.
pub(crate) fn refused(error: &ServingError) -> Response<Body> {
    let code = match error.kind() {
        ErrorKind::Unauthenticated => ErrorCode::Unauthenticated,
        ErrorKind::PermissionDenied => ErrorCode::PermissionDenied,
        ErrorKind::Unavailable => ErrorCode::TemporarilyUnavailable,
        _ => ErrorCode::InternalError,
    };
    refuse(&TrackingError::new(code, error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_told_apart() {
        for path in [
            "/",
            "/api/2.0/mlflow/runs/get",
            "/v1/traces",
            "/v2x",
            "/health",
            "/graphql",
        ] {
            assert!(is_tracked(path), "{path}");
        }
        for path in [
            "/v2",
            "/v2/models/m/infer",
            "/v1/keys/k",
            "/v1/models/m/client",
            "/metrics",
        ] {
            assert!(!is_tracked(path), "{path}");
        }
    }
}
