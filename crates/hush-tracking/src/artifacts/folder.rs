//! Artifacts in a folder. Files are written beside their place, brought to the disk and renamed, so that none is there by half
//! and what was acknowledged stays.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use axum::body::Body;
use bytes::Bytes;
use http_body_util::BodyExt;
use tokio::sync::mpsc;

use super::path::OWN;
use super::{ArtifactPath, Download, Part, Result, absent, body_of};
use crate::wire::FileInfo;
use crate::{ErrorCode, TrackingError, time};

/// Bytes that are read at a time, and how many such pieces wait for a slow reader.
const PIECE: usize = 512 << 10;
const PIECES: usize = 4;
/// Pieces that wait for a slow disk; each is what one read from the network gave.
const WAITING: usize = 64;
/// Bytes after which a file is brought to the disk while more of it comes, so that little is left to do at its end.
const BEHIND: usize = 16 << 20;

/// A folder.
#[derive(Clone)]
pub(crate) struct Folder {
    root: PathBuf,
}

impl Folder {
    pub(super) fn open(root: &Path) -> Result<Self> {
        let made = fs::create_dir_all(root).and_then(|()| root.canonicalize());
        let root = made.map_err(|error| {
            TrackingError::invalid(format!(
                "the folder of artifacts `{}` cannot be made: {error}",
                root.display()
            ))
        })?;
        Ok(Self { root })
    }

    /// The place of a path. No part of it that exists may be a link: nothing here leads out of the folder.
    fn place(&self, path: &ArtifactPath) -> Result<PathBuf> {
        let mut place = self.root.clone();
        for name in path.names() {
            place.push(name);
            if fs::symlink_metadata(&place).is_ok_and(|metadata| metadata.is_symlink()) {
                return Err(TrackingError::invalid("Invalid path"));
            }
        }
        Ok(place)
    }

    pub(super) async fn upload(&self, path: &ArtifactPath, body: Body) -> Result<()> {
        if path.is_root() {
            return Err(TrackingError::invalid("Invalid path"));
        }
        let place = self.place(path)?;
        let beside = self.root.join(format!("{OWN}-{}", time::id()?));
        let (sender, receiver) = mpsc::channel(WAITING);
        let writing = {
            let beside = beside.clone();
            tokio::task::spawn_blocking(move || write(&beside, &place, receiver))
        };
        let received = receive(body, sender).await;
        let written = writing
            .await
            .map_err(|error| TrackingError::internal("an upload", &error))?;
        if written.is_err() {
            let _ = tokio::fs::remove_file(&beside).await;
        }
        // A body that broke off was never finished, which the writer learned too.
        received?;
        written.map_err(|error| failed(path, &error))
    }

    pub(super) async fn download(
        &self,
        path: &ArtifactPath,
        part: Part,
    ) -> Result<Option<Download>> {
        let (place, path) = (self.place(path)?, path.clone());
        let opened = blocking(move || open(&place, &path)).await?;
        let (mut file, size) = opened;
        let Some(range) = part.of(size) else {
            return Ok(None);
        };
        let (sender, receiver) = mpsc::channel(PIECES);
        let (start, mut left) = (range.start, range.end - range.start);
        tokio::task::spawn_blocking(move || {
            let result = file.seek(SeekFrom::Start(start)).and_then(|_| {
                while left > 0 {
                    let wanted = left.min(PIECE as u64);
                    let mut piece = Vec::with_capacity(wanted as usize);
                    let count = (&mut file).take(wanted).read_to_end(&mut piece)? as u64;
                    if count == 0 {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                    left -= count;
                    if sender.blocking_send(Ok(Bytes::from(piece))).is_err() {
                        break;
                    }
                }
                Ok(())
            });
            if let Err(error) = result {
                let _ = sender.blocking_send(Err(error));
            }
        });
        let body = body_of(receiver);
        Ok(Some(Download { size, range, body }))
    }

    pub(super) async fn list(&self, path: &ArtifactPath) -> Result<Vec<FileInfo>> {
        let Ok(place) = self.place(path) else {
            return Ok(Vec::new());
        };
        let path = path.clone();
        blocking(move || {
            let entries = match fs::read_dir(&place) {
                Ok(entries) => entries,
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                    ) =>
                {
                    return Ok(Vec::new());
                }
                Err(error) => return Err(failed(&path, &error)),
            };
            let mut files = Vec::new();
            for entry in entries {
                let entry = entry.map_err(|error| failed(&path, &error))?;
                let Ok(name) = entry.file_name().into_string() else {
                    continue;
                };
                let Ok(metadata) = entry.metadata() else {
                    continue;
                };
                if name.starts_with(OWN) || metadata.is_symlink() {
                    continue;
                }
                let is_dir = metadata.is_dir();
                files.push(FileInfo {
                    path: name,
                    is_dir,
                    file_size: (!is_dir).then_some(metadata.len()),
                });
            }
            Ok(files)
        })
        .await
    }

    pub(super) async fn delete(&self, path: &ArtifactPath) -> Result<()> {
        if path.is_root() {
            return Err(TrackingError::invalid("Invalid path"));
        }
        let (place, path) = (self.place(path)?, path.clone());
        blocking(move || {
            let metadata = fs::symlink_metadata(&place).map_err(|error| failed(&path, &error))?;
            let gone = if metadata.is_dir() {
                fs::remove_dir_all(&place)
            } else {
                fs::remove_file(&place)
            };
            gone.map_err(|error| failed(&path, &error))
        })
        .await
    }
}

impl Folder {
    /// Deletes uploads that nobody has gone on with since a time.
    pub(super) async fn sweep(&self, since: i64) -> Result<()> {
        let root = self.root.clone();
        let swept = move || {
            sweep(&root, since)
                .map_err(|error| TrackingError::internal("uploads that were left", &error))
        };
        blocking(swept).await
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(TrackingError::internal("a file", &error)))
}

/// Hands the pieces of a body on; the last `None` says that it is whole.
async fn receive(mut body: Body, sender: mpsc::Sender<Option<Bytes>>) -> Result<()> {
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            TrackingError::new(
                ErrorCode::BadRequest,
                format!("the upload broke off: {error}"),
            )
        })?;
        if let Ok(data) = frame.into_data()
            && sender.send(Some(data)).await.is_err()
        {
            // The writer failed, and says why.
            return Ok(());
        }
    }
    let _ = sender.send(None).await;
    Ok(())
}

fn write(beside: &Path, place: &Path, mut pieces: mpsc::Receiver<Option<Bytes>>) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(beside)?;
    let mut behind = None;
    let mut waiting = 0;
    loop {
        let piece = match pieces.blocking_recv() {
            Some(Some(piece)) => piece,
            Some(None) => break,
            None => return Err(io::ErrorKind::UnexpectedEof.into()),
        };
        file.write_all(&piece)?;
        waiting += piece.len();
        if waiting >= BEHIND {
            waiting = 0;
            let thread: &Flusher = match &mut behind {
                Some(thread) => thread,
                none => none.insert(Flusher::start(file.try_clone()?)),
            };
            thread.flush();
        }
    }
    if let Some(thread) = behind {
        thread.finish()?;
    }
    file.sync_all()?;
    let Some(folder) = place.parent() else {
        return Err(io::ErrorKind::InvalidFilename.into());
    };
    // Folders that are new have to be on the disk too, each in the one above it.
    let mut changed = vec![folder];
    changed.extend(
        folder
            .ancestors()
            .take_while(|folder| !folder.exists())
            .filter_map(Path::parent),
    );
    fs::create_dir_all(folder)?;
    fs::rename(beside, place)?;
    changed.into_iter().try_for_each(sync_folder)
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Elsewhere folders cannot be opened, and the file system sees to them.
#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

/// A thread that brings to the disk what has been written of a file.
struct Flusher {
    wake: std::sync::mpsc::SyncSender<()>,
    thread: std::thread::JoinHandle<io::Result<()>>,
}

impl Flusher {
    fn start(file: File) -> Self {
        let (wake, woken) = std::sync::mpsc::sync_channel(1);
        let thread = std::thread::spawn(move || woken.iter().try_for_each(|()| file.sync_data()));
        Self { wake, thread }
    }

    fn flush(&self) {
        // If it has not come round to the last time yet, that time will do.
        let _ = self.wake.try_send(());
    }

    /// What went wrong: the system says so once, to whoever asks first.
    fn finish(self) -> io::Result<()> {
        drop(self.wake);
        let done = self.thread.join();
        done.unwrap_or_else(|_| Err(io::Error::other("a thread that writes to the disk ended")))
    }
}

/// When something was changed last, in milliseconds since 1970; now if the system cannot say.
fn changed(metadata: &fs::Metadata) -> i64 {
    let modified = metadata.modified().ok();
    let since = modified.and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    since.map_or(i64::MAX, |since| since.as_millis() as i64)
}

/// Deletes uploads below a root that nobody has gone on with since a time.
fn sweep(root: &Path, since: i64) -> io::Result<()> {
    for entry in fs::read_dir(root)? {
        let entry = entry?;
        let name = entry.file_name();
        if !name.to_string_lossy().starts_with(OWN) {
            continue;
        }
        let metadata = entry.metadata()?;
        if metadata.is_file() && changed(&metadata) < since {
            fs::remove_file(entry.path())?;
        }
        if !metadata.is_dir() {
            continue;
        }
        for upload in fs::read_dir(entry.path())? {
            let upload = upload?;
            let mut last = changed(&upload.metadata()?);
            for part in fs::read_dir(upload.path())? {
                last = last.max(changed(&part?.metadata()?));
            }
            if last < since {
                fs::remove_dir_all(upload.path())?;
            }
        }
    }
    Ok(())
}

fn open(place: &Path, path: &ArtifactPath) -> Result<(File, u64)> {
    let file = File::open(place).map_err(|error| failed(path, &error))?;
    let metadata = file.metadata().map_err(|error| failed(path, &error))?;
    if !metadata.is_file() {
        return Err(absent(path));
    }
    Ok((file, metadata.len()))
}

fn failed(path: &ArtifactPath, error: &io::Error) -> TrackingError {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => absent(path),
        io::ErrorKind::IsADirectory
        | io::ErrorKind::AlreadyExists
        | io::ErrorKind::DirectoryNotEmpty => TrackingError::invalid(format!(
            "'{path}' is a folder, or a file is where a folder must be"
        )),
        io::ErrorKind::InvalidFilename => TrackingError::invalid("Invalid path"),
        _ => TrackingError::internal("a file", error),
    }
}
