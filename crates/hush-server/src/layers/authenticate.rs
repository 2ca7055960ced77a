//! Finds out who asks: every request that reaches the service carries an identity.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, Response};
use axum::middleware::Next;
use hush_serving::{Identity, ModelPermission, Roles, ServingError};

use super::{host, is_grpc, refuse};
use crate::accounts::{Accounts, unauthenticated};
use crate::connections::Peer;

/// How callers are known.
#[derive(Clone)]
pub(crate) struct Door {
    /// `None`: only this machine can connect, and whoever does may do everything.
    pub(crate) accounts: Option<Accounts>,
    /// Whether strangers may see the metrics.
    pub(crate) public_metrics: bool,
}

/// Who asked; among the extensions of an answer, for the log.
#[derive(Clone)]
pub(crate) struct Asker(pub(crate) Arc<str>);

/// Middleware.
pub(crate) async fn authenticate(
    State(door): State<Door>,
    mut request: Request,
    next: Next,
) -> Response<Body> {
    let identity = match &door.accounts {
        None => host::check(request.uri(), request.headers()).map(|()| Identity::local()),
        Some(_) if is_open(request.uri().path(), door.public_metrics) => Ok(nobody()),
        Some(accounts) => {
            let peer = request.extensions().get::<Peer>();
            let certificate = peer.and_then(|peer| peer.certificate.clone());
            known(accounts, request.headers(), certificate).await
        }
    };
    match identity {
        Ok(identity) => {
            let asker = Asker(Arc::clone(&identity.name));
            request.extensions_mut().insert(identity);
            let mut response = next.run(request).await;
            response.extensions_mut().insert(asker);
            response
        }
        Err(error) => refuse(error, is_grpc(request.headers())),
    }
}

/// What whoever looks after the machine asks without an account: whether the server is alive. Nothing here lasts: a stranger
/// could hold a stream open for ever.
fn is_open(path: &str, public_metrics: bool) -> bool {
    matches!(
        path,
        "/v2/health/live"
            | "/v2/health/ready"
            | "/inference.GRPCInferenceService/ServerLive"
            | "/inference.GRPCInferenceService/ServerReady"
            | "/grpc.health.v1.Health/Check"
    ) || public_metrics && path == "/metrics"
}

fn nobody() -> Identity {
    Identity {
        name: "".into(),
        roles: Roles::new(),
        models: ModelPermission::Named([].into()),
    }
}

/// Who asks. A token says more than a certificate: whoever shows both is whom the token names.
pub(crate) async fn known(
    accounts: &Accounts,
    headers: &HeaderMap,
    certificate: Option<Arc<str>>,
) -> Result<Identity, ServingError> {
    if let Some(token) = bearer(headers)? {
        return accounts.by_token(token).await;
    }
    match certificate {
        Some(name) => accounts.by_certificate(&name),
        None => Err(unauthenticated(
            "the server needs to know who asks: send `authorization: Bearer TOKEN`",
        )),
    }
}

fn bearer(headers: &HeaderMap) -> Result<Option<&str>, ServingError> {
    let Some(value) = headers.get(AUTHORIZATION) else {
        return Ok(None);
    };
    let token = value.to_str().ok().and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    token
        .map(Some)
        .ok_or_else(|| unauthenticated("the header `authorization` is not `Bearer TOKEN`"))
}
