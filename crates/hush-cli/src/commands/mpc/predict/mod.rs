//! `hush mpc predict`: an ONNX model on inputs that no computing party sees, with weights that none sees either.

mod summary;
mod tensorboard;

use std::path::PathBuf;

use clap::Args;
use hush_mpc::execute::{Options, calibrate};
use hush_party::calculate::{self, Computation};
use hush_party::predict::{self, Prediction, Roles, WEIGHTS};
use hush_party::{Given, KeptModel, Program};

use self::summary::{Finished, summary};
use super::line;
use super::participants::{Participants, Sharing, World};
use crate::arrays::{self, Elements, Format, Named};
use crate::commands::party::read_model;
use crate::failure::{Failure, Result};
use crate::inputs::{self, Wanted};
use crate::output::{Access, Existing, Output};
use crate::terminal::{Outcome, Terminal};

/// Run a model on secret shares of its weights and inputs: an ONNX file, or one that the computing parties keep
#[derive(Args, Debug)]
pub(crate) struct PredictArguments {
    /// The model (.onnx); parties that compute learn its structure, not its weights
    #[arg(required_unless_present = "kept", conflicts_with = "kept")]
    model: Option<PathBuf>,
    /// A model whose weights the computing parties keep in shares, by its name there
    #[arg(
        long,
        value_name = "NAME",
        conflicts_with_all = ["model_owner", "data_owner", "receiver", "calibration", "protocol", "ring", "integer_bits", "fraction_bits", "local", "servers"]
    )]
    kept: Option<String>,
    /// The inputs, shape [rows, ...]: .npy, .npz (one array an input, by name), .csv or .parquet
    #[arg(
        short,
        long,
        value_name = "FILE",
        required_unless_present = "data_owner",
        conflicts_with = "data_owner"
    )]
    input: Option<PathBuf>,
    /// Which array of an .npz file is the input
    #[arg(long, value_name = "NAME")]
    array: Option<String>,
    /// Where the outputs go: .npy, .npz or .csv
    #[arg(
        short,
        long,
        value_name = "FILE",
        required_unless_present = "receiver",
        conflicts_with = "receiver"
    )]
    output: Option<PathBuf>,
    /// The party that gives the samples, from the file that its policy names [default: this one]
    #[arg(long, value_name = "PARTY", requires = "samples")]
    data_owner: Option<String>,
    /// How many samples the data owner gives
    #[arg(long, value_name = "COUNT", requires = "data_owner", value_parser = clap::value_parser!(u64).range(1..=1 << 20))]
    samples: Option<u64>,
    /// The party that is shown the outputs and writes them to the file that its policy names [default: this one]
    #[arg(long, value_name = "PARTY")]
    receiver: Option<String>,
    #[command(flatten)]
    participants: Participants,
    #[command(flatten)]
    sharing: Sharing,
    /// Sample inputs that narrow the ranges of all values, which is faster; the ranges become public
    #[arg(long, value_name = "FILE")]
    calibration: Option<PathBuf>,
    /// Write the operations with their times, rounds and bytes for Perfetto or chrome://tracing (.json)
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Write the same as scalars for TensorBoard, into a new file in this folder
    #[arg(long, value_name = "FOLDER")]
    trace_tensorboard: Option<PathBuf>,
    /// Predict the time on lines with this latency, one way, like 20ms
    #[arg(long, value_name = "TIME", value_parser = line::latency)]
    latency: Option<f64>,
    /// Predict the time on lines of this rate, like 100Mbit
    #[arg(long, value_name = "RATE", value_parser = line::bandwidth)]
    bandwidth: Option<f64>,
}

pub(crate) fn run(arguments: &PredictArguments, terminal: Terminal) -> Result<Outcome> {
    let format = arguments.output.as_deref().map(Format::of_output);
    let format = format.transpose()?;
    let finished = match (&arguments.kept, &arguments.model) {
        (Some(name), _) => with_kept(arguments, name, terminal)?,
        (None, Some(model)) => with_model(arguments, model, terminal)?,
        (None, None) => return Err(Failure::new("neither a model nor --kept").into()),
    };
    if let (Some(file), Some(format)) = (&arguments.output, format) {
        let mut output = Output::create(file, Access::Shared, Existing::Replace)?;
        arrays::write(&mut output, format, &finished.tensors, Elements::Float32)?;
        output.commit()?;
    }
    summary(arguments, &finished)
}

/// The samples, one tensor an input, if this party gives them.
fn samples(
    arguments: &PredictArguments,
    wanted: &[Wanted<'_>],
) -> Result<Option<Vec<hush_client::Tensor>>> {
    let read = |file| inputs::read(file, wanted, arguments.array.as_deref());
    arguments.input.as_ref().map(|file| read(file)).transpose()
}

fn wanted(graph: &hush_graph::Graph) -> Vec<Wanted<'_>> {
    let inputs = graph.inputs().iter();
    inputs
        .map(|&input| Wanted {
            name: &graph.value(input).name,
            shape: graph.value(input).shape.dimensions(),
        })
        .collect()
}

fn with_model(
    arguments: &PredictArguments,
    model: &std::path::Path,
    terminal: Terminal,
) -> Result<Finished> {
    let graph = read_model(model)?;
    let samples = samples(arguments, &wanted(&graph))?;
    let mut options = Options {
        fixed: arguments.sharing.fixed(),
        ..Options::default()
    };
    if let Some(file) = &arguments.calibration {
        let tensors = inputs::read(file, &wanted(&graph), arguments.array.as_deref())?;
        let tensors: Vec<hush_graph::Tensor> = tensors
            .into_iter()
            .map(|tensor| hush_graph::Tensor::new(tensor.shape().to_vec(), tensor.data().to_vec()))
            .collect::<std::result::Result<_, _>>()?;
        options.integer_bits = calibrate(&graph, &tensors, 2)?;
    }
    let protocol = arguments.sharing.protocol();
    let prediction = Prediction::new(graph, options)?.on(protocol, arguments.sharing.ring);
    let name = arguments.sharing.program_name(model);
    let program = prediction.program(&name, &arguments.sharing.program_version)?;
    let mut given = Given::new();
    if arguments.participants.model_owner.is_none() && prediction.plan().weight_count() > 0 {
        given.insert(WEIGHTS.to_owned(), prediction.weights()?);
    }
    let batch = given_samples(arguments, &prediction, samples, &mut given)?;
    let world = arguments.participants.world()?;
    let roles = roles(arguments, &world, world.servers(protocol));
    let job = prediction.job(roles, batch);
    let session = world.propose(&program, job, given, ("predict", terminal))?;
    Finished::of_prediction(&prediction, batch, session)
}

/// Adds the samples to what this party gives; says how many there are.
fn given_samples(
    arguments: &PredictArguments,
    prediction: &Prediction,
    samples: Option<Vec<hush_client::Tensor>>,
    given: &mut Given,
) -> Result<usize> {
    let Some(samples) = samples else {
        return Ok(arguments.samples.unwrap_or(1) as usize);
    };
    for (position, tensor) in samples.iter().enumerate() {
        let words = prediction.samples(position, tensor.data())?;
        given.insert(prediction.input_name(position), words);
    }
    Ok(samples.first().map_or(0, |tensor| tensor.shape()[0]))
}

fn roles(arguments: &PredictArguments, world: &World, servers: Vec<String>) -> Roles {
    let or_me = |party: &Option<String>| party.clone().unwrap_or_else(|| world.me.clone());
    Roles {
        proposer: world.me.clone(),
        servers,
        model_owner: or_me(&arguments.participants.model_owner),
        data_owner: or_me(&arguments.data_owner),
        receiver: or_me(&arguments.receiver),
    }
}

fn with_kept(arguments: &PredictArguments, name: &str, terminal: Terminal) -> Result<Finished> {
    let world = arguments.participants.world()?;
    let (me, options) = (&world.me, world.options());
    let model = KeptModel::ask(name, me, world.configuration(), world.identity(), options)?;
    let version = &arguments.sharing.program_version;
    let program_name = arguments.sharing.program.as_deref().unwrap_or(name);
    let servers = model.servers().to_vec();
    let mut given = Given::new();
    if model.kind() == predict::KIND {
        let prediction = Prediction::from_program(model.description(), model.fixed())
            .map_err(Failure::new)?
            .on(model.protocol(), model.ring_bits());
        let samples = samples(arguments, &wanted(prediction.plan().graph()))?;
        let batch = given_samples(arguments, &prediction, samples, &mut given)?;
        let program = Program {
            kind: predict::KIND.to_owned(),
            name: program_name.to_owned(),
            version: version.clone(),
            bytes: model.description().to_vec(),
        };
        let job = prediction.job_with_kept(&roles(arguments, &world, servers), batch, name);
        let session = world.propose(&program, job, given, ("predict", terminal))?;
        return Finished::of_prediction(&prediction, batch, session);
    }
    let of_rows = |rows| Computation::with_kept(&model, rows, me).map_err(Failure::new);
    let one = of_rows(1)?;
    let shape = one.calculation().inputs()[0].shape[1..].to_vec();
    let wanted = [Wanted {
        name: calculate::INPUT,
        shape: &shape,
    }];
    let samples = samples(arguments, &wanted)?.unwrap_or_default();
    let sample = samples.first().ok_or_else(|| Failure::new("no samples"))?;
    let rows = sample.shape()[0];
    let computation = of_rows(rows)?;
    given.insert(
        calculate::INPUT.to_owned(),
        computation.words(sample.data())?,
    );
    let program = computation.program(program_name, version);
    let job = computation.job(me, &servers);
    let session = world.propose(&program, job, given, ("predict", terminal))?;
    Finished::of_computation(&computation, rows, session)
}

/// An output as a named array.
fn named(name: &str, shape: Vec<usize>, numbers: Vec<f64>) -> Result<Named> {
    Ok(Named {
        name: Some(name.to_owned()),
        tensor: hush_client::Tensor::new(shape, numbers)?,
    })
}
