//! The process of one party: it waits for proposals and takes part in what its policy allows.

mod compute;
mod session;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use hush_mpc::link::tls::{Acceptor, Fingerprint, StreamError, Timing, TlsIdentity};
use serde_json::json;

use crate::audit::AuditLog;
use crate::channel::{Channel, Kind};
use crate::configuration::Configuration;
use crate::error::PartyError;
use crate::halt::Halt;
use crate::identity::Identity;
use crate::kept::KeptShares;
use crate::policy::Policy;
use crate::runner::Runner;

/// How a party waits and listens.
#[derive(Debug, Clone, Copy)]
pub struct PlayerOptions {
    /// Of links among computing parties, and of silence on others.
    pub timing: Timing,
    /// How long all parties may take to connect to each other.
    pub set_up: Duration,
    /// Sessions at the same time; more are refused.
    pub sessions_most: usize,
    /// Where to listen, if it is not the address in the configuration.
    pub listen: Option<SocketAddr>,
}

impl Default for PlayerOptions {
    fn default() -> Self {
        Self {
            timing: Timing::default(),
            set_up: Duration::from_secs(20),
            sessions_most: 4,
            listen: None,
        }
    }
}

/// One party.
pub struct Player {
    name: String,
    configuration: Configuration,
    identity: TlsIdentity,
    policy: Policy,
    audit: AuditLog,
    runner: Arc<dyn Runner>,
    acceptor: Acceptor,
    options: PlayerOptions,
    sessions: AtomicUsize,
    shares: Option<KeptShares>,
    halt: Halt,
}

/// Checks that `identity` is the one that is pinned for `name`.
pub(crate) fn check_identity(
    name: &str,
    configuration: &Configuration,
    identity: &Identity,
) -> Result<(), PartyError> {
    let (found, pinned) = (
        identity.fingerprint(),
        configuration.party(name)?.fingerprint,
    );
    if found == pinned {
        return Ok(());
    }
    Err(PartyError::Fingerprint {
        name: name.to_owned(),
        found: found.to_string(),
        pinned: pinned.to_string(),
    })
}

impl Player {
    /// Starts to listen as party `name`.
    ///
    /// # Errors
    /// If the identity is not the pinned one or the address is taken.
    pub fn new(
        name: &str,
        configuration: Configuration,
        identity: &Identity,
        policy: Policy,
        audit: AuditLog,
        runner: Arc<dyn Runner>,
        options: PlayerOptions,
    ) -> Result<Self, PartyError> {
        check_identity(name, &configuration, identity)?;
        let address = match options.listen {
            Some(address) => address,
            None => configuration.party(name)?.socket_address()?,
        };
        let tls = identity.tls();
        let peers: Vec<Fingerprint> = configuration
            .parties()
            .iter()
            .map(|party| party.fingerprint)
            .collect();
        let acceptor =
            Acceptor::listen(address, &tls, &peers).map_err(PartyError::connection(name))?;
        Ok(Self {
            name: name.to_owned(),
            configuration,
            identity: tls,
            policy,
            audit,
            runner,
            acceptor,
            options,
            sessions: AtomicUsize::new(0),
            shares: None,
            halt: Halt::default(),
        })
    }

    /// Keeps shares between sessions in `folder`, as far as its policy allows. Without a folder it keeps none.
    pub fn keeping(mut self, folder: &Path) -> Self {
        self.shares = Some(KeptShares::new(folder));
        self
    }

    /// Whether it keeps a share of a model under that name.
    ///
    /// # Errors
    /// Says in words why not.
    pub fn check_model(&self, name: &str) -> Result<(), String> {
        let shares = self.shares.as_ref().ok_or("it keeps no shares")?;
        match shares.load(name)?.header.common.kind.is_empty() {
            true => Err(format!("{name} is no model")),
            false => Ok(()),
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.acceptor.address()
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Answers proposals until `stop`, each on a thread of its own, and tells `notice` of how each ended. Sessions that are
    /// under way end then, and the other parties are told why.
    pub fn serve(&self, stop: &AtomicBool, notice: impl Fn(&str) + Sync) {
        let notice = &notice;
        std::thread::scope(|scope| {
            while !stop.load(Ordering::Relaxed) {
                let wait = Instant::now() + Duration::from_millis(100);
                let (stream, proposal) = match self.acceptor.control(wait) {
                    Ok(arrival) => arrival,
                    Err(StreamError::TimedOut) => continue,
                    Err(error) => {
                        notice(&format!("cannot listen: {error}"));
                        break;
                    }
                };
                let Some(party) = self.configuration.by_fingerprint(stream.peer()) else {
                    continue;
                };
                let mut channel = Channel::new(stream, &party.name, self.options.timing);
                if self.sessions.fetch_add(1, Ordering::Relaxed) >= self.options.sessions_most {
                    self.sessions.fetch_sub(1, Ordering::Relaxed);
                    channel.explain(
                        Kind::Refuse,
                        "it has as many sessions as it takes; try again later",
                    );
                    continue;
                }
                scope.spawn(move || {
                    notice(&self.answer(&mut channel, &proposal));
                    channel.linger();
                    self.sessions.fetch_sub(1, Ordering::Relaxed);
                });
            }
            self.halt.because("whoever runs it ended it");
        });
    }

    /// Takes part in one proposed session; says in words how it ended.
    fn answer(&self, channel: &mut Channel, proposal: &[u8; 32]) -> String {
        let proposer = channel.party.clone();
        match self.session(channel, proposal) {
            Ok(done) => done,
            Err(session::Stop::Refused(reason)) => {
                channel.explain(Kind::Refuse, &reason);
                let details = json!({ "proposer": proposer, "reason": reason });
                let _ = self.audit.write("refused", details);
                format!("refused a session of {proposer}: {reason}")
            }
            Err(session::Stop::Failed(error)) => {
                let (kind, told) = error.told();
                channel.explain(kind, &told);
                let reason = error.to_string();
                let details = json!({ "proposer": proposer, "reason": reason });
                let _ = self.audit.write("failed", details);
                format!("a session of {proposer} failed: {reason}")
            }
        }
    }
}
