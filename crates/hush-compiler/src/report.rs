//! What the compiler tells its user.

pub mod curve;
mod describe;
pub mod layers;
mod occupancy;
mod shares;

use std::fmt::{self, Display, Formatter};

use hush_ckks::security;
use hush_graph::Graph;
use hush_program::cost::{CostModel, ciphertext_bytes};
use hush_program::{ClientSpec, PackingKind, ParameterSpec, Program};
use serde::Serialize;

use self::layers::LayerReport;
use crate::approximate::{Approximated, Fit};
use crate::calibrate::Calibrated;
use crate::error::CompileError;
use crate::options::Options;
use crate::search::Chosen;

/// One activation.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ActivationReport {
    /// Names of the nodes.
    pub node: String,
    /// The function.
    pub function: String,
    /// Smallest argument on the calibration data.
    pub smallest: f64,
    /// Largest argument on the calibration data.
    pub largest: f64,
    /// Lower end of the interval that the polynomial covers.
    pub lo: f64,
    /// Upper end of the interval.
    pub hi: f64,
    /// Degree.
    pub degree: usize,
    /// Largest fit error on the interval.
    pub fit_error: f64,
    /// Calibration arguments outside the interval.
    pub out_of_range: usize,
    /// Argument, function and polynomial, over the interval.
    pub curve: Vec<[f64; 3]>,
}

/// Everything that a user may want to know about a compiled model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Name of the model.
    pub model: String,
    /// `latency` or `throughput`.
    pub packing: String,
    /// Why.
    pub packing_reason: String,
    /// Layouts in words.
    pub layouts: Vec<String>,
    /// log2 of the ring degree.
    pub log_degree: u32,
    /// Sizes of the chain primes in bits.
    pub chain_bits: Vec<f64>,
    /// Sizes of the special primes in bits.
    pub special_bits: Vec<f64>,
    /// log2 of the product of all primes.
    pub log_q_p: f64,
    /// 128, 192 or 256.
    pub security_bits: u32,
    /// Cyclic slots.
    pub slots: usize,
    /// Samples per group of ciphertexts.
    pub samples: usize,
    /// Levels consumed.
    pub levels: usize,
    /// Rotations per group.
    pub rotations: usize,
    /// Products of ciphertexts per group.
    pub multiplications: usize,
    /// Products with plaintexts per group.
    pub plain_multiplications: usize,
    /// Key switches per group.
    pub key_switches: usize,
    /// Number of evaluation keys.
    pub keys: usize,
    /// Bytes of all evaluation keys.
    pub key_bytes: u64,
    /// Input ciphertexts per group.
    pub input_ciphertexts: usize,
    /// Bytes of one fresh input ciphertext.
    pub input_ciphertext_bytes: u64,
    /// Output ciphertexts per group.
    pub output_ciphertexts: usize,
    /// Bytes of one output ciphertext.
    pub output_ciphertext_bytes: u64,
    /// Error asked for.
    pub precision: f64,
    /// Predicted largest output error over the calibration rows: approximation plus noise, exceeded by 0.1 outputs of
    /// all rows on average.
    pub predicted_error: f64,
    /// Share of approximating activations, measured on the calibration data.
    pub approximation_error: f64,
    /// Predicted milliseconds per group on one thread.
    pub group_milliseconds: f64,
    /// Predicted milliseconds per sample on one thread, for the batch asked for.
    pub sample_milliseconds: f64,
    /// Bits left before any message of the calibration data wraps.
    pub headroom_bits: f64,
    /// Calibration rows.
    pub calibration_rows: usize,
    /// Rows run with sampled noise.
    pub simulated_rows: usize,
    /// Largest output difference between that simulation and the float model.
    pub simulated_error: f64,
    /// Simulated rows whose largest output is at another place than in the float model.
    pub simulated_changes: usize,
    /// Activations.
    pub activations: Vec<ActivationReport>,
    /// What each layer became.
    pub layers: Vec<LayerReport>,
    /// What users of the model should know, such as outputs that were left out.
    pub notes: Vec<String>,
}

/// What the final simulation found.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Agreement {
    /// Rows run.
    pub rows: usize,
    /// Largest output difference.
    pub error: f64,
    /// Rows with another arg max.
    pub changes: usize,
}

fn bits(primes: &[u64]) -> Vec<f64> {
    primes
        .iter()
        .map(|&prime| ((prime as f64).log2() * 100.0).round() / 100.0)
        .collect()
}

/// Bytes of all keys that a program needs.
pub fn key_bytes(program: &Program, keys: &hush_program::KeyManifest) -> u64 {
    let model = CostModel::new(&program.parameters);
    let levels = keys.rotations.values().copied().chain(keys.relinearization);
    levels
        .map(|level| model.key_bytes(&program.parameters, level))
        .sum()
}

/// Fills in a report.
pub fn report(
    approximated: &Approximated,
    options: &Options,
    chosen: &[Chosen],
    rows: usize,
    agreement: Agreement,
) -> Report {
    let best = &chosen[0];
    let (program, count, packed) = (&best.program, &best.count, &best.packed);
    let parameters: &ParameterSpec = &program.parameters;
    let batch = options.batch.unwrap_or(1);
    Report {
        model: program.name.clone(),
        packing: name(packed.kind).to_owned(),
        packing_reason: reason(options, chosen),
        layouts: packed.notes.clone(),
        log_degree: parameters.log_degree,
        chain_bits: bits(&parameters.moduli),
        special_bits: bits(&parameters.special_moduli),
        log_q_p: parameters.log_q_p(),
        security_bits: security::security_bits(parameters.log_degree, parameters.log_q_p()),
        slots: program.slots,
        samples: packed.samples,
        levels: count.levels,
        rotations: count.rotations,
        multiplications: count.multiplications,
        plain_multiplications: count.plain_multiplications,
        key_switches: count.key_switches,
        keys: count.keys.rotations.len() + usize::from(count.keys.relinearization.is_some()),
        key_bytes: key_bytes(program, &count.keys),
        input_ciphertexts: program.inputs.len(),
        input_ciphertext_bytes: ciphertext_bytes(parameters, program.input_level, true),
        output_ciphertexts: program.outputs.len(),
        output_ciphertext_bytes: ciphertext_bytes(
            parameters,
            program.input_level - count.levels,
            false,
        ),
        precision: approximated.precision,
        predicted_error: best.predicted,
        approximation_error: approximated.error,
        group_milliseconds: count.nanoseconds / 1e6,
        sample_milliseconds: best.batch_nanoseconds / 1e6 / batch as f64,
        headroom_bits: best.tuned.assessment.headroom,
        calibration_rows: rows,
        simulated_rows: agreement.rows,
        simulated_error: agreement.error,
        simulated_changes: agreement.changes,
        activations: approximated.fits.iter().map(activation).collect(),
        layers: Vec::new(),
        notes: Vec::new(),
    }
}

impl Report {
    /// Takes over the notes of the graph.
    pub(crate) fn with_notes(mut self, graph: &Graph) -> Self {
        self.notes = graph.notes().to_vec();
        self
    }

    /// Fills in the table of layers.
    ///
    /// # Errors
    /// Only for a program that breaks its own rules.
    pub(crate) fn with_layers(
        mut self,
        graph: &Graph,
        chosen: &Chosen,
        spec: &ClientSpec,
        calibrated: &Calibrated,
    ) -> Result<Self, CompileError> {
        let (packed, program) = (&chosen.packed, &chosen.program);
        let mut grouped = layers::group(program, spec)?;
        shares::fill(&mut grouped, packed, program, calibrated)?;
        self.layers = grouped.layers;
        describe::describe(&mut self.layers, graph, &packed.notes);
        for (index, activation) in self.activations.iter().enumerate() {
            // An activation that is fused with the matrix after it comes first in the label.
            let computes = |layer: &&mut LayerReport| {
                let rest = layer.label.strip_prefix(&activation.node);
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(" + "))
            };
            if let Some(layer) = self.layers.iter_mut().find(computes) {
                layer.activation = Some(index);
            }
        }
        Ok(self)
    }
}

fn activation(fit: &Fit) -> ActivationReport {
    ActivationReport {
        node: fit.label.clone(),
        function: fit.function.clone(),
        smallest: fit.range.0,
        largest: fit.range.1,
        lo: fit.interval.0,
        hi: fit.interval.1,
        degree: fit.degree,
        fit_error: fit.error,
        out_of_range: fit.out_of_range,
        curve: fit.curve.clone(),
    }
}

fn name(kind: PackingKind) -> &'static str {
    match kind {
        PackingKind::Throughput => "throughput",
        _ => "latency",
    }
}

fn reason(options: &Options, chosen: &[Chosen]) -> String {
    let batch = options.batch.unwrap_or(1);
    let samples = if batch == 1 {
        "one sample".to_owned()
    } else {
        format!("{batch} samples")
    };
    let predicted = |chosen: &Chosen| {
        format!(
            "{} packing {:.1} ms",
            name(chosen.packed.kind),
            chosen.batch_nanoseconds / 1e6
        )
    };
    if options.packing.is_some() {
        return "asked for".to_owned();
    }
    let all: Vec<String> = chosen.iter().map(predicted).collect();
    format!("predicted for {samples}: {}", all.join(", "))
}

/// A number of bytes for people.
pub fn human_bytes(bytes: u64) -> String {
    match bytes as f64 {
        small if small < 1e3 => format!("{bytes} B"),
        medium if medium < 1e6 => format!("{:.1} kB", medium / 1e3),
        large => format!("{:.2} MB", large / 1e6),
    }
}

/// Prints rows with columns as wide as their widest cell; the first column is left-aligned.
fn table(out: &mut Formatter<'_>, rows: &[Vec<String>]) -> fmt::Result {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let cells = |column: usize| rows.iter().filter_map(move |row| row.get(column));
    let widths: Vec<usize> = (0..columns)
        .map(|column| {
            cells(column)
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or(0)
        })
        .collect();
    for row in rows {
        let mut line = String::from(" ");
        for (cell, width) in row.iter().zip(&widths) {
            let padding = " ".repeat(width - cell.chars().count());
            line.push(' ');
            if row.len() == 2 || line.trim().is_empty() {
                line.push_str(&format!("{cell}{padding} "));
            } else {
                line.push_str(&format!("{padding}{cell} "));
            }
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

impl Display for Report {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let list = |bits: &[f64]| {
            bits.iter()
                .map(|bits| format!("{bits:.1}"))
                .collect::<Vec<_>>()
                .join(" ")
        };
        let row = |name: &str, value: String| vec![name.to_owned(), value];
        writeln!(out, "{}", self.model)?;
        let bytes = |count: usize, bytes: u64| format!("{count} x {}", human_bytes(bytes));
        let rows = vec![
            row(
                "packing",
                format!("{} ({})", self.packing, self.packing_reason),
            ),
            row("samples per group", self.samples.to_string()),
            row(
                "ring degree",
                format!("2^{}, {} slots", self.log_degree, self.slots),
            ),
            row("chain", format!("{} bits", list(&self.chain_bits))),
            row(
                "special primes",
                format!("{} bits", list(&self.special_bits)),
            ),
            row(
                "security",
                format!(
                    "{} bits (log2 QP = {:.1})",
                    self.security_bits, self.log_q_p
                ),
            ),
            row("levels", self.levels.to_string()),
            row(
                "key switches",
                format!("{} ({} rotations)", self.key_switches, self.rotations),
            ),
            row(
                "products",
                format!(
                    "{} of ciphertexts, {} with plaintexts",
                    self.multiplications, self.plain_multiplications
                ),
            ),
            row(
                "evaluation keys",
                format!("{}, {}", self.keys, human_bytes(self.key_bytes)),
            ),
            row(
                "input ciphertexts",
                bytes(self.input_ciphertexts, self.input_ciphertext_bytes),
            ),
            row(
                "output ciphertexts",
                bytes(self.output_ciphertexts, self.output_ciphertext_bytes),
            ),
            row(
                "predicted error",
                format!(
                    "{:.1e} (asked for {:.0e}; activations {:.1e})",
                    self.predicted_error, self.precision, self.approximation_error
                ),
            ),
            row(
                "predicted time",
                format!(
                    "{:.3} ms per sample, {:.1} ms per group, one thread",
                    self.sample_milliseconds, self.group_milliseconds
                ),
            ),
            row("headroom", format!("{:.1} bits", self.headroom_bits)),
            row(
                "simulation",
                format!(
                    "{} of {} calibration rows: largest error {:.1e}, {} with another arg max",
                    self.simulated_rows,
                    self.calibration_rows,
                    self.simulated_error,
                    self.simulated_changes
                ),
            ),
        ];
        table(out, &rows)?;
        for note in &self.notes {
            writeln!(out, "note: {note}")?;
        }
        writeln!(out, "layouts")?;
        for layout in &self.layouts {
            writeln!(out, "  {layout}")?;
        }
        if self.activations.is_empty() {
            return Ok(());
        }
        writeln!(out, "activations")?;
        let titles = [
            "node",
            "function",
            "range",
            "covered",
            "degree",
            "fit error",
            "outside",
        ];
        let mut rows = vec![
            titles
                .iter()
                .map(|&title| title.to_owned())
                .collect::<Vec<_>>(),
        ];
        for activation in &self.activations {
            rows.push(vec![
                activation.node.clone(),
                activation.function.clone(),
                format!("{:.2} to {:.2}", activation.smallest, activation.largest),
                format!("{:.2} to {:.2}", activation.lo, activation.hi),
                activation.degree.to_string(),
                format!("{:.1e}", activation.fit_error),
                activation.out_of_range.to_string(),
            ]);
        }
        table(out, &rows)
    }
}
