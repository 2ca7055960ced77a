//! Files that appear whole, in a folder for the owner.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::path::Path;

use tempfile::{Builder, NamedTempFile};

use super::of_file;
use crate::RemoteError;

/// Who may read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Whomever the folder lets in.
    Shared,
    /// The owner alone.
    Owner,
}

/// Makes the folder, for the owner alone, unless it is there.
pub(super) fn folder(path: &Path) -> Result<(), RemoteError> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    let made = builder.recursive(true).create(path);
    made.map_err(|error| of_file(path, error))
}

/// A file without a name yet.
pub(super) fn create(folder: &Path, access: Access) -> Result<NamedTempFile, RemoteError> {
    let mut builder = Builder::new();
    builder.prefix(".hush-").suffix(".part");
    #[cfg(unix)]
    builder.permissions(
        <Permissions as std::os::unix::fs::PermissionsExt>::from_mode(match access {
            Access::Shared => 0o644,
            Access::Owner => 0o600,
        }),
    );
    let file = builder.tempfile_in(folder);
    file.map_err(|error| of_file(folder, error))
}

/// Gives a finished file its name.
pub(super) fn place(file: NamedTempFile, path: &Path) -> Result<(), RemoteError> {
    let placed = (|| {
        file.as_file().sync_all()?;
        file.persist(path)?;
        // The name should survive the machine as the bytes do.
        if let Some(folder) = path.parent()
            && let Ok(folder) = fs::File::open(folder)
        {
            let _ = folder.sync_all();
        }
        Ok::<_, io::Error>(())
    })();
    placed.map_err(|error| of_file(path, error))
}
