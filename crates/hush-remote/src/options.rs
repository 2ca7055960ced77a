//! How a connection behaves.

use std::path::PathBuf;
use std::time::Duration;

use zeroize::Zeroizing;

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
