//! Runs instructions that do not wait for each other at the same time.

use std::collections::BTreeMap;

use hush_circuits::CircuitError;
use hush_ckks::Ciphertext;
use hush_program::{ExecuteError, Instruction, Observer, Program, Register, execute_instruction};
use rayon::prelude::*;

use crate::machine::CiphertextMachine;

type Failed = ExecuteError<CircuitError>;

/// [`hush_program::execute`] on ciphertexts. Neighbours in the program that read nothing of
/// each other run in parallel when there are enough of them for the threads; the observer
/// then sees the whole time at the first of them.
pub(crate) fn execute(
    program: &Program,
    inputs: Vec<Ciphertext>,
    machine: CiphertextMachine<'_>,
    observer: &mut impl Observer,
) -> Result<Vec<Ciphertext>, Failed> {
    let (expected, actual) = (program.inputs.len(), inputs.len());
    if actual != expected {
        return Err(ExecuteError::Inputs { expected, actual });
    }
    let total = program.instructions.len();
    let mut last_use: BTreeMap<Register, usize> = BTreeMap::new();
    for (index, instruction) in program.instructions.iter().enumerate() {
        for register in instruction.operation.reads() {
            last_use.insert(register, index);
        }
    }
    for &register in &program.outputs {
        last_use.insert(register, total);
    }
    let mut values: BTreeMap<Register, Ciphertext> =
        program.inputs.iter().copied().zip(inputs).collect();
    let threads = rayon::current_num_threads();
    let mut start = 0;
    while start < total {
        let end = together(&program.instructions, start, threads);
        let instructions = &program.instructions[start..end];
        let mut done: Vec<Vec<Ciphertext>> = Vec::new();
        for (index, instruction) in (start..end).zip(instructions) {
            if observer.before(index, total, instruction).is_break() {
                return Err(ExecuteError::Stopped { index, total });
            }
            if index == start {
                let each = |(index, instruction)| {
                    execute_instruction(&mut machine.clone(), index, instruction, &values)
                };
                done = match instructions {
                    [only] => vec![each((start, only))?],
                    _ => (start..end)
                        .into_par_iter()
                        .zip(instructions)
                        .map(each)
                        .collect::<Result<_, _>>()?,
                };
            }
            observer.after(index, total, instruction);
        }
        for (instruction, results) in instructions.iter().zip(done) {
            values.extend(instruction.results.iter().copied().zip(results));
        }
        values.retain(|register, _| last_use.get(register).is_some_and(|&last| last >= end));
        start = end;
    }
    program
        .outputs
        .iter()
        .map(|&register| {
            values.get(&register).cloned().ok_or(ExecuteError::Empty {
                index: total,
                label: "outputs".into(),
                register,
            })
        })
        .collect()
}

/// The end of the instructions from `start` on that run together: a few for each thread, so
/// that few ciphertexts are alive at once.
fn together(instructions: &[Instruction], start: usize, threads: usize) -> usize {
    const EACH: usize = 4;
    if threads == 1 {
        return start + 1;
    }
    let mut written: Vec<Register> = Vec::new();
    let mut end = start;
    for instruction in &instructions[start..] {
        let reads = instruction.operation.reads();
        if end - start == EACH * threads || reads.iter().any(|read| written.contains(read)) {
            break;
        }
        written.extend(&instruction.results);
        end += 1;
    }
    // Fewer than threads: the threads share each instruction instead.
    if end - start < threads {
        start + 1
    } else {
        end
    }
}
