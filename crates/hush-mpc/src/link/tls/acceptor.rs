//! The listening side: every connection is authenticated, says which session it belongs to, and waits to be taken.

use std::collections::VecDeque;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use rustls::ServerConfig;

use super::super::Step;
use super::Peer;
use super::frame::{HEADER, Header, Kind};
use super::identity::{Fingerprint, TlsIdentity};
use super::stream::{StreamError, TlsStream};

/// Handshakes under way at once; more have to wait in the system's queue.
const HANDSHAKES_MOST: usize = 32;
/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Connections of one peer that wait to be taken; its oldest is dropped for one more.
const WAITING_MOST: usize = 64;

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Messages of a protocol, from the side that dialed.
    Link = 1,
    /// Requests and answers.
    Control = 2,
}

/// Whether there is no use in waiting any longer.
pub(super) type Over<'a> = &'a (dyn Fn() -> bool + Sync);

/// Name of a session.
pub type SessionName = [u8; 32];

struct Arrival {
    purpose: Purpose,
    session: SessionName,
    stream: TlsStream,
}

/// Listens at one address and keeps what arrives until it is taken.
pub struct Acceptor {
    shared: Arc<Shared>,
    address: SocketAddr,
}

struct Shared {
    config: Arc<ServerConfig>,
    arrivals: Mutex<VecDeque<Arrival>>,
    arrived: Condvar,
    handshakes: AtomicUsize,
    closing: AtomicBool,
}

impl Acceptor {
    /// Listens at `address` for connections from `peers`; all others are turned away in the handshake.
    ///
    /// # Errors
    /// If the address is taken or the identity's key does not fit its certificate.
    pub fn listen(
        address: SocketAddr,
        identity: &TlsIdentity,
        peers: &[Fingerprint],
    ) -> Result<Self, StreamError> {
        let listener = TcpListener::bind(address)?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            config: identity.server(peers)?,
            arrivals: Mutex::default(),
            arrived: Condvar::new(),
            handshakes: AtomicUsize::new(0),
            closing: AtomicBool::new(false),
        });
        let accepting = shared.clone();
        std::thread::Builder::new()
            .name("accept".to_owned())
            .spawn(move || accepting.accept(&listener))?;
        Ok(Self { shared, address })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes the connection of `peer` that belongs to `session`.
    ///
    /// # Errors
    /// If none comes until `deadline`.
    pub fn link(
        &self,
        peer: Fingerprint,
        session: &SessionName,
        deadline: Instant,
    ) -> Result<TlsStream, StreamError> {
        self.link_unless(&|| false, peer, session, deadline)
    }

    /// As [`Acceptor::link`]; gives up within a tenth of a second once `over`.
    pub(super) fn link_unless(
        &self,
        over: Over<'_>,
        peer: Fingerprint,
        session: &SessionName,
        deadline: Instant,
    ) -> Result<TlsStream, StreamError> {
        loop {
            let until = deadline.min(Instant::now() + Duration::from_millis(100));
            let taken = self.take(until, |arrival| {
                arrival.purpose == Purpose::Link
                    && arrival.session == *session
                    && arrival.stream.peer() == peer
            });
            match taken {
                Err(StreamError::TimedOut) if over() => return Err(StreamError::Closed),
                Err(StreamError::TimedOut) if Instant::now() < deadline => {}
                taken => return taken.map(|arrival| arrival.stream),
            }
        }
    }

    /// Takes the next connection for requests.
    ///
    /// # Errors
    /// If none comes until `deadline`.
    pub fn control(&self, deadline: Instant) -> Result<(TlsStream, SessionName), StreamError> {
        self.take(deadline, |arrival| arrival.purpose == Purpose::Control)
            .map(|arrival| (arrival.stream, arrival.session))
    }

    fn take(
        &self,
        deadline: Instant,
        wanted: impl Fn(&Arrival) -> bool,
    ) -> Result<Arrival, StreamError> {
        let mut arrivals = self.shared.arrivals();
        loop {
            if let Some(position) = arrivals.iter().position(&wanted) {
                return Ok(arrivals.remove(position).expect("it is there"));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(StreamError::TimedOut);
            }
            let waited = self.shared.arrived.wait_timeout(arrivals, left);
            arrivals = waited.unwrap_or_else(|poison| poison.into_inner()).0;
        }
    }
}

impl Drop for Acceptor {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::Relaxed);
        // Wakes the thread that waits for connections.
        let _ = TcpStream::connect_timeout(&self.address, Duration::from_millis(200));
    }
}

impl Shared {
    fn arrivals(&self) -> MutexGuard<'_, VecDeque<Arrival>> {
        self.arrivals
            .lock()
            .unwrap_or_else(|poison| poison.into_inner())
    }

    fn accept(self: Arc<Self>, listener: &TcpListener) {
        loop {
            let accepted = listener.accept();
            if self.closing.load(Ordering::Relaxed) {
                return;
            }
            let Ok((socket, _)) = accepted else {
                // Out of file descriptors, most likely: others are about to be closed.
                std::thread::sleep(Duration::from_millis(20));
                continue;
            };
            while self.handshakes.load(Ordering::Relaxed) >= HANDSHAKES_MOST {
                std::thread::sleep(Duration::from_millis(5));
            }
            self.handshakes.fetch_add(1, Ordering::Relaxed);
            let shared = self.clone();
            let greeting = std::thread::Builder::new()
                .name("greet".to_owned())
                .spawn(move || {
                    // A stranger, or a connection that broke: it is nobody's yet, so nobody needs to know.
                    if let Ok(arrival) = greet(socket, &shared.config) {
                        let mut arrivals = shared.arrivals();
                        let same = |other: &Arrival| other.stream.peer() == arrival.stream.peer();
                        if arrivals.iter().filter(|other| same(other)).count() == WAITING_MOST {
                            let oldest = arrivals.iter().position(same);
                            oldest.map(|oldest| arrivals.remove(oldest));
                        }
                        arrivals.push_back(arrival);
                        shared.arrived.notify_all();
                    }
                    shared.handshakes.fetch_sub(1, Ordering::Relaxed);
                });
            if greeting.is_err() {
                self.handshakes.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }
}

fn greet(socket: TcpStream, config: &Arc<ServerConfig>) -> Result<Arrival, StreamError> {
    let deadline = Instant::now() + HANDSHAKE;
    let mut stream = TlsStream::accept(socket, config.clone(), deadline)?;
    let mut hello = [0; HEADER + 33];
    stream.read_exact(&mut hello, |_| deadline)?;
    let (header, name) = hello.split_at(HEADER);
    let header = Header::parse(header.try_into().expect("split there"));
    let purpose = match (header.map(|header| header.kind), name[32]) {
        (Some(Kind::Hello), 1) => Purpose::Link,
        (Some(Kind::Hello), 2) => Purpose::Control,
        _ => return Err(StreamError::Closed),
    };
    let session: SessionName = name[..32].try_into().expect("split there");
    stream.write_all(&first(Kind::Welcome, &session, 0).to_bytes(), deadline)?;
    Ok(Arrival {
        purpose,
        session,
        stream,
    })
}

/// Dials `address` until somebody listens there, and says what the connection is for.
///
/// # Errors
/// If the peer has another identity or refuses this one, or nobody answers until `deadline`.
pub fn dial(
    address: SocketAddr,
    identity: &TlsIdentity,
    peer: Fingerprint,
    purpose: Purpose,
    session: &SessionName,
    deadline: Instant,
) -> Result<TlsStream, StreamError> {
    let peer = Peer {
        address,
        fingerprint: peer,
    };
    dial_unless(&|| false, peer, identity, purpose, session, deadline)
}

/// As [`dial`]; gives up within a fifth of a second once `over`, if nobody listens.
pub(super) fn dial_unless(
    over: Over<'_>,
    peer: Peer,
    identity: &TlsIdentity,
    purpose: Purpose,
    session: &SessionName,
    deadline: Instant,
) -> Result<TlsStream, StreamError> {
    let mut pause = Duration::from_millis(2);
    loop {
        match dial_once(peer, identity, purpose, session, deadline) {
            // Nobody listens yet, or it stopped listening just now.
            Err(StreamError::Io(_) | StreamError::Closed)
                if Instant::now() + pause < deadline && !over() =>
            {
                std::thread::sleep(pause);
                pause = (pause * 2).min(Duration::from_millis(200));
            }
            result => return result,
        }
    }
}

fn dial_once(
    peer: Peer,
    identity: &TlsIdentity,
    purpose: Purpose,
    session: &SessionName,
    deadline: Instant,
) -> Result<TlsStream, StreamError> {
    let mut stream = TlsStream::connect(peer.address, identity, peer.fingerprint, deadline)?;
    let mut hello = first(Kind::Hello, session, 33).to_bytes().to_vec();
    hello.extend_from_slice(session);
    hello.push(purpose as u8);
    stream.write_all(&hello, deadline)?;
    let mut welcome = [0; HEADER];
    stream.read_exact(&mut welcome, |_| deadline)?;
    match Header::parse(&welcome) {
        Some(header) if header.kind == Kind::Welcome => Ok(stream),
        _ => Err(StreamError::Closed),
    }
}

fn first(kind: Kind, session: &SessionName, length: u64) -> Header {
    Header {
        session: session[..8].try_into().expect("eight of 32"),
        step: Step::default(),
        sequence: 0,
        length,
        kind,
    }
}
