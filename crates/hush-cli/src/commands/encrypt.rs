//! `hush encrypt`: arrays to ciphertexts, on the data owner's machine.

use std::path::PathBuf;

use clap::Args;
use hush_client::{encrypt, read_secret_key};
use hush_keys::SecureRng;
use serde_json::json;

use crate::failure::Result;
use crate::files;
use crate::inputs::{self, Wanted};
use crate::output::{Access, Existing, Output};
use crate::passphrase::PassphraseArguments;
use crate::terminal::{Outcome, Terminal, bytes, counted};

/// Encrypt a batch of inputs for a model
#[derive(Args, Debug)]
pub(crate) struct EncryptArguments {
    /// The model's public file (.client)
    client: PathBuf,
    /// The secret key
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The inputs, shape [batch, ...]: .npy, .npz (one array an input, by name), .csv or .parquet
    #[arg(short, long, value_name = "FILE")]
    input: PathBuf,
    /// Which array of an .npz file is the input
    #[arg(long, value_name = "NAME")]
    array: Option<String>,
    /// Where the ciphertexts go (.ct)
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    passphrase: PassphraseArguments,
}

pub(crate) fn run(arguments: &EncryptArguments, terminal: Terminal) -> Result<Outcome> {
    let spec = files::read_client(&arguments.client)?;
    let wanted: Vec<_> = spec.inputs.iter().map(Wanted::from).collect();
    let tensors = inputs::read(&arguments.input, &wanted, arguments.array.as_deref())?;
    let passphrase = arguments.passphrase.read(false)?;
    let key = files::about("secret key", &arguments.key, {
        files::open(&arguments.key)
            .and_then(|input| Ok(read_secret_key(&spec, passphrase.as_ref(), input)?))
    })?;
    let mut output = Output::create(&arguments.output, Access::Shared, Existing::Replace)?;
    let bar = terminal.progress.bar("encrypt", 0);
    let mut rng = SecureRng::from_os()?;
    let mut progress = |done, count| {
        bar.set_length(count as u64);
        bar.set_position(done as u64);
    };
    let (_, encrypted) = encrypt(&spec, &tensors, &key, &mut rng, &mut output, &mut progress)?;
    bar.finish_and_clear();
    let size = output.commit()?;
    let outliers = inputs::warn_of_outliers(&spec, &tensors, terminal);
    Ok(Outcome {
        text: format!(
            "encrypted {} into {}, {} in `{}`",
            counted(encrypted.samples, "sample"),
            counted(encrypted.ciphertexts, "ciphertext"),
            bytes(size),
            arguments.output.display()
        ),
        json: json!({
            "output": { "path": arguments.output, "bytes": size },
            "samples": encrypted.samples,
            "ciphertexts": encrypted.ciphertexts,
            "outside_calibrated_range": outliers,
            "key_id": key.key_id().to_string(),
        }),
    })
}
