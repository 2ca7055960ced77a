//! Keeps web pages out of a server without accounts.
//!
//! A page in the browser of somebody who runs such a server could reach it, by a name of its own that it lets point to
//! loopback (DNS rebinding) or by a plain form. Both say who they are: the first in `Host`, the second in `Origin`.

use axum::http::header::{HOST, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Uri};
use hush_serving::{ErrorKind, ServingError};

/// Refuses a request that is not meant for this machine, or comes from a page of another.
///
/// # Errors
/// [`ErrorKind::PermissionDenied`].
pub(crate) fn check(uri: &Uri, headers: &HeaderMap) -> Result<(), ServingError> {
    let named = headers.get(HOST).map(HeaderValue::as_bytes);
    let host = match (uri.host(), named) {
        (Some(host), _) => Some(host.to_owned()),
        (None, Some(named)) => Authority::try_from(named)
            .ok()
            .map(|authority| authority.host().to_owned()),
        (None, None) => None,
    };
    if !host.as_deref().is_some_and(is_loopback) {
        return Err(refused(
            "without accounts the server answers to localhost only",
        ));
    }
    if let Some(origin) = headers.get(ORIGIN) {
        let origin = origin
            .to_str()
            .ok()
            .and_then(|origin| origin.parse::<Uri>().ok());
        let host = origin.as_ref().and_then(Uri::host);
        if !host.is_some_and(is_loopback) {
            return Err(refused(
                "without accounts the server answers no page of another machine",
            ));
        }
    }
    Ok(())
}

/// Whether a request comes from no page, or from one of this server: pages say where they come from whenever they change
/// anything.
pub(crate) fn is_own_page(uri: &Uri, headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(ORIGIN) else {
        return true;
    };
    let origin = origin
        .to_str()
        .ok()
        .and_then(|origin| origin.parse::<Uri>().ok());
    let named = headers.get(HOST).and_then(|host| host.to_str().ok());
    let own = uri.authority().map(Authority::as_str).or(named);
    match (origin.as_ref().and_then(Uri::authority), own) {
        (Some(origin), Some(own)) => origin.as_str().eq_ignore_ascii_case(own),
        _ => false,
    }
}

/// Whether a host is this machine, by its name or number.
pub(crate) fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    if let Ok(address) = bare.parse::<std::net::IpAddr>() {
        return address.to_canonical().is_loopback();
    }
    host.eq_ignore_ascii_case("localhost")
}

fn refused(message: &str) -> ServingError {
    ServingError::new(ErrorKind::PermissionDenied, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(uri: &str, headers: &[(&'static str, &'static str)]) -> bool {
        let headers = headers.iter().map(|&(name, value)| {
            let name = axum::http::HeaderName::from_static(name);
            (name, HeaderValue::from_static(value))
        });
        check(&uri.parse().unwrap(), &headers.collect()).is_ok()
    }

    #[test]
    fn only_this_machine_is_meant() {
        for host in [
            "localhost:8080",
            "127.0.0.1",
            "[::1]:8080",
            "LOCALHOST",
            "127.1.2.3:1",
        ] {
            assert!(passes("/v2", &[("host", host)]), "{host}");
        }
        for host in [
            "evil.example:8080",
            "localhost.evil.example",
            "10.0.0.1",
            "",
            "127.0.0.1.evil.example",
        ] {
            assert!(!passes("/v2", &[("host", host)]), "{host}");
        }
        assert!(!passes("/v2", &[]));
        assert!(passes("http://127.0.0.1:8081/inference", &[]));
        assert!(!passes(
            "http://evil.example/inference",
            &[("host", "localhost")]
        ));
    }

    #[test]
    fn own_pages_are_known() {
        let own = |host: &'static str, origin: Option<&'static str>| {
            let mut headers = HeaderMap::from_iter([(HOST, HeaderValue::from_static(host))]);
            if let Some(origin) = origin {
                headers.insert(ORIGIN, HeaderValue::from_static(origin));
            }
            is_own_page(&Uri::from_static("/api"), &headers)
        };
        assert!(own("a.example", None));
        assert!(own("a.example:5000", Some("https://A.example:5000")));
        assert!(!own("a.example:5000", Some("https://a.example")));
        assert!(!own("a.example", Some("https://evil.example")));
        assert!(!own("a.example", Some("null")));
    }

    #[test]
    fn pages_of_other_machines_are_refused() {
        let host = ("host", "localhost:8080");
        assert!(passes("/v2", &[host, ("origin", "http://localhost:3000")]));
        assert!(!passes("/v2", &[host, ("origin", "https://evil.example")]));
        assert!(!passes("/v2", &[host, ("origin", "null")]));
    }
}
