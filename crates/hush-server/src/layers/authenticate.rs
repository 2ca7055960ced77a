//! Finds out who asks: every request that reaches the service carries an identity.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, Response};
use axum::middleware::Next;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hush_serving::{ErrorKind, Identity, ModelPermission, Roles, ServingError};

use super::{host, is_grpc, refuse};
use crate::accounts::{Accounts, unauthenticated};
use crate::connections::Peer;
use crate::tracking;

/// How callers are known.
#[derive(Clone)]
pub(crate) struct Door {
    /// `None`: only this machine can connect, and whoever does may do everything.
    pub(crate) accounts: Option<Accounts>,
    /// Whether strangers may see the metrics.
    pub(crate) public_metrics: bool,
    /// Whether what is not the service's is the tracking server's.
    pub(crate) tracking: bool,
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
    let path = request.uri().path();
    let tracked = door.tracking && tracking::is_tracked(path);
    let identity = match &door.accounts {
        None => host::check(request.uri(), request.headers()).map(|()| Identity::local()),
        Some(_) if is_open(path, door.public_metrics) => Ok(nobody()),
        Some(_) if tracked && tracking::is_open(path) => Ok(nobody()),
        // Browsers send names and passwords along with whatever a page of another site asks of them.
        Some(_) if tracked && !host::is_own_page(request.uri(), request.headers()) => {
            let message = "the server answers no page of another site";
            Err(ServingError::new(ErrorKind::PermissionDenied, message))
        }
        Some(accounts) => {
            let peer = request.extensions().get::<Peer>();
            let certificate = peer.and_then(|peer| peer.certificate.clone());
            // Pages carry the token in a cookie.
            let session = hush_pages::session_token(request.method(), request.headers());
            match session.filter(|_| tracked && !request.headers().contains_key(AUTHORIZATION)) {
                Some(token) => accounts.by_token(token).await,
                None => known(accounts, request.headers(), certificate).await,
            }
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
        Err(error) if tracked => {
            let strange = error.kind() == ErrorKind::Unauthenticated;
            let (method, uri) = (request.method(), request.uri());
            let page = hush_pages::to_sign_in(method, uri, request.headers());
            page.filter(|_| strange)
                .unwrap_or_else(|| tracking::refused(&error))
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
    if let Some((name, token)) = shown(headers)? {
        let identity = accounts.by_token(&token).await?;
        return match name {
            Some(name) if *name != *identity.name => Err(unauthenticated(
                "the token is not of the account that is named",
            )),
            _ => Ok(identity),
        };
    }
    match certificate {
        Some(name) => accounts.by_certificate(&name),
        None => Err(unauthenticated(
            "the server needs to know who asks: send `authorization: Bearer TOKEN`",
        )),
    }
}

/// The token that a caller shows, and the account that it says it is: `Bearer TOKEN`, or `Basic` with the account's name
/// and the token as its password, which MLflow's clients and browsers send.
fn shown(headers: &HeaderMap) -> Result<Option<(Option<String>, String)>, ServingError> {
    let Some(value) = headers.get(AUTHORIZATION) else {
        return Ok(None);
    };
    let token = value.to_str().ok().and_then(|value| {
        let (scheme, rest) = value.split_once(' ')?;
        let rest = rest.trim();
        if scheme.eq_ignore_ascii_case("bearer") {
            return Some((None, rest.to_owned()));
        }
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let pair = String::from_utf8(STANDARD.decode(rest).ok()?).ok()?;
        let (name, token) = pair.split_once(':')?;
        Some((Some(name.to_owned()), token.to_owned()))
    });
    token.map(Some).ok_or_else(|| {
        unauthenticated("the header `authorization` is neither `Bearer TOKEN` nor `Basic`")
    })
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn tokens_are_shown_in_two_ways() {
        let read = |value: &'static str| {
            let headers = HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_static(value))]);
            shown(&headers).ok().flatten()
        };
        assert_eq!(read("Bearer  abc"), Some((None, "abc".into())));
        assert_eq!(
            read("basic YWxpY2U6YTpi"),
            Some((Some("alice".into()), "a:b".into()))
        );
        for wrong in ["abc", "Basic !", "Basic YWxpY2U=", "Digest abc"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        assert!(shown(&HeaderMap::new()).unwrap().is_none());
    }
}
