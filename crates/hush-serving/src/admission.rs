//! Bounds the memory that the bodies of all requests take together while they arrive.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};

use crate::{ErrorKind, ServingError};

/// When to come back if the bodies of others take all of the memory for bodies.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The memory for bodies that are being received or worked on. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct BodyMemory(Arc<AtomicU64>);

impl BodyMemory {
    /// This many bytes.
    pub(crate) fn new(bytes: u64) -> Self {
        Self(Arc::new(AtomicU64::new(bytes)))
    }

    fn take(&self, bytes: u64) -> Result<(), ServingError> {
        let taken = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |free| {
                free.checked_sub(bytes)
            });
        taken.map(|_| ()).map_err(|_| {
            let kind = ErrorKind::Busy {
                retry_after: RETRY_AFTER,
            };
            ServingError::new(
                kind,
                "the server is receiving as much as its memory holds; try again",
            )
        })
    }
}

/// What one request takes of the memory for bodies; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct BodyShare {
    memory: BodyMemory,
    bytes: AtomicU64,
}

impl BodyShare {
    fn take(&self, bytes: u64) -> Result<(), ServingError> {
        self.memory.take(bytes)?;
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        Ok(())
    }

    /// Gives back what arrived so far: the handler has dealt with it, and more will come.
    pub(crate) fn give_back(&self) {
        let bytes = self.bytes.swap(0, Ordering::Relaxed);
        self.memory.0.fetch_add(bytes, Ordering::Relaxed);
    }
}

impl Drop for BodyShare {
    fn drop(&mut self) {
        self.give_back();
    }
}

/// A body whose bytes are counted as they arrive.
struct CountedBody {
    body: Body,
    share: Arc<BodyShare>,
}

impl HttpBody for CountedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(data) = frame.data_ref()
            && let Err(error) = self.share.take(data.len() as u64)
        {
            return Poll::Ready(Some(Err(axum::Error::new(error))));
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Middleware: counts the body of a request until it is answered. Handlers of long streams find its [`BodyShare`] among
/// the extensions and give back what they have dealt with.
pub(crate) async fn count_body(
    State(memory): State<BodyMemory>,
    request: Request,
    next: Next,
) -> Response {
    if request.body().is_end_stream() {
        return next.run(request).await;
    }
    let share = Arc::new(BodyShare {
        memory,
        bytes: AtomicU64::new(0),
    });
    let counted = Arc::clone(&share);
    let mut request = request.map(|body| {
        Body::new(CountedBody {
            body,
            share: counted,
        })
    });
    request.extensions_mut().insert(Arc::clone(&share));
    next.run(request).await
}

/// What ended a body, from below whatever wraps it.
///
/// # Errors
/// What is not of this crate.
pub(crate) fn reason(error: axum::Error) -> Result<ServingError, axum::BoxError> {
    let mut inner = error.into_inner();
    loop {
        inner = match inner.downcast::<axum::Error>() {
            Ok(error) => error.into_inner(),
            Err(other) => return other.downcast::<ServingError>().map(|error| *error),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_is_free_again() {
        let memory = BodyMemory::new(10);
        let share = BodyShare {
            memory: memory.clone(),
            bytes: AtomicU64::new(0),
        };
        share.take(8).unwrap();
        assert!(matches!(
            memory.take(3).unwrap_err().kind(),
            ErrorKind::Busy { .. }
        ));
        share.give_back();
        share.take(9).unwrap();
        drop(share);
        memory.take(10).unwrap();
    }
}
