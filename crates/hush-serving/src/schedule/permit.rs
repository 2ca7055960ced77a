//! A permit to run: a thread, and memory, until it is dropped.

use std::sync::Arc;
use std::time::Instant;

use crate::schedule::Shared;

/// How much of the seconds that a model takes the latest request decides.
const LATEST: f64 = 0.2;

/// A permit to run.
pub(crate) struct Permit {
    shared: Arc<Shared>,
    identity: Arc<str>,
    model: Arc<str>,
    bytes: u64,
    estimate: f64,
    begun: Instant,
    /// Threads besides the first, the memory taken with them, and since when.
    wider: (usize, u64, Instant),
    /// Seconds of threads besides the first, so far.
    more_seconds: f64,
}

impl Permit {
    pub(crate) fn new(
        shared: &Arc<Shared>,
        identity: Arc<str>,
        model: Arc<str>,
        bytes: u64,
        estimate: f64,
    ) -> Self {
        let now = Instant::now();
        shared.statistics.model(&model).running.add(1);
        Self {
            shared: Arc::clone(shared),
            identity,
            model,
            bytes,
            estimate,
            begun: now,
            wider: (0, 0, now),
            more_seconds: 0.0,
        }
    }

    /// Gives back memory: it takes `bytes` from here on, if that is less.
    pub(crate) fn shrink(&mut self, bytes: u64) {
        if bytes < self.bytes {
            let less = self.bytes - bytes;
            self.bytes = bytes;
            self.release(0, less);
        }
    }

    /// Takes up to `more` threads besides its own, each with so much memory, if nobody waits for them; gives back
    /// those that it took before. How many it got.
    pub(crate) fn widen(&mut self, more: usize, bytes_each: u64) -> usize {
        self.narrow();
        if more == 0 {
            return 0;
        }
        let mut state = self.shared.state();
        if state.queue.len() > 0 {
            return 0;
        }
        let threads = more.min(self.shared.threads.saturating_sub(state.threads));
        let affordable = match self.shared.memory {
            Some(limit) if bytes_each > 0 => limit.saturating_sub(state.reserved) / bytes_each,
            _ => u64::MAX,
        };
        let threads = threads.min(usize::try_from(affordable).unwrap_or(usize::MAX));
        let bytes = bytes_each.saturating_mul(threads as u64);
        self.shared.take_threads(&mut state, threads);
        state.reserved += bytes;
        self.shared.statistics.reserved_bytes.set(state.reserved);
        self.wider = (threads, bytes, Instant::now());
        threads
    }

    fn narrow(&mut self) {
        let (threads, bytes, since) = std::mem::replace(&mut self.wider, (0, 0, self.begun));
        if threads > 0 {
            self.more_seconds += threads as f64 * since.elapsed().as_secs_f64();
            self.release(threads, bytes);
        }
    }

    fn release(&self, threads: usize, bytes: u64) {
        {
            let mut state = self.shared.state();
            self.shared.give_threads(&mut state, threads);
            state.reserved -= bytes;
            self.shared.statistics.reserved_bytes.set(state.reserved);
        }
        self.shared.dispatch();
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.narrow();
        let elapsed = self.begun.elapsed().as_secs_f64();
        self.shared
            .statistics
            .model(&self.model)
            .running
            .subtract(1);
        {
            let mut state = self.shared.state();
            let seconds = elapsed + self.more_seconds;
            state.queue.ended(&self.identity, self.estimate, seconds);
            let mean = state
                .seconds
                .entry(Arc::clone(&self.model))
                .or_insert(seconds);
            *mean += LATEST * (seconds - *mean);
            state.running -= 1;
        }
        self.release(1, self.bytes);
    }
}
