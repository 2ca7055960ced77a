//! `hush keygen`: keys for a model, made where the data is.

use std::fs;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use hush_client::{generate_secret_key, write_evaluation_keys, write_secret_key};
use hush_keys::SecureRng;
use serde_json::json;

use crate::failure::Result;
use crate::files;
use crate::output::{Access, Existing, Output};
use crate::passphrase::PassphraseArguments;
use crate::terminal::{Outcome, Terminal, bytes, counted};

/// File name of the secret key in its folder.
pub(crate) const SECRET_KEY: &str = "secret.key";
/// File name of the evaluation keys in their folder.
pub(crate) const EVALUATION_KEY: &str = "evaluation.key";

/// Make a secret key and the evaluation keys that a model needs
#[derive(Args, Debug)]
pub(crate) struct KeygenArguments {
    /// The model's public file (.client)
    client: PathBuf,
    /// Folder for secret.key and evaluation.key; created if missing
    #[arg(short, long, value_name = "FOLDER")]
    output: PathBuf,
    #[command(flatten)]
    passphrase: PassphraseArguments,
    /// Replace keys that are there already
    #[arg(long)]
    force: bool,
}

pub(crate) fn run(arguments: &KeygenArguments, terminal: Terminal) -> Result<Outcome> {
    let spec = files::read_client(&arguments.client)?;
    let passphrase = arguments.passphrase.read(true)?;
    fs::create_dir_all(&arguments.output)
        .with_context(|| format!("cannot create folder `{}`", arguments.output.display()))?;
    let existing = if arguments.force {
        Existing::Replace
    } else {
        Existing::Refuse
    };
    let secret_path = arguments.output.join(SECRET_KEY);
    let evaluation_path = arguments.output.join(EVALUATION_KEY);
    let mut secret = Output::create(&secret_path, Access::Owner, existing)?;
    let mut evaluation = Output::create(&evaluation_path, Access::Shared, existing)?;

    let mut rng = SecureRng::from_os()?;
    let key = generate_secret_key(&spec, &mut rng)?;
    let keys = spec.keys.rotations.len() + usize::from(spec.keys.relinearization.is_some());
    let bar = terminal.progress.bar("keys", keys as u64);
    write_evaluation_keys(&spec, &key, &mut rng, &mut evaluation, &mut |done, _| {
        bar.set_position(done as u64);
    })?;
    write_secret_key(&key, passphrase.as_ref(), &mut rng, &mut secret)?;
    bar.finish_and_clear();
    let evaluation_bytes = evaluation.commit()?;
    let secret_bytes = secret.commit()?;

    let protection = match passphrase {
        Some(_) => "protected with a passphrase",
        None => "not protected with a passphrase",
    };
    Ok(Outcome {
        text: format!(
            "key {}\n  {}  {}, {protection}; keep it to yourself\n  {}  {}, {}; give it to the server",
            key.key_id(),
            secret_path.display(),
            bytes(secret_bytes),
            evaluation_path.display(),
            bytes(evaluation_bytes),
            counted(keys, "key"),
        ),
        json: json!({
            "key_id": key.key_id().to_string(),
            "secret_key": { "path": secret_path, "bytes": secret_bytes, "passphrase": passphrase.is_some() },
            "evaluation_key": { "path": evaluation_path, "bytes": evaluation_bytes, "keys": keys },
        }),
    })
}
