//! Tells a run between the steps of its program whether to go on, and on how many threads.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use hush_program::{Instruction, Observer};

use crate::{ErrorKind, ServingError};

/// Whether to go on. Clones see the same.
#[derive(Clone)]
pub(crate) struct Stop {
    cancelled: Arc<AtomicBool>,
    /// The server goes down.
    stopping: Arc<AtomicBool>,
    deadline: Option<Instant>,
    /// Every thread has a request of its own.
    crowded: Arc<AtomicBool>,
}

/// Cancels when it is dropped.
pub(crate) struct CancelOnDrop(Arc<AtomicBool>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Stop {
    pub(crate) fn new(
        stopping: Arc<AtomicBool>,
        crowded: Arc<AtomicBool>,
        deadline: Option<Instant>,
    ) -> Self {
        Self {
            crowded,
            cancelled: Arc::default(),
            stopping,
            deadline,
        }
    }

    /// To be kept by whoever waits for the result.
    pub(crate) fn cancel_on_drop(&self) -> CancelOnDrop {
        CancelOnDrop(Arc::clone(&self.cancelled))
    }

    /// Why not to go on, if there is a reason.
    pub(crate) fn reason(&self) -> Option<ServingError> {
        if self.cancelled.load(Ordering::Relaxed) {
            let message = "the caller went away";
            return Some(ServingError::new(ErrorKind::Cancelled, message));
        }
        if self
            .deadline
            .is_some_and(|deadline| deadline <= Instant::now())
        {
            return Some(deadline_exceeded());
        }
        if self.stopping.load(Ordering::Relaxed) {
            return Some(shutting_down());
        }
        None
    }
}

impl Observer for Stop {
    fn before(&mut self, _: usize, _: usize, _: &Instruction) -> ControlFlow<()> {
        match self.reason() {
            Some(_) => ControlFlow::Break(()),
            None => ControlFlow::Continue(()),
        }
    }

    fn alone(&self) -> bool {
        self.crowded.load(Ordering::Relaxed)
    }
}

pub(crate) fn deadline_exceeded() -> ServingError {
    ServingError::new(
        ErrorKind::DeadlineExceeded,
        "the deadline passed before the answer was there; allow more time, or send fewer samples at once",
    )
}

pub(crate) fn shutting_down() -> ServingError {
    ServingError::new(
        ErrorKind::Unavailable,
        "the server is shutting down; ask another one, or later",
    )
}
