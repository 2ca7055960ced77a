//! Why the server does not start.

use std::net::SocketAddr;
use std::path::PathBuf;

use hush_mlflow::MlflowError;
use hush_serving::ServingError;
use hush_tracking::TrackingError;

use crate::settings::Origin;

/// Why the server does not start, or a command about tokens fails.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// A setting.
    #[error("`{key}` in {origin}: {reason}")]
    Setting {
        /// Its name.
        key: String,
        /// Who set it.
        origin: Origin,
        /// What is wrong with it, and what to do.
        reason: String,
    },
    /// A file that settings name.
    #[error("`{}`: {reason}", path.display())]
    File {
        /// Its path.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// An address that cannot be listened on.
    #[error("cannot listen on {address}: {source}; is another server running?")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// The service cannot be opened.
    #[error(transparent)]
    Service(#[from] ServingError),
    /// Threads, signals, random numbers: the operating system refuses.
    #[error("the operating system refuses {what}: {source}")]
    System {
        /// What was asked of it.
        what: &'static str,
        /// What it says.
        source: std::io::Error,
    },
    /// The store of runs and models cannot be opened.
    #[error("tracking: {0}")]
    Tracking(#[from] TrackingError),
    /// The registry cannot be asked, or what it has cannot be served.
    #[error("registry: {}{}", .0, .0.hint().map_or_else(String::new, |hint| format!("; {hint}")))]
    Registry(#[from] MlflowError),
    /// An account that a command names.
    #[error("{0}")]
    Account(String),
}
