//! How the noise of every operation reaches the outputs, apart from scales and primes.
//!
//! The variance of an output is a sum over noise sources of gain times squared deviation. Gains depend on weights
//! and data only, so they are found once; a search over parameters then only needs the deviations, which an outline
//! of the program (one instruction per kind and scale group, no slots) gives in microseconds.

use std::collections::BTreeMap;

use hush_program::clear::{ClearMachine, Known, NoiseMode, Site};
use hush_program::{Block, Operation, ParameterSpec, Plain, Program, Register, execute};

use crate::calibrate::Calibrated;
use crate::error::CompileError;
use crate::pack::{Packed, Planned, Scaling};
use crate::parameters::shape;
use crate::simulate;

/// Most calibration rows from which gains are found: the noisiest ones.
const ROWS: usize = 8;

/// Most calibration rows from which sizes are found, and among which the noisiest are sought.
const SIZE_ROWS: usize = 4096;

/// Operations of the clear machine that finding sizes may take, in slots.
const SIZE_OPERATIONS: f64 = 1e9;

/// Operations that finding gains may take.
const GAIN_OPERATIONS: f64 = 2e9;

/// Standard deviations of the noisiest output that stand for its error while bits are given back.
pub const DEVIATIONS: f64 = 4.0;

/// The predicted largest error is at least so many standard deviations of the noisiest output.
pub const LEAST_DEVIATIONS: f64 = 1.6;

/// Expected number of outputs, over all calibration rows, whose error exceeds the predicted largest one.
const EXCEEDED: f64 = 0.1;

/// Gains, sizes and the outline.
#[derive(Clone, Debug)]
pub struct Sensitivity {
    outline: Packed,
    sites: Vec<Site>,
    /// Per output element of each row, the gain of each site.
    gains: Vec<Vec<f64>>,
    /// Largest slot at each site of a record.
    sizes: BTreeMap<Site, f64>,
}

/// What parameters and scales lead to.
#[derive(Clone, Debug, PartialEq)]
pub struct Assessment {
    /// Largest standard deviation of an output.
    pub deviation: f64,
    /// A smooth stand-in for it, for the search.
    pub smooth: f64,
    /// Bits left before any message wraps.
    pub headroom: f64,
    /// The same for every kind of value.
    pub rooms: Vec<f64>,
}

/// One instruction per kind and scale group, and where each instruction went.
fn outline(packed: &Packed) -> (Packed, Vec<usize>) {
    let mut alias: BTreeMap<Register, Register> = BTreeMap::new();
    for &input in &packed.inputs {
        alias.insert(input, packed.inputs[0]);
    }
    let mut known: BTreeMap<(usize, Scaling, &'static str, Vec<Register>), usize> = BTreeMap::new();
    let mut instructions: Vec<Planned> = Vec::new();
    let mut places = Vec::new();
    for planned in &packed.instructions {
        let operation = shorten(&planned.operation, &alias);
        let scaling = match planned.scaling {
            Scaling::Like(register) => Scaling::Like(alias[&register]),
            scaling => scaling,
        };
        let key = (planned.depth, scaling, operation.name(), operation.reads());
        let index = *known.entry(key).or_insert(instructions.len());
        if index == instructions.len() {
            let results = planned.results[..1].to_vec();
            instructions.push(Planned {
                operation,
                results,
                scaling,
                ..planned.clone()
            });
        }
        for &result in &planned.results {
            alias.insert(result, instructions[index].results[0]);
        }
        places.push(index);
    }
    let inputs = packed.inputs[..1].to_vec();
    let outputs = packed
        .outputs
        .iter()
        .map(|register| alias[register])
        .collect();
    let outline = Packed {
        inputs,
        outputs,
        instructions,
        input_places: Vec::new(),
        output_places: Vec::new(),
        notes: Vec::new(),
        ..*packed
    };
    (outline, places)
}

fn shorten(operation: &Operation, alias: &BTreeMap<Register, Register>) -> Operation {
    let of = |register: &Register| alias.get(register).copied().unwrap_or(*register);
    match operation {
        Operation::Linear { inputs, folds, .. } => Operation::Linear {
            inputs: vec![of(&inputs[0])],
            blocks: vec![Block {
                output: 0,
                input: 0,
                diagonals: BTreeMap::from([(0, Plain::Constant(1.0))]),
            }],
            baby_step: 1,
            folds: folds.clone(),
            bias: vec![None],
        },
        Operation::Polynomial { input, polynomial } => Operation::Polynomial {
            input: of(input),
            polynomial: polynomial.clone(),
        },
        Operation::Add { left, right } => Operation::Add {
            left: of(left),
            right: of(right),
        },
        Operation::Subtract { left, right } => Operation::Subtract {
            left: of(left),
            right: of(right),
        },
        Operation::Multiply { left, right } => Operation::Multiply {
            left: of(left),
            right: of(right),
        },
        Operation::AddPlain { input, .. } => Operation::AddPlain {
            input: of(input),
            plain: Plain::Constant(0.0),
        },
        Operation::Fold { input, steps } => Operation::Fold {
            input: of(input),
            steps: steps.clone(),
        },
        Operation::Align { input } => Operation::Align { input: of(input) },
        other => other.clone(),
    }
}

impl Sensitivity {
    /// Finds gains and sizes on calibration rows. Cost: one run of the clear machine per kind of noise source and
    /// group of samples.
    ///
    /// # Errors
    /// Only for a program that breaks its own rules.
    pub fn new(
        packed: &Packed,
        calibrated: &Calibrated,
        log_degree: u32,
    ) -> Result<Self, CompileError> {
        let parameters = shape(log_degree, packed.depth + 1, 1);
        let scales = vec![30.0; packed.groups];
        let program = packed.program("", parameters.clone(), &scales);
        let (outline, places) = outline(packed);
        let site = |site: Site| Site {
            instruction: site.instruction.map(|index| places[index]),
            ..site
        };
        let sketch = execute_outline(
            &outline.program("", parameters.clone(), &scales),
            outline.inputs.len(),
        )?;
        let mut sites: Vec<Site> = sketch.sources().iter().map(|source| source.site).collect();
        sites.sort_unstable();
        sites.dedup();
        let full = execute_outline(&program, program.inputs.len())?;
        let order: Vec<Site> = full
            .sources()
            .iter()
            .map(|source| site(source.site))
            .collect();
        let mut sizes = BTreeMap::new();
        let mut noisiest: Vec<f64> = Vec::new();
        let affordable = simulate::affordable(packed, SIZE_OPERATIONS).clamp(ROWS, SIZE_ROWS);
        let size_rows = calibrated.telling(affordable);
        let size_slots = simulate::slots_for(packed, size_rows.len());
        for rows in size_rows.chunks(simulate::samples_in(packed, size_slots)) {
            let rows: Vec<_> = rows.iter().map(|&row| &calibrated.rows[row]).collect();
            let mut machine =
                ClearMachine::new(&program, NoiseMode::Tracked).with_slots(size_slots);
            for outcome in simulate::run(packed, &program, &mut machine, size_slots, &rows)? {
                noisiest.push(outcome.variances.into_iter().flatten().fold(0.0, f64::max));
            }
            for record in machine.records() {
                let size = sizes.entry(site(record.site)).or_insert(0.0f64);
                *size = size.max(record.largest);
            }
        }
        let mut order_of_noise: Vec<usize> = (0..size_rows.len()).collect();
        order_of_noise.sort_by(|&a, &b| noisiest[b].total_cmp(&noisiest[a]).then(a.cmp(&b)));
        let rows: Vec<usize> = order_of_noise
            .iter()
            .take(simulate::affordable(packed, GAIN_OPERATIONS / sites.len() as f64).min(ROWS))
            .map(|&index| size_rows[index])
            .collect();
        let slots = simulate::slots_for(packed, rows.len());
        let masks = sites.iter().map(|chosen| {
            let own = order.iter().map(|site| site == chosen);
            own.collect::<Vec<bool>>()
        });
        let masks: Vec<Vec<bool>> = masks.collect();
        let mut gains: Vec<Vec<f64>> = Vec::new();
        for rows in rows.chunks(simulate::samples_in(packed, slots)) {
            let rows: Vec<_> = rows.iter().map(|&row| &calibrated.rows[row]).collect();
            let first = gains.len();
            let mut known = Known::default();
            for (index, mask) in masks.iter().enumerate() {
                let machine = ClearMachine::impulse(&program, slots, mask.clone());
                let mut machine = machine.with_known(known);
                let outcomes = simulate::run(packed, &program, &mut machine, slots, &rows)?;
                known = machine.into_known();
                let found = outcomes.into_iter().flat_map(|outcome| outcome.variances);
                for (element, gain) in found.flatten().enumerate() {
                    if index == 0 {
                        gains.push(vec![0.0; sites.len()]);
                    }
                    gains[first + element][index] = gain;
                }
            }
        }
        Ok(Self {
            outline,
            sites,
            gains,
            sizes,
        })
    }

    /// A program that has the same kinds of noise sources as the packed one; scales are set later.
    pub fn sketch(&self, parameters: ParameterSpec) -> Program {
        self.outline
            .program("", parameters, &vec![30.0; self.outline.groups])
    }

    /// Puts scales into a sketch.
    pub fn set_scales(&self, sketch: &mut Program, log_scales: &[f64]) {
        self.outline.set_scales(sketch, log_scales);
    }

    /// Groups in use.
    pub fn groups(&self) -> usize {
        self.outline.groups
    }

    /// Predicts the noise of the outputs.
    ///
    /// # Errors
    /// Only for a program that breaks its own rules.
    pub fn assess(&self, sketch: &Program) -> Result<Assessment, CompileError> {
        let machine = execute_outline(sketch, sketch.inputs.len())?;
        let mut deviations = vec![0.0f64; self.sites.len()];
        for source in machine.sources() {
            if let Ok(index) = self.sites.binary_search(&source.site) {
                deviations[index] = source.deviation;
            }
        }
        let (mut largest, mut total) = (0.0f64, 0.0f64);
        for gains in &self.gains {
            let variance: f64 = gains
                .iter()
                .zip(&deviations)
                .map(|(gain, d)| gain * d * d)
                .sum();
            largest = largest.max(variance);
            total += variance.powi(4);
        }
        let room = |record: &hush_program::clear::Record| {
            let size = self.sizes.get(&record.site).copied().unwrap_or(0.0);
            if size > 0.0 {
                machine.headroom_of(record, size)
            } else {
                f64::INFINITY
            }
        };
        let rooms: Vec<f64> = machine.records().iter().map(room).collect();
        let rooms: Vec<f64> = rooms.into_iter().filter(|room| room.is_finite()).collect();
        let headroom = rooms.iter().copied().fold(f64::INFINITY, f64::min);
        let count = self.gains.len().max(1) as f64;
        Ok(Assessment {
            deviation: largest.sqrt(),
            smooth: (total / count).powf(0.125),
            headroom,
            rooms,
        })
    }
}

fn execute_outline(program: &Program, inputs: usize) -> Result<ClearMachine, CompileError> {
    let mut machine = ClearMachine::outline(program);
    let inputs = (0..inputs)
        .map(|_| machine.encrypt(Vec::new(), program.input_level, program.input_scale))
        .collect();
    execute(program, inputs, &mut machine, &mut ()).map_err(|error| {
        CompileError::Emitted(hush_program::ProgramError::Stored {
            reason: error.to_string(),
        })
    })?;
    Ok(machine)
}

/// The error that noise is expected to exceed on 0.1 outputs of all calibration rows, by the modelled variances.
///
/// # Errors
/// Only for a program that breaks its own rules.
pub fn largest_error(
    packed: &Packed,
    program: &Program,
    calibrated: &Calibrated,
) -> Result<f64, CompileError> {
    let affordable = simulate::affordable(packed, SIZE_OPERATIONS).clamp(ROWS, SIZE_ROWS);
    let rows = calibrated.telling(affordable);
    let slots = simulate::slots_for(packed, rows.len());
    let mut machine = ClearMachine::new(program, NoiseMode::Tracked).with_slots(slots);
    let mut deviations: Vec<f64> = Vec::new();
    for rows in rows.chunks(simulate::samples_in(packed, slots)) {
        let rows: Vec<_> = rows.iter().map(|&row| &calibrated.rows[row]).collect();
        for outcome in simulate::run(packed, program, &mut machine, slots, &rows)? {
            deviations.extend(outcome.variances.into_iter().flatten().map(f64::sqrt));
        }
        machine.restart();
    }
    let exceeded = |error: f64| -> f64 {
        let tail = |deviation: &f64| libm::erfc(error / (deviation * std::f64::consts::SQRT_2));
        deviations
            .iter()
            .filter(|&&deviation| deviation > 0.0)
            .map(tail)
            .sum()
    };
    let (mut low, mut high) = (0.0, 10.0 * deviations.iter().copied().fold(0.0, f64::max));
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if exceeded(middle) > EXCEEDED {
            low = middle
        } else {
            high = middle
        }
    }
    Ok(high)
}

/// A machine that samples noise for one program, in so many of its slots.
pub fn sampled(program: &Program, slots: usize, seed: u64) -> ClearMachine {
    ClearMachine::new(program, NoiseMode::Sampled(seed)).with_slots(slots)
}
