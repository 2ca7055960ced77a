//! Which finished keys there are.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use hush_ckks::KeyId;

use crate::keys::record::Record;
use crate::keys::storage::Storage;
use crate::{ErrorKind, KeyStatistics, ServingError};

/// How long a record is believed before it is read again: other servers may share an object store.
const FRESH: Duration = Duration::from_secs(5);

/// The records of finished keys, as last read.
pub(crate) struct Index {
    storage: Box<dyn Storage>,
    known: Mutex<BTreeMap<KeyId, Known>>,
    /// Held from comparing owners to writing the record.
    publishing: Mutex<()>,
    statistics: Arc<KeyStatistics>,
}

struct Known {
    record: Arc<Record>,
    read: Instant,
}

impl Index {
    /// Reads every record, and removes what no record names.
    pub(crate) fn open(
        storage: Box<dyn Storage>,
        statistics: Arc<KeyStatistics>,
    ) -> io::Result<Self> {
        let index = Self {
            storage,
            known: Mutex::default(),
            publishing: Mutex::default(),
            statistics,
        };
        let named: BTreeSet<_> = index
            .all()?
            .iter()
            .map(|record| record.data_name())
            .collect();
        index.storage.sweep(&named)?;
        Ok(index)
    }

    /// A record that was read a moment ago. Does not block.
    pub(crate) fn fresh(&self, id: KeyId) -> Option<Arc<Record>> {
        let known = self.known();
        let known = known.get(&id)?;
        let fine = known.read.elapsed() < FRESH && !known.record.expired(SystemTime::now());
        fine.then(|| Arc::clone(&known.record))
    }

    /// A record, read anew unless that was a moment ago. One that is expired is not there.
    pub(crate) fn find(&self, id: KeyId) -> io::Result<Option<Arc<Record>>> {
        match self.fresh(id) {
            Some(record) => Ok(Some(record)),
            None => self.read(id),
        }
    }

    /// Every key that is not expired, by id. Those that are get removed.
    pub(crate) fn all(&self) -> io::Result<Vec<Arc<Record>>> {
        let ids = self.storage.records()?;
        let there: BTreeSet<_> = ids.iter().copied().collect();
        self.known().retain(|id, _| there.contains(id));
        let mut records = Vec::with_capacity(ids.len());
        for id in ids {
            records.extend(self.find(id)?);
        }
        self.tell();
        Ok(records)
    }

    /// Makes the file at `path` the key that `record` says, in place of any other of the same owner.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] if the id belongs to somebody else; [`ErrorKind::Internal`].
    pub(crate) fn publish(&self, record: Record, path: &Path) -> Result<Arc<Record>, ServingError> {
        let _one = self
            .publishing
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let before = self.read(record.id).map_err(failed)?;
        if let Some(before) = &before
            && before.owner != record.owner
        {
            return Err(taken());
        }
        let same = before
            .as_ref()
            .is_some_and(|before| before.digest == record.digest);
        if !same {
            let name = record.data_name();
            self.storage.keep(path, &name).map_err(failed)?;
        }
        self.storage
            .write_record(record.id, &record.to_json())
            .map_err(failed)?;
        if let Some(before) = before.filter(|_| !same) {
            // Whoever reads it has it open; what stays behind is swept.
            let _ = self.storage.remove(&before.data_name());
        }
        let record = self.remember(record);
        self.tell();
        Ok(record)
    }

    /// Removes a key.
    pub(crate) fn remove(&self, record: &Record) -> io::Result<()> {
        let _one = self
            .publishing
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        self.storage.remove_record(record.id)?;
        self.known().remove(&record.id);
        self.tell();
        self.storage.remove(&record.data_name())
    }

    /// Reads the file of a key. If it is gone, another server replaced it: the record is then read again next time.
    pub(crate) fn data(&self, record: &Record) -> io::Result<Box<dyn Read + Send>> {
        let data = self.storage.open(&record.data_name());
        if matches!(&data, Err(error) if error.kind() == io::ErrorKind::NotFound) {
            self.known().remove(&record.id);
        }
        data
    }

    fn read(&self, id: KeyId) -> io::Result<Option<Arc<Record>>> {
        let text = self.storage.read_record(id)?;
        let record = text.and_then(|text| Record::from_json(&text));
        let Some(record) = record.filter(|record| record.id == id) else {
            self.known().remove(&id);
            return Ok(None);
        };
        if record.expired(SystemTime::now()) {
            self.storage.remove_record(id)?;
            self.storage.remove(&record.data_name())?;
            self.known().remove(&id);
            return Ok(None);
        }
        Ok(Some(self.remember(record)))
    }

    fn remember(&self, record: Record) -> Arc<Record> {
        let record = Arc::new(record);
        let known = Known {
            record: Arc::clone(&record),
            read: Instant::now(),
        };
        self.known().insert(record.id, known);
        record
    }

    fn tell(&self) {
        let known = self.known();
        self.statistics.stored.set(known.len() as u64);
        let bytes = known.values().map(|known| known.record.bytes).sum();
        self.statistics.stored_bytes.set(bytes);
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<KeyId, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The store itself does not work.
pub(crate) fn failed(error: io::Error) -> ServingError {
    ServingError::new(
        ErrorKind::Internal,
        format!("the key store does not work: {error}; the operator must see to it"),
    )
}

/// The id belongs to somebody else, who is not told.
pub(crate) fn taken() -> ServingError {
    ServingError::new(
        ErrorKind::Conflict,
        "this key id is taken; make new keys with `hush keygen`",
    )
}
