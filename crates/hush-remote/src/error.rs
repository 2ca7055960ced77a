//! What can go wrong between a data owner and a server.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use hush_client::ClientError;
use hush_keys::KeysError;

/// Why a server refused, whichever protocol it was said in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The request does not hold together, or does not fit the model.
    Invalid,
    /// No such model, version or key.
    NotFound,
    /// Something else is there already, or a step came too early.
    Conflict,
    /// The server does not know who asks.
    Unauthenticated,
    /// It knows, and does not allow it.
    PermissionDenied,
    /// Larger than a limit of the server.
    TooLarge,
    /// The server has too much to do.
    Busy,
    /// The deadline passed.
    DeadlineExceeded,
    /// Loading, draining or stopped.
    Unavailable,
    /// The server does not do that.
    Unimplemented,
    /// The server's own fault, or something that no server of ours says.
    Other,
}

/// What went wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RemoteError {
    /// No address.
    #[error("`{url}` is not the address of a server: {reason}")]
    Address {
        /// As given.
        url: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// A certificate or a private key that cannot be used.
    #[error("cannot use `{path}`: {reason}")]
    Certificate {
        /// The file, or what stands for it.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// No token can look like this.
    #[error("the token has characters that no token has")]
    Token,
    /// No connection.
    #[error("cannot connect to {server}: {reason}")]
    Connect {
        /// The server.
        server: String,
        /// What the system says.
        reason: String,
    },
    /// The connection ended before the answer.
    #[error("the connection to {server} broke: {reason}")]
    Broken {
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
    #[error("the server refused: {message}")]
    Refused {
        /// What class of refusal it is.
        refusal: Refusal,
        /// In the server's words.
        message: String,
        /// When the server says that it is worth another try.
        retry_after: Option<Duration>,
    },
    /// The answer is not what was asked for.
    #[error("{server} does not answer as a server for encrypted models does: {reason}")]
    Answer {
        /// The server.
        server: String,
        /// What is wrong.
        reason: String,
    },
    /// The model is another one than when the connection to it began.
    #[error("the model `{model}` was replaced on the server meanwhile")]
    ModelChanged {
        /// Its name.
        model: String,
    },
    /// A file of keys cannot be read or written.
    #[error("cannot use `{path}`")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file of keys holds something else.
    #[error("cannot use the key `{path}`")]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: ClientError,
    },
    /// Keys, inputs or answers that do not fit.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The caller had enough.
    #[error("stopped")]
    Stopped,
    /// The system gives no thread or no randomness.
    #[error("the system does not give what is needed")]
    System(#[from] io::Error),
}

impl From<KeysError> for RemoteError {
    fn from(error: KeysError) -> Self {
        Self::Client(error.into())
    }
}

impl RemoteError {
    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Address { .. } => {
                "write for example grpc://127.0.0.1:8081 or https://models.example.org".into()
            }
            Self::Connect { reason, .. } if reason.contains("certificate") => {
                "name the file of the certificate authority that signed the server's certificate, \
                 and the host that the certificate is for"
                    .into()
            }
            Self::Connect { .. } => {
                "start the server with `hush serve`, or check host, port and scheme (grpcs and https with TLS)"
                    .into()
            }
            Self::Broken { .. } | Self::Answer { .. } => {
                "check that the address is the one of this protocol: the server has one port for gRPC and one for HTTP, \
                 and with TLS the schemes are grpcs and https"
                    .into()
            }
            Self::Timeout { .. } => "try again later, or allow more time".into(),
            Self::Token => "a token is one line of letters, digits and signs".into(),
            Self::Refused { refusal, .. } => return refusal.hint().map(Into::into),
            Self::ModelChanged { .. } => "open the model again".into(),
            Self::Key { source, .. } | Self::Client(source) => return source.hint(),
            _ => return None,
        })
    }

    /// How the server refused, if it was the server.
    #[must_use]
    pub fn refusal(&self) -> Option<Refusal> {
        match self {
            Self::Refused { refusal, .. } => Some(*refusal),
            _ => None,
        }
    }

    /// Whether the same request may succeed later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Connect { .. } | Self::Broken { .. } => true,
            Self::Refused { refusal, .. } => {
                matches!(refusal, Refusal::Busy | Refusal::Unavailable)
            }
            _ => false,
        }
    }

    /// When the server says that it is worth another try.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

impl Refusal {
    fn hint(self) -> Option<&'static str> {
        match self {
            Self::Unauthenticated => {
                Some("ask the operator for a token (`hush token create`) and pass it along")
            }
            Self::PermissionDenied => {
                Some("ask the operator for a token with the role that this needs")
            }
            Self::Busy | Self::Unavailable => Some("try again later"),
            Self::DeadlineExceeded => {
                Some("allow more time, or send when the server has less to do")
            }
            Self::Unimplemented => Some("check that server and client are of the same version"),
            _ => None,
        }
    }
}
