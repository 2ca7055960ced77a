//! Which uploads are under way, and who may go on with one.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hush_ckks::KeyId;

use crate::blocking::stopped;
use crate::keys::index::{failed, taken};
use crate::keys::record::Begun;
use crate::keys::session::Session;
use crate::keys::upload::Slot;
use crate::keys::{Inner, KeyStatus, KeyStore, Upload};
use crate::{ErrorKind, ServingError};

/// Less than any file of keys.
const SMALLEST: u64 = 84;

/// How often what is old is looked for.
const SWEEP: Duration = Duration::from_secs(60);

impl KeyStore {
    pub(crate) async fn begin_upload(
        &self,
        begun: Begun,
        offset: u64,
    ) -> Result<Upload, ServingError> {
        self.inner().check_total(begun.total)?;
        let slot = self.inner().slot(&begun)?;
        let mut place = Arc::clone(&slot.session).lock_owned().await;
        let store = self.clone();
        tokio::task::spawn_blocking(move || {
            let inner = store.inner();
            inner.sweep_now_and_then();
            let opened = inner.open_session(&begun, offset, &mut place.session);
            // What is open stays open for the part that is under way.
            slot.tell(place.session.as_ref());
            opened?;
            let Some(session) = &place.session else {
                return Err(crate::blocking::broken());
            };
            let turn = slot.take_over();
            Ok(Upload::new(store.clone(), Arc::clone(&slot), turn, session))
        })
        .await
        .map_err(stopped)?
    }
}

impl Inner {
    fn check_total(&self, total: u64) -> Result<(), ServingError> {
        if total < SMALLEST {
            return Err(ServingError::new(
                ErrorKind::InvalidArgument,
                format!("{total} bytes are no file of evaluation keys"),
            ));
        }
        if total > self.options.largest {
            return Err(ServingError::new(
                ErrorKind::TooLarge,
                format!(
                    "the file of keys has {total} bytes, the server takes up to {}",
                    self.options.largest
                ),
            ));
        }
        Ok(())
    }

    /// The place of an upload, made if there is none and one more may be under way.
    fn slot(&self, begun: &Begun) -> Result<Arc<Slot>, ServingError> {
        let mut slots = self.slots();
        let name = (begun.id, begun.owner.clone());
        if let Some(slot) = slots.get(&name) {
            slot.touch();
            return Ok(Arc::clone(slot));
        }
        let busy = |slot: &Arc<Slot>| Arc::strong_count(slot) > 1;
        let own = slots.iter();
        let own = own.filter(|(other, slot)| other.1 == begun.owner && busy(slot));
        let all = slots.values().filter(|slot| busy(slot)).count();
        let most = self.options.uploads.max(1);
        if all >= most || own.count() >= most.div_ceil(4) {
            return Err(ServingError::new(
                ErrorKind::Busy {
                    retry_after: Duration::from_secs(5),
                },
                "too many uploads are under way; wait for others to end",
            ));
        }
        while slots.len() >= most {
            let idle = slots.iter().filter(|(_, slot)| !busy(slot));
            let Some(oldest) = idle.min_by_key(|(_, slot)| slot.last_used()) else {
                break;
            };
            let oldest = oldest.0.clone();
            slots.remove(&oldest);
        }
        let slot = Arc::new(Slot::new());
        slots.insert(name, Arc::clone(&slot));
        Ok(slot)
    }

    /// Makes `open` the session that the part goes on with.
    fn open_session(
        &self,
        begun: &Begun,
        offset: u64,
        open: &mut Option<Session>,
    ) -> Result<(), ServingError> {
        let other = self.index.find(begun.id).map_err(failed)?;
        if other.is_some_and(|record| record.owner != begun.owner) {
            return Err(taken());
        }
        if offset == 0 {
            self.check_share(begun)?;
            *open = None;
            *open = Some(Session::create(&self.staging, begun.clone()).map_err(failed)?);
            return Ok(());
        }
        let found = self.staging.find(begun.id, &begun.owner);
        let found = found.map_err(failed)?;
        if found.is_none() {
            // What was left open too long was swept.
            *open = None;
        }
        if open.is_none() {
            let Some((found, paths, _)) = found else {
                return Err(ServingError::new(
                    ErrorKind::Conflict,
                    "no part of this key has arrived; begin at offset 0",
                ));
            };
            *open = Some(Session::resume(found, paths)?);
        }
        let Some(session) = open else {
            return Ok(());
        };
        let (arrived, announced) = (session.offset(), session.begun.total);
        if announced != begun.total {
            return Err(ServingError::new(
                ErrorKind::Conflict,
                format!(
                    "the upload was begun with {announced} bytes in all, not {}; begin anew at offset 0",
                    begun.total
                ),
            ));
        }
        if arrived != offset {
            return Err(ServingError::new(
                ErrorKind::Conflict,
                format!("{arrived} bytes have arrived; go on there, not at {offset}"),
            ));
        }
        Ok(())
    }

    /// Refuses an upload with which an identity would take more than its share of the disk.
    fn check_share(&self, begun: &Begun) -> Result<(), ServingError> {
        let keys = self.index.all().map_err(failed)?;
        let keys = keys
            .iter()
            .filter(|key| key.owner == begun.owner && key.id != begun.id);
        let uploads = self.staging.all().map_err(failed)?;
        let uploads = uploads
            .iter()
            .filter(|(other, ..)| other.owner == begun.owner && other.id != begun.id);
        let held: u64 = keys.map(|key| key.bytes).sum::<u64>()
            + uploads.map(|(other, ..)| other.total).sum::<u64>();
        if held.saturating_add(begun.total) > self.options.each {
            return Err(ServingError::new(
                ErrorKind::TooLarge,
                format!(
                    "your keys have {held} bytes, with these {} more than the {} that one account may have; delete \
                     some",
                    begun.total, self.options.each
                ),
            ));
        }
        Ok(())
    }

    /// How far an owner's upload of a key has come, if there is one.
    pub(crate) fn upload_status(&self, id: KeyId, owner: &str) -> io::Result<Option<KeyStatus>> {
        let Some((begun, _, stored)) = self.staging.find(id, owner)? else {
            return Ok(None);
        };
        let slot = self.slots().get(&(id, owner.to_owned())).cloned();
        // What is being written this moment may be there in part.
        let known = slot.and_then(|slot| slot.progress());
        let offset = known.map_or(stored, |(offset, _)| offset);
        Ok(Some(begun.status(offset)))
    }

    /// Drops an owner's upload of a key; whether there was one.
    pub(crate) fn discard_upload(&self, id: KeyId, owner: &str) -> io::Result<bool> {
        let name = (id, owner.to_owned());
        let slot = {
            let mut slots = self.slots();
            if !slots.contains_key(&name) && self.staging.find(id, owner)?.is_none() {
                return Ok(false);
            }
            Arc::clone(slots.entry(name).or_insert_with(|| Arc::new(Slot::new())))
        };
        // Nobody begins meanwhile.
        let mut place = slot.session.blocking_lock();
        place.session = None;
        slot.take_over();
        slot.tell(None);
        let Some((_, paths, _)) = self.staging.find(id, owner)? else {
            return Ok(false);
        };
        paths.remove()?;
        Ok(true)
    }

    /// Removes keys that are expired and uploads that nobody goes on with.
    pub(crate) fn sweep(&self) -> io::Result<()> {
        self.index.all()?;
        self.staging
            .sweep(self.options.unfinished_lifetime, |id, owner| {
                let slots = self.slots();
                let slot = slots.get(&(id, owner.to_owned()));
                slot.is_some_and(|slot| Arc::strong_count(slot) > 1)
            })
    }

    fn sweep_now_and_then(&self) {
        let mut swept = self
            .swept
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if swept.elapsed() >= SWEEP {
            *swept = Instant::now();
            drop(swept);
            // What stays is looked for again.
            let _ = self.sweep();
        }
    }
}
