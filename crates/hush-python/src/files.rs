//! Files in and out. An output appears whole or not at all.

use std::fs::{self, File, Permissions};
use std::io::{self, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile};

use crate::failure::Failure;

const BUFFER: usize = 1 << 20;

/// Who may read an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Whomever the umask allows.
    Shared,
    /// The owner alone.
    Owner,
}

pub(crate) fn open(path: &Path) -> Result<BufReader<File>, Failure> {
    let file = File::open(path)?;
    if file.metadata()?.is_dir() {
        return Err(Failure::new("it is a folder"));
    }
    Ok(BufReader::with_capacity(BUFFER, file))
}

/// A file in the making; removed if it is dropped.
pub(crate) struct Output {
    target: PathBuf,
    file: BufWriter<NamedTempFile>,
}

impl Output {
    pub(crate) fn create(path: &Path, access: Access) -> Result<Self, Failure> {
        Self::start(path, access)
            .map_err(|error| Failure::of(&error).about("the output file", path))
    }

    fn start(path: &Path, access: Access) -> io::Result<Self> {
        // What is behind a link is replaced, not the link.
        let target = match fs::canonicalize(path) {
            Ok(target) if target.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
            Ok(target) => target,
            Err(_) => Path::new(".").join(path),
        };
        let folder = target.parent().unwrap_or(Path::new("."));
        let mode = match access {
            Access::Shared => 0o666,
            Access::Owner => 0o600,
        };
        let file = Builder::new()
            .prefix(".hush-")
            .suffix(".part")
            .permissions(permissions(mode))
            .tempfile_in(folder)?;
        Ok(Self {
            target,
            file: BufWriter::with_capacity(BUFFER, file),
        })
    }

    /// Puts the finished file in place.
    pub(crate) fn commit(self) -> Result<(), Failure> {
        let saved = (|| {
            let file = self
                .file
                .into_inner()
                .map_err(io::IntoInnerError::into_error)?;
            file.as_file().sync_all()?;
            file.persist(&self.target)?;
            Ok::<_, io::Error>(())
        })();
        saved.map_err(|error| Failure::of(&error).about("the output file", &self.target))
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

#[cfg(unix)]
fn permissions(mode: u32) -> Permissions {
    use std::os::unix::fs::PermissionsExt;
    Permissions::from_mode(mode)
}
