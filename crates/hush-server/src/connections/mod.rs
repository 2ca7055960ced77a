//! Connections: let in within limits, encrypted, and closed when they make the server wait.

mod activity;
mod admission;
mod patience;
pub(crate) mod tls;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

use activity::Activity;
use admission::{Admission, Permit};
use patience::Patient;

/// Bytes that may arrive on a stream or a connection of HTTP/2 before the server has dealt with them. Enough for
/// 100 MB a second over 10 ms; with the limit of connections it bounds what callers can make the server hold.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 2 << 20;
/// Most bytes of an HTTP/2 frame: ciphertexts arrive in few.
const FRAME: u32 = 256 << 10;
/// Longest pause after a failure to accept, such as too many open files.
const PAUSE: Duration = Duration::from_millis(100);
/// How long a connection that is asked to end may take.
const FAREWELL: Duration = Duration::from_secs(5);

/// Bounds on connections.
#[derive(Clone, Debug)]
pub(crate) struct ConnectionLimits {
    pub(crate) total: usize,
    pub(crate) per_address: usize,
    pub(crate) streams: u32,
    pub(crate) header: u32,
    pub(crate) handshake_timeout: Duration,
    pub(crate) header_timeout: Duration,
    pub(crate) body_timeout: Duration,
    pub(crate) idle_timeout: Duration,
    pub(crate) keep_alive: Duration,
}

/// Who is at the other end; among the extensions of each request.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    /// Common name of the verified certificate that it showed.
    pub(crate) certificate: Option<Arc<str>>,
}

/// Counts what happens to the connections of a listener.
#[derive(Debug, Default)]
pub(crate) struct ConnectionStatistics {
    /// Let in so far.
    pub(crate) accepted: AtomicU64,
    /// Turned away for a limit.
    pub(crate) refused: AtomicU64,
    /// Open now.
    pub(crate) open: AtomicU64,
}

/// A listener and what it takes to serve its connections.
pub(crate) struct Listener {
    pub(crate) tcp: TcpListener,
    pub(crate) tls: Option<TlsAcceptor>,
    pub(crate) limits: ConnectionLimits,
    pub(crate) router: Router,
    pub(crate) statistics: Arc<ConnectionStatistics>,
}

impl Listener {
    /// Serves until `stop` becomes true, and then until every connection has ended, which those that linger are made to.
    pub(crate) async fn serve(self, mut stop: watch::Receiver<bool>) {
        let admission = Admission::new(self.limits.total, self.limits.per_address);
        let builder = Arc::new(builder(&self.limits));
        let (alive, mut ended) = tokio::sync::mpsc::channel::<Infallible>(1);
        loop {
            let accepted = tokio::select! {
                accepted = self.tcp.accept() => accepted,
                _ = stop.wait_for(|&stop| stop) => break,
            };
            let (stream, address) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            let Some(permit) = admission.admit(address.ip()) else {
                self.statistics.refused.fetch_add(1, Ordering::Relaxed);
                continue;
            };
            self.statistics.accepted.fetch_add(1, Ordering::Relaxed);
            self.statistics.open.fetch_add(1, Ordering::Relaxed);
            let connection = Connection {
                builder: Arc::clone(&builder),
                tls: self.tls.clone(),
                limits: self.limits.clone(),
                router: self.router.clone(),
                statistics: Arc::clone(&self.statistics),
                stop: stop.clone(),
                _permit: permit,
                _alive: alive.clone(),
            };
            tokio::spawn(connection.run(stream, address));
        }
        drop((self.tcp, alive));
        // Nothing is ever sent: this ends when the last connection is gone.
        let _ = ended.recv().await;
    }
}

fn builder(limits: &ConnectionLimits) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        // Also how long it waits for the next request; the first one has less time, see `Activity`.
        .header_read_timeout(limits.idle_timeout)
        .max_buf_size(limits.header as usize);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(limits.header)
        .max_concurrent_streams(limits.streams)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_frame_size(FRAME)
        .keep_alive_interval(limits.keep_alive)
        .keep_alive_timeout(limits.keep_alive);
    builder
}

struct Connection {
    builder: Arc<Builder<TokioExecutor>>,
    tls: Option<TlsAcceptor>,
    limits: ConnectionLimits,
    router: Router,
    statistics: Arc<ConnectionStatistics>,
    stop: watch::Receiver<bool>,
    _permit: Permit,
    _alive: tokio::sync::mpsc::Sender<Infallible>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.statistics.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Connection {
    async fn run(self, stream: TcpStream, address: SocketAddr) {
        // Answers are written whole; waiting for more to send only delays them.
        let _ = stream.set_nodelay(true);
        let mut peer = Peer {
            address,
            certificate: None,
        };
        let Some(tls) = &self.tls else {
            return self.serve(stream, peer).await;
        };
        let handshake = tls.accept(stream);
        match tokio::time::timeout(self.limits.handshake_timeout, handshake).await {
            Ok(Ok(stream)) => {
                let (_, session) = stream.get_ref();
                let shown = session.peer_certificates().and_then(<[_]>::first);
                peer.certificate = shown.and_then(tls::common_name).map(Arc::from);
                self.serve(stream, peer).await;
            }
            Ok(Err(error)) => tracing::debug!(%address, %error, "TLS handshake failed"),
            Err(_) => tracing::debug!(%address, "TLS handshake took too long"),
        }
    }

    async fn serve(mut self, stream: impl AsyncRead + AsyncWrite + Unpin + 'static, peer: Peer) {
        let activity = Activity::new();
        let service = service_fn(|request: Request<Incoming>| {
            let (router, peer) = (self.router.clone(), peer.clone());
            answer(
                router,
                peer,
                Arc::clone(&activity),
                self.limits.body_timeout,
                request,
            )
        });
        let connection = self.builder.serve_connection(TokioIo::new(stream), service);
        tokio::pin!(connection);
        let (header, idle) = (self.limits.header_timeout, self.limits.idle_timeout);
        let ended = tokio::select! {
            ended = &mut connection => Some(ended),
            () = activity.until_idle(header, idle) => None,
            _ = self.stop.wait_for(|&stop| stop) => None,
        };
        if ended.is_none() {
            connection.as_mut().graceful_shutdown();
            let _ = tokio::time::timeout(FAREWELL, connection).await;
        }
    }
}

/// Callers of these may be silent for as long as they like; whether they are still there is asked by HTTP/2.
fn is_conversation(path: &str) -> bool {
    path.ends_with("/ModelStreamInfer")
        || path.ends_with("/Watch")
        || path.ends_with("/ServerReflectionInfo")
}

async fn answer(
    router: Router,
    peer: Peer,
    activity: Arc<Activity>,
    patience: Duration,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let work = activity.begin();
    let conversation = is_conversation(request.uri().path());
    let mut request = request.map(|body| {
        let body = Body::new(body);
        if conversation {
            body
        } else {
            Body::new(Patient::new(body, patience))
        }
    });
    request.extensions_mut().insert(peer);
    let response = router.oneshot(request).await?;
    Ok(response.map(|body| work.answered(conversation, body)))
}
