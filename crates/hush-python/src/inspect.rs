//! What a file holds, in words. Reads no secret.

use std::io::Read;
use std::path::Path;

use hush_client::describe;
use hush_program::ClientSpec;
use hush_wire::program::{ClientSpecV1, ModelV1};
use hush_wire::{
    CiphertextsReader, EvaluationKeysReader, Kind, MAGIC, Reader, read_message, read_secret_key,
};

use crate::failure::Failure;
use crate::files::open;

/// Describes a file and checks that it is whole.
pub(crate) fn inspect(path: &Path) -> Result<String, Failure> {
    describe_file(path).map_err(|failure| failure.about("file", path))
}

fn describe_file(path: &Path) -> Result<String, Failure> {
    let mut start = Vec::new();
    open(path)?
        .take(MAGIC.len() as u64)
        .read_to_end(&mut start)?;
    let onnx = path
        .extension()
        .is_some_and(|extension| extension == "onnx");
    if start != MAGIC && onnx {
        let graph = hush_onnx::import(path)?;
        return Ok(graph.to_string().trim_end().to_owned());
    }
    let envelope = Reader::open_any(open(path)?)?.envelope();
    let text = match envelope.kind {
        Kind::Model => {
            let stored: ModelV1 = read_message(open(path)?, Kind::Model)?;
            stored.report_text
        }
        Kind::Client => {
            let stored: ClientSpecV1 = read_message(open(path)?, Kind::Client)?;
            ClientSpec::try_from(stored)?.to_string()
        }
        Kind::SecretKey => describe::secret_key(&read_secret_key(open(path)?)?.0),
        Kind::EvaluationKeys => {
            let reader = EvaluationKeysReader::open(open(path)?)?;
            check_whole(path)?;
            describe::evaluation_keys(reader.header())
        }
        Kind::Ciphertexts => {
            let reader = CiphertextsReader::open(open(path)?)?;
            check_whole(path)?;
            describe::ciphertexts(reader.header())
        }
        kind => return Err(Failure::new(format!("{kind} cannot be printed"))),
    };
    Ok(format!(
        "{} (format {}), {} bytes, checksum matches\n{}",
        envelope.kind,
        envelope.version,
        envelope.file_length(),
        text.trim_end()
    ))
}

/// Reads all of a file for its checksum.
fn check_whole(path: &Path) -> Result<(), Failure> {
    let mut reader = Reader::open_any(open(path)?)?;
    reader.skip_rest()?;
    Ok(reader.finish()?)
}
