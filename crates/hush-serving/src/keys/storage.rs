//! Where finished keys are kept. Everything here blocks.
//!
//! A key is a data file, whose name holds a digest of its content, and a record that names it. Writing the record is
//! the moment when the key is there, or replaced: whatever is cut short before leaves what was there as it was.

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::path::Path;

use hush_ckks::KeyId;

/// A place for finished keys.
pub(crate) trait Storage: Send + Sync {
    /// Keeps the file at `path` under `name`; it is durable when this returns, and may have been moved away.
    fn keep(&self, path: &Path, name: &str) -> io::Result<()>;

    /// Reads what was kept under `name`.
    fn open(&self, name: &str) -> io::Result<Box<dyn Read + Send>>;

    /// Forgets `name`; fine if there is no such thing.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Writes the record of a key, at once or not at all; it is durable when this returns.
    fn write_record(&self, id: KeyId, text: &str) -> io::Result<()>;

    /// The record of a key, if there is one.
    fn read_record(&self, id: KeyId) -> io::Result<Option<Vec<u8>>>;

    /// Forgets the record of a key.
    fn remove_record(&self, id: KeyId) -> io::Result<()>;

    /// The ids of all records.
    fn records(&self) -> io::Result<Vec<KeyId>>;

    /// Removes what was left behind: data files that are not in `named`, where no other process can be about to name
    /// them.
    fn sweep(&self, named: &BTreeSet<String>) -> io::Result<()>;
}

/// The name of a record.
pub(crate) fn record_name(id: KeyId) -> String {
    format!("{}.json", crate::keys::id::hexadecimal(&id.0))
}

/// The id that a record's name says.
pub(crate) fn id_of_record(name: &str) -> Option<KeyId> {
    crate::keys::id::parse(name.strip_suffix(".json")?).ok()
}

/// What every storage does.
#[cfg(test)]
pub(crate) mod suite {
    use super::*;

    pub(crate) fn keeps_and_forgets(storage: &dyn Storage) {
        let id = KeyId([5; 16]);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("part");
        assert_eq!(storage.records().unwrap(), []);
        assert_eq!(storage.read_record(id).unwrap(), None);
        assert!(storage.open("data.key").is_err());

        let content: Vec<u8> = (0..20_000_000u32).map(|index| index as u8).collect();
        std::fs::write(&path, &content).unwrap();
        storage.keep(&path, "data.key").unwrap();
        for text in ["first", "second"] {
            storage.write_record(id, text).unwrap();
            let read = storage.read_record(id).unwrap();
            assert_eq!(read.as_deref(), Some(text.as_bytes()));
        }
        assert_eq!(storage.records().unwrap(), [id]);
        let mut read = Vec::new();
        storage
            .open("data.key")
            .unwrap()
            .read_to_end(&mut read)
            .unwrap();
        assert!(read == content);

        storage.sweep(&["data.key".to_owned()].into()).unwrap();
        assert!(storage.open("data.key").is_ok());
        storage.remove_record(id).unwrap();
        storage.remove("data.key").unwrap();
        storage.remove("data.key").unwrap();
        assert_eq!(storage.records().unwrap(), []);
        assert!(storage.open("data.key").is_err());
    }
}
