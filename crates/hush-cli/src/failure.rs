//! How failures reach people: message, causes, hint and exit code.

use std::fmt;

use hush_ckks::IsaError;
use hush_client::ClientError;
use hush_compiler::CompileError;
use hush_mlflow::MlflowError;
use hush_program::ExchangeError;
use hush_remote::RemoteError;
use hush_runtime::RuntimeError;
use hush_wire::WireError;

pub(crate) type Result<T> = anyhow::Result<T>;

/// A failure that the command line itself finds, with an optional hint.
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
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// What the user can do about an error: the hint of the outermost cause that has one.
pub(crate) fn hint_of(error: &anyhow::Error) -> Option<String> {
    let of_context = error
        .downcast_ref::<Failure>()
        .and_then(|failure| failure.hint.clone());
    of_context.or_else(|| error.chain().find_map(hint_of_cause))
}

/// The exit code: 2 where the command line asks for what cannot be, 1 for every other failure.
pub(crate) fn exit_code_of(error: &anyhow::Error) -> u8 {
    let usage = error.chain().any(|cause| {
        let compile = cause.downcast_ref::<CompileError>();
        cause.is::<IsaError>() || matches!(compile, Some(CompileError::Option { .. }))
    });
    if usage { 2 } else { 1 }
}

fn hint_of_cause(cause: &(dyn std::error::Error + 'static)) -> Option<String> {
    if let Some(failure) = cause.downcast_ref::<Failure>() {
        return failure.hint.clone();
    }
    if let Some(error) = cause.downcast_ref::<RuntimeError>() {
        return error.hint();
    }
    if let Some(error) = cause.downcast_ref::<RemoteError>() {
        return error.hint();
    }
    if let Some(error) = cause.downcast_ref::<MlflowError>() {
        return error.hint();
    }
    if let Some(error) = cause.downcast_ref::<ClientError>() {
        return error.hint();
    }
    if let Some(error) = cause.downcast_ref::<WireError>() {
        return error.hint();
    }
    if let Some(error) = cause.downcast_ref::<ExchangeError>() {
        return Some(error.hint().to_owned());
    }
    None
}

/// The error and its causes, outermost first; a cause that repeats the line above is left out.
pub(crate) fn causes_of(error: &anyhow::Error) -> Vec<String> {
    let mut causes: Vec<String> = error.chain().map(ToString::to_string).collect();
    causes.dedup();
    causes
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    #[test]
    fn hints_are_found_behind_context() {
        let inner: std::result::Result<(), _> = Err(WireError::Empty);
        let error = inner
            .context("cannot read `x.ct`")
            .context("cannot decrypt")
            .unwrap_err();
        assert!(hint_of(&error).unwrap().contains("copy or create"));
        assert_eq!(
            causes_of(&error),
            ["cannot decrypt", "cannot read `x.ct`", "the file is empty"]
        );
    }

    #[test]
    fn hints_of_context_come_first() {
        let inner: std::result::Result<(), _> = Err(WireError::Empty);
        let error = inner
            .context(Failure::new("no keys").hint("keygen"))
            .unwrap_err();
        assert_eq!(hint_of(&error).as_deref(), Some("keygen"));
    }
}
