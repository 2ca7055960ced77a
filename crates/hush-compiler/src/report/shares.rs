//! How much of the output's noise each layer adds.

use hush_program::clear::ClearMachine;
use hush_program::{Program, execute};

use super::layers::Grouped;
use crate::calibrate::Calibrated;
use crate::error::CompileError;
use crate::pack::Packed;
use crate::simulate;

/// Calibration rows that are looked at.
const ROWS: usize = 2;

/// Fills in the noise of every layer. Cost: one run of the clear machine per layer and calibration row.
pub(super) fn fill(
    grouped: &mut Grouped,
    packed: &Packed,
    program: &Program,
    calibrated: &Calibrated,
) -> Result<(), CompileError> {
    let owners = owners(grouped, program)?;
    let rows = calibrated.spread(ROWS);
    let slots = simulate::slots_for(packed, rows.len());
    for (index, layer) in grouped.layers.iter_mut().enumerate() {
        let mask: Vec<bool> = owners.iter().map(|&owner| owner == index).collect();
        let mut most = 0.0f64;
        for rows in rows.chunks(simulate::samples_in(packed, slots)) {
            let rows: Vec<_> = rows.iter().map(|&row| &calibrated.rows[row]).collect();
            let mut machine = ClearMachine::share(program, slots, mask.clone());
            for outcome in simulate::run(packed, program, &mut machine, slots, &rows)? {
                most = outcome.variances.into_iter().flatten().fold(most, f64::max);
            }
        }
        layer.noise = Some(most.sqrt());
    }
    Ok(())
}

/// The layer of every noise source, in the order in which a machine meets them.
fn owners(grouped: &Grouped, program: &Program) -> Result<Vec<usize>, CompileError> {
    let mut outline = ClearMachine::outline(program);
    let inputs = (0..program.inputs.len())
        .map(|_| outline.encrypt(Vec::new(), program.input_level, program.input_scale))
        .collect();
    execute(program, inputs, &mut outline, &mut ()).map_err(|error| {
        CompileError::Emitted(hush_program::ProgramError::Stored {
            reason: error.to_string(),
        })
    })?;
    let mut inputs = grouped.inputs.iter();
    let sources = outline.sources().iter();
    Ok(sources
        .map(|source| match source.site.instruction {
            Some(instruction) => grouped.instructions[instruction],
            None => inputs.next().copied().unwrap_or(0),
        })
        .collect())
}
