//! From a tensor graph to an encrypted program.
//!
//! [`compile`] is the whole way; each pass is a file and a function from plain data to plain data:
//! [`fold`] (neighbouring linear operators become one sparse matrix), [`calibrate`] (ranges on sample inputs),
//! [`approximate`] (functions become polynomials, by [`remez`] and [`sign`] among others), [`monic`] and [`quartic`]
//! (quadratics become squares, quartics products of two), [`fuse`]
//! (a cubic and the matrix after it share levels),
//! [`pack`] (elements get slots, matrices become rotations),
//! [`parameters`] (primes and scales by the modelled noise), [`search`] (the cheapest choice that is precise
//! enough), [`emit`] and [`report`].
//!
//! Invariants
//! - The same graph, data and options give the same bytes: no hash maps, no clocks, no threads.
//! - Nothing is emitted that [`hush_program::Program::check`] refuses or that is less secure than asked for.
//! - Whatever is not supported is reported at once, with the names of the nodes.
//!
//! Non-goals: reading model files (`hush-onnx`), running anything on ciphertexts (`hush-runtime`).
#![forbid(unsafe_code)]

pub mod approximate;
pub mod arrange;
pub mod calibrate;
pub mod chebyshev;
mod dense;
pub mod emit;
pub mod error;
pub mod fold;
pub mod fuse;
mod minimize;
pub mod monic;
pub mod network;
pub mod noise;
pub mod options;
pub mod pack;
pub mod parameters;
pub mod quartic;
pub mod remez;
pub mod report;
pub mod search;
pub mod sign;
pub mod simulate;
#[cfg(test)]
mod testing;

use hush_graph::Graph;
use hush_graph::rewrite::{leave_out_labels, simplify};
use hush_program::{ClientSpec, Program};

pub use calibrate::Calibration;
pub use error::{CompileError, Shortage, TooDeep, Unsupported};
pub use options::Options;
pub use report::Report;

/// Most rows of the final simulation with sampled noise.
const SIMULATED_ROWS: usize = 256;

/// Additions and multiplications that it may take.
const SIMULATED_OPERATIONS: f64 = 1e9;

/// What [`compile`] gives.
#[derive(Clone, Debug, PartialEq)]
pub struct Compiled {
    /// The owner's: instructions and weights.
    pub program: Program,
    /// The data owner's: parameters, layouts and keys needed.
    pub client_spec: ClientSpec,
    /// For people and for tests.
    pub report: Report,
}

/// Compiles a model for encrypted inference.
///
/// # Errors
/// [`CompileError`]: unsupported operators (all at once), calibration data that does not fit, a precision or a depth
/// that no secure parameters reach.
pub fn compile(
    graph: &Graph,
    calibration: &Calibration,
    options: &Options,
) -> Result<Compiled, CompileError> {
    options.check()?;
    let graph = leave_out_labels(&simplify(graph)?)?;
    let network = fold::fold(&graph)?;
    let calibrated = calibrate::calibrate(&graph, &network, calibration)?;
    let approximated = approximate::approximate(&network, &calibrated, options)?;
    let chosen = search::search(&approximated, &calibrated, options)?;
    let best = &chosen[0];
    best.program.check()?;
    let client_spec = emit::client_spec(&approximated.network, &calibrated, best)?;
    let agreement = agree(best, &calibrated, options)?;
    let report = report::report(
        &approximated,
        options,
        &chosen,
        calibrated.rows.len(),
        agreement,
    )
    .with_notes(&graph)
    .with_layers(&graph, best, &client_spec, &calibrated)?;
    Ok(Compiled {
        program: best.program.clone(),
        client_spec,
        report,
    })
}

fn arg_max(values: &[f64]) -> usize {
    (0..values.len())
        .max_by(|&a, &b| values[a].total_cmp(&values[b]).then(b.cmp(&a)))
        .unwrap_or(0)
}

/// Compares a simulation with sampled noise to the float model.
fn agree(
    chosen: &search::Chosen,
    calibrated: &calibrate::Calibrated,
    options: &Options,
) -> Result<report::Agreement, CompileError> {
    let (packed, program) = (&chosen.packed, &chosen.program);
    let affordable = simulate::affordable(packed, SIMULATED_OPERATIONS);
    let rows = calibrated.spread(affordable.clamp(calibrate::MIN_ROWS, SIMULATED_ROWS));
    let slots = simulate::slots_for(packed, rows.len());
    let mut machine = noise::sampled(program, slots, options.seed);
    let mut outputs = 0usize;
    let mut agreement = report::Agreement {
        rows: rows.len(),
        ..report::Agreement::default()
    };
    for rows in rows.chunks(simulate::samples_in(packed, slots)) {
        let inputs: Vec<_> = rows.iter().map(|&row| &calibrated.rows[row]).collect();
        let outcomes = simulate::run(packed, program, &mut machine, slots, &inputs)?;
        machine.restart();
        for (&row, outcome) in rows.iter().zip(outcomes) {
            let mut changed = false;
            for (found, expected) in outcome.values.iter().zip(&calibrated.outputs[row]) {
                for (found, expected) in found.iter().zip(expected) {
                    let error = (found - expected).abs();
                    agreement.error = agreement.error.max(error);
                    agreement.mean += error;
                    outputs += 1;
                }
                changed |= arg_max(found) != arg_max(expected);
            }
            agreement.changes += usize::from(changed);
        }
    }
    agreement.mean /= outputs.max(1) as f64;
    Ok(agreement)
}
