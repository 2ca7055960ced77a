//! Output files that appear whole or not at all.
//!
//! An output is written to a temporary file in the folder of its target and renamed at the end. The
//! temporary file goes away when the output is dropped, and when the process is interrupted.

use std::collections::BTreeSet;
use std::fs::{self, File, Permissions};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::Context;
use tempfile::{Builder, NamedTempFile};

use crate::failure::{Failure, Result};

/// Who may read an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Whomever the umask allows.
    Shared,
    /// The owner alone.
    Owner,
}

/// What to do with a file that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Existing {
    Replace,
    Refuse,
}

/// Temporary files and folders to remove on interruption. Paths are created while it is locked.
static TEMPORARY: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

fn temporary() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    TEMPORARY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes what unfinished outputs have left, and lets none begin any more.
pub(crate) fn abandon_all() -> impl Drop {
    let paths = temporary();
    for path in paths.iter() {
        // Whatever cannot be removed now cannot be removed at all.
        let _ = if path.is_dir() {
            fs::remove_dir_all(path)
        } else {
            fs::remove_file(path)
        };
    }
    paths
}

/// One output file in the making.
pub(crate) struct Output {
    target: PathBuf,
    existing: Existing,
    temporary: Registered,
    file: BufWriter<NamedTempFile>,
}

impl Output {
    /// Starts an output; fails at once if the target cannot be written.
    pub(crate) fn create(path: &Path, access: Access, existing: Existing) -> Result<Self> {
        let target = resolve(path, existing)
            .with_context(|| format!("cannot write to `{}`", path.display()))?;
        let folder = target.parent().unwrap_or(Path::new("."));
        let mode = match access {
            Access::Shared => 0o666,
            Access::Owner => 0o600,
        };
        let mut paths = temporary();
        let file = Builder::new()
            .prefix(".hush-")
            .suffix(".part")
            .permissions(permissions(mode))
            .tempfile_in(folder)
            .with_context(|| format!("cannot write to `{}`", path.display()))?;
        paths.insert(file.path().to_owned());
        Ok(Self {
            target,
            existing,
            temporary: Registered(file.path().to_owned()),
            file: BufWriter::with_capacity(1 << 20, file),
        })
    }

    /// Puts the finished file in place and returns its size in bytes.
    pub(crate) fn commit(self) -> Result<u64> {
        let Self {
            target,
            existing,
            temporary,
            file,
        } = self;
        let saved = (|| {
            let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
            file.as_file().sync_all()?;
            let length = file.as_file().metadata()?.len();
            match existing {
                Existing::Replace => file.persist(&target)?,
                Existing::Refuse => file.persist_noclobber(&target)?,
            };
            Ok::<_, io::Error>(length)
        })();
        drop(temporary);
        saved.with_context(|| format!("cannot write `{}`", target.display()))
    }
}

impl Output {
    /// As [`Output::commit`]; returns where the file is.
    pub(crate) fn commit_path(self) -> Result<PathBuf> {
        let target = self.target.clone();
        self.commit()?;
        Ok(target)
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for Output {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        self.file.seek(position)
    }
}

/// A folder for the length of one command; removed with all it holds, interrupted or not.
pub(crate) struct WorkFolder {
    _registered: Registered,
    folder: tempfile::TempDir,
}

impl WorkFolder {
    pub(crate) fn create() -> Result<Self> {
        let mut paths = temporary();
        let folder = Builder::new()
            .prefix("hush-")
            .tempdir()
            .context("cannot make a temporary folder")?;
        paths.insert(folder.path().to_owned());
        Ok(Self {
            _registered: Registered(folder.path().to_owned()),
            folder,
        })
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// An entry of [`TEMPORARY`], taken out when dropped.
struct Registered(PathBuf);

impl Drop for Registered {
    fn drop(&mut self) {
        temporary().remove(&self.0);
    }
}

/// The file that will be replaced: behind links, and certain to be no folder and no device.
fn resolve(path: &Path, existing: Existing) -> Result<PathBuf> {
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => Err(Failure::new("it is a folder")
            .hint("name a file inside it")
            .into()),
        Ok(found) if !found.is_file() => Err(Failure::new("it is not a regular file")
            .hint("outputs are put in place by renaming; name a regular file")
            .into()),
        Ok(_) if existing == Existing::Refuse => Err(Failure::new("it exists already")
            .hint("pass --force to replace it; what was encrypted for the old key is lost then")
            .into()),
        Ok(_) => {
            let target = fs::canonicalize(path)?;
            // Renaming would replace a file that its owner marked as not to be written.
            drop(File::options().append(true).open(&target)?);
            Ok(target)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => match path.parent() {
            Some(parent) if parent.as_os_str().is_empty() => Ok(Path::new(".").join(path)),
            Some(parent) if !parent.is_dir() => Err(Failure::new(format!(
                "the folder `{}` does not exist",
                parent.display()
            ))
            .hint("create the folder first")
            .into()),
            _ => Ok(path.to_owned()),
        },
        Err(error) => Err(error.into()),
    }
}

#[cfg(unix)]
fn permissions(mode: u32) -> Permissions {
    use std::os::unix::fs::PermissionsExt;
    Permissions::from_mode(mode)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn outputs_appear_only_when_committed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        let mut output = Output::create(&path, Access::Shared, Existing::Replace).unwrap();
        output.write_all(b"half").unwrap();
        drop(output);
        assert_eq!(names(folder.path()), [""; 0]);
        let mut output = Output::create(&path, Access::Shared, Existing::Replace).unwrap();
        output.write_all(b"whole").unwrap();
        assert!(!path.exists());
        assert_eq!(output.commit().unwrap(), 5);
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        assert_eq!(names(folder.path()), ["out"]);
    }

    #[test]
    fn existing_files_folders_and_missing_folders_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        fs::write(&path, b"old").unwrap();
        assert!(Output::create(&path, Access::Owner, Existing::Refuse).is_err());
        assert!(Output::create(folder.path(), Access::Owner, Existing::Replace).is_err());
        let missing = folder.path().join("no/such/file");
        assert!(Output::create(&missing, Access::Owner, Existing::Replace).is_err());
        assert_eq!(fs::read(&path).unwrap(), b"old");
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_and_owners_files_are_private() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real"), folder.path().join("link"));
        fs::write(&real, b"old").unwrap();
        symlink(&real, &link).unwrap();
        let mut output = Output::create(&link, Access::Owner, Existing::Replace).unwrap();
        output.write_all(b"new").unwrap();
        output.commit().unwrap();
        assert_eq!(fs::read(&real).unwrap(), b"new");
        assert!(link.is_symlink());
        let mode = fs::metadata(&real).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
