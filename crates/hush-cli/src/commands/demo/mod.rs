//! `hush demo`: breast-cancer diagnosis on encrypted data, from end to end.
//!
//! The whole workflow for two small networks and both packings, on the validation rows of the
//! Wisconsin data; the process that runs the networks never sees a secret key.

mod data;
mod measure;
mod score;
mod tables;

use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::RangedU64ValueParser;
use hush_client::Tensor;
use hush_compiler::{Calibration, Options};
use hush_graph::evaluate;
use hush_program::PackingKind;
use serde_json::{Value, json};

use self::measure::{Measurement, Setting, measure};
use self::score::{Score, largest_error, predictions};
use crate::failure::{Failure, Result};
use crate::output::WorkFolder;
use crate::style::Painter;
use crate::terminal::{Outcome, Terminal};

/// An example model.
struct Example {
    /// Name of its file.
    name: &'static str,
    /// A name that fits a column.
    short: &'static str,
    /// Largest error wanted on the training rows, for either packing.
    precision: [f64; 2],
}

/// The cubic model gives 222 for one validation row where it gives at most 1 for a training row,
/// and amplifies the noise of that row as much.
const EXAMPLES: [Example; 2] = [
    Example {
        name: "breast_cancer_mlp",
        short: "cubic",
        precision: [5e-6, 2e-6],
    },
    Example {
        name: "breast_cancer_mlp_sigmoid",
        short: "sigmoid",
        precision: [1e-3, 1e-3],
    },
];

/// The two packings, and what they are for.
const PACKINGS: [(PackingKind, &str); 2] = [
    (PackingKind::Latency, "latency"),
    (PackingKind::Throughput, "batch"),
];

/// The models are calibrated on the training rows, and some validation rows lie far outside: a
/// hidden layer reaches 13 in place of 7. So activations get room on both sides, and messages room
/// to grow 128 times.
fn options(precision: f64, packing: PackingKind) -> Options {
    Options {
        precision: Some(precision),
        packing: Some(packing),
        activation_margin: 1.0,
        headroom_bits: 7.0,
        ..Options::default()
    }
}

/// Diagnose breast cancer on encrypted data, from end to end
#[derive(Args, Debug)]
pub(crate) struct DemoArguments {
    /// Users to diagnose: the first of the validation rows
    #[arg(long, value_name = "COUNT", default_value_t = 114,
          value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    samples: usize,
    /// The folder with the example's table and models
    #[arg(long, value_name = "FOLDER", default_value = "examples/breast_cancer")]
    data: PathBuf,
}

/// One model with what both packings gave.
struct Model {
    name: &'static str,
    short: &'static str,
    /// Outputs of the float model.
    float: Tensor,
    /// Latency packing, then batch packing.
    measurements: Vec<Measurement>,
}

pub(crate) fn run(arguments: &DemoArguments, terminal: Terminal) -> Result<Outcome> {
    if !arguments.data.join(data::TABLE).exists() {
        return Err(Failure::new(format!(
            "there is no example data in `{}`",
            arguments.data.display()
        ))
        .hint("run the demo in a clone of the repository, or pass --data FOLDER")
        .into());
    }
    let data = data::read(&arguments.data)?;
    let users = data.validation.take(arguments.samples)?;
    let calibration = Calibration {
        inputs: vec![graph_tensor(&data.training.features)?],
    };
    let folder = WorkFolder::create()?;
    let bar = terminal
        .progress
        .bar("demo", (EXAMPLES.len() * PACKINGS.len()) as u64);
    let mut models = Vec::new();
    for example in EXAMPLES {
        let graph = hush_onnx::import(onnx_path(&arguments.data, example.name))?;
        let float = evaluate(&graph, &[graph_tensor(&users.features)?])?.swap_remove(0);
        let float = Tensor::new(float.shape().to_vec(), float.into_data())?;
        let mut measurements = Vec::new();
        for ((packing, purpose), precision) in PACKINGS.into_iter().zip(example.precision) {
            bar.set_message(format!("{}, {purpose}", example.short));
            let options = options(precision, packing);
            let setting = Setting {
                graph: &graph,
                calibration: &calibration,
                options: &options,
                samples: &users.features,
            };
            measurements.push(measure(&setting, &folder)?);
            bar.inc(1);
        }
        models.push(Model {
            name: example.name,
            short: example.short,
            float,
            measurements,
        });
    }
    bar.finish_and_clear();
    drop(folder);
    let paint = Painter::stdout();
    Ok(Outcome {
        text: format!(
            "{}\n\n{}",
            tables::users(&models[0], &users.malignant, paint),
            tables::summary(&models, &users.malignant, paint)
        ),
        json: json!({
            "samples": users.malignant.len(),
            "models": models.iter().map(|model| to_json(model, &users.malignant)).collect::<Vec<_>>(),
        }),
    })
}

fn onnx_path(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.onnx"))
}

fn graph_tensor(tensor: &Tensor) -> Result<hush_graph::Tensor> {
    let shape = tensor.shape().to_vec();
    Ok(hush_graph::Tensor::new(shape, tensor.data().to_vec())?)
}

fn to_json(model: &Model, malignant: &[bool]) -> Value {
    let float = predictions(&model.float);
    let float_score = Score::of(&float, malignant);
    let packings = model.measurements.iter().map(|one| {
        let encrypted = predictions(&one.outputs);
        let score = Score::of(&encrypted, malignant);
        let same = encrypted.iter().zip(&float).filter(|(a, b)| a == b).count();
        json!({
            "accuracy": score.accuracy(),
            "f1": score.f1(),
            "same_predictions": same,
            "largest_error": largest_error(one.outputs.data(), model.float.data()),
            "samples_per_group": one.capacity,
            "groups": one.groups,
            "milliseconds": {
                "per_group": one.group_milliseconds,
                "compile": one.steps.compile,
                "keygen": one.steps.keygen,
                "encrypt": one.steps.encrypt,
                "decrypt": one.steps.decrypt,
            },
            "bytes": {
                "secret_key": one.sizes.secret_key,
                "evaluation_key": one.sizes.evaluation_key,
                "group_input": one.sizes.group_input,
                "group_output": one.sizes.group_output,
            },
            "log_degree": one.log_degree,
            "log2_q_p": one.log_q_p,
            "security_bits": one.security_bits,
        })
    });
    let packings: Vec<_> = packings.collect();
    json!({
        "name": model.name,
        "float": { "accuracy": float_score.accuracy(), "f1": float_score.f1() },
        "latency": packings.first(),
        "batch": packings.get(1),
    })
}
