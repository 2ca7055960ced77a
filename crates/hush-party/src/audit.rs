//! The audit log: one JSON object a line, on disk before what it tells of happens.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::PartyError;
use crate::job::Job;

/// Where a party writes what it computed and what it revealed to whom.
pub struct AuditLog {
    file: Option<Mutex<File>>,
    path: PathBuf,
}

impl AuditLog {
    /// Appends to the file at `path`.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn open(path: &Path) -> Result<Self, PartyError> {
        let file = OpenOptions::new().create(true).append(true).open(path);
        let file = file.map_err(PartyError::file("open", path))?;
        Ok(Self {
            file: Some(Mutex::new(file)),
            path: path.to_owned(),
        })
    }

    /// Forgets everything: for parties in tests.
    pub fn none() -> Self {
        Self {
            file: None,
            path: PathBuf::new(),
        }
    }

    /// Writes one event and waits until it is on disk.
    ///
    /// # Errors
    /// If the disk is full or gone; the caller gives up what it was about to do.
    pub(crate) fn write(&self, event: &str, mut details: Value) -> Result<(), PartyError> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        let seconds = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0.0, |time| time.as_secs_f64());
        details["time"] = json!(seconds);
        details["event"] = json!(event);
        let line = format!("{details}\n");
        let mut file = file.lock().unwrap_or_else(|poison| poison.into_inner());
        file.write_all(line.as_bytes())
            .and_then(|()| file.sync_data())
            .map_err(PartyError::file("write", &self.path))
    }
}

/// What the log says about a job.
pub(crate) fn of_job(job: &Job) -> Value {
    let literal = job.literal();
    json!({
        "program": {
            "kind": job.kind(),
            "name": job.name(),
            "version": job.version(),
            "blake3": blake3::Hash::from(*job.program()).to_string(),
        },
        "protocol": literal.protocol,
        "proposer": literal.proposer,
        "servers": literal.servers,
        "inputs": literal.inputs.iter().map(|input| json!({
            "name": input.name, "elements": input.elements, "from": input.owner,
        })).collect::<Vec<_>>(),
        "reads": literal.reads.iter().map(|kept| kept.name.as_str()).collect::<Vec<_>>(),
        "keeps": literal.keeps.iter().map(|kept| kept.name.as_str()).collect::<Vec<_>>(),
        "opens": literal.opens,
        "revealed": literal.outputs.iter().map(|output| json!({
            "name": output.name, "elements": output.elements, "to": output.receiver,
        })).collect::<Vec<_>>(),
    })
}

pub(crate) fn hexadecimal(session: &[u8; 32]) -> String {
    blake3::Hash::from(*session).to_string()
}
