//! What can go wrong between parties.

use std::path::{Path, PathBuf};

use hush_mpc::link::LinkError;
use hush_mpc::link::tls::StreamError;

use crate::channel::Kind;

/// Why a party could not do what it was asked. Parties are named as in the configuration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PartyError {
    /// A file that cannot be read or written.
    #[error("cannot {action} {path}: {source}", path = .path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file with something else in it than belongs there.
    #[error("{path}: {reason}", path = .path.display())]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// What is wrong, with the field at fault.
        reason: String,
    },
    /// No party by that name.
    #[error("no party is called {name}; the configuration knows {known}")]
    Unknown {
        /// The name.
        name: String,
        /// All names.
        known: String,
    },
    /// An own certificate that is not the pinned one.
    #[error(
        "the identity of {name} has the fingerprint {found}, the configuration pins {pinned}; use the identity that belongs to it, or tell all parties the new fingerprint"
    )]
    Fingerprint {
        /// Own name.
        name: String,
        /// Of the certificate.
        found: String,
        /// In the configuration.
        pinned: String,
    },
    /// A key or certificate that could not be made.
    #[error("cannot make an identity: {0}")]
    Make(String),
    /// A connection that failed outside the computation.
    #[error("{party}: {source}")]
    Connection {
        /// Name of the other side.
        party: String,
        /// What went wrong.
        source: StreamError,
    },
    /// A party whose connection ended in mid-session.
    #[error("{party} is gone {during}: {source}; see whether it still runs, and its own log")]
    Gone {
        /// Name of the other side.
        party: String,
        /// Where this party was: a step of the computation, or what it waited for.
        during: String,
        /// What went wrong.
        source: StreamError,
    },
    /// A party that sends nothing any more.
    #[error(
        "{party} has not been heard of for {seconds:.1} s {during}; see whether it still runs and can be reached"
    )]
    Silent {
        /// Name of the other side.
        party: String,
        /// Where this party was.
        during: String,
        /// For how long.
        seconds: f64,
    },
    /// This party was told to end.
    #[error("{0}")]
    Stopped(String),
    /// The other side sent something else than was due.
    #[error("{party} sent {found} where {expected} was due")]
    Unexpected {
        /// Name of the other side.
        party: String,
        /// What was due.
        expected: String,
        /// What came.
        found: String,
    },
    /// More bytes than anything of that kind may have.
    #[error("{party} sent {found} bytes of {what}, where {limit} were due at most")]
    TooLong {
        /// Name of the other side.
        party: String,
        /// What it is.
        what: &'static str,
        /// The bound.
        limit: u64,
        /// What the header said.
        found: u64,
    },
    /// A job that makes no sense.
    #[error("{field} of the job: {reason}")]
    Job {
        /// The part at fault.
        field: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A party says no.
    #[error("{party} refuses: {reason}")]
    Refused {
        /// Name of the party.
        party: String,
        /// Its reason.
        reason: String,
    },
    /// Parties that are about to compute different things.
    #[error("{party} differs in {field}; compare both sides' configuration, program and version")]
    Mismatch {
        /// Who differs from this party.
        party: String,
        /// In what.
        field: &'static str,
    },
    /// A failure while computing; names party and step.
    #[error("{0}")]
    Link(String),
    /// A failure of the program.
    #[error("computing failed: {0}")]
    Run(String),
    /// A party that failed after it had agreed.
    #[error("{party} failed: {reason}")]
    Failed {
        /// Who.
        party: String,
        /// What it says.
        reason: String,
    },
    /// What another party says of a third one.
    #[error("{reason}; {by} says so")]
    Told {
        /// Who says it.
        by: String,
        /// Why everybody ends.
        reason: String,
    },
    /// Shares of one result that contradict each other.
    #[error("the servers sent shares of {output} that contradict each other")]
    Inconsistent {
        /// Name of the result.
        output: String,
    },
    /// An input of another length.
    #[error("input {input} has {found} elements, the program takes {expected}")]
    InputLength {
        /// Its name.
        input: String,
        /// By the program.
        expected: u64,
        /// What was given.
        found: u64,
    },
}

impl PartyError {
    /// What to tell others when this party ends because of this error: how to name it, and the words.
    pub(crate) fn told(&self) -> (Kind, String) {
        match self {
            Self::Told { reason, .. } => (Kind::Ended, reason.clone()),
            Self::Failed { .. }
            | Self::Refused { .. }
            | Self::Gone { .. }
            | Self::Silent { .. }
            | Self::Connection { .. }
            | Self::Link(_) => (Kind::Ended, self.to_string()),
            _ => (Kind::Failed, self.to_string()),
        }
    }

    /// A file with which `action` did not succeed.
    pub(crate) fn file(action: &'static str, path: &Path) -> impl Fn(std::io::Error) -> Self {
        move |source| Self::File {
            action,
            path: path.to_owned(),
            source,
        }
    }

    /// A file with something else in it, for a reason in words.
    pub(crate) fn malformed(path: &Path) -> impl Fn(String) -> Self {
        move |reason| Self::Malformed {
            path: path.to_owned(),
            reason,
        }
    }

    pub(crate) fn connection(party: &str) -> impl Fn(StreamError) -> Self + '_ {
        move |source| Self::Connection {
            party: party.to_owned(),
            source,
        }
    }

    /// A link's failure with the names of the computing parties in place of their indices.
    pub(crate) fn link(error: &LinkError, servers: &[String]) -> Self {
        Self::Link(with_names(&error.to_string(), servers))
    }
}

/// Texts of `hush-mpc` name parties by index; people know them by name.
pub(crate) fn with_names(text: &str, servers: &[String]) -> String {
    let mut named = text.to_owned();
    for (index, name) in servers.iter().enumerate() {
        for end in [" ", ":", ";", ",", "."] {
            named = named.replace(
                &format!("party {index}{end}"),
                &format!("party {name}{end}"),
            );
        }
    }
    named
}
