//! How a connection behaves.

use std::path::PathBuf;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::address::{Address, Protocol};

/// How a connection behaves. The default suits a server on this machine without accounts.
#[derive(Clone)]
pub struct ConnectOptions {
    /// What the server knows the caller by.
    pub token: Option<Zeroizing<String>>,
    /// Certificates in PEM that may sign the server's; those of the system if there is none.
    pub ca: Option<PathBuf>,
    /// The caller's own certificate chain in PEM, where the server asks for one; goes with `key`.
    pub certificate: Option<PathBuf>,
    /// Its private key in PEM.
    pub key: Option<PathBuf>,
    /// How long connecting may take.
    pub connect_timeout: Duration,
    /// How long anything but a prediction may take, and how long an upload may stand still.
    pub request_timeout: Duration,
    /// How long one request for a prediction may take, waiting in the server's queue included; the server stops working
    /// on it then.
    pub deadline: Duration,
    /// How long to try again when the server is busy, restarts or cannot be reached.
    pub patience: Duration,
}

impl ConnectOptions {
    /// What to warn of before connecting to an address: a token that others could read on its way.
    #[must_use]
    pub fn warning(&self, url: &str) -> Option<String> {
        let address = Address::parse(url).ok()?;
        if self.token.is_none() || address.is_private() {
            return None;
        }
        let encrypted = match address.protocol {
            Protocol::Grpc => "grpcs",
            Protocol::Http => "https",
        };
        Some(format!(
            "the token is sent to {} without encryption: whoever is on the way can use it; connect with {encrypted}://",
            address.shown
        ))
    }
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self {
            token: None,
            ca: None,
            certificate: None,
            key: None,
            connect_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(60),
            deadline: Duration::from_secs(600),
            patience: Duration::from_secs(120),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_that_others_could_read_are_warned_of() {
        let with = |token: Option<&str>| ConnectOptions {
            token: token.map(|token| Zeroizing::new(token.to_owned())),
            ..ConnectOptions::default()
        };
        let url = "grpc://models.example:8081/";
        assert_eq!(
            with(Some("hush_7")).warning(url).as_deref(),
            Some(
                "the token is sent to grpc://models.example:8081 without encryption: whoever is on the way can use it; \
                 connect with grpcs://"
            )
        );
        assert_eq!(with(None).warning(url), None);
        assert_eq!(with(Some("hush_7")).warning("grpc://127.0.0.1"), None);
        assert_eq!(with(Some("hush_7")).warning("nonsense"), None);
    }
}
