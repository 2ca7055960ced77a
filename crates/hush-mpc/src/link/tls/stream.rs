//! One TLS connection over TCP, driven without ever blocking inside the system for longer than a deadline.

use std::io::{ErrorKind, IoSlice, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, Connection, ServerConfig, ServerConnection};

use super::identity::{Fingerprint, TlsIdentity};

/// Bytes read from the system at once.
const BUFFER: usize = 256 << 10;
/// How long a reader looks again and again before it sleeps. Waking a thread costs about as much.
const SPIN: Duration = Duration::from_micros(40);

/// A TLS 1.3 connection with a pinned peer.
pub struct TlsStream {
    socket: TcpStream,
    connection: Connection,
    /// Encrypted bytes that are not yet with the TLS library: `buffer[start..end]`.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    peer: Fingerprint,
}

/// Why a connection failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StreamError {
    /// The other side closed it.
    #[error("the connection was closed")]
    Closed,
    /// Nothing came, or nothing could be sent, for too long.
    #[error("no answer in time")]
    TimedOut,
    /// The other side shows another certificate than the pinned one.
    #[error("the other side shows another certificate than the one that is pinned")]
    Identity,
    /// The other side refused this side's certificate.
    #[error(
        "the other side refused this party's certificate; compare the fingerprints on both sides"
    )]
    Refused,
    /// Bytes that are not TLS, or were changed on their way.
    #[error("TLS failed: {0}")]
    Tls(rustls::Error),
    /// The system failed.
    #[error("{0}")]
    Io(std::io::Error),
}

impl From<std::io::Error> for StreamError {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe
            | ErrorKind::NotConnected
            | ErrorKind::UnexpectedEof => Self::Closed,
            ErrorKind::TimedOut => Self::TimedOut,
            _ => Self::Io(error),
        }
    }
}

impl From<rustls::Error> for StreamError {
    fn from(error: rustls::Error) -> Self {
        match error {
            rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented => {
                Self::Identity
            }
            rustls::Error::AlertReceived(
                rustls::AlertDescription::AccessDenied
                | rustls::AlertDescription::BadCertificate
                | rustls::AlertDescription::CertificateUnknown
                | rustls::AlertDescription::CertificateRequired
                | rustls::AlertDescription::UnknownCA,
            ) => Self::Refused,
            error => Self::Tls(error),
        }
    }
}

impl TlsStream {
    /// Bytes encrypted before the system is given some.
    pub const PIECE: usize = 128 << 10;

    /// Dials `address` and takes only a peer with the fingerprint `peer`.
    ///
    /// # Errors
    /// If nobody listens, the handshake fails or takes longer than until `deadline`.
    pub fn connect(
        address: SocketAddr,
        identity: &TlsIdentity,
        peer: Fingerprint,
        deadline: Instant,
    ) -> Result<Self, StreamError> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(StreamError::TimedOut);
        }
        let socket = TcpStream::connect_timeout(&address, left)?;
        let name = ServerName::try_from("party.hushml").expect("it is a name");
        let connection = ClientConnection::new(identity.client(peer)?, name)?;
        Self::start(socket, connection.into(), deadline)
    }

    /// Answers a dialer; [`TlsStream::peer`] says who it is.
    ///
    /// # Errors
    /// If the handshake fails or takes longer than until `deadline`.
    pub(super) fn accept(
        socket: TcpStream,
        config: Arc<ServerConfig>,
        deadline: Instant,
    ) -> Result<Self, StreamError> {
        Self::start(socket, ServerConnection::new(config)?.into(), deadline)
    }

    fn start(
        socket: TcpStream,
        mut connection: Connection,
        deadline: Instant,
    ) -> Result<Self, StreamError> {
        socket.set_nodelay(true)?;
        socket.set_nonblocking(true)?;
        connection.set_buffer_limit(None);
        let mut stream = Self {
            socket,
            connection,
            buffer: vec![0; BUFFER],
            start: 0,
            end: 0,
            peer: Fingerprint([0; 32]),
        };
        while stream.connection.is_handshaking() {
            stream.flush(deadline)?;
            if stream.connection.is_handshaking() {
                stream.fill(deadline)?;
            }
        }
        stream.flush(deadline)?;
        let certificates = stream.connection.peer_certificates().unwrap_or_default();
        let certificate = certificates.first().ok_or(StreamError::Identity)?;
        stream.peer = Fingerprint::of(certificate);
        Ok(stream)
    }

    /// Who is on the other side.
    pub fn peer(&self) -> Fingerprint {
        self.peer
    }

    /// A secret that only the two ends of this connection know.
    ///
    /// # Errors
    /// If the TLS library refuses.
    pub fn exported_secret(&self, label: &[u8], context: &[u8]) -> Result<[u8; 32], StreamError> {
        Ok(self
            .connection
            .export_keying_material([0; 32], label, Some(context))?)
    }

    /// Fills `into`; `heard` is told of every read that brought bytes.
    ///
    /// # Errors
    /// If the connection ends or fails first, or `deadline` (asked again after each read) passes.
    pub fn read_exact(
        &mut self,
        into: &mut [u8],
        mut deadline: impl FnMut(Heard) -> Instant,
    ) -> Result<(), StreamError> {
        let mut filled = 0;
        let mut until = deadline(Heard::Nothing);
        while filled < into.len() {
            match self.connection.reader().read(&mut into[filled..]) {
                Ok(0) => return Err(StreamError::Closed),
                Ok(count) => filled += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if self.fill(until)? {
                        until = deadline(Heard::Bytes);
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Reads what is there, at least one byte, into `into`, which is not empty. After [`StreamError::TimedOut`] nothing
    /// is lost and reading may go on.
    ///
    /// # Errors
    /// If the connection ends or fails, or nothing comes until `deadline`.
    pub fn read_some(&mut self, into: &mut [u8], deadline: Instant) -> Result<usize, StreamError> {
        loop {
            match self.connection.reader().read(into) {
                Ok(0) => return Err(StreamError::Closed),
                Ok(count) => return Ok(count),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.fill(deadline)?;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Sends `bytes`. After [`StreamError::TimedOut`] of at most [`TlsStream::PIECE`] bytes [`TlsStream::flush`] goes on.
    ///
    /// # Errors
    /// If the connection fails or `deadline` passes.
    pub fn write_all(&mut self, bytes: &[u8], deadline: Instant) -> Result<(), StreamError> {
        for piece in bytes.chunks(Self::PIECE) {
            self.encrypt(&[piece])?;
            self.flush(deadline)?;
        }
        Ok(())
    }

    /// Encrypts `parts` as one message and gives the system what it takes at once. True if that was everything.
    pub(super) fn write_now(&mut self, parts: &[&[u8]]) -> Result<bool, StreamError> {
        self.encrypt(parts)?;
        self.flush_now()
    }

    fn encrypt(&mut self, parts: &[&[u8]]) -> Result<(), StreamError> {
        let slices: Vec<IoSlice<'_>> = parts.iter().map(|part| IoSlice::new(part)).collect();
        let count = self.connection.writer().write_vectored(&slices)?;
        let all: usize = parts.iter().map(|part| part.len()).sum();
        assert_eq!(
            count, all,
            "without a limit on its buffer the library takes everything"
        );
        Ok(())
    }

    fn flush_now(&mut self) -> Result<bool, StreamError> {
        while self.connection.wants_write() {
            match self.connection.write_tls(&mut self.socket) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(true)
    }

    /// Gives the system everything that is encrypted.
    ///
    /// # Errors
    /// If the connection fails or `deadline` passes; it may be called again then.
    pub fn flush(&mut self, deadline: Instant) -> Result<(), StreamError> {
        while !self.flush_now()? {
            self.wait(PollFlags::OUT, deadline)?;
        }
        Ok(())
    }

    /// Reads from the system what is there, waiting if nothing is. False if everything came from the buffer.
    fn fill(&mut self, deadline: Instant) -> Result<bool, StreamError> {
        let mut heard = false;
        if self.start == self.end {
            let spin_until = Instant::now() + SPIN;
            loop {
                match self.socket.read(&mut self.buffer) {
                    Ok(0) => return Err(StreamError::Closed),
                    Ok(count) => {
                        (self.start, self.end) = (0, count);
                        heard = true;
                        break;
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        if Instant::now() < spin_until {
                            std::thread::yield_now();
                        } else {
                            self.wait(PollFlags::IN, deadline)?;
                        }
                    }
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        while self.start < self.end && self.connection.wants_read() {
            let mut rest = &self.buffer[self.start..self.end];
            let count = self.connection.read_tls(&mut rest)?;
            self.start += count;
            if let Err(error) = self.connection.process_new_packets() {
                // The other side should learn why.
                let _ = self.flush_now();
                return Err(error.into());
            }
        }
        Ok(heard)
    }

    fn wait(&self, what: PollFlags, deadline: Instant) -> Result<(), StreamError> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(StreamError::TimedOut);
        }
        let time = Timespec {
            tv_sec: left.as_secs() as i64,
            tv_nsec: i64::from(left.subsec_nanos()) as _,
        };
        let mut sockets = [PollFd::new(&self.socket, what)];
        match poll(&mut sockets, Some(&time)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(StreamError::Io(error.into())),
        }
    }

    /// A second handle of the socket.
    pub(super) fn socket(&self) -> Result<TcpStream, std::io::Error> {
        self.socket.try_clone()
    }

    /// Says goodbye, so that the other side knows that nothing is missing. What cannot be sent at once is not.
    pub(super) fn close(&mut self) {
        self.connection.send_close_notify();
        let _ = self.flush_now();
        let _ = self.socket.shutdown(std::net::Shutdown::Write);
    }
}

/// What a reader has just met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// It begins to read.
    Nothing,
    /// Bytes came.
    Bytes,
}
