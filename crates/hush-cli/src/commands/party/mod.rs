//! `hush party`: one party of multi-party computations, or all of them on this machine.

mod local;
mod new_identity;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::{Args, Subcommand};
use hush_graph::Graph;
use hush_party::audit::AuditLog;
use hush_party::predict::Predictions;
use hush_party::{Configuration, Identity, Player, PlayerOptions, Policy, Runner};
use serde_json::json;

use crate::failure::{Failure, Result};
use crate::interrupt::{self, Meaning};
use crate::terminal::{Outcome, Terminal};

/// Run a party of multi-party computations: it waits for sessions and takes part in what its policy allows
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct PartyArguments {
    #[command(subcommand)]
    command: Option<Verb>,
    #[command(flatten)]
    run: Option<RunArguments>,
}

#[derive(Subcommand, Debug)]
enum Verb {
    NewIdentity(new_identity::NewIdentityArguments),
    Local(local::LocalArguments),
}

/// What a party needs to run.
#[derive(Args, Debug)]
struct RunArguments {
    /// Which party of the configuration this is
    #[arg(long)]
    name: String,
    /// The file of all parties (parties.toml)
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Folder of this party's identity, from `hush party new-identity` [default: NAME beside the configuration]
    #[arg(long, value_name = "FOLDER")]
    identity: Option<PathBuf>,
    /// What this party agrees to; nothing is allowed that the file does not name [default: NAME.policy.toml beside
    /// the configuration]
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Where to note what was computed, and revealed to whom [default: NAME.audit.jsonl beside the configuration]
    #[arg(long, value_name = "FILE")]
    audit: Option<PathBuf>,
    /// Address to listen at [default: the one in the configuration]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Sessions at the same time; more are refused
    #[arg(long, value_name = "COUNT", default_value_t = PlayerOptions::default().sessions_most)]
    sessions: usize,
}

pub(crate) fn run(arguments: &PartyArguments, terminal: Terminal) -> Result<Outcome> {
    match (&arguments.command, &arguments.run) {
        (Some(Verb::NewIdentity(arguments)), _) => new_identity::run(arguments),
        (Some(Verb::Local(arguments)), _) => local::run(arguments, terminal),
        (None, Some(arguments)) => serve(arguments),
        (None, None) => Err(Failure::new("nothing to do")
            .hint("give --name and --config, or see `hush party --help`")
            .into()),
    }
}

/// The graph behind a model file, as every party prepares it.
pub(crate) fn read_model(path: &Path) -> Result<Graph> {
    let graph = hush_onnx::import(path)?;
    let graph = hush_graph::rewrite::simplify(&graph)?;
    Ok(hush_mpc::execute::fold(&graph)?)
}

/// What runs programs at a party.
pub(crate) fn runner() -> Arc<dyn Runner> {
    let read = |path: &Path| read_model(path).map_err(|error| format!("{error:#}"));
    Arc::new(Predictions::new(read))
}

fn beside(configuration: &Path, given: Option<&Path>, name: &str) -> PathBuf {
    let folder = configuration.parent().unwrap_or(Path::new(""));
    given.map_or_else(|| folder.join(name), Path::to_owned)
}

fn serve(arguments: &RunArguments) -> Result<Outcome> {
    let RunArguments { name, config, .. } = arguments;
    let file =
        |given: &Option<PathBuf>, default: String| beside(config, given.as_deref(), &default);
    let configuration = Configuration::load(config)?;
    let identity = Identity::load(&file(&arguments.identity, name.clone()))?;
    let policy = Policy::load(&file(&arguments.policy, format!("{name}.policy.toml")))?;
    let audit = AuditLog::open(&file(&arguments.audit, format!("{name}.audit.jsonl")))?;
    let options = PlayerOptions {
        listen: arguments.listen,
        sessions_most: arguments.sessions,
        ..PlayerOptions::default()
    };
    let player = Player::new(
        name,
        configuration,
        &identity,
        policy,
        audit,
        runner(),
        options,
    )?;
    eprintln!("party {name} listens at {}", player.address());
    interrupt::means(Meaning::Done);
    player.serve(&AtomicBool::new(false), |text| eprintln!("{text}"));
    Ok(Outcome {
        text: String::new(),
        json: json!({}),
    })
}
