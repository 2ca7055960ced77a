//! Where a server is.

use std::net::IpAddr;

use http::Uri;

use crate::RemoteError;

/// Port of gRPC where the address names none; HTTP has ports of its own.
const GRPC_PORT: u16 = 8081;

/// What is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Grpc,
    Http,
}

/// The address of a server.
#[derive(Clone, Debug)]
pub(crate) struct Address {
    pub(crate) protocol: Protocol,
    pub(crate) tls: bool,
    /// `http://` or `https://`, host and port, and for REST what comes before its paths, without the last slash.
    pub(crate) origin: String,
    /// As people wrote it.
    pub(crate) shown: String,
}

impl Address {
    /// Whether what is sent stays on this machine, or is encrypted.
    pub(crate) fn is_private(&self) -> bool {
        if self.tls {
            return true;
        }
        let uri: Option<Uri> = self.origin.parse().ok();
        let host = uri.as_ref().and_then(Uri::host).unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        match host.parse::<IpAddr>() {
            Ok(address) => address.to_canonical().is_loopback(),
            Err(_) => {
                let name = host.trim_end_matches('.').to_ascii_lowercase();
                name == "localhost" || name.ends_with(".localhost")
            }
        }
    }

    /// Reads `grpc://`, `grpcs://`, `http://` or `https://`, a host, and perhaps a port.
    pub(crate) fn parse(url: &str) -> Result<Self, RemoteError> {
        let wrong = |reason| RemoteError::Address {
            url: url.to_owned(),
            reason,
        };
        let (scheme, rest) = url.trim().split_once("://").ok_or_else(|| {
            wrong("it does not begin with grpc://, grpcs://, http:// or https://")
        })?;
        let (protocol, tls) = match scheme.to_ascii_lowercase().as_str() {
            "grpc" => (Protocol::Grpc, false),
            "grpcs" => (Protocol::Grpc, true),
            "http" => (Protocol::Http, false),
            "https" => (Protocol::Http, true),
            _ => {
                return Err(wrong(
                    "it does not begin with grpc://, grpcs://, http:// or https://",
                ));
            }
        };
        let plain = if tls { "https" } else { "http" };
        let uri: Uri = format!("{plain}://{}", rest.trim_end_matches('/'))
            .parse()
            .map_err(|_| wrong("what follows the scheme is no host and port"))?;
        let authority = uri
            .authority()
            .filter(|authority| !authority.host().is_empty());
        let authority = authority.ok_or_else(|| wrong("it names no host"))?;
        if authority.as_str().contains('@') {
            return Err(wrong("accounts are not part of it; use a token"));
        }
        if uri.query().is_some() {
            return Err(wrong("it has a query"));
        }
        let path = uri.path().trim_end_matches('/');
        if protocol == Protocol::Grpc && !path.is_empty() {
            return Err(wrong("a gRPC address has no path"));
        }
        let port = match (authority.port_u16(), protocol) {
            (None, Protocol::Grpc) => format!(":{GRPC_PORT}"),
            _ => String::new(),
        };
        Ok(Self {
            protocol,
            tls,
            origin: format!("{plain}://{authority}{port}{path}"),
            shown: url.trim().trim_end_matches('/').to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let origin = |url: &str| Address::parse(url).unwrap().origin;
        assert_eq!(origin("grpc://127.0.0.1:9"), "http://127.0.0.1:9");
        assert_eq!(
            origin("grpcs://models.example/"),
            "https://models.example:8081"
        );
        assert_eq!(origin("http://[::1]:8080/hush/"), "http://[::1]:8080/hush");
        assert_eq!(origin("HTTPS://models.example"), "https://models.example");
    }

    #[test]
    fn who_can_read_what_is_sent() {
        for (url, private) in [
            ("grpc://127.0.0.1:9", true),
            ("http://127.3.2.1", true),
            ("http://[::1]:8080", true),
            ("http://[::ffff:127.0.0.1]", true),
            ("grpc://localhost", true),
            ("grpc://LOCALHOST.:8081", true),
            ("grpcs://models.example", true),
            ("https://192.0.2.1", true),
            ("grpc://models.example", false),
            ("http://192.0.2.1:8080", false),
            ("http://[2001:db8::1]", false),
            ("http://127.0.0.1.example", false),
            ("http://notlocalhost", false),
        ] {
            assert_eq!(Address::parse(url).unwrap().is_private(), private, "{url}");
        }
    }

    #[test]
    fn what_is_no_address_says_why() {
        for (url, reason) in [
            ("127.0.0.1:8081", "does not begin with"),
            ("ftp://host", "does not begin with"),
            ("grpc://", "no host"),
            ("grpc://host/path", "has no path"),
            ("http://a:b@host", "token"),
            ("http://host?x", "query"),
        ] {
            let error = Address::parse(url).unwrap_err().to_string();
            assert!(error.contains(reason), "{url}: {error}");
        }
    }
}
