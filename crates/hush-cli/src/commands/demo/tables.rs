//! The demo's tables, at most 100 columns wide.

use crate::style::Painter;
use crate::terminal::{bytes, duration};

use super::score::{Score, largest_error, predictions, rows};
use super::{Model, PACKINGS};

const LABEL: usize = 38;
const CELL: usize = 14;

/// Who is ill: a row a user, encrypted beside float.
pub(super) fn users(model: &Model, malignant: &[bool], paint: Painter) -> String {
    let outputs = &model.measurements[0].outputs;
    let mut lines = vec![
        paint.bold(format!("{}, user by user", model.name)),
        paint.dim(format!(
            "{:>5}  {:<9}  {:<9}  {:^22}  {:^22}  {:>9}",
            "user", "diagnosis", "predicted", "encrypted output", "float output", "error"
        )),
    ];
    let predicted = predictions(outputs);
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

/// What came out and what it cost: a column a model and packing.
pub(super) fn summary(models: &[Model], malignant: &[bool], paint: Painter) -> String {
    let columns: Vec<_> = models
        .iter()
        .flat_map(|model| model.measurements.iter().map(move |one| (model, one)))
        .collect();
    let row = |label: &str, cell: &dyn Fn(usize) -> String| {
        let cells: String = (0..columns.len())
            .map(|column| format!("{:>CELL$}", cell(column)))
            .collect();
        format!("{label:<LABEL$}{cells}")
    };
    let score = |column: usize, encrypted: bool| {
        let (model, one) = columns[column];
        let outputs = if encrypted {
            &one.outputs
        } else {
            &model.float
        };
        Score::of(&predictions(outputs), malignant)
    };
    let samples = malignant.len();
    let title = format!("{samples} users, encrypted beside float");
    let mut lines = vec![
        paint.bold(title),
        row("model", &|column| columns[column].0.short.to_owned()),
        paint.dim(row("packing", &|column| {
            PACKINGS[column % PACKINGS.len()].1.to_owned()
        })),
    ];
    let mut add = |label: &str, cell: &dyn Fn(usize) -> String| lines.push(row(label, cell));
    add("accuracy, encrypted", &|column| {
        format!("{:.4}", score(column, true).accuracy())
    });
    add("accuracy, float", &|column| {
        format!("{:.4}", score(column, false).accuracy())
    });
    add("F1 of malignant, encrypted", &|column| {
        format!("{:.4}", score(column, true).f1())
    });
    add("F1 of malignant, float", &|column| {
        format!("{:.4}", score(column, false).f1())
    });
    add("same prediction as float", &|column| {
        let (model, one) = columns[column];
        let pairs = predictions(&one.outputs)
            .into_iter()
            .zip(predictions(&model.float));
        let same = pairs.filter(|(a, b)| a == b).count();
        format!("{same}/{samples}")
    });
    add("largest error of an output", &|column| {
        let (model, one) = columns[column];
        let error = largest_error(one.outputs.data(), model.float.data());
        format!("{error:.1e}")
    });
    add("", &|_| String::new());
    let one = |column: usize| columns[column].1;
    add("one run of the model, one thread", &|column| {
        duration(one(column).group_milliseconds)
    });
    add("  users in a run, at most", &|column| {
        one(column).capacity.to_string()
    });
    add("  time per user in a full run", &|column| {
        duration(one(column).group_milliseconds / one(column).capacity as f64)
    });
    add("  time per user for these users", &|column| {
        let total = one(column).group_milliseconds * one(column).groups as f64;
        duration(total / samples as f64)
    });
    add("compile", &|column| duration(one(column).steps.compile));
    add("make keys", &|column| duration(one(column).steps.keygen));
    add("encrypt these users", &|column| {
        duration(one(column).steps.encrypt)
    });
    add("decrypt these users", &|column| {
        duration(one(column).steps.decrypt)
    });
    add("", &|_| String::new());
    add("evaluation keys", &|column| {
        bytes(one(column).sizes.evaluation_key)
    });
    add("secret key", &|column| bytes(one(column).sizes.secret_key));
    add("encrypted input of a run", &|column| {
        bytes(one(column).sizes.group_input)
    });
    add("encrypted output of a run", &|column| {
        bytes(one(column).sizes.group_output)
    });
    add("ring degree N", &|column| {
        (1u64 << one(column).log_degree).to_string()
    });
    add("moduli, chain + special", &|column| {
        let (chain, special) = one(column).moduli;
        format!("{chain} + {special}")
    });
    add("log2(QP)", &|column| format!("{:.1}", one(column).log_q_p));
    add("security, bits", &|column| {
        one(column).security_bits.to_string()
    });
    let lines: Vec<_> = lines.iter().map(|line| line.trim_end()).collect();
    lines.join("\n")
}

fn diagnosis(malignant: bool) -> &'static str {
    if malignant { "malignant" } else { "benign" }
}

fn numbers(row: &[f64]) -> String {
    row.iter()
        .map(|value| format!("{value:>11.6}"))
        .collect::<String>()
}
