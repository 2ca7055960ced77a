//! Artifacts in a folder. Files are written beside their place and renamed, so that none is there by half.

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
    loop {
        match pieces.blocking_recv() {
            Some(Some(piece)) => file.write_all(&piece)?,
            Some(None) => break,
            None => return Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
    if let Some(folder) = place.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::rename(beside, place)
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
