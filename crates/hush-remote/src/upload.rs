//! A file of keys on its way, taken up again where it broke off.

use std::io::{Read, Seek, SeekFrom};
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc::{Sender, channel};
use tokio::time::timeout;

use crate::connection::Inner;
use crate::progress::{Stage, tell};
use crate::retry::{Backoff, retrying};
use crate::transport::Part;
use crate::{KeyStatus, Refusal, RemoteError, Watcher};

/// Bytes of one part: what a proxy that keeps whole bodies can keep.
const PART: u64 = 64 << 20;
/// Bytes of one read.
const PIECE: usize = 1 << 20;
/// Pieces that may wait for the network.
const PENDING: usize = 4;

/// A file that can be read again.
pub(crate) trait Source: Read + Seek {}

impl<T: Read + Seek> Source for T {}

/// Uploads what the server does not have.
pub(crate) async fn upload(
    inner: &Inner,
    id: &str,
    file: &mut dyn Source,
    watcher: Watcher<'_>,
) -> Result<KeyStatus, RemoteError> {
    let total = file.seek(SeekFrom::End(0))?;
    let found = retrying(inner.options.patience, async || status(inner, id).await).await?;
    let mut offset = match found {
        Some(found) if found.complete => return Ok(found),
        found => resumed(found, total),
    };
    let mut backoff = Backoff::new(inner.options.patience);
    // What somebody else sent of another file does not fit this one: once, it is worth to begin anew.
    let mut anew = offset == 0;
    loop {
        let length = PART.min(total - offset);
        let error = match part(inner, id, file, offset, length, total, watcher).await {
            Ok(done) if done.complete => return Ok(done),
            Ok(done) if done.total == total && done.offset > offset && done.offset <= total => {
                offset = done.offset;
                backoff.reset();
                continue;
            }
            Ok(_) => RemoteError::Answer {
                server: inner.server.clone(),
                reason: "the upload does not get on".into(),
            },
            Err(error) => error,
        };
        let again = match error.refusal() {
            Some(Refusal::Invalid) if !anew => {
                (anew, offset) = (true, 0);
                continue;
            }
            Some(Refusal::Conflict) => true,
            _ => error.is_transient() || matches!(error, RemoteError::Timeout { .. }),
        };
        if !again {
            return Err(error);
        }
        let hint = error.retry_after();
        let found = retrying(inner.options.patience, async || status(inner, id).await).await?;
        let stands = match found {
            Some(found) if found.complete => return Ok(found),
            found => resumed(found, total),
        };
        if stands > offset {
            backoff.reset();
        } else if stands == offset && error.refusal() == Some(Refusal::Conflict) {
            // It is not the offset that is wrong.
            return Err(error);
        }
        backoff.pause(hint).await.map_err(|()| error)?;
        offset = stands;
    }
}

/// Where an upload of so many bytes goes on.
fn resumed(found: Option<KeyStatus>, total: u64) -> u64 {
    let found = found.filter(|found| found.total == total && found.offset < total);
    found.map_or(0, |found| found.offset)
}

async fn status(inner: &Inner, id: &str) -> Result<Option<KeyStatus>, RemoteError> {
    inner.within(inner.transport.key_status(id)).await
}

/// Sends one part. Nothing is awaited for longer than the limit on requests.
async fn part(
    inner: &Inner,
    id: &str,
    file: &mut dyn Source,
    offset: u64,
    length: u64,
    total: u64,
    watcher: Watcher<'_>,
) -> Result<KeyStatus, RemoteError> {
    let (sender, data) = channel(PENDING);
    let mut answer = pin!(inner.transport.upload(Part {
        id: id.to_owned(),
        offset,
        length,
        total,
        data,
    }));
    let limit = inner.options.request_timeout;
    file.seek(SeekFrom::Start(offset))?;
    let feed = Feed {
        offset,
        end: offset + length,
        total,
        limit,
    };
    let fed = tokio::select! {
        biased;
        answer = &mut answer => return answer,
        fed = feed.run(file, sender, watcher) => fed,
    };
    match fed? {
        Fed::All => inner.within(answer).await,
        Fed::TooSlow => Err(inner.late(limit)),
    }
}

/// What reads the file.
struct Feed {
    offset: u64,
    end: u64,
    total: u64,
    limit: Duration,
}

enum Fed {
    All,
    TooSlow,
}

impl Feed {
    async fn run(
        mut self,
        file: &mut dyn Source,
        sender: Sender<Bytes>,
        watcher: Watcher<'_>,
    ) -> Result<Fed, RemoteError> {
        while self.offset < self.end {
            tell(watcher, Stage::Upload, self.offset, Some(self.total))?;
            let size = usize::try_from(self.end - self.offset)
                .unwrap_or(PIECE)
                .min(PIECE);
            let mut piece = vec![0; size];
            file.read_exact(&mut piece)?;
            match timeout(self.limit, sender.send(piece.into())).await {
                Ok(Ok(())) => self.offset += size as u64,
                // The request is over: its answer says why.
                Ok(Err(_)) => return Ok(Fed::All),
                Err(_) => return Ok(Fed::TooSlow),
            }
        }
        tell(watcher, Stage::Upload, self.offset, Some(self.total))?;
        Ok(Fed::All)
    }
}
