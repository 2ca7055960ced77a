//! Runs instructions that do not wait for each other at the same time.

use std::collections::BTreeMap;

use hush_circuits::CircuitError;
use hush_ckks::Ciphertext;
use hush_program::{ExecuteError, Instruction, Observer, Program, Register, execute_instruction};
use rayon::prelude::*;

use crate::machine::CiphertextMachine;

type Failed = ExecuteError<CircuitError>;

/// A run, between two of its instructions.
pub(crate) struct Execution<'a> {
    program: &'a Program,
    machine: CiphertextMachine<'a>,
    values: BTreeMap<Register, Ciphertext>,
    last_use: BTreeMap<Register, usize>,
    next: usize,
}

impl<'a> Execution<'a> {
    pub(crate) fn new(
        program: &'a Program,
        inputs: Vec<Ciphertext>,
        machine: CiphertextMachine<'a>,
    ) -> Result<Self, Failed> {
        let (expected, actual) = (program.inputs.len(), inputs.len());
        if actual != expected {
            return Err(ExecuteError::Inputs { expected, actual });
        }
        let mut last_use: BTreeMap<Register, usize> = BTreeMap::new();
        for (index, instruction) in program.instructions.iter().enumerate() {
            for register in instruction.operation.reads() {
                last_use.insert(register, index);
            }
        }
        for &register in &program.outputs {
            last_use.insert(register, program.instructions.len());
        }
        Ok(Self {
            values: program.inputs.iter().copied().zip(inputs).collect(),
            program,
            machine,
            last_use,
            next: 0,
        })
    }

    pub(crate) fn is_done(&self) -> bool {
        self.next == self.program.instructions.len()
    }

    /// [`hush_program::execute`] on ciphertexts, until the observer's [`Observer::alone`] changes or the program ends.
    /// Neighbours in the program that read nothing of each other run in parallel when there are enough of them for the
    /// threads; the observer then sees the whole time at the first of them.
    pub(crate) fn advance(&mut self, observer: &mut impl Observer) -> Result<(), Failed> {
        let total = self.program.instructions.len();
        let threads = rayon::current_num_threads();
        let alone = observer.alone();
        while !self.is_done() && observer.alone() == alone {
            let start = self.next;
            let end = together(&self.program.instructions, start, threads);
            let instructions = &self.program.instructions[start..end];
            let mut done: Vec<Vec<Ciphertext>> = Vec::new();
            for (index, instruction) in (start..end).zip(instructions) {
                if observer.before(index, total, instruction).is_break() {
                    return Err(ExecuteError::Stopped { index, total });
                }
                if index == start {
                    let (machine, values) = (&self.machine, &self.values);
                    let each = |(index, instruction)| {
                        execute_instruction(&mut machine.clone(), index, instruction, values)
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
                let results = instruction.results.iter().copied().zip(results);
                self.values.extend(results);
            }
            let last_use = &self.last_use;
            self.values
                .retain(|register, _| last_use.get(register).is_some_and(|&last| last >= end));
            self.next = end;
        }
        Ok(())
    }

    /// The outputs of a run that is done.
    pub(crate) fn finish(self) -> Result<Vec<Ciphertext>, Failed> {
        let outputs = self.program.outputs.iter();
        outputs
            .map(|&register| {
                self.values
                    .get(&register)
                    .cloned()
                    .ok_or(ExecuteError::Empty {
                        index: self.next,
                        label: "outputs".into(),
                        register,
                    })
            })
            .collect()
    }
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
