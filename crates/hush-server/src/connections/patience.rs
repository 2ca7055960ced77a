//! How long the body of a request may make the server wait.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hush_serving::{ErrorKind, ServingError};
use tokio::time::{Instant, Sleep, sleep};

/// A caller that sends slower than this for long is cut off, so that nobody holds memory by sending a byte at a time.
const BYTES_PER_SECOND: u64 = 64 << 10;

/// A body for which the server waits so long and no longer. Only waiting counts, not the time in which the server is
/// busy with what came.
pub(super) struct Patient {
    body: Body,
    /// What is left of the patience; a waiting second is a second, and 64 KiB that arrive bring one back.
    left: Duration,
    waiting: Option<(Instant, Pin<Box<Sleep>>)>,
    patience: Duration,
}

impl Patient {
    pub(super) fn new(body: Body, patience: Duration) -> Self {
        Self {
            body,
            left: patience,
            waiting: None,
            patience,
        }
    }
}

impl HttpBody for Patient {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(context) {
            if let Some((since, _)) = this.waiting.take() {
                this.left = this.left.saturating_sub(since.elapsed());
            }
            if let Some(Ok(frame)) = &frame
                && let Some(data) = frame.data_ref()
            {
                let nanoseconds = data.len() as u64 * (1_000_000_000 / BYTES_PER_SECOND);
                this.left = (this.left + Duration::from_nanos(nanoseconds)).min(this.patience);
            }
            return Poll::Ready(frame);
        }
        let left = this.left;
        let (_, timer) = this
            .waiting
            .get_or_insert_with(|| (Instant::now(), Box::pin(sleep(left))));
        match timer.as_mut().poll(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) => {
                let message = "the request's body did not arrive in time";
                let error = ServingError::new(ErrorKind::DeadlineExceeded, message);
                Poll::Ready(Some(Err(axum::Error::new(error))))
            }
        }
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
    use std::convert::Infallible;

    use http_body_util::BodyExt;

    use super::*;

    /// Seconds until a body that sends `size` bytes a second, for ever, is cut off; `None` after an hour.
    async fn cut_off(size: usize) -> Option<u64> {
        let parts =
            tokio_stream::StreamExt::then(tokio_stream::iter(0..3600), move |_| async move {
                sleep(Duration::from_secs(1)).await;
                Ok::<_, Infallible>(Bytes::from(vec![0; size]))
            });
        let begun = Instant::now();
        let mut body = Patient::new(Body::from_stream(parts), Duration::from_secs(30));
        while let Some(frame) = body.frame().await {
            if frame.is_err() {
                return Some(begun.elapsed().as_secs());
            }
        }
        None
    }

    #[tokio::test(start_paused = true)]
    async fn a_byte_at_a_time_is_too_slow() {
        assert_eq!(cut_off(1).await, Some(30));
        assert!(cut_off(32 << 10).await.unwrap() < 65);
        assert_eq!(cut_off(64 << 10).await, None);
    }
}
