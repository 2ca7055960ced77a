//! `hush mpc predict`: an ONNX model on inputs that no computing party sees, with weights that none sees either.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use hush_mpc::Fixed;
use hush_mpc::execute::{Options, calibrate};
use hush_party::local::{self, PROPOSER};
use hush_party::predict::{Prediction, Report, Roles, WEIGHTS};
use hush_party::{
    Configuration, Given, Identity, Outcome as Session, PlayerOptions, Program, Proposal, Role,
    propose,
};
use serde_json::json;

use super::line;
use crate::arrays::{self, Elements, Format, Named};
use crate::commands::party::{read_model, runner};
use crate::failure::{Failure, Result};
use crate::inputs::{self, Wanted};
use crate::output::{Access, Existing, Output};
use crate::terminal::{Outcome, Terminal, bytes, counted, duration};

/// Run an ONNX model on secret shares of its weights and inputs
#[derive(Args, Debug)]
pub(crate) struct PredictArguments {
    /// The model (.onnx); parties that compute learn its structure, not its weights
    model: PathBuf,
    /// The inputs, shape [rows, ...]: .npy, .npz (one array an input, by name), .csv or .parquet
    #[arg(short, long, value_name = "FILE")]
    input: PathBuf,
    /// Which array of an .npz file is the input
    #[arg(long, value_name = "NAME")]
    array: Option<String>,
    /// Where the outputs go: .npy, .npz or .csv
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// The file of all parties
    #[arg(
        long,
        value_name = "FILE",
        required_unless_present = "local",
        conflicts_with = "local"
    )]
    parties: Option<PathBuf>,
    /// Start all parties on this machine, for development
    #[arg(long)]
    local: bool,
    /// Which party this is [default: client]
    #[arg(long, value_name = "PARTY", default_value = PROPOSER)]
    name: String,
    /// Folder of this party's identity [default: its name beside the file of parties]
    #[arg(long, value_name = "FOLDER")]
    identity: Option<PathBuf>,
    /// The party that gives the weights; the model here may hold any of the same shapes [default: this one]
    #[arg(long, value_name = "PARTY")]
    model_owner: Option<String>,
    /// The parties that compute, in order [default: the first three computing servers by name]
    #[arg(long, value_name = "PARTY", value_delimiter = ',')]
    servers: Vec<String>,
    /// The protocol
    #[arg(long, value_enum, default_value_t = ProtocolChoice::Aby3)]
    protocol: ProtocolChoice,
    /// The program's name, for the parties' policies [default: the file name without .onnx]
    #[arg(long, value_name = "NAME")]
    program: Option<String>,
    /// The program's version, for the parties' policies
    #[arg(long, value_name = "VERSION", default_value = "1")]
    program_version: String,
    /// Sample inputs that narrow the ranges of all values, which is faster; the ranges become public
    #[arg(long, value_name = "FILE")]
    calibration: Option<PathBuf>,
    /// Bits before the point of fixed-point numbers
    #[arg(long, value_name = "BITS", default_value_t = Fixed::STANDARD.integer_bits)]
    integer_bits: u32,
    /// Bits behind the point of fixed-point numbers
    #[arg(long, value_name = "BITS", default_value_t = Fixed::STANDARD.fraction_bits)]
    fraction_bits: u32,
    /// Write the operations with their times, rounds and bytes for Perfetto or chrome://tracing (.json)
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Predict the time on lines with this latency, one way, like 20ms
    #[arg(long, value_name = "TIME", value_parser = line::latency)]
    latency: Option<f64>,
    /// Predict the time on lines of this rate, like 100Mbit
    #[arg(long, value_name = "RATE", value_parser = line::bandwidth)]
    bandwidth: Option<f64>,
}

/// Protocols that predictions run on.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum ProtocolChoice {
    /// Three servers, replicated shares
    Aby3,
}

pub(crate) fn run(arguments: &PredictArguments, terminal: Terminal) -> Result<Outcome> {
    let format = Format::of_output(&arguments.output)?;
    let ProtocolChoice::Aby3 = arguments.protocol;
    let graph = read_model(&arguments.model)?;
    let wanted: Vec<Wanted<'_>> = graph
        .inputs()
        .iter()
        .map(|&input| Wanted {
            name: &graph.value(input).name,
            shape: graph.value(input).shape.dimensions(),
        })
        .collect();
    let array = arguments.array.as_deref();
    let samples = inputs::read(&arguments.input, &wanted, array)?;
    let batch = samples.first().map_or(0, |tensor| tensor.shape()[0]);
    let mut options = Options {
        fixed: Fixed::new(arguments.integer_bits, arguments.fraction_bits),
        ..Options::default()
    };
    if let Some(file) = &arguments.calibration {
        let tensors = inputs::read(file, &wanted, array)?;
        let tensors: Vec<hush_graph::Tensor> = tensors
            .into_iter()
            .map(|tensor| hush_graph::Tensor::new(tensor.shape().to_vec(), tensor.data().to_vec()))
            .collect::<std::result::Result<_, _>>()?;
        options.integer_bits = calibrate(&graph, &tensors, 2)?;
    }
    let prediction = Prediction::new(graph, options)?;
    let name = arguments.program.clone().unwrap_or_else(|| {
        let stem = arguments.model.file_stem().unwrap_or_default();
        stem.to_string_lossy().into_owned()
    });
    let program = prediction.program(&name, &arguments.program_version)?;
    let mut given = Given::new();
    for (position, tensor) in samples.iter().enumerate() {
        let value = prediction.plan().graph().inputs()[position];
        let name = format!("input {}", prediction.plan().graph().value(value).name);
        given.insert(name, prediction.samples(position, tensor.data())?);
    }
    if arguments.model_owner.is_none() {
        given.insert(WEIGHTS.to_owned(), prediction.weights()?);
    }
    let mut output = Output::create(&arguments.output, Access::Shared, Existing::Replace)?;
    let session = converse(arguments, &prediction, &program, given, batch, terminal)?;
    let tensors: Vec<Named> = prediction
        .plan()
        .graph()
        .outputs()
        .iter()
        .map(|output| {
            let shape = &prediction.plan().graph().value(output.value).shape;
            let numbers = prediction.numbers(&session.outputs[&output.name]);
            let tensor = hush_client::Tensor::new(shape.with_batch(batch), numbers)?;
            Ok(Named {
                name: Some(output.name.clone()),
                tensor,
            })
        })
        .collect::<Result<_>>()?;
    arrays::write(&mut output, format, &tensors, Elements::Float32)?;
    output.commit()?;
    summary(arguments, &prediction, &session, batch)
}

/// The session with the other parties, wherever they are.
fn converse(
    arguments: &PredictArguments,
    prediction: &Prediction,
    program: &Program,
    inputs: Given,
    batch: usize,
    terminal: Terminal,
) -> Result<Session> {
    let bar = terminal.progress.bar("predict", 0);
    let progress = |done: u64, total: u64, label: &str| {
        bar.set_length(total);
        bar.set_position(done);
        bar.set_message(label.to_owned());
    };
    let options = PlayerOptions::default();
    let local = match arguments.local {
        true => Some(local::start(&runner(), options, |_, _| {})?),
        false => None,
    };
    let (configuration, identity) = match (&local, &arguments.parties) {
        (Some(local), _) => (local.configuration.clone(), None),
        (None, Some(file)) => {
            let folder = arguments.identity.clone();
            let folder = folder.unwrap_or_else(|| file.with_file_name(&arguments.name));
            (Configuration::load(file)?, Some(Identity::load(&folder)?))
        }
        (None, None) => return Err(Failure::new("neither --parties nor --local").into()),
    };
    let identity = match (&identity, &local) {
        (Some(identity), _) => identity,
        (None, Some(local)) => &local.identity,
        (None, None) => unreachable!("parties are somewhere"),
    };
    let servers = match arguments.servers.is_empty() {
        false => arguments.servers.clone(),
        true => {
            let mut servers = configuration.with_role(Role::ComputeServer);
            servers.truncate(3);
            servers
        }
    };
    let me = &arguments.name;
    let roles = Roles {
        proposer: me.clone(),
        servers,
        model_owner: arguments.model_owner.clone().unwrap_or_else(|| me.clone()),
        data_owner: me.clone(),
        receiver: me.clone(),
    };
    let session = propose(
        Proposal {
            configuration: &configuration,
            identity,
            program,
            job: prediction.job(roles, batch),
            inputs,
            options,
        },
        progress,
    )?;
    bar.finish_and_clear();
    Ok(session)
}

fn summary(
    arguments: &PredictArguments,
    prediction: &Prediction,
    session: &Session,
    batch: usize,
) -> Result<Outcome> {
    let report = Report::parse(&session.report)
        .ok_or_else(|| Failure::new("the first computing party sent no report"))?;
    let declared = prediction.cost(batch)?;
    let total = declared.total();
    if let Some(file) = &arguments.trace {
        let mut output = Output::create(file, Access::Shared, Existing::Replace)?;
        std::io::Write::write_all(
            &mut output,
            report.trace("first computing party").to_string().as_bytes(),
        )?;
        output.commit()?;
    }
    let width = report
        .operations
        .iter()
        .map(|operation| operation.label.chars().count().min(40))
        .max()
        .unwrap_or(0)
        .max(9);
    let mut text = format!(
        "{:width$}  {:>10}  {:>6}  {:>10}",
        "operation", "time", "rounds", "bytes"
    );
    let mut rows = Vec::new();
    let mut began = 0.0;
    for (operation, declared) in report.operations.iter().zip(&declared.nodes) {
        let milliseconds = (operation.ended - began) * 1e3;
        began = operation.ended;
        let label: String = operation.label.chars().take(40).collect();
        text.push_str(&format!(
            "\n{label:width$}  {:>10}  {:>6}  {:>10}",
            duration(milliseconds),
            declared.cost.rounds,
            bytes(declared.cost.bytes),
        ));
        rows.push(json!({
            "label": operation.label,
            "milliseconds": milliseconds,
            "rounds": declared.cost.rounds,
            "bytes": declared.cost.bytes,
        }));
    }
    let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
    text.push_str(&format!(
        "\n\n{} in {}: computed in {}, {} rounds, {} among all computing parties; set up in {}",
        counted(batch, "sample"),
        duration(milliseconds(session.elapsed)),
        duration(report.seconds * 1e3),
        total.rounds,
        bytes(total.bytes),
        duration(milliseconds(session.set_up)),
    ));
    let predicted = (arguments.latency.is_some() || arguments.bandwidth.is_some()).then(|| {
        let latency = arguments.latency.unwrap_or(0.0);
        let rate = arguments.bandwidth.unwrap_or(f64::INFINITY);
        declared.seconds(latency, rate)
    });
    if let Some(seconds) = predicted {
        text.push_str(&format!(
            "\non the line given, without the time to compute: {}",
            duration(seconds * 1e3)
        ));
    }
    text.push_str(&format!("\nwrote {}", arguments.output.display()));
    let json = json!({
        "samples": batch,
        "milliseconds": milliseconds(session.elapsed),
        "set_up_milliseconds": milliseconds(session.set_up),
        "compute_milliseconds": report.seconds * 1e3,
        "rounds": total.rounds,
        "bytes": total.bytes,
        "predicted_milliseconds": predicted.map(|seconds| seconds * 1e3),
        "operations": rows,
        "output": arguments.output,
    });
    Ok(Outcome { text, json })
}
