//! Where and how evaluation keys are kept.

use std::path::PathBuf;
use std::time::Duration;

/// Where and how evaluation keys are kept.
#[derive(Clone, Debug)]
pub struct KeyStoreOptions {
    /// A folder for unfinished uploads, and for finished ones if there is no `url`. One process at a time.
    pub folder: PathBuf,
    /// An object store for finished keys, which several servers may share: `s3://…`, `gs://…`, `az://…`; needs the
    /// cargo feature `s3`, `gcs` or `azure`, and takes its credentials from the environment.
    pub url: Option<String>,
    /// Bytes that decoded keys may take in memory.
    pub memory: u64,
    /// Bytes that the file of one key may have.
    pub largest: u64,
    /// Bytes that the keys and uploads of one identity may have together.
    pub each: u64,
    /// How long a key is kept after its upload; for ever if `None`.
    pub lifetime: Option<Duration>,
    /// How long an unfinished upload is kept after its last byte.
    pub unfinished_lifetime: Duration,
    /// Uploads under way at once, of everybody together; one identity may have a quarter of them.
    pub uploads: usize,
}

impl Default for KeyStoreOptions {
    fn default() -> Self {
        Self {
            folder: PathBuf::from("hush-keys"),
            url: None,
            memory: 4 << 30,
            largest: 16 << 30,
            each: 64 << 30,
            lifetime: None,
            unfinished_lifetime: Duration::from_secs(24 * 60 * 60),
            uploads: 64,
        }
    }
}
