//! Files that appear whole or not at all.

use std::io::{BufWriter, Write};
use std::path::Path;

use crate::PartyError;

/// Writes a file by `fill` under another name, waits until it is on disk and then renames it. It is readable by its
/// owner only.
///
/// # Errors
/// If the disk is full or gone; what was there before is still there then.
pub(crate) fn write(
    path: &Path,
    fill: impl FnOnce(&mut dyn Write) -> std::io::Result<()>,
) -> Result<(), PartyError> {
    let written = || -> std::io::Result<()> {
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let temporary = tempfile::Builder::new()
            .prefix(".hush-")
            .suffix(".part")
            .tempfile_in(folder)?;
        let mut file = BufWriter::new(temporary);
        fill(&mut file)?;
        let temporary = file.into_inner().map_err(|error| error.into_error())?;
        temporary.as_file().sync_all()?;
        temporary.persist(path)?;
        // The new name is on disk once its folder is.
        #[cfg(unix)]
        std::fs::File::open(folder)?.sync_all()?;
        Ok(())
    };
    written().map_err(PartyError::file("write", path))
}
