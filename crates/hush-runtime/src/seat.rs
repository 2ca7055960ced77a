//! Threads that compute alone, for runs side by side.

use std::sync::{Mutex, PoisonError};

use rayon::ThreadPool;

use crate::RuntimeError;

/// Those that nobody has; never more than were once in use together.
static FREE: Mutex<Vec<ThreadPool>> = Mutex::new(Vec::new());

/// A thread of one's own, with loops that know it: they neither split their work nor wait for others. Free again when
/// dropped.
pub(crate) struct Seat(Option<ThreadPool>);

impl Seat {
    pub(crate) fn take() -> Result<Self, RuntimeError> {
        let free = FREE.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let pool = match free {
            Some(pool) => pool,
            None => rayon::ThreadPoolBuilder::new()
                .num_threads(1)
                .thread_name(|_| "hush-seat".into())
                .build()
                .map_err(RuntimeError::Threads)?,
        };
        Ok(Self(Some(pool)))
    }

    /// Does the work on that thread.
    pub(crate) fn install<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        match &self.0 {
            Some(pool) => pool.install(work),
            None => work(),
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
        free.extend(self.0.take());
    }
}

/// Where a run computes: on the current rayon pool, or on a seat that it has from the first time it needs one.
#[derive(Default)]
pub(crate) struct Place {
    seat: Option<Seat>,
}

impl Place {
    /// Does the work on one thread if `alone`, else on the current pool.
    pub(crate) fn perform<R: Send>(
        &mut self,
        alone: bool,
        work: impl FnOnce() -> R + Send,
    ) -> Result<R, RuntimeError> {
        if !alone || rayon::current_num_threads() == 1 {
            // On a thread of the pool: from outside, each of many short loops would wait to be woken.
            return Ok(rayon::scope(|_| work()));
        }
        let seat = match self.seat.take() {
            Some(seat) => seat,
            None => Seat::take()?,
        };
        Ok(self.seat.insert(seat).install(work))
    }
}
