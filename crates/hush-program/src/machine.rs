//! A machine runs the operations of a program on its own kind of values; `execute` drives it.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use thiserror::Error;

use crate::program::{Block, Instruction, Operation, Plain, Polynomial, Program, Register};

/// Where in the program an operation stands, and what its results must be.
#[derive(Clone, Copy, Debug)]
pub struct Step<'a> {
    /// Index of the instruction: a key for whatever a machine prepares ahead.
    pub index: usize,
    /// The instruction's label.
    pub label: &'a str,
    /// Level of the results.
    pub level: usize,
    /// Scale of the results.
    pub scale: f64,
}

/// The fields of [`Operation::Linear`] that are not registers.
#[derive(Clone, Copy, Debug)]
pub struct LinearPlan<'a> {
    /// Blocks, sorted by (output, input).
    pub blocks: &'a [Block],
    /// Baby-step width.
    pub baby_step: usize,
    /// Rotate-and-add steps after the rescale.
    pub folds: &'a [usize],
    /// Bias per result; its length is the number of results.
    pub bias: &'a [Option<Plain>],
}

/// Runs operations on values. The program has been checked, so operands have fitting levels.
pub trait Machine {
    /// A ciphertext, or what stands for it.
    type Value;
    /// What can go wrong.
    type Error;

    /// [`Operation::Linear`]; returns one value per entry of `plan.bias`.
    fn linear(
        &mut self,
        step: Step<'_>,
        inputs: &[&Self::Value],
        plan: LinearPlan<'_>,
    ) -> Result<Vec<Self::Value>, Self::Error>;

    /// [`Operation::Polynomial`].
    fn polynomial(
        &mut self,
        step: Step<'_>,
        input: &Self::Value,
        polynomial: &Polynomial,
    ) -> Result<Self::Value, Self::Error>;

    /// [`Operation::Add`].
    fn add(
        &mut self,
        step: Step<'_>,
        left: &Self::Value,
        right: &Self::Value,
    ) -> Result<Self::Value, Self::Error>;

    /// [`Operation::Subtract`].
    fn subtract(
        &mut self,
        step: Step<'_>,
        left: &Self::Value,
        right: &Self::Value,
    ) -> Result<Self::Value, Self::Error>;

    /// [`Operation::Multiply`].
    fn multiply(
        &mut self,
        step: Step<'_>,
        left: &Self::Value,
        right: &Self::Value,
    ) -> Result<Self::Value, Self::Error>;

    /// [`Operation::AddPlain`].
    fn add_plain(
        &mut self,
        step: Step<'_>,
        input: &Self::Value,
        plain: &Plain,
    ) -> Result<Self::Value, Self::Error>;

    /// [`Operation::Fold`].
    fn fold(
        &mut self,
        step: Step<'_>,
        input: &Self::Value,
        steps: &[usize],
    ) -> Result<Self::Value, Self::Error>;

    /// [`Operation::Align`].
    fn align(&mut self, step: Step<'_>, input: &Self::Value) -> Result<Self::Value, Self::Error>;
}

/// Watches a program run, and may stop it between instructions.
pub trait Observer {
    /// Called before each instruction; `Break` stops the run.
    fn before(&mut self, index: usize, total: usize, instruction: &Instruction) -> ControlFlow<()> {
        let _ = (index, total, instruction);
        ControlFlow::Continue(())
    }

    /// Called after each instruction.
    fn after(&mut self, index: usize, total: usize, instruction: &Instruction) {
        let _ = (index, total, instruction);
    }

    /// Whether the instructions from here on take one thread only, because others run beside it.
    fn alone(&self) -> bool {
        false
    }
}

/// Watches nothing.
impl Observer for () {}

impl<O: Observer> Observer for &mut O {
    fn before(&mut self, index: usize, total: usize, instruction: &Instruction) -> ControlFlow<()> {
        (**self).before(index, total, instruction)
    }

    fn after(&mut self, index: usize, total: usize, instruction: &Instruction) {
        (**self).after(index, total, instruction);
    }

    fn alone(&self) -> bool {
        (**self).alone()
    }
}

/// Why a run ended early.
#[derive(Clone, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum ExecuteError<E> {
    /// The number of input values is not the program's.
    #[error("the program takes {expected} input ciphertexts, {actual} were given")]
    Inputs {
        /// Inputs of the program.
        expected: usize,
        /// Inputs given.
        actual: usize,
    },
    /// A register is read that holds nothing; only an unchecked program does this.
    #[error("instruction {index} ({label}) reads the empty register {}", register.0)]
    Empty {
        /// Instruction, or the number of instructions for the outputs.
        index: usize,
        /// Its label.
        label: String,
        /// The register.
        register: Register,
    },
    /// A machine returned another number of values than the instruction has results.
    #[error("instruction {index} ({label}) has {expected} results, the machine returned {actual}")]
    Results {
        /// Instruction.
        index: usize,
        /// Its label.
        label: String,
        /// Results of the instruction.
        expected: usize,
        /// Values returned.
        actual: usize,
    },
    /// The machine failed.
    #[error("instruction {index} ({label}) failed")]
    Machine {
        /// Instruction.
        index: usize,
        /// Its label.
        label: String,
        /// The machine's own error.
        source: E,
    },
    /// The observer stopped the run.
    #[error("stopped before instruction {index} of {total}")]
    Stopped {
        /// Instruction that did not run.
        index: usize,
        /// Number of instructions.
        total: usize,
    },
}

/// Runs a checked program on a machine and returns its outputs. A value is dropped after its last use.
pub fn execute<M: Machine>(
    program: &Program,
    inputs: Vec<M::Value>,
    machine: &mut M,
    observer: &mut impl Observer,
) -> Result<Vec<M::Value>, ExecuteError<M::Error>>
where
    M::Value: Clone,
{
    if inputs.len() != program.inputs.len() {
        return Err(ExecuteError::Inputs {
            expected: program.inputs.len(),
            actual: inputs.len(),
        });
    }
    let total = program.instructions.len();
    let mut last_use = BTreeMap::new();
    for (index, instruction) in program.instructions.iter().enumerate() {
        for register in instruction.operation.reads() {
            last_use.insert(register, index);
        }
    }
    for &register in &program.outputs {
        last_use.insert(register, total);
    }
    let mut values: BTreeMap<Register, M::Value> = BTreeMap::new();
    for (&register, value) in program.inputs.iter().zip(inputs) {
        if last_use.contains_key(&register) {
            values.insert(register, value);
        }
    }
    for (index, instruction) in program.instructions.iter().enumerate() {
        if observer.before(index, total, instruction).is_break() {
            return Err(ExecuteError::Stopped { index, total });
        }
        let results = execute_instruction(machine, index, instruction, &values)?;
        for register in instruction.operation.reads() {
            if last_use.get(&register) == Some(&index) {
                values.remove(&register);
            }
        }
        for (&register, value) in instruction.results.iter().zip(results) {
            if last_use.contains_key(&register) {
                values.insert(register, value);
            }
        }
        observer.after(index, total, instruction);
    }
    program
        .outputs
        .iter()
        .map(|&register| lookup(&values, total, "outputs", register).cloned())
        .collect()
}

fn lookup<'v, V, E>(
    values: &'v BTreeMap<Register, V>,
    index: usize,
    label: &str,
    register: Register,
) -> Result<&'v V, ExecuteError<E>> {
    values.get(&register).ok_or_else(|| ExecuteError::Empty {
        index,
        label: label.to_owned(),
        register,
    })
}

/// Runs one instruction of a checked program on values at hand: what [`execute`] does step by step, for drivers of
/// their own.
///
/// # Errors
/// Those of [`execute`] that belong to one instruction.
pub fn execute_instruction<M: Machine>(
    machine: &mut M,
    index: usize,
    instruction: &Instruction,
    values: &BTreeMap<Register, M::Value>,
) -> Result<Vec<M::Value>, ExecuteError<M::Error>> {
    let label = instruction.label.as_str();
    let step = Step {
        index,
        label,
        level: instruction.level,
        scale: instruction.scale,
    };
    let value = |register: &Register| lookup(values, index, label, *register);
    let outcome = match &instruction.operation {
        Operation::Linear {
            inputs,
            blocks,
            baby_step,
            folds,
            bias,
        } => {
            let operands = inputs.iter().map(value).collect::<Result<Vec<_>, _>>()?;
            let plan = LinearPlan {
                blocks,
                baby_step: *baby_step,
                folds,
                bias,
            };
            machine.linear(step, &operands, plan)
        }
        Operation::Polynomial { input, polynomial } => machine
            .polynomial(step, value(input)?, polynomial)
            .map(|result| vec![result]),
        Operation::Add { left, right } => machine
            .add(step, value(left)?, value(right)?)
            .map(|result| vec![result]),
        Operation::Subtract { left, right } => machine
            .subtract(step, value(left)?, value(right)?)
            .map(|result| vec![result]),
        Operation::Multiply { left, right } => machine
            .multiply(step, value(left)?, value(right)?)
            .map(|result| vec![result]),
        Operation::AddPlain { input, plain } => machine
            .add_plain(step, value(input)?, plain)
            .map(|result| vec![result]),
        Operation::Fold { input, steps } => machine
            .fold(step, value(input)?, steps)
            .map(|result| vec![result]),
        Operation::Align { input } => machine
            .align(step, value(input)?)
            .map(|result| vec![result]),
    };
    let results = outcome.map_err(|source| ExecuteError::Machine {
        index,
        label: label.to_owned(),
        source,
    })?;
    let (expected, actual) = (instruction.results.len(), results.len());
    if actual != expected {
        return Err(ExecuteError::Results {
            index,
            label: label.to_owned(),
            expected,
            actual,
        });
    }
    Ok(results)
}
