//! From the file of a key to what a program runs with.

use std::io::{self, BufReader};
use std::sync::Arc;

use hush_ckks::{CkksError, EvaluationKeys, KeyId, Parameters};
use hush_wire::{EvaluationKeysReader, WireError};

use crate::blocking::blocking;
use crate::keys::cache::Entry;
use crate::keys::index::{Index, failed};
use crate::keys::record::{Record, may_see};
use crate::keys::{KeyStore, hexadecimal, no_key};
use crate::{ErrorKind, Identity, ServingError};

impl KeyStore {
    /// What is known of a key that somebody may use.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if it is not there, or somebody else's.
    pub(crate) async fn record(
        &self,
        identity: &Identity,
        id: KeyId,
    ) -> Result<Arc<Record>, ServingError> {
        let record = match self.inner().index.fresh(id) {
            Some(record) => Some(record),
            None => {
                let store = self.clone();
                blocking(move || store.inner().index.find(id).map_err(failed)).await?
            }
        };
        record
            .filter(|record| may_see(identity, &record.owner))
            .ok_or_else(|| no_key(id))
    }

    /// Bytes that loading the key takes; 0 if it is in memory.
    pub(crate) fn load_bytes(&self, record: &Record) -> u64 {
        if self.inner().cache.holds(&entry(record)) {
            return 0;
        }
        // The file has one of two halves; the other grows from its seed.
        2 * record.bytes
    }

    /// Refuses keys of other parameters.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`].
    pub(crate) fn check_parameters(
        record: &Record,
        parameters: &Parameters,
        whose: &str,
    ) -> Result<(), ServingError> {
        if record.parameters != hexadecimal(&parameters.digest()) {
            return Err(ServingError::new(
                ErrorKind::InvalidArgument,
                format!(
                    "the evaluation keys of id {} are for other encryption parameters (N = 2^{}) than {whose} has (N = 2^{}); \
                     make keys with `hush keygen` for its .client file",
                    hexadecimal(&record.id.0),
                    record.log_degree,
                    parameters.degree().ilog2(),
                ),
            ));
        }
        Ok(())
    }

    /// The decoded key, from memory if it is there.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`], also for keys of other parameters: [`KeyStore::check_parameters`] comes first.
    pub(crate) async fn load(
        &self,
        record: &Arc<Record>,
        parameters: &Parameters,
    ) -> Result<Arc<EvaluationKeys>, ServingError> {
        let (store, parameters) = (self.clone(), parameters.clone());
        let known = Arc::clone(record);
        let read = move || read(&store.inner().index, &known, &parameters);
        self.inner().cache.load(entry(record), read).await
    }

    /// Gives back memory that keys in use took above the limit.
    pub(crate) fn trim(&self) {
        self.inner().cache.trim();
    }
}

fn entry(record: &Record) -> Entry {
    (record.id, record.digest.clone())
}

fn read(
    index: &Index,
    record: &Record,
    parameters: &Parameters,
) -> Result<EvaluationKeys, ServingError> {
    let data = match index.data(record) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // Replaced or deleted since the record was read.
            return Err(ServingError::new(
                ErrorKind::Unavailable,
                "the evaluation keys are being replaced; try again",
            ));
        }
        data => data.map_err(failed)?,
    };
    let damaged = |error: WireError| {
        ServingError::new(
            ErrorKind::Internal,
            format!(
                "the stored evaluation keys of id {} cannot be read: {error}; upload them again",
                hexadecimal(&record.id.0)
            ),
        )
    };
    let reader = BufReader::with_capacity(1 << 20, data);
    let mut reader = EvaluationKeysReader::open(reader).map_err(damaged)?;
    let mut keys = EvaluationKeys::empty(parameters, record.id);
    let unsound = |error: CkksError| {
        ServingError::new(
            ErrorKind::InvalidArgument,
            format!("the evaluation keys are not sound: {error}; make new ones with `hush keygen`"),
        )
    };
    let mut next = reader.next_key();
    while let Some(stored) = next.map_err(damaged)? {
        // One key is expanded while the next is read.
        let more;
        (more, next) = rayon::join(|| keys.with_wire(&stored), || reader.next_key());
        keys = more.map_err(unsound)?;
    }
    reader.finish().map_err(damaged)?;
    Ok(keys)
}
