//! `hush party`: one party of multi-party computations, or all of them on this machine.

mod local;
mod new_identity;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::{Args, Subcommand};
use hush_graph::Graph;
use hush_party::audit::AuditLog;
use hush_party::{Configuration, Identity, Player, PlayerOptions, Policy, Programs, Runner};
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
    place: Option<Place>,
    /// What this party agrees to; nothing is allowed that the file does not name [default: NAME.policy.toml beside
    /// the configuration]
    #[arg(long, value_name = "FILE", requires = "config")]
    policy: Option<PathBuf>,
}

#[derive(Subcommand, Debug)]
enum Verb {
    NewIdentity(new_identity::NewIdentityArguments),
    Local(local::LocalArguments),
}

/// Which party it is, and where it has what is its own.
#[derive(Args, Debug)]
pub(crate) struct Place {
    /// Which party of the configuration this is
    #[arg(long)]
    name: String,
    /// The file of all parties (parties.toml)
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Folder of this party's identity, from `hush party new-identity` [default: NAME beside the configuration]
    #[arg(long, value_name = "FOLDER")]
    identity: Option<PathBuf>,
    /// Where to note what was computed, and revealed to whom [default: NAME.audit.jsonl beside the configuration]
    #[arg(long, value_name = "FILE")]
    audit: Option<PathBuf>,
    /// Where to keep shares between sessions, as far as the policy allows [default: NAME.shares beside the
    /// configuration]
    #[arg(long, value_name = "FOLDER")]
    shares: Option<PathBuf>,
    /// Address to listen at [default: the one in the configuration]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Sessions at the same time; more are refused
    #[arg(long, value_name = "COUNT", default_value_t = PlayerOptions::default().sessions_most)]
    sessions: usize,
}

pub(crate) fn run(arguments: &PartyArguments, terminal: Terminal) -> Result<Outcome> {
    match (&arguments.command, &arguments.place) {
        (Some(Verb::NewIdentity(arguments)), _) => new_identity::run(arguments),
        (Some(Verb::Local(arguments)), _) => local::run(arguments, terminal),
        (None, Some(place)) => run_party(place, arguments.policy.as_deref()),
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
    Arc::new(Programs::new(read))
}

fn run_party(place: &Place, policy: Option<&Path>) -> Result<Outcome> {
    let Place { name, config, .. } = place;
    let file = format!("{name}.policy.toml");
    let policy = Policy::load(&beside(config, policy, &file))?;
    serve(place, policy, None)
}

fn beside(configuration: &Path, given: Option<&Path>, name: &str) -> PathBuf {
    let folder = configuration.parent().unwrap_or(Path::new(""));
    given.map_or_else(|| folder.join(name), Path::to_owned)
}

/// Runs a party until it is interrupted; the other parties of its sessions are told of that. `kept` must be there.
pub(crate) fn serve(place: &Place, policy: Policy, kept: Option<&str>) -> Result<Outcome> {
    let Place { name, config, .. } = place;
    let file =
        |given: &Option<PathBuf>, default: String| beside(config, given.as_deref(), &default);
    let configuration = Configuration::load(config)?;
    let identity = Identity::load(&file(&place.identity, name.clone()))?;
    let audit = AuditLog::open(&file(&place.audit, format!("{name}.audit.jsonl")))?;
    let shares = file(&place.shares, format!("{name}.shares"));
    let options = PlayerOptions {
        listen: place.listen,
        sessions_most: place.sessions,
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
    )?
    .keeping(&shares);
    if let Some(model) = kept {
        player.check_model(model).map_err(|reason| {
            Failure::new(format!("{name} cannot serve {model}: {reason}"))
                .hint(format!("it looks in {}", shares.display()))
        })?;
    }
    eprintln!("party {name} listens at {}", player.address());
    let stop = until_interrupted();
    player.serve(stop.asked(), |text| eprintln!("{text}"));
    stop.done();
    Ok(Outcome {
        text: String::new(),
        json: json!({}),
    })
}

/// An interruption that lets sessions end first.
pub(crate) struct Stop(Arc<(AtomicBool, AtomicBool)>);

/// From now on an interruption asks this process to end, and waits a while until it has.
pub(crate) fn until_interrupted() -> Stop {
    let state: Arc<(AtomicBool, AtomicBool)> = Arc::default();
    let asking = state.clone();
    interrupt::means(Meaning::Done);
    interrupt::first(move || {
        asking.0.store(true, Ordering::SeqCst);
        let until = Instant::now() + Duration::from_secs(3);
        while !asking.1.load(Ordering::SeqCst) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(10));
        }
        String::new()
    });
    Stop(state)
}

impl Stop {
    pub(crate) fn asked(&self) -> &AtomicBool {
        &self.0.0
    }

    pub(crate) fn done(&self) {
        self.0.1.store(true, Ordering::SeqCst);
    }
}
