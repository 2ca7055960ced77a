//! `hush compile`: an ONNX model to an encrypted program, on the model owner's machine.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use hush_compiler::{Calibration, Compiled, Options};
use hush_graph::Graph;
use hush_program::PackingKind;
use hush_wire::program::{ClientSpecV1, ModelV1};
use hush_wire::{Kind, write_message};
use serde_json::{Value, json};

use crate::failure::{Failure, Result};
use crate::inputs::{self, Wanted};
use crate::output::{Access, Existing, Output};
use crate::terminal::{Outcome, Terminal, bytes};

/// Compile an ONNX model into a program for encrypted data
#[derive(Args, Debug)]
pub(crate) struct CompileArguments {
    /// The model (.onnx)
    onnx: PathBuf,
    /// Sample inputs, shape [rows, ...]: .npy, .npz (one array an input, by name), .csv or .parquet
    #[arg(long, value_name = "FILE")]
    calibration: PathBuf,
    /// Which array of an .npz file is the input
    #[arg(long, value_name = "NAME")]
    array: Option<String>,
    /// Where the result goes: NAME.model (keep it) and NAME.client (give it away)
    #[arg(short, long, value_name = "NAME")]
    output: PathBuf,
    /// Largest error wanted on any output, against the float model [default: 2 % of the largest output]
    #[arg(long, value_name = "ERROR")]
    precision: Option<f64>,
    /// Samples that will be run together [default: 1]
    #[arg(long, value_name = "COUNT")]
    batch: Option<usize>,
    /// Force a packing [default: the cheaper one for the batch]
    #[arg(long, value_enum)]
    packing: Option<PackingChoice>,
    /// Security level in bits: 128, 192 or 256
    #[arg(long, value_name = "BITS", default_value_t = Options::default().security_bits)]
    security: u32,
    /// Widen the calibrated range of every activation by this share
    #[arg(long = "activation-margin", value_name = "SHARE", default_value_t = Options::default().activation_margin)]
    margin: f64,

    /// Bits that any value may outgrow the calibration data by before the result is lost
    #[arg(long, value_name = "BITS", default_value_t = Options::default().headroom_bits)]
    headroom: f64,
    /// Share of calibration rows whose arg max the encrypted model should not change
    #[arg(long, value_name = "SHARE", default_value_t = Options::default().min_agreement)]
    min_agreement: f64,
    /// Most that the evaluation keys may take, like 300MB or 8GiB
    #[arg(long, value_name = "SIZE", default_value = "8GiB", value_parser = crate::memory::parse)]
    max_keys: u64,
    /// Highest degree tried for an activation
    #[arg(long, value_name = "DEGREE", default_value_t = Options::default().max_degree)]
    max_degree: usize,
    /// Seed of the noise in the final simulation
    #[arg(long, value_name = "NUMBER", default_value_t = Options::default().seed)]
    seed: u64,
}

/// The two ways to pack.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum PackingChoice {
    /// All slots work on one sample
    Latency,
    /// One slot a sample
    Throughput,
}

impl CompileArguments {
    fn options(&self) -> Options {
        Options {
            precision: self.precision,
            batch: self.batch,
            packing: self.packing.map(|choice| match choice {
                PackingChoice::Latency => PackingKind::Latency,
                PackingChoice::Throughput => PackingKind::Throughput,
            }),
            security_bits: self.security,
            activation_margin: self.margin,
            headroom_bits: self.headroom,
            min_agreement: self.min_agreement,
            max_key_bytes: self.max_keys,
            max_degree: self.max_degree,
            seed: self.seed,
        }
    }
}

pub(crate) fn run(arguments: &CompileArguments, terminal: Terminal) -> Result<Outcome> {
    let options = arguments.options();
    options.check()?;
    let graph = hush_onnx::import(&arguments.onnx)?;
    let calibration = read_calibration(&graph, &arguments.calibration, arguments.array.as_deref())?;
    let outputs = Outputs::create(&arguments.output)?;
    let spinner = terminal.progress.spinner("compile");
    let compiled = hush_compiler::compile(&graph, &calibration, &options)?;
    spinner.finish_and_clear();
    for warning in &compiled.report.warnings {
        terminal.warn(warning);
    }
    let report_text = compiled.report.to_string();
    let report: Value = serde_json::to_value(&compiled.report)?;
    let written = outputs.write(compiled)?;
    Ok(Outcome {
        text: format!(
            "{}\n\n  {}  {}, program and weights; keep it to yourself\n  {}  {}, no weights; give it to data owners",
            report_text.trim_end(),
            written.model.0.display(),
            bytes(written.model.1),
            written.client.0.display(),
            bytes(written.client.1),
        ),
        json: json!({
            "model": { "path": written.model.0, "bytes": written.model.1 },
            "client": { "path": written.client.0, "bytes": written.client.1 },
            "report": report,
        }),
    })
}

fn read_calibration(graph: &Graph, path: &Path, array: Option<&str>) -> Result<Calibration> {
    let values: Vec<_> = graph.inputs().iter().map(|&id| graph.value(id)).collect();
    let wanted: Vec<_> = values
        .iter()
        .map(|value| Wanted {
            name: &value.name,
            shape: value.shape.dimensions(),
        })
        .collect();
    let tensors = inputs::read(path, &wanted, array)?;
    let tensors = tensors.into_iter().map(|tensor| {
        let shape = tensor.shape().to_vec();
        hush_graph::Tensor::new(shape, tensor.into_data())
    });
    Ok(Calibration {
        inputs: tensors.collect::<std::result::Result<_, _>>()?,
    })
}

/// The two files of a compiled model in the making.
pub(crate) struct Outputs {
    model: (PathBuf, Output),
    client: (PathBuf, Output),
}

/// The two files of a compiled model, with their sizes.
pub(crate) struct Written {
    pub(crate) model: (PathBuf, u64),
    pub(crate) client: (PathBuf, u64),
}

impl Outputs {
    /// Starts `NAME.model` and `NAME.client`.
    pub(crate) fn create(name: &Path) -> Result<Self> {
        if name.file_name().is_none() {
            return Err(
                Failure::new(format!("`{}` is no file name", name.display()))
                    .hint("name the model, for example -o cancer")
                    .into(),
            );
        }
        let start = |extension: &str, access| {
            let mut path = OsString::from(name);
            path.push(extension);
            let path = PathBuf::from(path);
            Output::create(&path, access, Existing::Replace).map(|output| (path, output))
        };
        Ok(Self {
            model: start(".model", Access::Owner)?,
            client: start(".client", Access::Shared)?,
        })
    }

    /// Writes a compiled model to them.
    pub(crate) fn write(mut self, compiled: Compiled) -> Result<Written> {
        let client_spec = ClientSpecV1::from(&compiled.client_spec);
        write_message(&mut self.client.1, Kind::Client, &client_spec)?;
        let model = ModelV1 {
            program: (&compiled.program).into(),
            client_spec,
            report_text: compiled.report.to_string(),
            report_json: serde_json::to_string(&compiled.report)?,
        };
        write_message(&mut self.model.1, Kind::Model, &model)?;
        Ok(Written {
            model: (self.model.0, self.model.1.commit()?),
            client: (self.client.0, self.client.1.commit()?),
        })
    }
}
