//! Breast-cancer diagnosis: two small networks in both packings, on the validation rows of the Wisconsin data.

use std::path::Path;

use hush_client::Tensor;
use hush_compiler::{Calibration, Options};
use hush_program::PackingKind;
use serde_json::{Value, json};

use super::measure::{Measurement, Setting, measure};
use super::score::{Score, largest_error, predictions, rows};
use super::service::{self, Answers};
use super::table::{Table, costs};
use super::{expect_data, float_outputs, graph_tensor, patients};
use crate::failure::Result;
use crate::output::WorkFolder;
use crate::style::Painter;
use crate::terminal::{Outcome, Terminal, duration};

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

/// One model with what both packings gave.
struct Model {
    name: &'static str,
    short: &'static str,
    /// Outputs of the float model.
    float: Tensor,
    /// Latency packing, then batch packing.
    measurements: Vec<Measurement>,
}

pub(super) fn run(data: &Path, samples: usize, terminal: Terminal) -> Result<Outcome> {
    expect_data(data, patients::TABLE)?;
    let table = patients::read(data)?;
    let users = table.validation.take(samples)?;
    let calibration = Calibration {
        inputs: vec![graph_tensor(&table.training.features)?],
    };
    let folder = WorkFolder::create()?;
    let mut models = Vec::new();
    let mut answers = None;
    for example in EXAMPLES {
        let graph = hush_onnx::import(data.join(format!("{}.onnx", example.name)))?;
        let mut measurements = Vec::new();
        for ((packing, purpose), precision) in PACKINGS.into_iter().zip(example.precision) {
            let options = options(precision, packing);
            let setting = Setting {
                name: "cancer",
                title: format!("{}, {purpose}", example.short),
                graph: &graph,
                calibration: &calibration,
                options: &options,
                samples: &users.features,
            };
            measurements.push(measure(&setting, &folder, terminal)?);
            if models.is_empty() && packing == PackingKind::Latency {
                let model = folder.join("server").join("cancer.model");
                answers = service::ask(&model, "cancer", &users.features, &folder, terminal)?;
            }
        }
        models.push(Model {
            name: example.name,
            short: example.short,
            float: float_outputs(&graph, &users.features)?,
            measurements,
        });
    }
    drop(folder);
    let paint = Painter::stdout();
    Ok(Outcome {
        text: format!(
            "{}\n\n{}\n\n{}",
            user_table(&models[0], &users.malignant, paint),
            service_table(&models[0], answers.as_ref(), paint),
            summary(&models, &users.malignant, paint)
        ),
        json: json!({
            "samples": users.malignant.len(),
            "service": answers.as_ref().map(|answers| service_json(&models[0], answers)),
            "models": models.iter().map(|model| to_json(model, &users.malignant)).collect::<Vec<_>>(),
        }),
    })
}

/// Who is ill: a row a user, encrypted beside float.
fn user_table(model: &Model, malignant: &[bool], paint: Painter) -> String {
    let outputs = &model.measurements[0].outputs;
    let mut lines = vec![
        paint.bold(format!("{}, user by user", model.name)),
        paint.dim(format!(
            "{:>5}  {:<9}  {:<9}  {:^22}  {:^22}  {:>9}",
            "user", "diagnosis", "predicted", "encrypted output", "float output", "error"
        )),
    ];
    let predicted = diagnoses(outputs);
    let pairs = rows(outputs).zip(rows(&model.float));
    for (user, (encrypted, float)) in pairs.enumerate() {
        let (is, said) = (malignant[user], predicted[user]);
        // Padded before it is painted: colours have no width.
        let said_text = format!("{:<9}", diagnosis(said));
        let said_text = if is == said {
            paint.good(said_text)
        } else {
            paint.bad(said_text)
        };
        lines.push(format!(
            "{:>5}  {:<9}  {said_text}  {}  {}  {:>9.1e}",
            user + 1,
            diagnosis(is),
            numbers(encrypted),
            numbers(float),
            largest_error(encrypted, float)
        ));
    }
    lines.join("\n")
}

/// What a server told users who asked at the same time.
fn service_table(model: &Model, answers: Option<&Answers>, paint: Painter) -> String {
    let Some(answers) = answers else {
        return paint.dim(
            "The same as a service: left out, `hush-server` is not beside `hush` (cargo build -p hush-server)"
                .to_owned(),
        );
    };
    let title = format!(
        "{}, {} users at one server at the same time, each with keys of their own",
        model.name,
        answers.waits.len()
    );
    let mut lines = vec![
        paint.bold(title),
        paint.dim(format!(
            "{:>5}  {:<9}  {:^22}  {:^22}  {:>9}  {:>9}",
            "user", "predicted", "encrypted output", "float output", "error", "waited"
        )),
    ];
    let users = rows(&answers.outputs).zip(rows(&model.float)).enumerate();
    let predicted = diagnoses(&answers.outputs);
    for (user, (encrypted, float)) in users {
        lines.push(format!(
            "{:>5}  {:<9}  {}  {}  {:>9.1e}  {:>9}",
            user + 1,
            diagnosis(predicted[user]),
            numbers(encrypted),
            numbers(float),
            largest_error(encrypted, float),
            duration(answers.waits[user])
        ));
    }
    lines.push(format!(
        "keys made and uploaded in {}, all answers in {}",
        duration(answers.keys),
        duration(answers.all)
    ));
    lines.join("\n")
}

fn service_json(model: &Model, answers: &Answers) -> Value {
    let users = rows(&answers.outputs).zip(rows(&model.float));
    let largest = users.map(|(encrypted, float)| largest_error(encrypted, float));
    json!({
        "users": answers.waits.len(),
        "largest_error": largest.fold(0.0, f64::max),
        "milliseconds": { "keys": answers.keys, "all": answers.all, "waits": answers.waits },
    })
}

/// What came out and what it cost: a column a model and packing.
fn summary(models: &[Model], malignant: &[bool], paint: Painter) -> String {
    let columns: Vec<_> = models
        .iter()
        .flat_map(|model| model.measurements.iter().map(move |one| (model, one)))
        .collect();
    let score = |column: usize, encrypted: bool| {
        let (model, one) = columns[column];
        let outputs = if encrypted {
            &one.outputs
        } else {
            &model.float
        };
        Score::of(&diagnoses(outputs), malignant)
    };
    let samples = malignant.len();
    let title = format!("{samples} users, encrypted beside float");
    let mut table = Table::new(&title, columns.len(), paint);
    table.add("model", |column| columns[column].0.short.to_owned());
    table.dim("packing", |column| {
        PACKINGS[column % PACKINGS.len()].1.to_owned()
    });
    table.add("accuracy, encrypted", |column| {
        format!("{:.4}", score(column, true).accuracy())
    });
    table.add("accuracy, float", |column| {
        format!("{:.4}", score(column, false).accuracy())
    });
    table.add("F1 of malignant, encrypted", |column| {
        format!("{:.4}", score(column, true).f1())
    });
    table.add("F1 of malignant, float", |column| {
        format!("{:.4}", score(column, false).f1())
    });
    table.add("same prediction as float", |column| {
        let (model, one) = columns[column];
        format!("{}/{samples}", same(&one.outputs, &model.float))
    });
    table.add("largest error of an output", |column| {
        let (model, one) = columns[column];
        let error = largest_error(one.outputs.data(), model.float.data());
        format!("{error:.1e}")
    });
    let measurements: Vec<&Measurement> = columns.iter().map(|(_, one)| *one).collect();
    costs(&mut table, &measurements, "user", samples);
    table.text()
}

/// Class 1 is malignant.
fn diagnoses(outputs: &Tensor) -> Vec<bool> {
    predictions(outputs)
        .into_iter()
        .map(|class| class == 1)
        .collect()
}

/// Rows of the same prediction.
fn same(left: &Tensor, right: &Tensor) -> usize {
    let pairs = predictions(left).into_iter().zip(predictions(right));
    pairs.filter(|(left, right)| left == right).count()
}

fn diagnosis(malignant: bool) -> &'static str {
    if malignant { "malignant" } else { "benign" }
}

fn numbers(row: &[f64]) -> String {
    row.iter()
        .map(|value| format!("{value:>11.6}"))
        .collect::<String>()
}

fn to_json(model: &Model, malignant: &[bool]) -> Value {
    let float_score = Score::of(&diagnoses(&model.float), malignant);
    let packings = model.measurements.iter().map(|one| {
        let score = Score::of(&diagnoses(&one.outputs), malignant);
        let mut object = one.to_json();
        object["accuracy"] = json!(score.accuracy());
        object["f1"] = json!(score.f1());
        object["same_predictions"] = json!(same(&one.outputs, &model.float));
        object["largest_error"] = json!(largest_error(one.outputs.data(), model.float.data()));
        object
    });
    let packings: Vec<_> = packings.collect();
    json!({
        "name": model.name,
        "float": { "accuracy": float_score.accuracy(), "f1": float_score.f1() },
        "latency": packings.first(),
        "batch": packings.get(1),
    })
}
