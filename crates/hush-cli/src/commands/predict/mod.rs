//! `hush predict`: a server's model on the data owner's arrays. Only ciphertexts and evaluation keys leave the machine.

mod bars;
mod destination;
mod resume;

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use hush_client::{Outliers, Tensor, find_outliers, outputs_are_indices};
use hush_program::ClientSpec;
use hush_remote::{PredictOptions, Session};
use serde_json::{Value, json};

use crate::arrays::{self, Elements, Samples};
use crate::commands::server::ServerArguments;
use crate::failure::{Failure, Result};
use crate::inputs::{self, Wanted};
use crate::interrupt;
use crate::passphrase::PassphraseArguments;
use crate::terminal::{Outcome, Terminal, counted};
use bars::Bars;
use destination::Destination;
use resume::Task;

/// Numbers of a batch that is read at once.
const BATCH: usize = 1 << 20;

/// Predict with a model on a server: encrypt, send, decrypt
#[derive(Args, Debug)]
pub(crate) struct PredictArguments {
    #[command(flatten)]
    server: ServerArguments,
    /// The model's name on the server
    #[arg(short, long, value_name = "NAME")]
    model: String,
    /// Its version [default: the latest]
    #[arg(long, value_name = "VERSION")]
    model_version: Option<String>,
    /// The inputs, shape [batch, ...]: .npy, .csv and .parquet of any length, or .npz (one array an input, by name)
    #[arg(short, long, value_name = "FILE")]
    input: PathBuf,
    /// Which array of an .npz file is the input
    #[arg(long, value_name = "NAME")]
    array: Option<String>,
    /// Where the outputs go: .npy, .csv or .npz; printed as a table if left out
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Folder of the keys; they are made when a model needs them first [default: ~/.hushml]
    #[arg(long, value_name = "FOLDER")]
    keys: Option<PathBuf>,
    /// Leave out what the model does after decryption (Softmax, Sigmoid, ArgMax)
    #[arg(long)]
    raw: bool,
    /// Keep what is finished when the command is interrupted, and go on there
    #[arg(long, requires = "output")]
    resume: bool,
    #[command(flatten)]
    passphrase: PassphraseArguments,
}

pub(crate) fn run(arguments: &PredictArguments, terminal: Terminal) -> Result<Outcome> {
    // What is wrong with the files is better found before anything is sent.
    let samples = Samples::open(&arguments.input)?;
    let output = arguments.output.as_deref();
    output.map(arrays::Format::of_output).transpose()?;
    let passphrase = arguments.passphrase.read(false)?;
    let folder = keys_folder(arguments.keys.as_deref())?;

    let connection = arguments.server.connect(terminal)?;
    let model = connection.model_version(&arguments.model, arguments.model_version.as_deref())?;
    let spec = model.spec();
    let task = Task::new(spec, &arguments.input, arguments.raw)?;
    let elements = match !arguments.raw && outputs_are_indices(spec) {
        true => Elements::Int64,
        false => Elements::Float32,
    };
    let mut destination = Destination::create(output, spec, elements, arguments.resume, task)?;
    let resumed = destination.finished();
    let mut source = Source::open(arguments, spec, samples, resumed)?;
    if arguments.resume {
        interrupt::means(interrupt::Meaning::GoesOn);
    }

    let mut bars = Bars::new(terminal.progress, resumed);
    let session = model.keys(&folder, passphrase.as_ref(), &mut |at| bars.show(at))?;
    let total = source.count();
    let options = PredictOptions {
        raw: arguments.raw,
        ..PredictOptions::default()
    };
    let mut outliers = Vec::new();
    let mut before = resumed;
    let batches = std::iter::from_fn(|| {
        let batch = source.next(spec, &session).transpose()?;
        if let Ok(batch) = &batch {
            note(&mut outliers, find_outliers(spec, batch), before);
            before += batch.first().map_or(0, |tensor| tensor.shape()[0]) as u64;
        }
        Some(batch)
    });
    let mut sink = |outputs| destination.add(outputs);
    let done = session.predict_each(batches, total, &options, &mut sink, &mut |at| bars.show(at));
    bars.finish();
    let done = match done {
        Ok(done) => done,
        Err(error) => {
            destination.keep();
            return Err(error);
        }
    };
    if done + resumed == 0 {
        let message = format!("`{}` holds no sample", arguments.input.display());
        return Err(Failure::new(message).into());
    }
    let (text, written) = destination.finish()?;
    let outside = inputs::warn(&outliers, terminal);
    Ok(Outcome {
        text: match output {
            None => text,
            Some(output) => said(done, resumed, output),
        },
        json: json!({
            "model": { "name": model.name().name, "program_id": hex(&spec.program_id) },
            "output": written,
            "samples": done + resumed,
            "resumed_at": resumed,
            "outside_calibrated_range": outside,
            "key_id": session.keys().id(),
        }),
    })
}

fn said(done: u64, resumed: u64, output: &Path) -> String {
    let samples = counted(usize::try_from(done).unwrap_or(usize::MAX), "sample");
    let before = match resumed {
        0 => String::new(),
        before => format!(" after the {before} that were finished"),
    };
    format!("predicted {samples}{before} to `{}`", output.display())
}

fn hex(id: &[u8]) -> Value {
    crate::terminal::hexadecimal(id).into()
}

/// The folder that was asked for, or the usual one.
pub(crate) fn keys_folder(asked: Option<&Path>) -> Result<PathBuf> {
    if let Some(folder) = asked {
        return Ok(folder.to_owned());
    }
    let home = std::env::home_dir().filter(|home| !home.as_os_str().is_empty());
    let home = home.ok_or_else(|| {
        Failure::new("there is no home folder to keep keys in").hint("name a folder with --keys")
    })?;
    Ok(home.join(".hushml"))
}

/// Where samples come from.
enum Source {
    /// A file that is read a few samples at a time.
    Pieces { samples: Samples, path: PathBuf },
    /// Tensors that were read as a whole.
    Whole(Option<Vec<Tensor>>),
}

impl Source {
    /// Behind the first `finished` samples.
    fn open(
        arguments: &PredictArguments,
        spec: &ClientSpec,
        samples: Option<Samples>,
        finished: u64,
    ) -> Result<Self> {
        let path = &arguments.input;
        let pieces = samples.filter(|_| spec.inputs.len() == 1 && arguments.array.is_none());
        if let Some(mut samples) = pieces {
            if !samples.skip(finished)? {
                return Err(fewer(path, finished));
            }
            let path = path.clone();
            return Ok(Self::Pieces { samples, path });
        }
        let wanted: Vec<_> = spec.inputs.iter().map(Wanted::from).collect();
        let tensors = inputs::read(path, &wanted, arguments.array.as_deref())?;
        let tensors = tensors.into_iter().map(|tensor| behind(tensor, finished));
        let tensors: Option<Vec<_>> = tensors.collect();
        let tensors = tensors.ok_or_else(|| fewer(path, finished))?;
        let any = finished == 0 || tensors.iter().any(|tensor| tensor.shape()[0] > 0);
        Ok(Self::Whole(any.then_some(tensors)))
    }

    /// Samples in all, where that is known.
    fn count(&self) -> Option<u64> {
        match self {
            Self::Pieces { samples, .. } => samples.left(),
            Self::Whole(tensors) => {
                let first = tensors.as_ref()?.first()?;
                first.shape().first().map(|&samples| samples as u64)
            }
        }
    }

    fn next(&mut self, spec: &ClientSpec, session: &Session) -> Result<Option<Vec<Tensor>>> {
        let (samples, path) = match self {
            Self::Whole(tensors) => return Ok(tensors.take()),
            Self::Pieces { samples, path } => (samples, path),
        };
        let wanted = Wanted::from(&spec.inputs[0]);
        let width = wanted.shape.iter().product::<usize>().max(1);
        let group = session.group();
        let most = (BATCH / width / group).max(1) * group;
        let tensor = samples.next(most);
        let tensor =
            tensor.with_context(|| format!("cannot read array file `{}`", path.display()))?;
        Ok(tensor.map(|tensor| vec![inputs::unflatten(tensor, &wanted)]))
    }
}

/// The samples from `first` on, if there are so many.
fn behind(tensor: Tensor, first: u64) -> Option<Tensor> {
    if first == 0 {
        return Some(tensor);
    }
    let mut shape = tensor.shape().to_vec();
    let samples = *shape.first()?;
    let first = usize::try_from(first)
        .ok()
        .filter(|&first| first <= samples)?;
    let width = tensor.data().len() / samples.max(1);
    shape[0] = samples - first;
    Tensor::new(shape, tensor.data()[first * width..].to_vec()).ok()
}

fn fewer(path: &Path, finished: u64) -> anyhow::Error {
    let message = format!(
        "`{}` has fewer than the {finished} samples that are finished",
        path.display()
    );
    Failure::new(message).into()
}

/// Adds what lies outside the calibrated ranges in a batch that so many samples precede.
fn note(all: &mut Vec<Outliers>, found: Vec<Outliers>, before: u64) {
    for mut outlier in found {
        match all.iter_mut().find(|known| known.tensor == outlier.tensor) {
            Some(known) => known.count += outlier.count,
            None => {
                outlier.first += usize::try_from(before).unwrap_or(usize::MAX);
                all.push(outlier);
            }
        }
    }
}
