//! A part of an upload under way.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::keys::session::Session;
use crate::keys::{KeyStatus, KeyStore};
use crate::{ErrorKind, ServingError};

/// Bytes that are checked and stored at once.
const BATCH: usize = 1 << 20;

/// Pieces smaller than this are copied together.
const SMALL: usize = 8 << 10;

/// The place of one upload in memory, whether or not a part of it is under way.
pub(crate) struct Slot {
    /// Locked while bytes are being checked and stored.
    pub(crate) session: Arc<Mutex<Place>>,
    /// Which of the requests that wanted to go on with it may.
    turn: AtomicU64,
    /// Bytes stored, and of how many.
    offset: AtomicU64,
    total: AtomicU64,
    used: std::sync::Mutex<Instant>,
}

/// An open upload, or why there is none.
#[derive(Default)]
pub(crate) struct Place {
    pub(crate) session: Option<Session>,
    failure: Option<ServingError>,
}

/// A part of an upload under way: [`Upload::write`] what arrives, then [`Upload::finish`]. What was stored stays if
/// it is dropped instead (all but the last megabyte at most), and a later part can go on.
pub struct Upload {
    store: KeyStore,
    slot: Arc<Slot>,
    turn: u64,
    total: u64,
    /// Where the next byte goes.
    offset: u64,
    pending: Vec<Bytes>,
    /// What follows them: small pieces, copied, since each may keep a large buffer alive.
    small: Vec<u8>,
    pending_bytes: usize,
}

impl Slot {
    pub(crate) fn new() -> Self {
        Self {
            session: Arc::default(),
            turn: AtomicU64::new(0),
            offset: AtomicU64::new(0),
            total: AtomicU64::new(0),
            used: std::sync::Mutex::new(Instant::now()),
        }
    }

    /// The caller goes on with the upload. Cuts off the part that is under way, if there is one: its connection may be
    /// dead without anybody knowing.
    pub(crate) fn take_over(&self) -> u64 {
        self.turn.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// Somebody wants to go on with it.
    pub(crate) fn touch(&self) {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// When somebody last did.
    pub(crate) fn last_used(&self) -> Instant {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes stored of how many; `None` before the upload is open.
    pub(crate) fn progress(&self) -> Option<(u64, u64)> {
        let total = self.total.load(Ordering::SeqCst);
        (total > 0).then(|| (self.offset.load(Ordering::SeqCst), total))
    }

    pub(crate) fn tell(&self, session: Option<&Session>) {
        let offset = session.map_or(0, Session::offset);
        self.offset.store(offset, Ordering::SeqCst);
        let total = session.map_or(0, |session| session.begun.total);
        self.total.store(total, Ordering::SeqCst);
    }

    fn check_turn(&self, turn: u64) -> Result<(), ServingError> {
        if self.turn.load(Ordering::SeqCst) == turn {
            return Ok(());
        }
        Err(ServingError::new(
            ErrorKind::Conflict,
            "another request has taken over this upload; ask for its status to see where it stands",
        ))
    }
}

impl Place {
    /// Stores bytes; after a failure the upload is closed, and gone if it was the bytes' fault.
    fn store(&mut self, chunks: &[Bytes]) -> Option<u64> {
        let session = self.session.as_mut()?;
        let Err(error) = session.store(chunks) else {
            return Some(session.offset());
        };
        self.fail(error);
        None
    }

    fn fail(&mut self, error: ServingError) {
        if error.kind() == ErrorKind::InvalidArgument
            && let Some(session) = &self.session
        {
            // What cannot be removed now is swept later.
            let _ = session.paths.remove();
        }
        self.session = None;
        self.failure = Some(error);
    }

    fn failure(&mut self) -> ServingError {
        self.failure.take().unwrap_or_else(|| {
            ServingError::new(
                ErrorKind::Conflict,
                "the upload was closed; ask for its status to see where it stands",
            )
        })
    }
}

impl Upload {
    pub(crate) fn new(store: KeyStore, slot: Arc<Slot>, turn: u64, session: &Session) -> Self {
        Self {
            store,
            slot,
            turn,
            total: session.begun.total,
            offset: session.offset(),
            pending: Vec::new(),
            small: Vec::new(),
            pending_bytes: 0,
        }
    }

    /// Where the next byte goes.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Bytes of the whole file.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Checks and stores the next bytes; waits while the disk is behind, so that memory stays bounded.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if the bytes are not the key that was announced: the upload is then dropped and
    /// must begin anew. An error of an earlier write may only come with a later one.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), ServingError> {
        self.offset += bytes.len() as u64;
        self.store
            .inner()
            .statistics
            .bytes_in
            .add(bytes.len() as u64);
        if self.offset > self.total {
            return Err(ServingError::new(
                ErrorKind::InvalidArgument,
                format!("more bytes arrive than the {} announced", self.total),
            ));
        }
        self.pending_bytes += bytes.len();
        if bytes.len() < SMALL {
            self.small.extend_from_slice(&bytes);
        } else {
            self.gather();
            self.pending.push(bytes);
        }
        if self.pending_bytes >= BATCH {
            self.flush().await?;
        }
        Ok(())
    }

    /// Ends the part. If all bytes have arrived, and the checksum is right, the key is complete when this returns;
    /// else the upload waits for its next part, and the status tells where.
    ///
    /// # Errors
    /// As [`Upload::write`]; [`ErrorKind::Conflict`] if the id is taken.
    pub async fn finish(mut self) -> Result<KeyStatus, ServingError> {
        self.flush().await?;
        let mut place = self.lock().await?;
        let Some(session) = &place.session else {
            return Err(self.refuse(place.failure()));
        };
        if session.offset() < session.begun.total {
            return Ok(session.begun.status(session.offset()));
        }
        let (store, slot) = (self.store.clone(), Arc::clone(&self.slot));
        let done = tokio::task::spawn_blocking(move || {
            let done = match &mut place.session {
                Some(session) => store.inner().publish(session),
                None => Err(place.failure()),
            };
            match &done {
                // Worth another try without the bytes being sent again.
                Err(error) if error.kind() == ErrorKind::Internal => {}
                _ => {
                    if let Some(session) = place.session.take() {
                        let _ = session.paths.remove();
                        slot.tell(None);
                    }
                }
            }
            done
        });
        match done.await.map_err(crate::blocking::stopped)? {
            Ok(record) => Ok(record.status()),
            Err(error) => Err(self.refuse(error)),
        }
    }

    /// Hands over what is pending, after what was handed over before is stored.
    async fn flush(&mut self) -> Result<(), ServingError> {
        let mut place = self.lock().await?;
        if place.session.is_none() {
            return Err(self.refuse(place.failure()));
        }
        self.gather();
        let chunks = std::mem::take(&mut self.pending);
        self.pending_bytes = 0;
        // The store is held until then, and with it the lock of its folder.
        let (slot, store) = (Arc::clone(&self.slot), self.store.clone());
        // Not awaited: the next lock waits for it, and bytes arrive meanwhile.
        tokio::task::spawn_blocking(move || {
            match place.store(&chunks) {
                Some(offset) => slot.offset.store(offset, Ordering::SeqCst),
                None => slot.tell(None),
            }
            drop((place, store));
        });
        Ok(())
    }

    fn gather(&mut self) {
        if !self.small.is_empty() {
            self.pending.push(std::mem::take(&mut self.small).into());
        }
    }

    async fn lock(&self) -> Result<OwnedMutexGuard<Place>, ServingError> {
        let place = Arc::clone(&self.slot.session).lock_owned().await;
        self.slot.check_turn(self.turn)?;
        Ok(place)
    }

    fn refuse(&self, error: ServingError) -> ServingError {
        if error.kind() == ErrorKind::InvalidArgument {
            self.store.inner().statistics.refused.add(1);
        }
        error
    }
}
