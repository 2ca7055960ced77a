//! `hush serve`, `hush server` and `hush token`: start `hush-server`, the program that is deployed. It links no secret-key code; this one
//! does.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;

use crate::failure::{Failure, Result};
use crate::terminal::Outcome;

/// Name of the program.
const PROGRAM: &str = "hush-server";

/// Serve encrypted models (starts hush-server)
#[derive(Args, Debug)]
#[command(disable_help_flag = true, disable_version_flag = true)]
pub(crate) struct ServeArguments {
    /// What `hush-server --help` lists
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

/// Track runs, keep models and their files, for MLflow's clients too (starts hush-server)
#[derive(Args, Debug)]
#[command(disable_help_flag = true, disable_version_flag = true)]
pub(crate) struct ServerArguments {
    /// What `hush-server server --help` lists
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

/// Make, list and revoke tokens for a server (starts hush-server)
#[derive(Args, Debug)]
#[command(disable_help_flag = true, disable_version_flag = true)]
pub(crate) struct TokenArguments {
    /// What `hush-server token --help` lists
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

pub(crate) fn serve(arguments: &ServeArguments) -> Result<Outcome> {
    start(None, &arguments.arguments)
}

pub(crate) fn server(arguments: &ServerArguments) -> Result<Outcome> {
    start(Some("server"), &arguments.arguments)
}

pub(crate) fn token(arguments: &TokenArguments) -> Result<Outcome> {
    start(Some("token"), &arguments.arguments)
}

/// Becomes the server, where the system can do that; else waits for it and ends as it ends.
fn start(verb: Option<&str>, arguments: &[OsString]) -> Result<Outcome> {
    let program = beside().unwrap_or_else(|| PROGRAM.into());
    let mut command = Command::new(&program);
    command.args(verb).args(arguments);
    Err(not_started(&program, &replace(&mut command)))
}

/// The server's program in the folder of this one.
pub(crate) fn beside() -> Option<PathBuf> {
    let folder = std::env::current_exe().ok()?;
    let program = folder.with_file_name(format!("{PROGRAM}{}", std::env::consts::EXE_SUFFIX));
    program.is_file().then_some(program)
}

#[cfg(unix)]
fn replace(command: &mut Command) -> io::Error {
    std::os::unix::process::CommandExt::exec(command)
}

#[cfg(not(unix))]
fn replace(command: &mut Command) -> io::Error {
    match command.status() {
        Ok(status) => std::process::exit(status.code().unwrap_or(1)),
        Err(error) => error,
    }
}

fn not_started(program: &Path, error: &io::Error) -> anyhow::Error {
    if error.kind() == io::ErrorKind::NotFound {
        let message = format!("the program `{PROGRAM}` is neither beside `hush` nor on the PATH");
        let hint = "build both with `cargo build --release -p hush-cli -p hush-server`, or put it beside `hush`";
        return Failure::new(message).hint(hint).into();
    }
    Failure::new(format!("cannot start `{}`: {error}", program.display())).into()
}
