//! Whether anything happens on a connection: what makes the server wait too long is closed.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::Instant;

/// What happens on one connection.
#[derive(Debug)]
pub(super) struct Activity {
    since: Instant,
    /// Milliseconds from `since` to the last thing that happened.
    last: AtomicU64,
    /// Requests that the server works on: then it is not the caller who is slow.
    working: AtomicUsize,
    requests: AtomicU64,
}

impl Activity {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            since: Instant::now(),
            last: AtomicU64::new(0),
            working: AtomicUsize::new(0),
            requests: AtomicU64::new(0),
        })
    }

    fn touch(&self) {
        let now = self.since.elapsed().as_millis() as u64;
        self.last.store(now, Ordering::Relaxed);
    }

    /// Begins work on a request.
    pub(super) fn begin(self: &Arc<Self>) -> Work {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.working.fetch_add(1, Ordering::Relaxed);
        self.touch();
        Work(Arc::clone(self))
    }

    /// Returns when the connection has done nothing for too long: `header` until its first request, `idle` later.
    pub(super) async fn until_idle(&self, header: Duration, idle: Duration) {
        loop {
            let patience = match self.requests.load(Ordering::Relaxed) {
                0 => header,
                _ => idle,
            };
            let last = self.since + Duration::from_millis(self.last.load(Ordering::Relaxed));
            let now = Instant::now();
            let end = if self.working.load(Ordering::Relaxed) > 0 {
                now + patience
            } else {
                last + patience
            };
            if end <= now {
                return;
            }
            tokio::time::sleep_until(end).await;
        }
    }
}

/// Work on a request; over when it is dropped.
#[derive(Debug)]
pub(super) struct Work(Arc<Activity>);

impl Work {
    /// Ends with the work on a request, or with the last byte of its answer if the caller may take as long as
    /// it wants.
    pub(super) fn answered(self, patient: bool, body: Body) -> Body {
        let activity = Arc::clone(&self.0);
        let work = patient.then_some(self);
        if body.is_end_stream() {
            return body;
        }
        Body::new(Watched {
            body,
            activity,
            _work: work,
        })
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.0.touch();
        self.0.working.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The body of an answer: each part that the caller takes is something that happens.
struct Watched {
    body: Body,
    activity: Arc<Activity>,
    _work: Option<Work>,
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.activity.touch();
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn idle_connections_end_and_busy_ones_do_not() {
        let (header, idle) = (Duration::from_secs(1), Duration::from_secs(10));
        let activity = Activity::new();
        let begun = Instant::now();
        activity.until_idle(header, idle).await;
        assert_eq!(begun.elapsed(), header);

        let activity = Activity::new();
        let begun = Instant::now();
        let work = activity.begin();
        let ended = activity.until_idle(header, idle);
        let worked = async {
            tokio::time::sleep(Duration::from_secs(60)).await;
            drop(work);
        };
        tokio::join!(ended, worked);
        assert_eq!(begun.elapsed(), Duration::from_secs(70));
    }
}
