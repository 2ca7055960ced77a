//! Links over TCP with mutual TLS 1.3 and pinned certificates.
//!
//! Each party dials each other one: a connection carries messages from its dialer only, so that sending and receiving
//! share no lock. Receiving happens on the thread that computes; each peer has one thread for what is too much to send
//! at once. Threads that block, and not an executor: a party computes on one thread, waits for one peer at a time, and
//! what counts is the time from a message's arrival to the next instruction of that thread, which a hand-over between
//! an executor's threads would add to. (Measured: 15 to 30 µs for each such hand-over on two cores.)
//!
//! A party that fails tells the others why before it closes, so that all end with the same reason. Heartbeats tell a
//! peer that computes from one that is gone, and say whom it waits for itself.

mod acceptor;
mod frame;
mod identity;
mod incoming;
mod outgoing;
mod stream;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::{Link, LinkError, Step, Traffic};
use acceptor::dial_unless;
use incoming::{Incoming, failure};
use outgoing::Outgoing;

pub use acceptor::{Acceptor, Purpose, SessionName, dial};
#[doc(hidden)]
pub use frame::is_frame;
pub use identity::{Fingerprint, TlsIdentity};
pub use stream::{Heard, StreamError, TlsStream};

/// How long to wait, and how much to hold.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// A connection that is idle for so long carries a heartbeat.
    pub heartbeat: Duration,
    /// A peer that sends nothing at all for so long is gone.
    pub silence: Duration,
    /// A peer that lives but sends no message for so long is stuck.
    pub patience: Duration,
    /// Bytes queued for one peer before sending waits.
    pub window: usize,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            heartbeat: Duration::from_secs(2),
            silence: Duration::from_secs(15),
            patience: Duration::from_secs(600),
            window: 256 << 20,
        }
    }
}

/// A party as the others of its session reach it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its pinned certificate.
    pub fingerprint: Fingerprint,
}

/// Why a link could not be made. Parties are named by index.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// A party that could not be reached, or is somebody else.
    #[error("cannot reach party {peer} at {address}: {source}")]
    Dial {
        /// Index of the peer.
        peer: usize,
        /// Where it should listen.
        address: SocketAddr,
        /// What went wrong.
        source: StreamError,
    },
    /// A party that did not dial.
    #[error("party {peer} has not connected to this session: {source}")]
    Accept {
        /// Index of the peer.
        peer: usize,
        /// What went wrong.
        source: StreamError,
    },
    /// The system has no more threads.
    #[error("cannot start a thread: {0}")]
    Thread(std::io::Error),
}

/// One party's connections to the others of a session.
pub struct TlsLink {
    party: usize,
    outgoing: Vec<Option<Outgoing>>,
    incoming: Vec<Option<Incoming>>,
    step: Step,
    traffic: Traffic,
    timing: Timing,
    failed: bool,
    secrets: Vec<[u8; 32]>,
}

impl TlsLink {
    /// Connects party `party` of `peers` (its own entry is not used) for `session` until `deadline`. All parties call
    /// this with the same order of peers and the same session.
    ///
    /// # Errors
    /// Names the first party that could not be reached or has another identity.
    pub fn connect(
        party: usize,
        peers: &[Peer],
        identity: &TlsIdentity,
        acceptor: &Acceptor,
        session: &SessionName,
        timing: Timing,
        deadline: Instant,
    ) -> Result<Self, ConnectError> {
        let never = &|| false;
        Self::connect_unless(
            never, party, peers, identity, acceptor, session, timing, deadline,
        )
    }

    /// As [`TlsLink::connect`]; gives up soon once `over` says that there is no use in waiting any longer.
    ///
    /// # Errors
    /// As [`TlsLink::connect`].
    pub fn connect_unless(
        over: &(dyn Fn() -> bool + Sync),
        party: usize,
        peers: &[Peer],
        identity: &TlsIdentity,
        acceptor: &Acceptor,
        session: &SessionName,
        timing: Timing,
        deadline: Instant,
    ) -> Result<Self, ConnectError> {
        let others: Vec<usize> = (0..peers.len()).filter(|&peer| peer != party).collect();
        let dialed: Vec<Result<TlsStream, StreamError>> = std::thread::scope(|scope| {
            let threads: Vec<_> = others
                .iter()
                .map(|&peer| {
                    let peer = peers[peer];
                    scope.spawn(move || {
                        dial_unless(over, peer, identity, Purpose::Link, session, deadline)
                    })
                })
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap_or(Err(StreamError::Closed)))
                .collect()
        });
        let tag: [u8; 8] = session[..8].try_into().expect("eight of 32");
        let mut link = Self {
            party,
            outgoing: peers.iter().map(|_| None).collect(),
            incoming: peers.iter().map(|_| None).collect(),
            step: Step::default(),
            traffic: Traffic::none(peers.len()),
            timing,
            failed: false,
            secrets: vec![[0; 32]; peers.len()],
        };
        for (&peer, stream) in others.iter().zip(dialed) {
            let Peer {
                address,
                fingerprint,
            } = peers[peer];
            let dialed = stream.map_err(|source| ConnectError::Dial {
                peer,
                address,
                source,
            })?;
            let accept = |source| ConnectError::Accept { peer, source };
            let accepted = acceptor
                .link_unless(over, fingerprint, session, deadline)
                .map_err(accept)?;
            link.secrets[peer] =
                both_secrets(party < peer, &dialed, &accepted, session).map_err(accept)?;
            let name = format!("to party {peer}");
            let outgoing = Outgoing::start(dialed, tag, timing, name);
            link.outgoing[peer] = Some(outgoing.map_err(ConnectError::Thread)?);
            link.incoming[peer] = Some(Incoming::new(accepted, peer, peers.len(), tag, timing));
        }
        Ok(link)
    }

    /// Tells all others that this party gives up for a reason of its own. They end with [`LinkError::Failed`].
    pub fn give_up(mut self) {
        let own = LinkError::Failed {
            peer: self.party,
            step: self.step,
        };
        self.tell(&own);
    }

    /// Lets heartbeats say whom this party waits for.
    fn waiting(&self, what: Option<(usize, Step)>) {
        for outgoing in self.outgoing.iter().flatten() {
            outgoing.waiting(what);
        }
    }

    fn tell(&mut self, error: &LinkError) {
        if std::mem::replace(&mut self.failed, true) {
            return;
        }
        let report = frame::report(error);
        for outgoing in self.outgoing.iter_mut().flatten() {
            outgoing.fail(self.step, &report);
        }
    }

    fn end(&mut self, error: LinkError) -> LinkError {
        self.tell(&error);
        error
    }
}

/// The exporters of both connections of a pair, in the same order at both ends.
fn both_secrets(
    lower: bool,
    dialed: &TlsStream,
    accepted: &TlsStream,
    session: &SessionName,
) -> Result<[u8; 32], StreamError> {
    let label = b"EXPORTER-hush-mpc-link";
    let (first, second) = if lower {
        (dialed, accepted)
    } else {
        (accepted, dialed)
    };
    let mut hasher = blake3::Hasher::new_derive_key("hush-mpc link secret v1");
    hasher.update(&first.exported_secret(label, session)?);
    hasher.update(&second.exported_secret(label, session)?);
    Ok(hasher.finalize().into())
}

impl Link for TlsLink {
    fn party(&self) -> usize {
        self.party
    }

    fn parties(&self) -> usize {
        self.outgoing.len()
    }

    fn send(&mut self, to: usize, bytes: &[u8]) -> Result<(), LinkError> {
        let step = self.step;
        if self.failed {
            return Err(LinkError::Closed { peer: to, step });
        }
        let expect = "no party sends to itself";
        let full = self.outgoing[to].as_ref().expect(expect).is_full();
        if full {
            self.waiting(Some((to, step)));
        }
        let result = self.outgoing[to].as_mut().expect(expect).send(step, bytes);
        if full {
            self.waiting(None);
        }
        let Err(error) = result else {
            self.traffic.count_sent(to, bytes.len());
            return Ok(());
        };
        let error = failure(to, step, error, self.timing.patience.as_secs());
        // A peer that gave up closed its end; its reason is better than that.
        let party = self.party;
        let reason = self.incoming[to]
            .as_mut()
            .filter(|_| matches!(error, LinkError::Closed { .. }))
            .and_then(|incoming| incoming.reason(party, step));
        Err(self.end(reason.unwrap_or(error)))
    }

    fn receive(&mut self, from: usize, into: &mut [u8]) -> Result<(), LinkError> {
        let step = self.step;
        if self.failed {
            return Err(LinkError::Closed { peer: from, step });
        }
        self.waiting(Some((from, step)));
        let incoming = self.incoming[from]
            .as_mut()
            .expect("no party receives from itself");
        let result = incoming.receive(self.party, step, into);
        self.waiting(None);
        match result {
            Ok(()) => {
                self.traffic.count_received(from, into.len());
                Ok(())
            }
            Err(error) => Err(self.end(error)),
        }
    }

    fn step(&mut self, step: Step) {
        self.step = step;
    }

    fn traffic(&self) -> Traffic {
        self.traffic.clone()
    }

    fn pair_secret(&self, peer: usize) -> Option<[u8; 32]> {
        Some(self.secrets[peer])
    }
}
