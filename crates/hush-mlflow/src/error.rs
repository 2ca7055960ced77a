//! What goes wrong.

use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Why something was not done at a tracking server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MlflowError {
    /// No such address.
    #[error("`{uri}` is not the address of a tracking server: {reason}")]
    Address {
        /// As it was given.
        uri: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// A file of certificates, or an account that cannot be sent.
    #[error("cannot use `{name}`: {reason}")]
    Setting {
        /// The setting or file.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// No connection, or it broke.
    #[error("cannot reach {server}: {reason}")]
    Connect {
        /// The server.
        server: String,
        /// What the system says.
        reason: String,
    },
    /// No answer in time.
    #[error("{server} did not answer within {} s", limit.as_secs_f64())]
    Timeout {
        /// The server.
        server: String,
        /// The limit.
        limit: Duration,
    },
    /// The server answered that it will not.
    #[error("the tracking server refused: {message} ({code})")]
    Refused {
        /// HTTP status.
        status: u16,
        /// The server's error code, like `RESOURCE_DOES_NOT_EXIST`.
        code: String,
        /// In the server's words.
        message: String,
    },
    /// The answer lacks something.
    #[error("{server} does not answer as a tracking server does: {reason}")]
    Answer {
        /// The server.
        server: String,
        /// What is missing.
        reason: String,
    },
    /// Artifacts that the server does not hand out itself.
    #[error("artifacts at `{location}` are not the tracking server's own")]
    Location {
        /// Where the server says that they are.
        location: String,
    },
    /// No `models:/` address.
    #[error("`{text}` names no model version")]
    ModelUri {
        /// As it was given.
        text: String,
    },
    /// A file here.
    #[error("cannot use `{}`", path.display())]
    File {
        /// Its path.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl MlflowError {
    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Address { .. } => {
                "write for example http://127.0.0.1:5000, with --tracking-uri or in MLFLOW_TRACKING_URI".into()
            }
            Self::Connect { reason, .. } if reason.contains("certificate") => {
                "name the file of the authority that signed the server's certificate in MLFLOW_TRACKING_SERVER_CERT_PATH".into()
            }
            Self::Connect { .. } => "check MLFLOW_TRACKING_URI, and that the server runs".into(),
            Self::Timeout { .. } => "try again later".into(),
            Self::Refused { status: 401 | 403, .. } => {
                "set MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD".into()
            }
            Self::Location { .. } => {
                "have the server keep artifacts and hand them out, as `hush server` does (`mlflow server --serve-artifacts`)".into()
            }
            Self::ModelUri { .. } => "write models:/NAME@ALIAS or models:/NAME/VERSION".into(),
            _ => return None,
        })
    }

    /// Whether the server says that there is no such thing.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Refused { status: 404, .. })
    }

    /// Whether nobody answered.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Connect { .. } | Self::Timeout { .. })
    }

    /// Whether the server says that it is there already.
    #[must_use]
    pub fn is_there(&self) -> bool {
        matches!(self, Self::Refused { code, .. } if code == "RESOURCE_ALREADY_EXISTS")
    }

    /// What no library below says in its outermost error.
    pub(crate) fn unreachable(server: &str, error: &(dyn Error + 'static)) -> Self {
        let mut innermost = error;
        while let Some(cause) = innermost.source() {
            innermost = cause;
        }
        Self::Connect {
            server: server.to_owned(),
            reason: innermost.to_string(),
        }
    }
}
