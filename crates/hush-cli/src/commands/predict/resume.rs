//! What an interrupted `hush predict --resume` leaves: `FILE.part` with the outputs so far, and `FILE.resume`, which says
//! how many they are and of what.

use std::fs::{self, File};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, UNIX_EPOCH};

use anyhow::Context;
use hush_program::ClientSpec;
use serde_json::{Value, json};

use crate::arrays::Written;
use crate::failure::{Failure, Result};
use crate::terminal::hexadecimal;

/// How often what is finished is noted, at most.
const OFTEN: Duration = Duration::from_secs(1);

/// What the outputs are of: with another task they would not fit together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Task {
    program_id: String,
    input: String,
    input_bytes: u64,
    /// Nanoseconds since 1970.
    input_modified: u64,
    raw: bool,
}

impl Task {
    pub(crate) fn new(spec: &ClientSpec, input: &Path, raw: bool) -> Result<Self> {
        let about = || format!("cannot read array file `{}`", input.display());
        let path = fs::canonicalize(input).with_context(about)?;
        let file = fs::metadata(&path).with_context(about)?;
        let modified = file.modified().ok();
        let modified = modified.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        Ok(Self {
            program_id: hexadecimal(&spec.program_id),
            input: path.to_string_lossy().into_owned(),
            input_bytes: file.len(),
            input_modified: modified.map_or(0, |since| since.as_nanos() as u64),
            raw,
        })
    }
}

/// The note beside the outputs.
#[derive(Debug, PartialEq, Eq)]
struct Note {
    task: Task,
    /// Shape of the outputs so far; the samples come first.
    shape: Option<Vec<usize>>,
    /// Bytes of the outputs so far.
    bytes: u64,
}

impl Note {
    fn to_json(&self) -> Value {
        json!({
            "program_id": self.task.program_id,
            "input": self.task.input,
            "input_bytes": self.task.input_bytes,
            "input_modified": self.task.input_modified,
            "raw": self.task.raw,
            "shape": self.shape,
            "bytes": self.bytes,
        })
    }

    /// `None` for what no note looks like.
    fn from_json(note: &Value) -> Option<Self> {
        let text = |name: &str| note[name].as_str().map(str::to_owned);
        let extent = |value: &Value| usize::try_from(value.as_u64()?).ok();
        let shape = match &note["shape"] {
            Value::Null => None,
            shape => Some(
                shape
                    .as_array()?
                    .iter()
                    .map(extent)
                    .collect::<Option<Vec<_>>>()?,
            ),
        };
        if shape.as_ref().is_some_and(Vec::is_empty) {
            return None;
        }
        Some(Self {
            task: Task {
                program_id: text("program_id")?,
                input: text("input")?,
                input_bytes: note["input_bytes"].as_u64()?,
                input_modified: note["input_modified"].as_u64()?,
                raw: note["raw"].as_bool()?,
            },
            shape,
            bytes: note["bytes"].as_u64()?,
        })
    }
}

/// Outputs that stay when the command is interrupted.
pub(crate) struct Kept {
    output: PathBuf,
    part: PathBuf,
    note: PathBuf,
    state: Note,
    noted: Instant,
}

impl Kept {
    /// Opens the outputs so far, if they are of the same task, or begins anew if there are none.
    pub(crate) fn open(output: &Path, task: Task) -> Result<(BufWriter<File>, Self)> {
        let beside = |extension: &str| {
            let mut name = output.as_os_str().to_owned();
            name.push(extension);
            PathBuf::from(name)
        };
        let (part, note) = (beside(".part"), beside(".resume"));
        let about = || format!("cannot write to `{}`", part.display());
        let found = read(&note)?;
        if let Some(found) = &found
            && found.task != task
        {
            let message = format!("`{}` is of another input or model", part.display());
            let hint = format!(
                "remove `{}` to begin anew, or name another output",
                note.display()
            );
            return Err(Failure::new(message).hint(hint).into());
        }
        let mut options = File::options();
        let file = options.write(true).create(true).truncate(false).open(&part);
        let mut file = file.with_context(about)?;
        let state = found.unwrap_or(Note {
            task,
            shape: None,
            bytes: 0,
        });
        if file.metadata().with_context(about)?.len() < state.bytes {
            let message = format!("`{}` is shorter than it was", part.display());
            let hint = format!("remove `{}` to begin anew", note.display());
            return Err(Failure::new(message).hint(hint).into());
        }
        // What came after the last note is found again.
        file.set_len(state.bytes).with_context(about)?;
        file.seek(SeekFrom::End(0)).with_context(about)?;
        let kept = Self {
            output: output.to_owned(),
            part,
            note,
            state,
            noted: Instant::now(),
        };
        Ok((BufWriter::with_capacity(1 << 20, file), kept))
    }

    /// Samples that are finished.
    pub(crate) fn finished(&self) -> u64 {
        let shape = self.state.shape.as_ref();
        shape.map_or(0, |shape| shape[0] as u64)
    }

    /// Shape of the outputs that are finished.
    pub(crate) fn shape(&self) -> Option<Vec<usize>> {
        self.state.shape.clone()
    }

    /// Notes what is finished, unless that was done just now.
    pub(crate) fn note_now_and_then(
        &mut self,
        written: &mut Written<BufWriter<File>>,
    ) -> Result<()> {
        if self.noted.elapsed() < OFTEN && self.state.shape.is_some() {
            return Ok(());
        }
        self.note(written)
    }

    /// Notes what is finished.
    pub(crate) fn note(&mut self, written: &mut Written<BufWriter<File>>) -> Result<()> {
        let shape = written.shape().map(<[usize]>::to_vec);
        let about = || format!("cannot write `{}`", self.part.display());
        let file = written.output();
        file.flush().with_context(about)?;
        file.get_ref().sync_data().with_context(about)?;
        self.state.bytes = file.stream_position().with_context(about)?;
        self.state.shape = shape;
        let text = self.state.to_json().to_string();
        // Renamed, so that there is always a whole one.
        let about = || format!("cannot write `{}`", self.note.display());
        let folder = self
            .note
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        let mut file = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
        file.write_all(text.as_bytes()).with_context(about)?;
        file.persist(&self.note)
            .map_err(|error| error.error)
            .with_context(about)?;
        self.noted = Instant::now();
        Ok(())
    }

    /// Puts the finished outputs in place; returns where.
    pub(crate) fn finish(self, file: BufWriter<File>) -> Result<PathBuf> {
        let placed = (|| {
            let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
            file.sync_all()?;
            fs::rename(&self.part, &self.output)?;
            fs::remove_file(&self.note)
        })();
        placed.with_context(|| format!("cannot write `{}`", self.output.display()))?;
        Ok(self.output)
    }
}

fn read(path: &Path) -> Result<Option<Note>> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(error).with_context(|| format!("cannot read `{}`", path.display()));
        }
    };
    let note: Option<Value> = serde_json::from_slice(&text).ok();
    let note = note.and_then(|note| Note::from_json(&note));
    let note = note.ok_or_else(|| {
        Failure::new(format!("`{}` is damaged", path.display())).hint("remove it to begin anew")
    })?;
    Ok(Some(note))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_read_as_they_were_written() {
        let mut note = Note {
            task: Task {
                program_id: "7".into(),
                input: "/x.npy".into(),
                input_bytes: 5,
                input_modified: u64::MAX,
                raw: true,
            },
            shape: None,
            bytes: 9,
        };
        for shape in [None, Some(vec![3, 2])] {
            note.shape = shape;
            assert_eq!(Note::from_json(&note.to_json()).as_ref(), Some(&note));
        }
        let damaged = |name: &str| {
            let mut json = note.to_json();
            json[name] = json!([]);
            Note::from_json(&json)
        };
        for name in ["program_id", "input", "raw", "shape", "bytes"] {
            assert_eq!(damaged(name), None, "{name}");
        }
    }
}
