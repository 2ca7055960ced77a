//! When to try again.

use std::time::{Duration, Instant};

use crate::RemoteError;

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);
/// A server does not decide that a client waits for hours.
const LONGEST_HINT: Duration = Duration::from_secs(60);

/// Waits that double, within a total.
pub(crate) struct Backoff {
    patience: Duration,
    begun: Instant,
    next: Duration,
}

impl Backoff {
    pub(crate) fn new(patience: Duration) -> Self {
        Self {
            patience,
            begun: Instant::now(),
            next: FIRST,
        }
    }

    /// Something moved: the next failure is a first one.
    pub(crate) fn reset(&mut self) {
        *self = Self::new(self.patience);
    }

    /// Waits before another try after `error`.
    ///
    /// # Errors
    /// `error` itself if there is no use in it, or no time left.
    pub(crate) async fn wait(&mut self, error: RemoteError) -> Result<(), RemoteError> {
        if !error.is_transient() {
            return Err(error);
        }
        self.pause(error.retry_after()).await.map_err(|()| error)
    }

    /// Waits, if there is time left.
    ///
    /// # Errors
    /// If there is none.
    pub(crate) async fn pause(&mut self, hint: Option<Duration>) -> Result<(), ()> {
        let wait = self.next_wait(hint);
        if self.begun.elapsed() + wait > self.patience {
            return Err(());
        }
        tokio::time::sleep(wait).await;
        Ok(())
    }

    /// Half of it is chance, so that clients that failed together do not come back together.
    fn next_wait(&mut self, hint: Option<Duration>) -> Duration {
        let wait = self.next.max(hint.unwrap_or_default().min(LONGEST_HINT));
        self.next = (2 * self.next).min(LONGEST);
        let share = f64::from(getrandom::u32().unwrap_or(0)) / f64::from(u32::MAX);
        match hint {
            Some(_) => wait.mul_f64(1.0 + share / 4.0),
            None => wait.mul_f64(0.5 + share / 2.0),
        }
    }
}

/// Does something until it succeeds, fails for good, or `patience` is over.
///
/// # Errors
/// The last one.
pub(crate) async fn retrying<T>(
    patience: Duration,
    mut attempt: impl AsyncFnMut() -> Result<T, RemoteError>,
) -> Result<T, RemoteError> {
    let mut backoff = Backoff::new(patience);
    loop {
        match attempt().await {
            Ok(done) => return Ok(done),
            Err(error) => backoff.wait(error).await?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_hints_are_obeyed() {
        let mut backoff = Backoff::new(Duration::from_secs(1));
        assert!(backoff.next_wait(None) <= FIRST);
        assert!(backoff.next_wait(None) >= FIRST);
        let hint = Duration::from_secs(7);
        assert!(backoff.next_wait(Some(hint)) >= hint);
        let absurd = backoff.next_wait(Some(Duration::from_secs(1 << 40)));
        assert!(absurd <= 2 * LONGEST_HINT);
        for _ in 0..100 {
            assert!(backoff.next_wait(None) <= LONGEST);
        }
    }

    #[tokio::test]
    async fn only_what_may_pass_is_tried_again() {
        let broken = || RemoteError::Broken {
            server: String::new(),
            reason: String::new(),
        };
        let mut tries = 0;
        let done = retrying(Duration::from_secs(10), async || {
            tries += 1;
            if tries < 3 { Err(broken()) } else { Ok(tries) }
        });
        assert_eq!(done.await.unwrap(), 3);
        let mut tries = 0;
        let done = retrying(Duration::from_secs(10), async || {
            tries += 1;
            Err::<(), _>(RemoteError::Token)
        });
        assert!(done.await.is_err());
        assert_eq!(tries, 1);
        let done = retrying(Duration::ZERO, async || Err::<(), _>(broken()));
        assert!(done.await.is_err());
    }
}
