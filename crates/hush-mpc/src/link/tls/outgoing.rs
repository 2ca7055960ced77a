//! The sending half of a link to one peer: a bounded queue and the thread that empties it.
//!
//! A short message goes out on the caller's own thread when nothing waits before it, which saves a change of threads in
//! every round.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::super::Step;
use super::Timing;
use super::frame::{HEADER, Header, Kind};
use super::stream::{StreamError, TlsStream};

/// Longest message that the caller's thread sends itself: four TLS records, well inside a socket's buffer.
const INLINE: usize = 64 << 10;

pub(super) struct Outgoing {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    session: [u8; 8],
    sequence: u64,
    patience: Duration,
    window: usize,
    /// A second handle of the stream's socket, to wake a writer that hangs.
    socket: std::net::TcpStream,
    /// How long the end of the link waits for the rest of the queue.
    grace: Duration,
}

struct Shared {
    queue: Mutex<Queue>,
    /// Something to write, or to end.
    ready: Condvar,
    /// Something was written.
    space: Condvar,
    stream: Mutex<TlsStream>,
}

#[derive(Default)]
struct Queue {
    frames: VecDeque<Vec<u8>>,
    bytes: usize,
    /// Somebody holds the stream.
    busy: bool,
    /// The stream holds encrypted bytes that the system did not take.
    behind: bool,
    closing: bool,
    /// The writer is gone.
    done: bool,
    failure: Option<StreamError>,
    /// Whom this party waits for, and where, for heartbeats.
    waiting: Option<(usize, Step)>,
}

impl Outgoing {
    pub(super) fn start(
        stream: TlsStream,
        session: [u8; 8],
        timing: Timing,
        name: String,
    ) -> Result<Self, std::io::Error> {
        let socket = stream.socket()?;
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            ready: Condvar::new(),
            space: Condvar::new(),
            stream: Mutex::new(stream),
        });
        let writing = shared.clone();
        let thread = std::thread::Builder::new().name(name).spawn(move || {
            writing.write(session, timing);
            writing.queue().done = true;
            writing.space.notify_all();
        })?;
        Ok(Self {
            shared,
            thread: Some(thread),
            session,
            sequence: 0,
            patience: timing.patience,
            window: timing.window,
            socket,
            grace: timing.silence,
        })
    }

    /// Queues a message.
    pub(super) fn send(&mut self, step: Step, bytes: &[u8]) -> Result<(), StreamError> {
        let header = Header {
            session: self.session,
            step,
            sequence: self.sequence,
            length: bytes.len() as u64,
            kind: Kind::Data,
        };
        self.sequence += 1;
        self.put(&header.to_bytes(), bytes)
    }

    /// Queues the reason why this party gives up.
    pub(super) fn fail(&mut self, step: Step, report: &[u8]) {
        let header = Header {
            session: self.session,
            step,
            sequence: self.sequence,
            length: report.len() as u64,
            kind: Kind::Failure,
        };
        self.grace = self.grace.min(Duration::from_secs(1));
        let mut frame = header.to_bytes().to_vec();
        frame.extend_from_slice(report);
        let mut queue = self.shared.queue();
        queue.bytes += frame.len();
        queue.frames.push_back(frame);
        self.shared.ready.notify_one();
    }

    /// Whether the next message has to wait until the peer reads.
    pub(super) fn is_full(&self) -> bool {
        self.shared.queue().bytes >= self.window
    }

    /// What heartbeats say about this party.
    pub(super) fn waiting(&self, waiting: Option<(usize, Step)>) {
        self.shared.queue().waiting = waiting;
    }

    fn put(&mut self, header: &[u8; HEADER], bytes: &[u8]) -> Result<(), StreamError> {
        let shared = &*self.shared;
        let mut queue = shared.queue();
        if let Some(failure) = queue.failure.take() {
            return Err(failure);
        }
        let idle = queue.frames.is_empty() && !queue.busy && !queue.behind;
        if idle && bytes.len() <= INLINE {
            queue.busy = true;
            drop(queue);
            let written = shared.stream().write_now(&[header, bytes]);
            let mut queue = shared.queue();
            queue.busy = false;
            queue.behind = !written?;
            if queue.behind || !queue.frames.is_empty() {
                shared.ready.notify_one();
            }
            return Ok(());
        }
        let deadline = Instant::now() + self.patience;
        while queue.bytes >= self.window {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(StreamError::TimedOut);
            }
            let waited = shared.space.wait_timeout(queue, left);
            queue = waited.unwrap_or_else(|poison| poison.into_inner()).0;
            if let Some(failure) = queue.failure.take() {
                return Err(failure);
            }
        }
        let mut frame = Vec::with_capacity(HEADER + bytes.len());
        frame.extend_from_slice(header);
        frame.extend_from_slice(bytes);
        queue.bytes += frame.len();
        queue.frames.push_back(frame);
        shared.ready.notify_one();
        Ok(())
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        let mut queue = self.shared.queue();
        queue.closing = true;
        self.shared.ready.notify_one();
        let deadline = Instant::now() + self.grace;
        while !queue.done {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let _ = self.socket.shutdown(std::net::Shutdown::Both);
                break;
            }
            let waited = self.shared.space.wait_timeout(queue, left);
            queue = waited.unwrap_or_else(|poison| poison.into_inner()).0;
        }
        drop(queue);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue
            .lock()
            .unwrap_or_else(|poison| poison.into_inner())
    }

    fn stream(&self) -> MutexGuard<'_, TlsStream> {
        self.stream
            .lock()
            .unwrap_or_else(|poison| poison.into_inner())
    }

    /// Writes frames until the link ends; when none come for a while, a heartbeat.
    fn write(&self, session: [u8; 8], timing: Timing) {
        let mut queue = self.queue();
        let mut beat = Instant::now() + timing.heartbeat;
        loop {
            if queue.busy {
                queue = self.wait(queue, timing.heartbeat);
                continue;
            }
            let (frame, counted) = if let Some(frame) = queue.frames.pop_front() {
                let bytes = frame.len();
                (frame, bytes)
            } else if queue.behind {
                (Vec::new(), 0)
            } else if queue.closing {
                queue.busy = true;
                drop(queue);
                self.stream().close();
                return;
            } else {
                let left = beat.saturating_duration_since(Instant::now());
                if !left.is_zero() {
                    queue = self.wait(queue, left);
                    continue;
                }
                (heartbeat(session, queue.waiting), 0)
            };
            queue.busy = true;
            drop(queue);
            beat = Instant::now() + timing.heartbeat;
            let deadline = Instant::now() + timing.patience;
            let result = {
                let mut stream = self.stream();
                stream
                    .flush(deadline)
                    .and_then(|()| stream.write_all(&frame, deadline))
            };
            queue = self.queue();
            queue.busy = false;
            queue.behind = false;
            queue.bytes -= counted;
            self.space.notify_one();
            if let Err(error) = result {
                queue.failure = Some(error);
                queue.frames.clear();
                // Later sends find the failure; they would find a dead stream otherwise.
                queue.behind = true;
                return;
            }
        }
    }

    fn wait<'q>(&self, queue: MutexGuard<'q, Queue>, time: Duration) -> MutexGuard<'q, Queue> {
        let waited = self.ready.wait_timeout(queue, time);
        waited.unwrap_or_else(|poison| poison.into_inner()).0
    }
}

fn heartbeat(session: [u8; 8], waiting: Option<(usize, Step)>) -> Vec<u8> {
    let (sequence, step) =
        waiting.map_or((0, Step::default()), |(peer, step)| (peer as u64 + 1, step));
    let header = Header {
        session,
        step,
        sequence,
        length: 0,
        kind: Kind::Heartbeat,
    };
    header.to_bytes().to_vec()
}
