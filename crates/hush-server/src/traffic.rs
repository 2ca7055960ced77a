//! Requests counted by protocol and status, and their numbers.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hush_serving::Histogram;

/// What all requests have in common. Clones count together.
#[derive(Clone)]
pub(crate) struct Traffic(Arc<Inner>);

struct Inner {
    /// Different at each start, so that numbers of requests are not repeated.
    start: u64,
    next: AtomicU64,
    /// By protocol (gRPC or not) and status.
    counts: Mutex<BTreeMap<(bool, u16), u64>>,
    durations: [Histogram; 2],
}

impl Traffic {
    pub(crate) fn new() -> Self {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Self(Arc::new(Inner {
            start: since.map_or(0, |since| since.as_nanos() as u64),
            next: AtomicU64::new(0),
            counts: Mutex::default(),
            durations: Default::default(),
        }))
    }

    /// A number for a request.
    pub(crate) fn next_id(&self) -> String {
        let number = self.0.next.fetch_add(1, Ordering::Relaxed);
        format!("{:x}-{number:x}", self.0.start)
    }

    /// Counts a request.
    pub(crate) fn count(&self, grpc: bool, status: u16, duration: Duration) {
        self.0.durations[usize::from(grpc)].record(duration);
        let mut counts = self.0.counts.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry((grpc, status)).or_default() += 1;
    }

    /// Requests by protocol (gRPC or not) and status.
    pub(crate) fn counts(&self) -> BTreeMap<(bool, u16), u64> {
        let counts = self.0.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.clone()
    }

    /// Times until the first byte of an answer.
    pub(crate) fn durations(&self, grpc: bool) -> &Histogram {
        &self.0.durations[usize::from(grpc)]
    }
}
