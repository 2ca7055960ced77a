//! Asks an issuer for its keys.

use std::time::Duration;

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Method, Request, Uri};
use http_body_util::{BodyExt, Limited};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use jsonwebtoken::jwk::JwkSet;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Bytes of an answer.
const MOST: usize = 256 << 10;
/// How long the issuer may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Where an issuer describes itself (OpenID Connect Discovery 1.0, section 4).
const DESCRIPTION: &str = "/.well-known/openid-configuration";

/// The keys of an issuer, from where it says that they are.
///
/// # Errors
/// What went wrong, for the log.
pub(super) async fn keys(issuer: &str) -> Result<JwkSet, String> {
    fetch(&endpoint(issuer, "jwks_uri").await?, None).await
}

/// An address that an issuer names in its description, such as `token_endpoint`.
///
/// # Errors
/// What went wrong, for the log.
pub(super) async fn endpoint(issuer: &str, name: &str) -> Result<String, String> {
    let address = format!("{}{DESCRIPTION}", issuer.trim_end_matches('/'));
    let description: Value = fetch(&address, None).await?;
    if description.get("issuer").and_then(Value::as_str) != Some(issuer) {
        return Err(format!("{address} describes another issuer"));
    }
    let found = description.get(name).and_then(Value::as_str);
    let found = found.ok_or_else(|| format!("{address} has no `{name}`"))?;
    if !may_ask(found) {
        return Err(format!("{found} is not encrypted"));
    }
    Ok(found.to_owned())
}

/// The identity token that an issuer gives for a form with a code (OpenID Connect Core 1.0, section 3.1.3).
///
/// # Errors
/// What went wrong, for the log.
pub(super) async fn redeem(issuer: &str, form: String) -> Result<String, String> {
    let address = endpoint(issuer, "token_endpoint").await?;
    let answer: Value = fetch(&address, Some(form)).await?;
    let token = answer.get("id_token").and_then(Value::as_str);
    token
        .map(str::to_owned)
        .ok_or_else(|| format!("{address} gave no identity token"))
}

/// Whether an address may be asked: what is not encrypted anybody on the way could answer.
pub(crate) fn may_ask(address: &str) -> bool {
    let Ok(address) = address.parse::<Uri>() else {
        return false;
    };
    match address.scheme_str() {
        Some("https") => true,
        Some("http") => address.host().is_some_and(crate::layers::host::is_loopback),
        _ => false,
    }
}

async fn fetch<T: DeserializeOwned>(address: &str, form: Option<String>) -> Result<T, String> {
    let asked = ask(address, form);
    let body = tokio::time::timeout(PATIENCE, asked).await;
    let body = body.map_err(|_| format!("{address} does not answer"))??;
    serde_json::from_slice(&body).map_err(|error| format!("{address}: {error}"))
}

/// Follows no redirect: the issuer is who was configured.
async fn ask(address: &str, form: Option<String>) -> Result<Vec<u8>, String> {
    let wrong = |reason: &dyn std::fmt::Display| format!("{address}: {reason}");
    let uri: Uri = address.parse().map_err(|error| wrong(&error))?;
    let provider = rustls::crypto::ring::default_provider();
    let connector = HttpsConnectorBuilder::new()
        .with_provider_and_native_roots(provider)
        .map_err(|error| wrong(&error))?
        .https_or_http()
        .enable_http1()
        .build();
    let client: Client<_, Body> = Client::builder(TokioExecutor::new()).build(connector);
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = uri;
    if let Some(form) = form {
        *request.method_mut() = Method::POST;
        *request.body_mut() = Body::from(form);
        let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
        request.headers_mut().insert(CONTENT_TYPE, kind);
    }
    let response = client
        .request(request)
        .await
        .map_err(|error| wrong(&error))?;
    if !response.status().is_success() {
        return Err(wrong(&response.status()));
    }
    let body = Limited::new(response.into_body(), MOST).collect().await;
    Ok(body.map_err(|error| wrong(&error))?.to_bytes().to_vec())
}
