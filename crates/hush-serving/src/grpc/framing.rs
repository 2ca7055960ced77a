//! Refuses a message by the length that it announces, before anything is kept of it.
//!
//! What decodes messages has this limit too, but answers with a code that means something else and takes memory for
//! the announced length at once.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tonic::Status;

use crate::admission::reason;
use crate::{ErrorKind, ServingError};

/// Bytes before each message: whether it is compressed, and its length.
const PREFIX: usize = 5;

/// A body of messages, none of which is longer than a limit.
pub(super) struct Framed {
    body: Body,
    limit: usize,
    prefix: Vec<u8>,
    /// Bytes of the present message that have not come by yet.
    left: usize,
}

impl Framed {
    pub(super) fn new(body: Body, limit: usize) -> Self {
        Self {
            body,
            limit,
            prefix: Vec::with_capacity(PREFIX),
            left: 0,
        }
    }

    fn check(&mut self, mut data: &[u8]) -> Result<(), ServingError> {
        while !data.is_empty() {
            let passed = self.left.min(data.len());
            self.left -= passed;
            data = &data[passed..];
            let wanted = (PREFIX - self.prefix.len()).min(data.len());
            self.prefix.extend_from_slice(&data[..wanted]);
            data = &data[wanted..];
            if let &[_, a, b, c, d] = self.prefix.as_slice() {
                let length = u32::from_be_bytes([a, b, c, d]) as usize;
                if length > self.limit {
                    return Err(ServingError::new(
                        ErrorKind::TooLarge,
                        format!(
                            "a message of {length} bytes is larger than this server takes, {}",
                            self.limit
                        ),
                    ));
                }
                self.left = length;
                self.prefix.clear();
            }
        }
        Ok(())
    }
}

impl HttpBody for Framed {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let polled = match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(None) => return Poll::Ready(None),
            Poll::Ready(Some(polled)) => polled,
        };
        let frame = match polled {
            Ok(frame) => frame,
            Err(error) => return Poll::Ready(Some(Err(status(error)))),
        };
        let checked = frame.data_ref().map_or(Ok(()), |data| self.check(data));
        Poll::Ready(Some(checked.map(|()| frame).map_err(Status::from)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The status that belongs to what ended a body.
fn status(error: axum::Error) -> Status {
    reason(error).map_or_else(Status::from_error, Status::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(limit: usize) -> Framed {
        Framed::new(Body::empty(), limit)
    }

    #[test]
    fn messages_within_the_limit_pass_however_they_are_cut() {
        let bytes = [0, 0, 0, 0, 3, 1, 2, 3, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 9];
        for size in 1..bytes.len() {
            let mut framed = framed(3);
            for part in bytes.chunks(size) {
                framed.check(part).unwrap();
            }
            assert_eq!((framed.left, framed.prefix.len()), (0, 0), "{size}");
        }
    }

    #[test]
    fn a_message_over_the_limit_is_refused_by_its_prefix() {
        let mut framed = framed(3);
        framed.check(&[0, 0, 0, 0, 0, 0, 255, 255]).unwrap();
        let error = framed.check(&[255, 255]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge);
        assert_eq!(
            error.to_string(),
            "a message of 4294967295 bytes is larger than this server takes, 3"
        );
    }
}
