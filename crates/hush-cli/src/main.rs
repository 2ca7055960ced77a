//! The `hush` command line: encrypted inference in five steps.
//!
//! ```text
//! hush compile model.onnx --calibration data.npz -o cancer
//! hush keygen  cancer.client -o keys/
//! hush encrypt cancer.client --key keys/secret.key --input x.npy -o x.ct
//! hush run     cancer.model  --evaluation-key keys/evaluation.key --input x.ct -o y.ct
//! hush decrypt cancer.client --key keys/secret.key --input y.ct -o y.npy
//! ```
//!
//! or, against a server, in one: `hush predict URL --model cancer --input x.npy -o y.npy`.
//!
//! Start at [`commands`], one file a verb; [`output`] keeps the promise about partial files.
//!
//! Invariants:
//! - standard output holds the outcome, one JSON object with `--json`; everything else goes to
//!   standard error;
//! - exit code 0 is success, 1 failure, 2 wrong usage, 130 interruption;
//! - an output file appears whole or not at all.
//!
//! Non-goals: cryptography, layouts and formats; the crates below have them.

#![forbid(unsafe_code)]

mod arrays;
mod commands;
mod failure;
mod files;
mod inputs;
mod interrupt;
mod layer_bar;
mod layers;
mod memory;
mod output;
mod page;
mod passphrase;
mod progress;
mod style;
mod terminal;
mod timings;

use std::num::NonZeroUsize;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::failure::Result;
use crate::terminal::{Outcome, Terminal};

/// Run machine-learning models on encrypted data
#[derive(Parser, Debug)]
#[command(name = "hush", version, propagate_version = true, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// Print one JSON object in place of text
    #[arg(long, global = true)]
    json: bool,
    /// Show no progress
    #[arg(short, long, global = true)]
    quiet: bool,
    /// Threads to compute with [default: all]
    #[arg(long, global = true, value_name = "COUNT")]
    threads: Option<NonZeroUsize>,
}

#[derive(Subcommand, Debug)]
enum Command {
    Compile(commands::compile::CompileArguments),
    Inspect(commands::inspect::InspectArguments),
    Simulate(commands::simulate::SimulateArguments),
    Keygen(commands::keygen::KeygenArguments),
    Encrypt(commands::encrypt::EncryptArguments),
    Run(commands::run::RunArguments),
    Decrypt(commands::decrypt::DecryptArguments),
    Serve(commands::serve::ServeArguments),
    Server(commands::serve::ServerArguments),
    Token(commands::serve::TokenArguments),
    Predict(commands::predict::PredictArguments),
    Register(commands::register::RegisterArguments),
    RunProject(commands::run_project::RunProjectArguments),
    Canary(commands::canary::CanaryArguments),
    Top(commands::top::TopArguments),
    Mpc(commands::mpc::MpcArguments),
    Party(commands::party::PartyArguments),
    Demo(commands::demo::DemoArguments),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let terminal = Terminal::new(arguments.json, arguments.quiet);
    match perform(&arguments, terminal).and_then(|outcome| terminal.report(&outcome)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            terminal.fail(&error);
            ExitCode::from(failure::exit_code_of(&error))
        }
    }
}

fn perform(arguments: &Arguments, terminal: Terminal) -> Result<Outcome> {
    interrupt::install()?;
    hush_ckks::Isa::from_environment()?;
    if let Some(threads) = arguments.threads {
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads.get())
            .build_global()?;
    }
    match &arguments.command {
        Command::Compile(arguments) => commands::compile::run(arguments, terminal),
        Command::Inspect(arguments) => commands::inspect::run(arguments, terminal),
        Command::Simulate(arguments) => commands::simulate::run(arguments, terminal),
        Command::Keygen(arguments) => commands::keygen::run(arguments, terminal),
        Command::Encrypt(arguments) => commands::encrypt::run(arguments, terminal),
        Command::Run(arguments) => commands::run::run(arguments, terminal),
        Command::Decrypt(arguments) => commands::decrypt::run(arguments, terminal),
        Command::Serve(arguments) => commands::serve::serve(arguments),
        Command::Server(arguments) => commands::serve::server(arguments),
        Command::Token(arguments) => commands::serve::token(arguments),
        Command::Predict(arguments) => commands::predict::run(arguments, terminal),
        Command::Register(arguments) => commands::register::run(arguments, terminal),
        Command::RunProject(arguments) => commands::run_project::run(arguments, terminal),
        Command::Canary(arguments) => commands::canary::run(arguments, terminal),
        Command::Top(arguments) => commands::top::run(arguments, terminal),
        Command::Mpc(arguments) => commands::mpc::run(arguments, terminal),
        Command::Party(arguments) => commands::party::run(arguments, terminal),
        Command::Demo(arguments) => commands::demo::run(arguments, terminal),
    }
}
