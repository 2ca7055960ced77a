//! Finished keys in a folder.

use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hush_ckks::KeyId;

use crate::keys::storage::{Storage, id_of_record, record_name};

/// How long another process may take to end.
const PATIENCE: Duration = Duration::from_secs(5);

/// A folder of data files and records, used by one process.
pub(crate) struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Opens the folder, made if need be.
    pub(crate) fn open(path: PathBuf) -> io::Result<Self> {
        make_private(&path)?;
        Ok(Self { path })
    }
}

impl Storage for Folder {
    fn keep(&self, path: &Path, name: &str) -> io::Result<()> {
        fs::rename(path, self.path.join(name))?;
        sync_folder(&self.path)
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(File::open(self.path.join(name))?))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        remove_if_there(&self.path.join(name))
    }

    fn write_record(&self, id: KeyId, text: &str) -> io::Result<()> {
        replace(&self.path, &record_name(id), text)
    }

    fn read_record(&self, id: KeyId) -> io::Result<Option<Vec<u8>>> {
        match fs::read(self.path.join(record_name(id))) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn remove_record(&self, id: KeyId) -> io::Result<()> {
        remove_if_there(&self.path.join(record_name(id)))?;
        sync_folder(&self.path)
    }

    fn records(&self) -> io::Result<Vec<KeyId>> {
        let mut ids: Vec<_> = names(&self.path)?
            .iter()
            .filter_map(|name| id_of_record(name))
            .collect();
        ids.sort_unstable();
        Ok(ids)
    }

    fn sweep(&self, named: &BTreeSet<String>) -> io::Result<()> {
        for name in names(&self.path)? {
            let left = name.ends_with(".new") || name.ends_with(".key") && !named.contains(&name);
            if left {
                remove_if_there(&self.path.join(name))?;
            }
        }
        Ok(())
    }
}

/// Takes a folder for this process, for as long as the file is open. One that another process has is waited for a
/// little: it may be about to end.
pub(crate) fn lock(folder: &Path) -> io::Result<File> {
    make_private(folder)?;
    let file = File::create(folder.join("lock"))?;
    let begun = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if begun.elapsed() > PATIENCE => {
                return Err(io::Error::other("another server uses it"));
            }
            Err(TryLockError::WouldBlock) => std::thread::sleep(PATIENCE / 50),
        }
    }
}

/// Makes a folder that only this user reads, and those above it.
pub(crate) fn make_private(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Writes a small file at once or not at all, durably.
pub(crate) fn replace(folder: &Path, name: &str, text: &str) -> io::Result<()> {
    let fresh = folder.join(format!("{name}.new"));
    let mut file = File::create(&fresh)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&fresh, folder.join(name))?;
    sync_folder(folder)
}

/// Names of the files in a folder that are text, sorted.
pub(crate) fn names(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        names.extend(entry?.file_name().into_string());
    }
    names.sort_unstable();
    Ok(names)
}

pub(crate) fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Makes renames in a folder durable.
fn sync_folder(path: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(path)?.sync_all()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::storage::suite;

    #[test]
    fn a_folder_is_a_storage() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        suite::keeps_and_forgets(&Folder::open(path.clone()).unwrap());
        assert_eq!(names(&path).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn only_what_no_record_names_is_swept() {
        let folder = tempfile::tempdir().unwrap();
        let storage = Folder::open(folder.path().to_owned()).unwrap();
        for name in ["a.key", "b.key", "c.json", "c.json.new", "other"] {
            fs::write(folder.path().join(name), name).unwrap();
        }
        storage.sweep(&["b.key".to_owned()].into()).unwrap();
        assert_eq!(names(folder.path()).unwrap(), ["b.key", "c.json", "other"]);
    }
}
