//! `hush decrypt`: ciphertexts to arrays, on the data owner's machine.

use std::path::PathBuf;

use clap::Args;
use clap::builder::RangedU64ValueParser;
use hush_client::{
    decrypt, decrypt_flooded, finish_outputs, flooded_deviation, output_flooding, read_secret_key,
};
use hush_keys::{Flooding, SecureRng};
use serde_json::json;

use crate::arrays::{self, Format};
use crate::failure::Result;
use crate::files;
use crate::output::{Access, Existing, Output};
use crate::passphrase::PassphraseArguments;
use crate::terminal::{Outcome, Terminal, counted};

/// Decrypt the outputs of a model
#[derive(Args, Debug)]
pub(crate) struct DecryptArguments {
    /// The model's public file (.client)
    client: PathBuf,
    /// The secret key that the inputs were encrypted with
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The encrypted outputs, from `hush run`
    #[arg(short, long, value_name = "FILE")]
    input: PathBuf,
    /// Where the outputs go: .npy, .npz or .csv
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Leave out what the model does after decryption (Softmax, Sigmoid, ArgMax)
    #[arg(long)]
    raw: bool,
    /// Add noise that makes the results safe to show to others, with so many bits of statistical security
    #[arg(long, value_name = "BITS", requires = "flood_error", value_parser = RangedU64ValueParser::<u32>::new().range(1..=128))]
    flood: Option<u32>,
    /// The largest error that the model may make on an output, for whatever input: what the noise has to hide
    #[arg(long, value_name = "ERROR", requires = "flood")]
    flood_error: Option<f64>,
    /// Results that will be shown under this key, at most
    #[arg(long, value_name = "COUNT", requires = "flood", default_value_t = Flooding::DEFAULT_QUERIES,
          value_parser = RangedU64ValueParser::<u64>::new().range(1..))]
    flood_results: u64,
    #[command(flatten)]
    passphrase: PassphraseArguments,
}

pub(crate) fn run(arguments: &DecryptArguments, terminal: Terminal) -> Result<Outcome> {
    let format = Format::of_output(&arguments.output)?;
    let spec = files::read_client(&arguments.client)?;
    let passphrase = arguments.passphrase.read(false)?;
    let key = files::about("secret key", &arguments.key, {
        files::open(&arguments.key)
            .and_then(|input| Ok(read_secret_key(&spec, passphrase.as_ref(), input)?))
    })?;
    let mut output = Output::create(&arguments.output, Access::Shared, Existing::Replace)?;
    let bar = terminal.progress.bar("decrypt", 0);
    let mut progress = |done, count| {
        bar.set_length(count as u64);
        bar.set_position(done as u64);
    };
    let flooding = match (arguments.flood, arguments.flood_error) {
        (Some(bits), Some(error)) => Some(output_flooding(
            &spec,
            error,
            bits,
            arguments.flood_results,
        )?),
        _ => None,
    };
    let mut rng = SecureRng::from_os()?;
    let opened = files::open(&arguments.input).and_then(|input| {
        Ok(match &flooding {
            Some(flooding) => {
                decrypt_flooded(&spec, &key, input, flooding, &mut rng, &mut progress)?
            }
            None => decrypt(&spec, &key, input, &mut progress)?,
        })
    });
    let outputs = files::about("ciphertext file", &arguments.input, opened)?;
    bar.finish_and_clear();
    let outputs = if arguments.raw {
        outputs
    } else {
        finish_outputs(&spec, outputs)?
    };
    let (arrays, elements) = arrays::outputs(&spec, outputs, arguments.raw);
    arrays::write(&mut output, format, &arrays, elements)?;
    output.commit()?;
    let samples = arrays[0].tensor.shape()[0];
    let shapes: Vec<_> = arrays
        .iter()
        .map(|array| json!({ "name": array.name, "shape": array.tensor.shape() }))
        .collect();
    let deviation = flooding.map(|flooding| flooded_deviation(&spec, &flooding));
    let noise = deviation.map_or_else(String::new, |deviation| {
        format!(", noise of standard deviation {deviation:.1e} added to every output")
    });
    Ok(Outcome {
        text: format!(
            "decrypted {} to `{}`{noise}",
            counted(samples, "sample"),
            arguments.output.display()
        ),
        json: json!({
            "output": { "path": arguments.output, "arrays": shapes },
            "samples": samples,
            "key_id": key.key_id().to_string(),
            "flooding_deviation": deviation,
        }),
    })
}
