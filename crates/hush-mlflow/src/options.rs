//! Which server, and how it knows us.

use std::env;
use std::path::PathBuf;
use std::time::Duration;

use zeroize::Zeroizing;

/// Which server, and how it knows us.
#[derive(Clone)]
pub struct TrackingOptions {
    /// `http://HOST:PORT` or `https://…`, with a path if the server has one.
    pub uri: String,
    /// Name and password for basic authentication.
    pub account: Option<(String, Zeroizing<String>)>,
    /// A bearer token, in place of an account.
    pub token: Option<Zeroizing<String>>,
    /// Certificates in PEM that may sign the server's; those of the system if there is none.
    pub ca: Option<PathBuf>,
    /// How long anything but an artifact may take, and how long an artifact may stand still.
    pub timeout: Duration,
}

impl TrackingOptions {
    /// For a server without accounts.
    #[must_use]
    pub fn new(uri: impl Into<String>) -> Self {
        Self {
            uri: uri.into(),
            account: None,
            token: None,
            ca: None,
            timeout: Duration::from_secs(120),
        }
    }

    /// As MLflow's clients are told: `MLFLOW_TRACKING_URI` unless `uri` is given, `MLFLOW_TRACKING_USERNAME` and
    /// `MLFLOW_TRACKING_PASSWORD`, `MLFLOW_TRACKING_TOKEN`, `MLFLOW_TRACKING_SERVER_CERT_PATH`. `None` if nobody names
    /// a server.
    #[must_use]
    pub fn from_environment(uri: Option<String>) -> Option<Self> {
        let set = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        let uri = uri.or_else(|| set("MLFLOW_TRACKING_URI"))?;
        let password = set("MLFLOW_TRACKING_PASSWORD").map(Zeroizing::new);
        Some(Self {
            account: set("MLFLOW_TRACKING_USERNAME").zip(password),
            token: set("MLFLOW_TRACKING_TOKEN").map(Zeroizing::new),
            ca: set("MLFLOW_TRACKING_SERVER_CERT_PATH").map(PathBuf::from),
            ..Self::new(uri)
        })
    }
}
