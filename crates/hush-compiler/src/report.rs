//! What the compiler tells its user.

pub mod curve;
mod describe;
pub mod layers;
mod occupancy;
mod shares;
mod text;

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
    /// Degree; of the last polynomial where several are applied in turn.
    pub degree: usize,
    /// Degrees of all polynomials that are applied in turn: several for a composite sign.
    pub degrees: Vec<usize>,
    /// Levels consumed.
    pub levels: usize,
    /// Largest fit error on the interval.
    pub fit_error: f64,
    /// Root mean square fit error over the arguments on the calibration data.
    pub typical_error: f64,
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
    /// Largest error allowed: what was asked for, or what the choice of activations led to.
    pub precision: f64,
    /// Whether it was asked for.
    pub precision_given: bool,
    /// Predicted largest output error over the calibration rows: approximation plus noise, exceeded by 0.1 outputs of
    /// all rows on average.
    pub predicted_error: f64,
    /// Share of approximating activations, measured on the calibration data.
    pub approximation_error: f64,
    /// The mean error that they make.
    pub approximation_mean_error: f64,
    /// Calibration rows, of all, whose arg max (sign, for one output before a sigmoid) they change.
    pub approximation_changes: usize,
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
    /// Mean output difference.
    pub simulated_mean_error: f64,
    /// Simulated rows whose largest output is at another place than in the float model.
    pub simulated_changes: usize,
    /// What should be looked into before the model is used.
    pub warnings: Vec<String>,
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
    /// Mean output difference.
    pub mean: f64,
    /// Rows with another arg max.
    pub changes: usize,
}

/// What the numbers say against using the model.
fn warnings(approximated: &Approximated, options: &Options, agreement: Agreement) -> Vec<String> {
    let mut warnings = Vec::new();
    let polynomials = &approximated.deviation;
    for (what, rows, changes) in [
        (
            "with polynomials for activations",
            polynomials.rows,
            polynomials.changes,
        ),
        (
            "in the simulation with noise",
            agreement.rows,
            agreement.changes,
        ),
    ] {
        let share = 1.0 - changes as f64 / rows.max(1) as f64;
        if share < options.min_agreement {
            warnings.push(format!(
                "only {:.1} % of {rows} calibration rows keep their largest output {what}, less than {:.1} % \
                 (--min-agreement); try a smaller --precision, more calibration rows or another --activation-margin",
                100.0 * share,
                100.0 * options.min_agreement
            ));
        }
    }
    let outside: usize = approximated.fits.iter().map(|fit| fit.out_of_range).sum();
    if outside > 0 {
        warnings.push(format!(
            "{outside} arguments of activations on the calibration data are outside the intervals covered; use a larger \
             --activation-margin"
        ));
    }
    warnings
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
        precision_given: options.precision.is_some(),
        predicted_error: best.predicted,
        approximation_error: approximated.error,
        approximation_mean_error: approximated.deviation.mean,
        approximation_changes: approximated.deviation.changes,
        group_milliseconds: count.nanoseconds / 1e6,
        sample_milliseconds: best.batch_nanoseconds / 1e6 / batch as f64,
        headroom_bits: best.tuned.assessment.headroom,
        calibration_rows: rows,
        simulated_rows: agreement.rows,
        simulated_error: agreement.error,
        simulated_mean_error: agreement.mean,
        simulated_changes: agreement.changes,
        warnings: warnings(approximated, options, agreement),
        activations: approximated.fits.iter().map(activation).collect(),
        layers: Vec::new(),
        notes: Vec::new(),
    }
}

impl Report {
    /// Per cent of all calibration rows that keep their arg max with polynomials for activations, without noise.
    pub fn agreement(&self) -> f64 {
        100.0 * (1.0 - self.approximation_changes as f64 / self.calibration_rows.max(1) as f64)
    }

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
        degrees: fit.degrees.clone(),
        levels: fit.levels,
        fit_error: fit.error,
        typical_error: fit.typical_error,
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
