//! `hush mpc`: computing on secret shares with other parties.

mod keep;
mod line;
mod participants;
mod predict;
mod serve;

use clap::{Args, Subcommand};

use crate::failure::Result;
use crate::terminal::{Outcome, Terminal};

/// Compute on secret shares: no party sees another one's data
#[derive(Args, Debug)]
pub(crate) struct MpcArguments {
    #[command(subcommand)]
    command: Verb,
}

#[derive(Subcommand, Debug)]
enum Verb {
    Predict(Box<predict::PredictArguments>),
    Keep(keep::KeepArguments),
    Serve(serve::ServeArguments),
}

pub(crate) fn run(arguments: &MpcArguments, terminal: Terminal) -> Result<Outcome> {
    match &arguments.command {
        Verb::Predict(arguments) => predict::run(arguments, terminal),
        Verb::Keep(arguments) => keep::run(arguments, terminal),
        Verb::Serve(arguments) => serve::run(arguments),
    }
}
