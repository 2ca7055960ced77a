//! The files of the five-step workflow, read with errors that name them.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use anyhow::Context;
use hush_program::ClientSpec;
use hush_runtime::Model;
use hush_wire::program::ClientSpecV1;
use hush_wire::{EvaluationKeysReader, Kind, read_message};
use serde_json::Value;

use crate::failure::{Failure, Result};

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
    let model = open(path).and_then(|input| Ok(Model::read(input)?));
    about("model", path, model)
}

/// What the compiler reported, or null.
pub(crate) fn report(model: &Model) -> Value {
    serde_json::from_str(&model.report_json).unwrap_or(Value::Null)
}

/// Opens a file of evaluation keys; the header has been read.
pub(crate) fn open_evaluation_keys(path: &Path) -> Result<EvaluationKeysReader<BufReader<File>>> {
    let opened = open(path).and_then(|input| Ok(EvaluationKeysReader::open(input)?));
    about("evaluation keys", path, opened)
}
