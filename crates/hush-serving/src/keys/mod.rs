//! Evaluation keys: uploads that resume, a store that survives, a cache of decoded ones.

mod cache;
mod decode;
mod folder;
mod id;
mod index;
mod info;
mod options;
mod record;
#[cfg(feature = "object-store")]
mod remote;
mod session;
mod staging;
mod storage;
mod upload;
mod uploads;

pub use info::{KeyState, KeyStatus};
pub use options::KeyStoreOptions;
pub use upload::Upload;

pub(crate) use id::hexadecimal;
pub(crate) use record::Record;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use hush_ckks::KeyId;

use crate::blocking::blocking;
use crate::keys::cache::Cache;
use crate::keys::folder::Folder;
use crate::keys::index::{Index, failed};
use crate::keys::record::{Begun, may_see};
use crate::keys::staging::Staging;
use crate::keys::storage::Storage;
use crate::keys::upload::Slot;
use crate::{ErrorKind, Identity, KeyStatistics, Role, ServingError};

/// The evaluation keys of everybody. A key belongs to the identity that uploaded it: for others it is not there, except
/// for administrators. Clones are handles of the same store.
///
/// What was finished is on the disk before [`Upload::finish`] returns, and survives the process and the machine. What
/// was not finished survives the process, killed or not: it is not forced to the disk, so after a power failure an upload
/// goes on from what is there, and its checksum decides.
#[derive(Clone)]
pub struct KeyStore(Arc<Inner>);

pub(crate) struct Inner {
    options: KeyStoreOptions,
    index: Index,
    staging: Staging,
    slots: Mutex<HashMap<(KeyId, String), Arc<Slot>>>,
    cache: Arc<Cache>,
    swept: Mutex<Instant>,
    statistics: Arc<KeyStatistics>,
    /// Dropped last.
    _lock: std::fs::File,
}

impl KeyStore {
    /// Opens the store: what was finished is there, what was not can be resumed. Blocks.
    ///
    /// # Errors
    /// If the folder cannot be made or read, or another process uses it, or the URL is not one that this build serves.
    pub fn open(
        options: KeyStoreOptions,
        statistics: Arc<KeyStatistics>,
    ) -> Result<Self, ServingError> {
        let about = |error: std::io::Error| {
            ServingError::new(
                ErrorKind::Internal,
                format!(
                    "the keys' folder `{}` cannot be used: {error}",
                    options.folder.display()
                ),
            )
        };
        let lock = folder::lock(&options.folder).map_err(about)?;
        let storage = storage(&options)?;
        let index = Index::open(storage, Arc::clone(&statistics)).map_err(about)?;
        let staging = Staging::open(options.folder.join("uploads")).map_err(about)?;
        let cache = Arc::new(Cache::new(options.memory, Arc::clone(&statistics)));
        let store = Self(Arc::new(Inner {
            options,
            index,
            staging,
            slots: Mutex::default(),
            cache,
            swept: Mutex::new(Instant::now()),
            statistics,
            _lock: lock,
        }));
        store.0.sweep().map_err(failed)?;
        Ok(store)
    }

    /// The caller's key of this id, or the upload of it: where to go on. An upload is told before a finished key that
    /// it is to replace.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for what is no key id, [`ErrorKind::PermissionDenied`],
    /// [`ErrorKind::NotFound`] if it is not there, or not the caller's.
    pub async fn status(&self, identity: &Identity, id: &str) -> Result<KeyStatus, ServingError> {
        identity.require(Role::UploadKeys)?;
        let (store, identity, id) = (self.clone(), identity.clone(), id::parse(id)?);
        blocking(move || {
            let upload = store.0.upload_status(id, &identity.name);
            if let Some(status) = upload.map_err(failed)? {
                return Ok(status);
            }
            let record = store.0.index.find(id).map_err(failed)?;
            let record = record.filter(|record| may_see(&identity, &record.owner));
            record
                .map(|record| record.status())
                .ok_or_else(|| no_key(id))
        })
        .await
    }

    /// Every key of the caller, of everybody for an administrator; by id, unfinished uploads included.
    ///
    /// # Errors
    /// [`ErrorKind::PermissionDenied`].
    pub async fn list(&self, identity: &Identity) -> Result<Vec<KeyStatus>, ServingError> {
        identity.require(Role::UploadKeys)?;
        let (store, identity) = (self.clone(), identity.clone());
        blocking(move || {
            let records = store.0.index.all().map_err(failed)?;
            let mut all: Vec<_> = records.iter().map(|record| record.status()).collect();
            let uploads = store.0.staging.all().map_err(failed)?;
            all.extend(
                uploads
                    .iter()
                    .map(|(begun, _, offset)| begun.status(*offset)),
            );
            all.retain(|status| may_see(&identity, &status.owner));
            all.sort_by(|a, b| (&a.id, &a.owner, a.offset).cmp(&(&b.id, &b.owner, b.offset)));
            Ok(all)
        })
        .await
    }

    /// Deletes a key, and the caller's upload of it.
    ///
    /// # Errors
    /// As [`KeyStore::status`].
    pub async fn delete(&self, identity: &Identity, id: &str) -> Result<(), ServingError> {
        identity.require(Role::UploadKeys)?;
        let (store, identity, id) = (self.clone(), identity.clone(), id::parse(id)?);
        blocking(move || {
            let upload = store.0.discard_upload(id, &identity.name);
            let upload = upload.map_err(failed)?;
            let record = store.0.index.find(id).map_err(failed)?;
            match record.filter(|record| may_see(&identity, &record.owner)) {
                Some(record) => store.0.index.remove(&record).map_err(failed)?,
                None if upload => {}
                None => return Err(no_key(id)),
            }
            store.0.cache.forget(id);
            Ok(())
        })
        .await
    }

    /// Begins one part of an upload, the first one (`offset` 0, which starts anew whatever had arrived) or one that
    /// goes on at `offset`. `total` is the length of the whole file. A part of the same upload that is still under way
    /// is cut off.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] if `offset` is not where the upload stands (the message and [`KeyStore::status`] tell
    /// it), or if the id is taken; [`ErrorKind::TooLarge`]; [`ErrorKind::Busy`].
    pub async fn begin(
        &self,
        identity: &Identity,
        id: &str,
        offset: u64,
        total: u64,
    ) -> Result<Upload, ServingError> {
        identity.require(Role::UploadKeys)?;
        let begun = Begun {
            id: id::parse(id)?,
            owner: identity.name.to_string(),
            total,
            created: std::time::SystemTime::now(),
        };
        self.begin_upload(begun, offset).await
    }

    pub(crate) fn inner(&self) -> &Inner {
        &self.0
    }
}

impl Inner {
    /// Makes a whole upload a key.
    pub(crate) fn publish(
        &self,
        session: &mut session::Session,
    ) -> Result<Arc<Record>, ServingError> {
        let record = session.complete(self.options.lifetime)?;
        let record = self.index.publish(record, &session.paths.part)?;
        self.cache.forget(record.id);
        self.statistics.uploads.add(1);
        Ok(record)
    }

    fn slots(&self) -> MutexGuard<'_, HashMap<(KeyId, String), Arc<Slot>>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn storage(options: &KeyStoreOptions) -> Result<Box<dyn Storage>, ServingError> {
    let Some(url) = &options.url else {
        let path = options.folder.join("keys");
        let folder = Folder::open(path.clone()).map_err(|error| {
            ServingError::new(
                ErrorKind::Internal,
                format!(
                    "the keys' folder `{}` cannot be used: {error}",
                    path.display()
                ),
            )
        })?;
        return Ok(Box::new(folder));
    };
    #[cfg(feature = "object-store")]
    return Ok(Box::new(remote::Remote::open(url)?));
    #[cfg(not(feature = "object-store"))]
    Err(ServingError::new(
        ErrorKind::Unimplemented,
        format!(
            "this build keeps no keys at `{url}`; build it with the feature `s3`, `gcs` or `azure`, or give a folder"
        ),
    ))
}

/// The words for a key that is not there, and for one that is somebody else's.
pub(crate) fn no_key(id: KeyId) -> ServingError {
    ServingError::new(
        ErrorKind::NotFound,
        format!(
            "there are no evaluation keys of id {}; upload them first",
            hexadecimal(&id.0)
        ),
    )
}
