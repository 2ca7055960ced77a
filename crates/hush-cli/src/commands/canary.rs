//! `hush canary`: inputs whose outputs are known, encrypted under a test key of the operator's and sent to a deployment; how far
//! the answers are from what they should be goes to a run. The server is asked like by anybody else and never sees the key.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use clap::builder::RangedU64ValueParser;
use hush_client::Tensor;
use hush_mlflow::{Metric, Run, RunStatus};
use hush_remote::{Connection, PredictOptions};
use serde_json::json;

use crate::commands::predict::keys_folder;
use crate::commands::server::ServerArguments;
use crate::commands::tracking::{Tracked, TrackingArguments, user};
use crate::failure::{Failure, Result};
use crate::inputs::{self, Wanted};
use crate::interrupt;
use crate::passphrase::PassphraseArguments;
use crate::terminal::{Outcome, Terminal, duration, hexadecimal};

/// Check what a deployment answers to inputs whose outputs are known, and log it to a run
#[derive(Args, Debug)]
pub(crate) struct CanaryArguments {
    #[command(flatten)]
    server: ServerArguments,
    /// The model's name on the server
    #[arg(short, long, value_name = "NAME")]
    model: String,
    /// The inputs: .npy, .npz, .csv or .parquet
    #[arg(short, long, value_name = "FILE")]
    input: PathBuf,
    /// What the float model gives for them, in the same order
    #[arg(long, value_name = "FILE")]
    expected: PathBuf,
    /// Largest error of an output; more is a failure
    #[arg(long, value_name = "ERROR")]
    tolerance: Option<f64>,
    /// Go on, with so many seconds between two checks
    #[arg(long, value_name = "SECONDS", value_parser = RangedU64ValueParser::<u64>::new().range(1..))]
    every: Option<u64>,
    /// Folder of the test key [default: ~/.hushml]
    #[arg(long, value_name = "FOLDER")]
    keys: Option<PathBuf>,
    #[command(flatten)]
    tracking: TrackingArguments,
    /// The experiment of the run, made if it is not there; nothing is logged if none is named
    #[arg(long, value_name = "NAME", env = "MLFLOW_EXPERIMENT_NAME")]
    experiment: Option<String>,
    /// The run to log to, like that of the deployment
    #[arg(long, value_name = "ID", conflicts_with = "experiment")]
    run_id: Option<String>,
    #[command(flatten)]
    passphrase: PassphraseArguments,
}

/// What a check found.
struct Found {
    largest: f64,
    mean: f64,
    /// Share of rows whose largest output is the one that it should be.
    agreement: f64,
    milliseconds: f64,
    program: String,
}

pub(crate) fn run(arguments: &CanaryArguments, terminal: Terminal) -> Result<Outcome> {
    let connection = arguments.server.connect(terminal)?;
    let log = begin(arguments)?;
    if arguments.every.is_some() {
        interrupt::means(interrupt::Meaning::Done);
    }
    let mut step = 0;
    loop {
        let found = check(arguments, &connection);
        if let Some((tracked, run)) = &log {
            let metrics = metrics(arguments, &found, step);
            tracked.wait(tracked.server.log(
                &run.id,
                &metrics,
                &BTreeMap::new(),
                &BTreeMap::new(),
            ))?;
        }
        let Some(seconds) = arguments.every else {
            return finish(arguments, found, log.as_ref());
        };
        match found.and_then(|found| judge(arguments, found)) {
            Ok(found) => eprintln!(
                "largest error {:.2e}, {}",
                found.largest,
                duration(found.milliseconds)
            ),
            Err(error) => terminal.fail(&error),
        }
        std::thread::sleep(Duration::from_secs(seconds));
        step += 1;
    }
}

fn begin(arguments: &CanaryArguments) -> Result<Option<(Tracked, Run)>> {
    let run = match (&arguments.run_id, &arguments.experiment) {
        (Some(id), _) => {
            let tracked = arguments.tracking.open()?;
            let run = tracked.wait(tracked.server.run(id))?;
            (tracked, run)
        }
        (None, Some(experiment)) => {
            let tracked = arguments.tracking.open()?;
            let experiment = tracked.wait(tracked.server.experiment(experiment))?;
            let mut tags = BTreeMap::from([
                ("mlflow.source.name".to_owned(), "hush canary".to_owned()),
                ("mlflow.source.type".to_owned(), "LOCAL".to_owned()),
                ("hush.deployment".to_owned(), arguments.model.clone()),
            ]);
            tags.extend(user());
            let name = format!("canary of {}", arguments.model);
            let run = tracked.wait(tracked.server.create_run(&experiment, Some(&name), &tags))?;
            (tracked, run)
        }
        (None, None) => return Ok(None),
    };
    Ok(Some(run))
}

/// Asks as it is served now, which may be another version than the last time.
fn check(arguments: &CanaryArguments, connection: &Connection) -> Result<Found> {
    let model = connection.model(&arguments.model)?;
    let spec = model.spec();
    let program = hexadecimal(&spec.program_id);
    let wanted: Vec<_> = spec.inputs.iter().map(Wanted::from).collect();
    let tensors = inputs::read(&arguments.input, &wanted, None)?;
    let wanted: Vec<_> = spec.outputs.iter().map(Wanted::from).collect();
    let expected = inputs::read(&arguments.expected, &wanted, None)?;
    let passphrase = arguments.passphrase.read(false)?;
    let folder = keys_folder(arguments.keys.as_deref())?;
    let silent = &mut |_| std::ops::ControlFlow::Continue(());
    let session = model.keys(&folder, passphrase.as_ref(), silent)?;
    let begun = Instant::now();
    let outputs = session.predict(tensors, &PredictOptions::default(), silent)?;
    let milliseconds = begun.elapsed().as_secs_f64() * 1e3;
    let (mut largest, mut sum, mut count, mut rows, mut same) = (0_f64, 0.0, 0, 0, 0);
    for (output, expected) in outputs.iter().zip(&expected) {
        if output.shape() != expected.shape() {
            let (found, wanted) = (output.shape(), expected.shape());
            let message =
                format!("the model gives outputs of shape {found:?}, and {wanted:?} was expected");
            return Err(Failure::new(message).into());
        }
        for (value, expected) in output.data().iter().zip(expected.data()) {
            let error = (value - expected).abs();
            // Not a number is as wrong as can be.
            largest = if error.is_nan() {
                f64::MAX
            } else {
                largest.max(error)
            };
            sum += if error.is_nan() { f64::MAX } else { error };
            count += 1;
        }
        for (row, expected) in self::rows(output).zip(self::rows(expected)) {
            rows += 1;
            same += usize::from(largest_of(row) == largest_of(expected));
        }
    }
    Ok(Found {
        largest,
        mean: sum / f64::from(count.max(1)),
        agreement: same as f64 / f64::from(rows.max(1)),
        milliseconds,
        program,
    })
}

fn rows(tensor: &Tensor) -> impl Iterator<Item = &[f64]> {
    let count = tensor.shape().first().copied().unwrap_or(1).max(1);
    tensor.data().chunks((tensor.data().len() / count).max(1))
}

fn largest_of(row: &[f64]) -> Option<usize> {
    let values = row.iter().enumerate();
    values
        .max_by(|left, right| left.1.total_cmp(right.1))
        .map(|(index, _)| index)
}

fn metrics(arguments: &CanaryArguments, found: &Result<Found>, step: i64) -> Vec<Metric> {
    let mut values = Vec::new();
    let failed = match found {
        Ok(found) => {
            values.extend([
                ("canary/largest_error", found.largest),
                ("canary/mean_error", found.mean),
                ("canary/agreement", found.agreement),
                ("canary/milliseconds", found.milliseconds),
            ]);
            arguments
                .tolerance
                .is_some_and(|tolerance| found.largest > tolerance)
        }
        Err(_) => true,
    };
    values.push(("canary/failed", f64::from(u8::from(failed))));
    let metric = |(key, value): (&str, f64)| Metric {
        key: key.to_owned(),
        value,
        step,
    };
    values.into_iter().map(metric).collect()
}

fn judge(arguments: &CanaryArguments, found: Found) -> Result<Found> {
    match arguments.tolerance {
        Some(tolerance) if found.largest > tolerance => {
            let message = format!(
                "an output is off by {:.2e}, more than {tolerance:.2e}",
                found.largest
            );
            let hint =
                "compare the version that is served with the one that the expected outputs are of";
            Err(Failure::new(message).hint(hint).into())
        }
        _ => Ok(found),
    }
}

fn finish(
    arguments: &CanaryArguments,
    found: Result<Found>,
    log: Option<&(Tracked, Run)>,
) -> Result<Outcome> {
    let judged = found.and_then(|found| judge(arguments, found));
    if let (Some((tracked, run)), None) = (log, &arguments.run_id) {
        let status = if judged.is_ok() {
            RunStatus::Finished
        } else {
            RunStatus::Failed
        };
        tracked.wait(tracked.server.set_run_status(&run.id, status))?;
    }
    let found = judged?;
    Ok(Outcome {
        text: format!(
            "largest error {:.2e}, {:.2e} on average; {:.1} % of the rows agree; {}",
            found.largest,
            found.mean,
            100.0 * found.agreement,
            duration(found.milliseconds)
        ),
        json: json!({
            "largest_error": found.largest,
            "mean_error": found.mean,
            "agreement": found.agreement,
            "milliseconds": found.milliseconds,
            "program_id": found.program,
            "run_id": log.map(|(_, run)| run.id.clone()),
        }),
    })
}
