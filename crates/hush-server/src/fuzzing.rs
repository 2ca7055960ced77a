//! A way in for fuzzing: what callers show to be known, against accounts and an issuer that are always the same.

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, HeaderValue};

use crate::accounts::Accounts;
use crate::layers::authenticate::known;

/// Values of the header `authorization` that are let in: a token of an account, and one of an issuer.
pub const AUTHORIZATIONS: [&str; 2] = [
    "Bearer hush_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    concat!(
        "Bearer eyJhbGciOiJFUzI1NiIsImtpZCI6ImsiLCJ0eXAiOiJKV1QifQ.",
        "eyJpc3MiOiJodHRwczovL2lzc3Vlci5pbnZhbGlkIiwiYXVkIjoiaHVzaCIsInN1YiI6ImFkYSIsImV4cCI6MzI1MDM2ODAwMDB9.",
        "94MSUwIBA8sEzvYbRpvOxw8VvGJPMzwCMtcwqW9oYEOxCnIne96lSFv-nm5JJks0xNwnYdjhzBfNikKPNdoFBA"
    ),
];

/// The key that the issuer signs with, as it publishes it.
pub(crate) const KEYS: &str = r#"{"keys": [{"kty": "EC", "crv": "P-256", "kid": "k", "alg": "ES256", "use": "sig", "x": "IvHoDZHOthEdeU9sS8XofGGXnyanO52UZdz35o4z72Y", "y": "3a7pYwFf19cQdS8KGvxPmDZPEOdKwZj6s01VFFloGuo"}]}"#;
/// Whom its tokens are of and for.
pub(crate) const ISSUER: &str = "https://issuer.invalid";
/// Whom its tokens are for.
pub(crate) const AUDIENCE: &str = "hush";

/// Whether a caller is known by a value of the header `authorization`.
pub async fn authorize(value: &[u8]) -> bool {
    let Ok(value) = HeaderValue::from_bytes(value) else {
        return false;
    };
    let headers = HeaderMap::from_iter([(AUTHORIZATION, value)]);
    known(&Accounts::for_fuzzing(), &headers, None)
        .await
        .is_ok()
}
