//! Who runs when: a queue for each model, fair between identities, as many at a time as there are threads and memory.

mod options;
mod permit;
mod queue;
mod stop;

pub use options::ScheduleOptions;

pub(crate) use permit::Permit;
pub(crate) use stop::{Stop, deadline_exceeded, shutting_down};

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, oneshot};

use crate::schedule::queue::{Queue, Waiting};
use crate::{ErrorKind, ServingError, Statistics};

/// How long runs that were told to stop have for the step that they are in.
const LAST_STEP: Duration = Duration::from_secs(10);

/// Hands out permits to run. Clones are handles of the same one.
#[derive(Clone)]
pub(crate) struct Scheduler(Arc<Shared>);

pub(crate) struct Shared {
    threads: usize,
    queue: usize,
    memory: Option<u64>,
    state: Mutex<State>,
    stopping: Arc<AtomicBool>,
    /// Whether every thread has a request; else those that run share all threads.
    crowded: Arc<AtomicBool>,
    /// Told when nothing runs or waits any more.
    idle: Notify,
    statistics: Arc<Statistics>,
}

struct State {
    queue: Queue<oneshot::Sender<Permit>>,
    tickets: u64,
    /// Requests that run, and threads that are counted as theirs.
    running: usize,
    threads: usize,
    reserved: u64,
    /// Memory that waiting requests take.
    held: u64,
    /// Seconds that requests of a model take, lately.
    seconds: BTreeMap<Arc<str>, f64>,
    draining: bool,
}

/// A request for a permit.
pub(crate) struct Wanted {
    pub(crate) model: Arc<str>,
    pub(crate) identity: Arc<str>,
    /// Memory that it takes when it runs, by estimate.
    pub(crate) bytes: u64,
    /// Memory that it takes already while it waits.
    pub(crate) held: u64,
}

impl Scheduler {
    pub(crate) fn new(options: &ScheduleOptions, statistics: Arc<Statistics>) -> Self {
        let threads = match options.threads {
            0 => rayon::current_num_threads(),
            threads => threads,
        };
        Self(Arc::new(Shared {
            threads: threads.max(1),
            queue: options.queue,
            memory: options.memory,
            state: Mutex::new(State {
                queue: Queue::new(),
                tickets: 0,
                running: 0,
                threads: 0,
                reserved: 0,
                held: 0,
                seconds: BTreeMap::new(),
                draining: false,
            }),
            stopping: Arc::default(),
            crowded: Arc::default(),
            idle: Notify::new(),
            statistics,
        }))
    }

    /// Waits for a permit to run. Whoever drops the future is out of the queue.
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`] for what never fits, [`ErrorKind::Busy`] if the queue is full,
    /// [`ErrorKind::Unavailable`] while the server drains.
    pub(crate) async fn enter(&self, wanted: Wanted) -> Result<Permit, ServingError> {
        let shared = &self.0;
        if let Some(limit) = shared.memory
            && wanted.bytes > limit
        {
            return Err(ServingError::new(
                ErrorKind::TooLarge,
                format!(
                    "the request takes about {} bytes of memory, the server has {limit} for all; send fewer samples at \
                     once, or ask the operator for more",
                    wanted.bytes
                ),
            ));
        }
        let (grant, granted) = oneshot::channel();
        let ticket = {
            let mut state = shared.state();
            if state.draining {
                return Err(shutting_down());
            }
            // What is free is not queued for, even by a model without a queue.
            let free = state.queue.len() == 0 && shared.fits(&state, wanted.bytes);
            let (all, own) = state.queue.waiting_for(&wanted.model, &wanted.identity);
            let most = shared.queue - shared.queue / 4;
            let crowded = shared
                .memory
                .is_some_and(|limit| state.held + wanted.held > limit);
            if !free && (all >= shared.queue || own >= most || crowded) {
                let message = format!(
                    "{all} requests wait for model `{}`, {own} of them yours; try again later",
                    wanted.model
                );
                let retry_after = shared.retry_after(&state);
                return Err(ServingError::new(ErrorKind::Busy { retry_after }, message));
            }
            state.tickets += 1;
            state.held += wanted.held;
            let waiting = Waiting {
                ticket: state.tickets,
                estimate: state.seconds.get(&wanted.model).copied().unwrap_or(0.0),
                model: Arc::clone(&wanted.model),
                bytes: wanted.bytes,
                item: grant,
            };
            shared.statistics.model(&wanted.model).waiting.add(1);
            state.queue.push(&wanted.identity, waiting);
            state.tickets
        };
        let place = Place {
            shared,
            wanted: &wanted,
            ticket,
        };
        shared.dispatch();
        let granted = granted.await;
        drop(place);
        // The sender is dropped only when the queue is cleared.
        granted.map_err(|_| shutting_down())
    }

    /// Tells runs when to stop.
    pub(crate) fn stop(&self, deadline: Option<Instant>) -> Stop {
        let shared = &self.0;
        Stop::new(
            Arc::clone(&shared.stopping),
            Arc::clone(&shared.crowded),
            deadline,
        )
    }

    /// Whether requests are refused because the server goes down.
    pub(crate) fn is_draining(&self) -> bool {
        self.0.state().draining
    }

    /// Takes no more and waits for the rest; after `timeout` sends away who waits and stops what runs. Whether none had
    /// to be.
    pub(crate) async fn drain(&self, timeout: Duration) -> bool {
        self.0.state().draining = true;
        if tokio::time::timeout(timeout, self.idle()).await.is_ok() {
            return true;
        }
        self.0.stopping.store(true, Ordering::Relaxed);
        let waiting = self.0.state().queue.clear();
        for sent_away in waiting {
            let statistics = self.0.statistics.model(&sent_away.model);
            statistics.waiting.subtract(1);
        }
        // A step that takes even longer dies with the process.
        let _ = tokio::time::timeout(LAST_STEP, self.idle()).await;
        false
    }

    async fn idle(&self) {
        loop {
            let notified = self.0.idle.notified();
            {
                let state = self.0.state();
                if state.running == 0 && state.queue.len() == 0 {
                    return;
                }
            }
            notified.await;
        }
    }
}

impl Shared {
    /// Hands out permits while what is next fits.
    fn dispatch(self: &Arc<Self>) {
        loop {
            let (permit, grant) = {
                let mut state = self.state();
                let (threads, reserved, running) = (state.threads, state.reserved, state.running);
                let next = state
                    .queue
                    .pop(|next| self.would_fit(threads, reserved, running, next.bytes));
                let Some((identity, next)) = next else {
                    if state.running == 0 && state.queue.len() == 0 {
                        self.idle.notify_waiters();
                    }
                    return;
                };
                let statistics = self.statistics.model(&next.model);
                statistics.waiting.subtract(1);
                state.running += 1;
                self.take_threads(&mut state, 1);
                state.reserved += next.bytes;
                self.statistics.reserved_bytes.set(state.reserved);
                let permit = Permit::new(self, identity, next.model, next.bytes, next.estimate);
                (permit, next.item)
            };
            // Outside the lock: if nobody waits any more, the permit comes back here at once.
            drop(grant.send(permit));
        }
    }

    fn take_threads(&self, state: &mut State, count: usize) {
        state.threads += count;
        self.count_threads(state);
    }

    fn give_threads(&self, state: &mut State, count: usize) {
        state.threads -= count;
        self.count_threads(state);
    }

    fn count_threads(&self, state: &State) {
        let crowded = state.threads >= self.threads;
        self.crowded.store(crowded, Ordering::Relaxed);
    }

    fn fits(&self, state: &State, bytes: u64) -> bool {
        self.would_fit(state.threads, state.reserved, state.running, bytes)
    }

    fn would_fit(&self, threads: usize, reserved: u64, running: usize, bytes: u64) -> bool {
        let memory = self.memory.is_none_or(|limit| reserved + bytes <= limit);
        threads < self.threads && (memory || running == 0)
    }

    /// When a place may be free: what waits and runs, shared out over the threads.
    fn retry_after(&self, state: &State) -> Duration {
        let count = state.seconds.len().max(1) as f64;
        let mean = state.seconds.values().sum::<f64>() / count;
        let ahead = (state.queue.len() + state.running) as f64 / self.threads as f64;
        Duration::from_secs_f64((mean * ahead).clamp(0.1, 60.0))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place in the queue; left when dropped.
struct Place<'a> {
    shared: &'a Arc<Shared>,
    wanted: &'a Wanted,
    ticket: u64,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let removed = {
            let mut state = self.shared.state();
            state.held -= self.wanted.held;
            state.queue.remove(&self.wanted.identity, self.ticket)
        };
        // Who was first in line may have held up others.
        if removed.is_some() {
            let statistics = self.shared.statistics.model(&self.wanted.model);
            statistics.waiting.subtract(1);
            self.shared.dispatch();
        }
    }
}
