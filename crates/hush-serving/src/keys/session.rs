//! An unfinished upload that is open: its file, and the check of what has arrived. Everything here blocks.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use hush_ckks::ParametersLiteral;
use hush_wire::{EvaluationKeysCheck, Kind, Limits};

use crate::keys::id::hexadecimal;
use crate::keys::index::failed;
use crate::keys::record::{Begun, Record};
use crate::keys::staging::{StagedPaths, Staging};
use crate::{ErrorKind, ServingError};

/// A header names the switching keys, a few bytes each: this is far more than any has.
const LONGEST_HEADER: u32 = 1 << 20;

/// Bytes that the disk gets at once.
const SENT_AT_ONCE: usize = 32 << 20;

/// An unfinished upload. The part on disk holds exactly what was checked.
pub(crate) struct Session {
    pub(crate) begun: Begun,
    pub(crate) paths: StagedPaths,
    file: File,
    check: EvaluationKeysCheck,
    /// Whether the header has been compared with what was announced.
    compared: bool,
    /// Bytes stored since the last time they were sent to the disk, and who is doing that.
    unsent: usize,
    sending: Option<JoinHandle<io::Result<()>>>,
}

impl Session {
    /// Begins anew; what had arrived of this upload is gone.
    pub(crate) fn create(staging: &Staging, begun: Begun) -> io::Result<Self> {
        let (paths, file) = staging.create(&begun)?;
        Ok(Self {
            check: check(),
            begun,
            paths,
            file,
            compared: false,
            unsent: 0,
            sending: None,
        })
    }

    /// Goes on with what another process left: its bytes are checked again. What turns out not to be a key is removed.
    pub(crate) fn resume(begun: Begun, paths: StagedPaths) -> Result<Self, ServingError> {
        let open = OpenOptions::new().read(true).append(true).open(&paths.part);
        let mut session = Self {
            check: check(),
            begun,
            paths,
            file: open.map_err(failed)?,
            compared: false,
            unsent: 0,
            sending: None,
        };
        let mut piece = vec![0; 1 << 20];
        loop {
            let count = session.file.read(&mut piece).map_err(failed)?;
            if count == 0 {
                return Ok(session);
            }
            if let Err(error) = session.check_piece(&piece[..count]) {
                session.paths.remove().map_err(failed)?;
                return Err(error);
            }
        }
    }

    /// Bytes that have arrived.
    pub(crate) fn offset(&self) -> u64 {
        self.check.position()
    }

    /// Checks the next bytes, and then stores them.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if they are not the key that was announced; [`ErrorKind::Internal`].
    pub(crate) fn store(&mut self, chunks: &[Bytes]) -> Result<(), ServingError> {
        for chunk in chunks {
            self.check_piece(chunk)?;
            self.file.write_all(chunk).map_err(failed)?;
            self.unsent += chunk.len();
        }
        if self.unsent >= SENT_AT_ONCE {
            self.send().map_err(failed)?;
        }
        Ok(())
    }

    /// Has the disk write while more arrives, so that there is little left to wait for at the end, however large the
    /// file and slow the disk.
    fn send(&mut self) -> io::Result<()> {
        self.sent()?;
        let file = self.file.try_clone()?;
        self.sending = Some(std::thread::spawn(move || file.sync_data()));
        self.unsent = 0;
        Ok(())
    }

    /// Waits until what was sent is there.
    fn sent(&mut self) -> io::Result<()> {
        match self.sending.take().map(JoinHandle::join) {
            Some(Err(_)) => Err(io::Error::other("the thread that writes failed")),
            Some(Ok(result)) => result,
            None => Ok(()),
        }
    }

    /// Checks that all is there and makes it durable: the record of the key.
    ///
    /// # Errors
    /// As [`Session::store`].
    pub(crate) fn complete(&mut self, lifetime: Option<Duration>) -> Result<Record, ServingError> {
        let digest = self.check.finish().map_err(|error| refused(&error))?;
        self.sent().map_err(failed)?;
        self.file.sync_all().map_err(failed)?;
        let Some(header) = self.check.header() else {
            return Err(refused(&"it has no header"));
        };
        let created = SystemTime::now();
        Ok(Record {
            id: self.begun.id,
            owner: self.begun.owner.clone(),
            bytes: self.begun.total,
            created,
            expires: lifetime.and_then(|lifetime| created.checked_add(lifetime)),
            parameters: hexadecimal(&ParametersLiteral::from(&header.parameters).digest()),
            log_degree: header.parameters.log_degree,
            digest: hexadecimal(&digest),
        })
    }

    fn check_piece(&mut self, bytes: &[u8]) -> Result<(), ServingError> {
        let pushed = self.check.push(bytes);
        // A length that lies is told as such, and not by what else is wrong further on.
        if let Some(length) = self.check.file_length()
            && length != self.begun.total
        {
            return Err(refused(&format!(
                "its first bytes say {length} bytes, {} were announced",
                self.begun.total
            )));
        }
        pushed.map_err(|error| refused(&error))?;
        if !self.compared
            && let Some(header) = self.check.header()
        {
            if header.key_id != self.begun.id.0 {
                return Err(refused(&format!(
                    "it holds the keys of id {}, not of {}",
                    hexadecimal(&header.key_id),
                    hexadecimal(&self.begun.id.0),
                )));
            }
            self.compared = true;
        }
        Ok(())
    }
}

fn check() -> EvaluationKeysCheck {
    EvaluationKeysCheck::new(Limits {
        header: LONGEST_HEADER,
        ..Limits::of(Kind::EvaluationKeys)
    })
}

/// The bytes are not the key that was announced.
fn refused(reason: &dyn std::fmt::Display) -> ServingError {
    ServingError::new(
        ErrorKind::InvalidArgument,
        format!(
            "this is not the announced file of evaluation keys: {reason}; upload the file that `hush keygen` wrote, \
             from its beginning"
        ),
    )
}
