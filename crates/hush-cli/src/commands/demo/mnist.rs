//! Handwritten digits: a convolutional network on encrypted images.

use std::path::Path;

use hush_client::Tensor;
use hush_compiler::{Calibration, Options};
use serde_json::json;

use super::digits::{self, Digits, draw};
use super::measure::{Setting, measure};
use super::score::{largest_error, predictions, rows};
use super::table::{Table, costs};
use super::{expect_data, first, float_outputs, graph_tensor};
use crate::failure::Result;
use crate::output::WorkFolder;
use crate::style::Painter;
use crate::terminal::{Outcome, Terminal, counted};

/// Digits on a line.
const ACROSS: usize = 4;

/// Columns between them.
const GAP: usize = 5;

/// Which network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Network {
    CryptoNets,
    LeNet5,
}

impl Network {
    fn file(self) -> &'static str {
        match self {
            Network::CryptoNets => "mnist_cryptonets",
            Network::LeNet5 => "mnist_lenet5",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Network::CryptoNets => "CryptoNets",
            Network::LeNet5 => "LeNet-5",
        }
    }
}

pub(super) fn run(
    network: Network,
    data: &Path,
    samples: usize,
    terminal: Terminal,
) -> Result<Outcome> {
    expect_data(data, digits::ARCHIVE)?;
    let mut digits = digits::read(data)?;
    digits.test = first(digits.test, samples)?;
    digits.labels.truncate(samples);
    let graph = hush_onnx::import(data.join(format!("{}.onnx", network.file())))?;
    let calibration = Calibration {
        inputs: vec![graph_tensor(&digits.calibration)?],
    };
    let folder = WorkFolder::create()?;
    let options = Options::default();
    let setting = Setting {
        name: network.file(),
        title: network.title().to_owned(),
        graph: &graph,
        calibration: &calibration,
        options: &options,
        samples: &digits.test,
    };
    let measurement = measure(&setting, &folder, terminal)?;
    drop(folder);
    let float = float_outputs(&graph, &digits.test)?;
    let paint = Painter::stdout();
    let shown = Shown {
        digits: &digits,
        encrypted: &measurement.outputs,
        float: &float,
    };
    let count = digits.labels.len();
    let right = |outputs: &Tensor| {
        let pairs = predictions(outputs).into_iter().zip(&digits.labels);
        pairs.filter(|(class, label)| class == *label).count()
    };
    let pairs = predictions(&measurement.outputs)
        .into_iter()
        .zip(predictions(&float));
    let same = pairs
        .filter(|(encrypted, float)| encrypted == float)
        .count();
    let error = largest_error(measurement.outputs.data(), float.data());
    let title = format!(
        "{} on {}, encrypted beside float",
        network.title(),
        counted(count, "image")
    );
    let mut table = Table::new(&title, 1, paint);
    table.add("right, encrypted", |_| {
        format!("{}/{count}", right(&measurement.outputs))
    });
    table.add("right, float", |_| format!("{}/{count}", right(&float)));
    table.add("same prediction as float", |_| format!("{same}/{count}"));
    table.add("largest error of an output", |_| format!("{error:.1e}"));
    table.add("largest output", |_| {
        format!(
            "{:.1}",
            largest_error(float.data(), &vec![0.0; float.data().len()])
        )
    });
    costs(&mut table, &[&measurement], "image", count);
    let mut json = measurement.to_json();
    json["name"] = json!(network.file());
    json["samples"] = json!(count);
    json["accuracy"] = json!(right(&measurement.outputs) as f64 / count as f64);
    json["float"] = json!({ "accuracy": right(&float) as f64 / count as f64 });
    json["same_predictions"] = json!(same);
    json["largest_error"] = json!(error);
    Ok(Outcome {
        text: format!("{}\n\n{}", shown.text(paint), table.text()),
        json,
    })
}

/// Images with what both models say.
struct Shown<'a> {
    digits: &'a Digits,
    encrypted: &'a Tensor,
    float: &'a Tensor,
}

impl Shown<'_> {
    /// The first images, and below them some on which a model is wrong.
    fn text(&self, paint: Painter) -> String {
        let labels = &self.digits.labels;
        let (encrypted, float) = (predictions(self.encrypted), predictions(self.float));
        let wrong =
            |&image: &usize| encrypted[image] != labels[image] || float[image] != labels[image];
        let start: Vec<usize> = (0..labels.len().min(ACROSS)).collect();
        let wrong: Vec<usize> = (start.len()..labels.len())
            .filter(wrong)
            .take(ACROSS)
            .collect();
        let mut lines = vec![paint.bold("The first images")];
        lines.extend(self.line(&start, &encrypted, &float, paint));
        if !wrong.is_empty() {
            lines.push(String::new());
            lines.push(paint.bold("Images that a model gets wrong"));
            lines.extend(self.line(&wrong, &encrypted, &float, paint));
        }
        lines.join("\n")
    }

    fn line(
        &self,
        images: &[usize],
        encrypted: &[usize],
        float: &[usize],
        paint: Painter,
    ) -> Vec<String> {
        let pad = |text: &str, plain: usize| {
            format!(
                "{text}{}",
                " ".repeat((digits::WIDTH + GAP).saturating_sub(plain))
            )
        };
        let drawings: Vec<Vec<String>> = images
            .iter()
            .map(|&image| draw(&self.digits.test, image))
            .collect();
        let height = drawings.first().map_or(0, Vec::len);
        let mut lines: Vec<String> = (0..height)
            .map(|row| {
                drawings
                    .iter()
                    .map(|drawing| pad(&drawing[row], digits::WIDTH))
                    .collect()
            })
            .collect();
        let mut caption = |text: &dyn Fn(usize) -> (String, usize)| {
            let cells = images.iter().map(|&image| {
                let (text, plain) = text(image);
                pad(&text, plain)
            });
            lines.push(cells.collect::<String>());
        };
        caption(&|image| {
            let text = format!("image {}, label {}", image + 1, self.digits.labels[image]);
            (text.clone(), text.chars().count())
        });
        let said = |name: &str, classes: &[usize], outputs: &Tensor, image: usize| {
            let class = classes[image];
            let output = rows(outputs).nth(image).map_or(0.0, |row| row[class]);
            let text = format!("{name:<10}{class}  ({output:.3})");
            let painted = if class == self.digits.labels[image] {
                paint.good(&text)
            } else {
                paint.bad(&text)
            };
            (painted, text.chars().count())
        };
        caption(&|image| said("encrypted", encrypted, self.encrypted, image));
        caption(&|image| said("float", float, self.float, image));
        lines
            .iter()
            .map(|line| line.trim_end().to_owned())
            .collect()
    }
}
