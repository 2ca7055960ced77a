//! What goes wrong, as Python sees it: one exception with a message and a hint.

use std::error::Error;
use std::path::Path;

use hush_ckks::IsaError;
use hush_client::ClientError;
use hush_compiler::CompileError;
use hush_federated::FederatedError;
use hush_graph::GraphError;
use hush_keys::KeysError;
use hush_mpc::MpcError;
use hush_onnx::ImportError;
use hush_party::PartyError;
use hush_program::{ExchangeError, ProgramError};
use hush_remote::RemoteError;
use hush_runtime::RuntimeError;
use hush_wire::WireError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;

/// A failure on its way to Python.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    hint: Option<String>,
}

impl Failure {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: None,
        }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Says which file it is about.
    pub(crate) fn about(mut self, what: &str, path: &Path) -> Self {
        self.message = format!("cannot use {what} `{}`: {}", path.display(), self.message);
        self
    }

    /// An error with its causes, and the hint of the outermost that has one.
    pub(crate) fn of(error: &(dyn Error + 'static)) -> Self {
        let mut messages = vec![error.to_string()];
        let mut hint = hint_of(error);
        let mut next = error.source();
        while let Some(cause) = next {
            messages.push(cause.to_string());
            hint = hint.or_else(|| hint_of(cause));
            next = cause.source();
        }
        messages.dedup();
        Self {
            message: in_python(&messages.join(": ")),
            hint: hint.map(|hint| in_python(&hint)),
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.message)
    }
}

fn hint_of(error: &(dyn Error + 'static)) -> Option<String> {
    if let Some(error) = error.downcast_ref::<ClientError>() {
        return hint_of_client(error);
    }
    if let Some(error) = error.downcast_ref::<RemoteError>() {
        return match error {
            RemoteError::Client(error) | RemoteError::Key { source: error, .. } => {
                hint_of_client(error)
            }
            error => error.hint(),
        };
    }
    if let Some(error) = error.downcast_ref::<RuntimeError>() {
        return error.hint();
    }
    if let Some(error) = error.downcast_ref::<WireError>() {
        return error.hint();
    }
    error
        .downcast_ref::<ExchangeError>()
        .map(|error| error.hint().to_owned())
}

fn hint_of_client(error: &ClientError) -> Option<String> {
    match error {
        ClientError::PassphraseNeeded => {
            Some("pass passphrase=..., or set HUSH_PASSPHRASE".to_owned())
        }
        ClientError::Shape { .. } | ClientError::TensorCount { .. } => {
            Some("`inputs` of the client spec has the names and shapes".to_owned())
        }
        error => error.hint(),
    }
}

/// Names of commands and options, as the functions and arguments are called.
pub(crate) fn in_python(text: &str) -> String {
    let mut words = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("--") {
        let (before, option) = rest.split_at(start);
        words.push_str(before);
        let option = option.trim_start_matches('-');
        let end = option.find(|c: char| !c.is_ascii_lowercase() && c != '-');
        let (name, after) = option.split_at(end.unwrap_or(option.len()));
        words.push_str(&name.replace('-', "_"));
        rest = after;
    }
    words.push_str(rest);
    words
        .replace("`hush inspect FILE`", "`hushml.inspect(path)`")
        .replace("`hush inspect`", "`hushml.inspect`")
        .replace("`hush compile`", "`hushml.compile`")
}

macro_rules! from {
    ($($error:ty),* $(,)?) => {$(
        impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::of(&error)
            }
        }
    )*};
}

from!(
    ClientError,
    CompileError,
    ExchangeError,
    FederatedError,
    GraphError,
    ImportError,
    IsaError,
    KeysError,
    MpcError,
    PartyError,
    ProgramError,
    RemoteError,
    RuntimeError,
    WireError,
    serde_json::Error,
    std::io::Error,
);

impl From<Failure> for PyErr {
    fn from(failure: Failure) -> Self {
        static ERROR: PyOnceLock<Py<PyType>> = PyOnceLock::new();
        Python::attach(|py| match ERROR.import(py, "hushml._error", "HushError") {
            Ok(error) => Self::from_type(error.clone(), (failure.message, failure.hint)),
            Err(error) => error,
        })
    }
}
