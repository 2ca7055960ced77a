//! What the page shows: a model's layers, summary, activations and, if they are given, measured times.

use std::collections::BTreeMap;

use hush_compiler::report::layers::LayerReport;
use hush_program::{ClientSpec, ParameterSpec, PostOperation, Program};
use serde_json::Value;

use super::markup::{grouped, plain, scientific};
use crate::failure::Result;
use crate::layers::layers_of;
use crate::terminal::{bytes, counted, duration};
use crate::timings::Timings;

/// Everything on the page.
pub(crate) struct Content {
    pub(super) name: String,
    pub(super) program_id: String,
    pub(super) parameters: ParameterSpec,
    /// log2 of the largest modulus that the security level allows, and that level in bits.
    pub(super) limit: Option<(u32, u32)>,
    pub(super) slots: usize,
    pub(super) top_level: usize,
    pub(super) facts: Vec<Fact>,
    pub(super) layers: Vec<LayerReport>,
    pub(super) outputs: Vec<Port>,
    pub(super) activations: Vec<Activation>,
    /// Milliseconds of a group by label, with the number of threads.
    pub(super) measured: Option<(BTreeMap<String, f64>, usize)>,
}

/// One tile of the summary.
pub(super) struct Fact {
    pub(super) title: &'static str,
    pub(super) value: String,
    pub(super) note: String,
}

/// An output of the model and what happens to it after decryption.
pub(super) struct Port {
    pub(super) name: String,
    pub(super) shape: Vec<usize>,
    pub(super) post: String,
}

/// An activation and its polynomial.
pub(super) struct Activation {
    pub(super) node: String,
    pub(super) function: String,
    /// Smallest and largest argument on the calibration data.
    pub(super) seen: (f64, f64),
    pub(super) degree: u64,
    pub(super) fit_error: f64,
    pub(super) outside: u64,
    /// Argument, function, polynomial.
    pub(super) curve: Vec<[f64; 3]>,
}

impl Content {
    /// Collects it from a model file; `limit` is the bound on the modulus and the security level that it gives.
    pub(crate) fn new(
        program: &Program,
        spec: &ClientSpec,
        report: &Value,
        limit: Option<(u32, u32)>,
        timings: Option<&Timings>,
    ) -> Result<Self> {
        let layers = layers_of(program, spec, report)?;
        let activations = report["activations"].as_array().into_iter().flatten();
        let post: Vec<&str> = spec.post.iter().map(post_name).collect();
        let outputs = spec.outputs.iter().map(|tensor| Port {
            name: tensor.name.clone(),
            shape: tensor.shape.clone(),
            post: post.join(", "),
        });
        let mut content = Self {
            name: program.name.clone(),
            program_id: crate::terminal::hexadecimal(&spec.program_id),
            parameters: program.parameters.clone(),
            limit,
            slots: program.slots,
            top_level: program.input_level,
            facts: Vec::new(),
            outputs: outputs.collect(),
            activations: activations.map(activation).collect(),
            measured: timings.map(|timings| (timings.by_layer(), timings.threads)),
            layers,
        };
        content.facts = facts(&content, spec, report);
        Ok(content)
    }

    /// Milliseconds that a layer is predicted to take.
    pub(super) fn predicted(&self, layer: &LayerReport) -> f64 {
        layer.nanoseconds / 1e6
    }

    /// Its share of the whole.
    pub(super) fn share(&self, layer: &LayerReport) -> f64 {
        let total: f64 = self.layers.iter().map(|layer| layer.nanoseconds).sum();
        if total > 0.0 {
            layer.nanoseconds / total
        } else {
            0.0
        }
    }

    /// Milliseconds that it took.
    pub(super) fn measured(&self, layer: &LayerReport) -> Option<f64> {
        self.measured.as_ref()?.0.get(&layer.label).copied()
    }

    /// Its share of all that was measured.
    pub(super) fn measured_share(&self, layer: &LayerReport) -> Option<f64> {
        let total: f64 = self.measured.as_ref()?.0.values().sum();
        Some(self.measured(layer)? / total.max(f64::MIN_POSITIVE))
    }
}

fn post_name(post: &PostOperation) -> &'static str {
    match post {
        PostOperation::Softmax { .. } => "softmax",
        PostOperation::LogSoftmax { .. } => "log softmax",
        PostOperation::Sigmoid => "sigmoid",
        PostOperation::ArgMax { .. } => "arg max",
        _ => "a last step",
    }
}

fn activation(row: &Value) -> Activation {
    let number = |name: &str| row[name].as_f64().unwrap_or(f64::NAN);
    let text = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
    let point = |point: &Value| {
        let part = |index: usize| point[index].as_f64().filter(|part| part.is_finite());
        Some([part(0)?, part(1)?, part(2)?])
    };
    let curve = row["curve"].as_array().into_iter().flatten();
    Activation {
        node: text("node"),
        function: text("function"),
        seen: (number("smallest"), number("largest")),
        degree: row["degree"].as_u64().unwrap_or(0),
        fit_error: number("fit_error"),
        outside: row["out_of_range"].as_u64().unwrap_or(0),
        curve: curve.filter_map(point).collect(),
    }
}

fn facts(content: &Content, spec: &ClientSpec, report: &Value) -> Vec<Fact> {
    let number = |name: &str| report[name].as_f64().filter(|value| value.is_finite());
    let mut facts = Vec::new();
    let mut fact = |title, value: String, note: String| facts.push(Fact { title, value, note });
    let parameters = &spec.parameters;
    if let Some((limit, bits)) = content.limit {
        fact(
            "Security",
            format!("{bits} bits"),
            format!(
                "ring degree {}, modulus of {:.0} bits where {limit} are allowed",
                grouped(parameters.degree()),
                parameters.log_q_p()
            ),
        );
    }
    let group: f64 = content
        .layers
        .iter()
        .map(|layer| layer.nanoseconds / 1e6)
        .sum();
    let samples = spec.packing.samples;
    let per_sample = number("sample_milliseconds").unwrap_or(group / samples as f64);
    let per_group = match samples {
        1 => "predicted on one thread".to_owned(),
        samples => format!(
            "predicted on one thread; {} for a group of {}",
            duration(group),
            grouped(samples)
        ),
    };
    fact("Time of a sample", duration(per_sample), per_group);
    if let Some((measured, threads)) = &content.measured {
        let total: f64 = measured.values().sum();
        let noun = if *threads == 1 {
            "one thread".to_owned()
        } else {
            format!("{threads} threads")
        };
        fact(
            "Measured",
            duration(total),
            format!("one group of {} on {noun}", grouped(samples)),
        );
    }
    if let (Some(error), Some(asked)) = (number("predicted_error"), number("precision")) {
        fact(
            "Error of an output",
            scientific(error),
            format!("predicted; {} asked for", scientific(asked)),
        );
    }
    if let (Some(rows), Some(changes)) = (number("simulated_rows"), number("simulated_changes"))
        && rows > 0.0
    {
        fact(
            "Agreement",
            format!("{} %", plain(100.0 * (rows - changes) / rows)),
            format!(
                "of {} simulated calibration rows have the float model's arg max",
                grouped(rows as usize)
            ),
        );
    }
    if let (Some(keys), Some(size)) = (number("keys"), number("key_bytes")) {
        fact(
            "Evaluation keys",
            bytes(size as u64),
            format!("{} keys", grouped(keys as usize)),
        );
    }
    let size = |count: &str, size: &str| Some((number(count)? as usize, number(size)? as u64));
    if let (Some((inputs, input)), Some((outputs, output))) = (
        size("input_ciphertexts", "input_ciphertext_bytes"),
        size("output_ciphertexts", "output_ciphertext_bytes"),
    ) {
        fact(
            "Sent for a run",
            bytes(inputs as u64 * input),
            format!(
                "{}; {} come back",
                counted(inputs, "ciphertext"),
                bytes(outputs as u64 * output)
            ),
        );
    }
    if let (Some(switches), Some(rotations)) = (number("key_switches"), number("rotations")) {
        fact(
            "Key switches",
            grouped(switches as usize),
            format!(
                "{} of them rotations; {} levels",
                grouped(rotations as usize),
                content.top_level
            ),
        );
    }
    facts
}
