//! Runs a packed program on calibration rows in the clear machine.

use hush_program::clear::{ClearMachine, Signal};
use hush_program::{Operation, Program, execute};

use crate::error::CompileError;
use crate::pack::{Packed, Placement, Planned};

/// One sample's results: per output tensor, its elements, and the variance of their noise if it was tracked.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Values per output tensor.
    pub values: Vec<Vec<f64>>,
    /// Variances per output tensor; empty lists if not tracked.
    pub variances: Vec<Vec<f64>>,
}

/// Slots to simulate for `rows` samples: all, except where slots never mix and fewer tell as much.
pub fn slots_for(packed: &Packed, rows: usize) -> usize {
    if packed.samples == packed.slots {
        rows.clamp(1, packed.slots)
    } else {
        packed.slots
    }
}

/// Samples per run in so many simulated slots.
pub fn samples_in(packed: &Packed, slots: usize) -> usize {
    if packed.samples == packed.slots {
        slots
    } else {
        packed.samples
    }
}

/// Samples that can be run with so many additions and multiplications, one at least.
pub fn affordable(packed: &Packed, operations: f64) -> usize {
    let own = |planned: &Planned| match &planned.operation {
        Operation::Linear { blocks, folds, .. } => {
            let diagonals: usize = blocks.iter().map(|block| block.diagonals.len()).sum();
            diagonals + folds.len()
        }
        Operation::Polynomial { polynomial, .. } => polynomial.degree(),
        _ => 1,
    };
    let each: usize = packed.instructions.iter().map(own).sum();
    let per_sample = (each * packed.slots) as f64 / packed.samples as f64;
    (operations / per_sample.max(1.0)).max(1.0) as usize
}

/// Runs at most one group of samples; `rows` holds one list of input tensors per sample.
///
/// # Errors
/// Only for a program that breaks its own rules.
pub fn run(
    packed: &Packed,
    program: &Program,
    machine: &mut ClearMachine,
    slots: usize,
    rows: &[&Vec<Vec<f64>>],
) -> Result<Vec<Outcome>, CompileError> {
    let stride = packed.sample_stride;
    let mut inputs = Vec::new();
    for (tensor, placement) in packed.input_places.iter().enumerate() {
        let mut slots = vec![vec![0.0; slots]; placement.ciphertexts];
        for (sample, row) in rows.iter().enumerate() {
            for (&value, places) in row[tensor].iter().zip(&placement.places) {
                for place in places {
                    slots[place.ciphertext][place.slot + sample * stride] = value;
                }
            }
        }
        for values in slots {
            inputs.push(machine.encrypt(values, program.input_level, program.input_scale));
        }
    }
    let outputs = execute(program, inputs, machine, &mut ()).map_err(|error| {
        CompileError::Emitted(hush_program::ProgramError::Stored {
            reason: error.to_string(),
        })
    })?;
    Ok((0..rows.len())
        .map(|sample| read(packed, &outputs, sample * stride))
        .collect())
}

fn read(packed: &Packed, outputs: &[Signal], offset: usize) -> Outcome {
    let mut outcome = Outcome {
        values: Vec::new(),
        variances: Vec::new(),
    };
    let mut first = 0;
    for placement in &packed.output_places {
        let take =
            |list: fn(&Signal) -> &Vec<f64>| pick(placement, &outputs[first..], list, offset);
        outcome.values.push(take(|signal| &signal.values));
        outcome.variances.push(take(|signal| &signal.variance));
        first += placement.ciphertexts;
    }
    outcome
}

fn pick(
    placement: &Placement,
    outputs: &[Signal],
    list: fn(&Signal) -> &Vec<f64>,
    offset: usize,
) -> Vec<f64> {
    let at = |places: &Vec<hush_program::Place>| {
        let place = places.first()?;
        list(&outputs[place.ciphertext])
            .get(place.slot + offset)
            .copied()
    };
    placement.places.iter().filter_map(at).collect()
}
