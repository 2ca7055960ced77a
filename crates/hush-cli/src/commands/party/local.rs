//! `hush party local`: three computing parties on this machine, for development.

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::Duration;

use clap::Args;
use hush_party::PlayerOptions;
use hush_party::local::{PROPOSER, start_keeping};
use serde_json::json;

use crate::failure::Result;
use crate::terminal::{Outcome, Terminal};

/// Run three computing parties on this machine that allow everything, for development
#[derive(Args, Debug)]
pub(super) struct LocalArguments {
    /// Folder for parties.toml and the identity of the party that proposes; what is there already is not overwritten
    #[arg(short, long, value_name = "FOLDER")]
    output: PathBuf,
}

pub(super) fn run(arguments: &LocalArguments, terminal: Terminal) -> Result<Outcome> {
    let notice = |party: &str, text: &str| eprintln!("{party}: {text}");
    let folder = &arguments.output;
    let parties = start_keeping(
        &super::runner(),
        PlayerOptions::default(),
        Some(folder),
        notice,
    )?;
    parties.identity.save(&folder.join(PROPOSER))?;
    let file = folder.join("parties.toml");
    let write = std::fs::write(&file, parties.configuration.to_toml());
    write.map_err(|error| anyhow::anyhow!("cannot write `{}`: {error}", file.display()))?;
    eprintln!(
        "three parties listen; in another terminal:\nhush mpc predict model.onnx --input x.npy -o y.npy --parties {}",
        file.display()
    );
    terminal.warn("these parties allow everything to whoever has the identity in that folder; Ctrl-C ends them");
    let stop = super::until_interrupted();
    while !stop.asked().load(Ordering::SeqCst) {
        std::thread::sleep(Duration::from_millis(100));
    }
    drop(parties);
    stop.done();
    Ok(Outcome {
        text: String::new(),
        json: json!({}),
    })
}
