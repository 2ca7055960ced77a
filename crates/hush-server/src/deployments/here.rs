//! The tracking server of this process, asked without a socket.

use std::io;

use axum::body::Body;
use http_body_util::BodyExt;
use hush_mlflow::Tracking;
use hush_tracking::{Caller, Permission, router};
use tower::ServiceExt;

/// Asks as the server itself, which may do everything.
pub(super) fn here(own: &hush_tracking::Tracking) -> Tracking {
    let router = router(own, None);
    let caller = Caller {
        name: "hush-server".into(),
        administrator: true,
        default: Permission::Manage,
    };
    Tracking::here(Box::new(move |request| {
        let (router, caller) = (router.clone(), caller.clone());
        Box::pin(async move {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(caller);
            let answer = router.oneshot(request).await.map_err(io::Error::other)?;
            Ok(answer.map(|body| body.map_err(io::Error::other).boxed_unsync()))
        })
    }))
}
