//! The files of the five-step workflow, read with errors that name them.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use anyhow::Context;
use hush_ckks::{EvaluationKeys, KeyId, Parameters};
use hush_program::{ClientSpec, Program};
use hush_wire::program::{ClientSpecV1, ModelV1};
use hush_wire::{CiphertextsReader, EvaluationKeysReader, Kind, read_message};
use indicatif::ProgressBar;
use serde_json::Value;

use crate::failure::{Failure, Result};

/// A compiled model as its owner has it.
pub(crate) struct Model {
    pub(crate) program: Program,
    pub(crate) client_spec: ClientSpec,
    /// What the compiler reported, or null.
    pub(crate) report: Value,
}

/// Opens a file for reading.
pub(crate) fn open(path: &Path) -> Result<BufReader<File>> {
    let file = File::open(path)?;
    if file.metadata()?.is_dir() {
        return Err(Failure::new("it is a folder").into());
    }
    Ok(BufReader::with_capacity(1 << 20, file))
}

/// Says which file an error is about.
pub(crate) fn about<T>(what: &str, path: &Path, result: Result<T>) -> Result<T> {
    result.with_context(|| format!("cannot use {what} `{}`", path.display()))
}

pub(crate) fn read_client(path: &Path) -> Result<ClientSpec> {
    about("client file", path, {
        open(path).and_then(|input| {
            let stored: ClientSpecV1 = read_message(input, Kind::Client)?;
            Ok(ClientSpec::try_from(stored)?)
        })
    })
}

pub(crate) fn read_model(path: &Path) -> Result<Model> {
    about("model", path, open(path).and_then(parse_model))
}

fn parse_model(input: BufReader<File>) -> Result<Model> {
    let stored: ModelV1 = read_message(input, Kind::Model)?;
    let program = Program::try_from(stored.program)?;
    let client_spec = ClientSpec::try_from(stored.client_spec)?;
    if client_spec.program_id != program.id()? {
        return Err(
            Failure::new("its program is not the one that its client spec names")
                .hint("compile the model again")
                .into(),
        );
    }
    Ok(Model {
        program,
        client_spec,
        report: serde_json::from_str(&stored.report_json).unwrap_or(Value::Null),
    })
}

/// Opens a file of ciphertexts; the header has been read.
pub(crate) fn open_ciphertexts(path: &Path) -> Result<CiphertextsReader<BufReader<File>>> {
    let opened = open(path).and_then(|input| Ok(CiphertextsReader::open(input)?));
    about("ciphertext file", path, opened)
}

/// Opens a file of evaluation keys; the header has been read.
pub(crate) fn open_evaluation_keys(path: &Path) -> Result<EvaluationKeysReader<BufReader<File>>> {
    let opened = open(path).and_then(|input| Ok(EvaluationKeysReader::open(input)?));
    about("evaluation keys", path, opened)
}

/// Reads the rest of a file of evaluation keys.
pub(crate) fn read_evaluation_keys(
    mut reader: EvaluationKeysReader<BufReader<File>>,
    parameters: &Parameters,
    bar: &ProgressBar,
) -> Result<EvaluationKeys> {
    let mut keys = EvaluationKeys::empty(parameters, KeyId(reader.header().key_id));
    while let Some(stored) = reader.next_key()? {
        keys = keys.with_wire(&stored)?;
        bar.inc(1);
    }
    reader.finish()?;
    Ok(keys)
}
