//! Where a passphrase comes from: a file, the environment, or a question on the terminal.

use std::fs;
use std::io::{IsTerminal, stdin};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::Context;
use clap::Args;
use hush_client::passphrase::Passphrase;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use crate::failure::{Failure, Result};

/// Name of the environment variable with the passphrase.
pub(crate) const VARIABLE: &str = "HUSH_PASSPHRASE";

/// The arguments of every command that touches a secret key.
#[derive(Args, Debug)]
pub(crate) struct PassphraseArguments {
    /// Ask for the passphrase of the secret key on the terminal
    #[arg(long, conflicts_with = "passphrase_file")]
    passphrase: bool,
    /// Read the passphrase of the secret key from the first line of a file
    /// (HUSH_PASSPHRASE in the environment does as well)
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

impl PassphraseArguments {
    /// The passphrase, if one was given; `confirm` asks twice where a person types it.
    pub(crate) fn read(&self, confirm: bool) -> Result<Option<Passphrase>> {
        let text = if let Some(path) = &self.passphrase_file {
            let text = fs::read_to_string(path)
                .map(Zeroizing::new)
                .with_context(|| format!("cannot read passphrase file `{}`", path.display()))?;
            Zeroizing::new(text.lines().next().unwrap_or_default().to_owned())
        } else if self.passphrase {
            ask(confirm)?
        } else if let Ok(text) = std::env::var(VARIABLE) {
            Zeroizing::new(text)
        } else {
            return Ok(None);
        };
        Ok(Some(Passphrase::new(text)?))
    }
}

fn ask(confirm: bool) -> Result<Zeroizing<String>> {
    if !stdin().is_terminal() {
        return Err(
            Failure::new("cannot ask for the passphrase: there is no terminal")
                .hint(format!("pass --passphrase-file FILE or set {VARIABLE}"))
                .into(),
        );
    }
    let first = prompt("Passphrase: ")?;
    if confirm {
        let second = prompt("Again: ")?;
        if *first != *second {
            return Err(Failure::new("the passphrases differ").into());
        }
    }
    Ok(first)
}

/// The terminal as it was before a question turned its echo off.
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

fn before() -> MutexGuard<'static, Option<Termios>> {
    BEFORE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn prompt(question: &str) -> Result<Zeroizing<String>> {
    *before() = tcgetattr(stdin()).ok();
    let answer = rpassword::prompt_password(question);
    *before() = None;
    Ok(Zeroizing::new(answer?))
}

/// Turns the echo on again if a question is interrupted.
pub(crate) fn restore_terminal() {
    if let Some(termios) = before().as_ref() {
        // Nothing else can be done if the terminal is gone.
        let _ = tcsetattr(stdin(), OptionalActions::Now, termios);
    }
}
