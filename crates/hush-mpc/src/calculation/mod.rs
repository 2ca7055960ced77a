//! Calculations: checked programs on secret tensors, run by any protocol on any ring.
//!
//! A [`CalculationLiteral`] is a list of [`Statement`]s in static single assignment, with outputs and what is kept. A
//! [`Calculation`] is one that was checked: every value is defined before it is used, all shapes are known and go together,
//! numbers are finite, sizes are bounded. Its bytes are canonical, so their hash names it.
//!
//! [`Calculation::run`] executes all of it at one party; a [`Machine`] executes statements one by one, for parties that
//! learn the next one only when the last is done, with a [`Scope`] that checks them. Both are the same code.
//!
//! # What is public
//! The statements with their shapes, public numbers and places, layers, seeds and optimizers; who gives and gets what;
//! ranges. And what [`Calculation::opened`] lists: the bits that end a training early. Everything else stays shared.
//!
//! # Invariants
//! - bytes from anybody never panic, and reading them allocates no more than a small multiple of their length;
//! - a checked calculation refuses ranges that do not fit the ring before it sends what they would need.

mod apply;
mod bytes;
mod check;
mod layer;
mod machine;
mod operation;
mod scope;
mod shape;
mod statement;
#[cfg(test)]
mod tests;
mod train;

use hush_simd::words::Word;

use crate::protocol::count::Count;
use crate::{Cost, Fixed, Kernel, MpcError, Protocol, Secret};

pub use bytes::{loss_of, loss_parts, optimizer_of, optimizer_parts};
pub use layer::{layer_of, layer_parts};
pub use machine::{Machine, Steps, check_fixed};
pub use operation::Operation;
pub use scope::Scope;
pub use statement::{
    CalculationLiteral, Fit, KeptLiteral, NetworkSpec, OutputLiteral, Resume, Statement, Value,
};

/// A tensor that enters or leaves a calculation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tensor {
    /// Its name.
    pub name: String,
    /// All dimensions.
    pub shape: Vec<usize>,
    /// Name of the party that gives it or is shown it; empty where the servers themselves keep it.
    pub party: String,
    /// The statement's result.
    pub value: Value,
}

impl Tensor {
    /// The number of elements.
    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }
}

/// What all parties that compute learn while they do, beside shapes.
#[derive(Debug, Clone, PartialEq)]
pub struct Opened {
    /// The statement that opens it.
    pub value: Value,
    /// Most bits that are opened.
    pub bits: usize,
    /// What they say, for people and policies.
    pub what: String,
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress<'a> {
    /// Steps that are done.
    pub done: usize,
    /// Steps in all: one a statement, and one a batch of a training.
    pub total: usize,
    /// What was done last.
    pub label: &'a str,
    /// What this party spent since its protocol began.
    pub spent: Cost,
}

/// A checked program on secret tensors.
#[derive(Debug, Clone, PartialEq)]
pub struct Calculation {
    literal: CalculationLiteral,
    inputs: Vec<Tensor>,
    loaded: Vec<Tensor>,
    outputs: Vec<Tensor>,
    kept: Vec<Tensor>,
    opened: Vec<Opened>,
    /// For each statement, the values that nothing after it needs.
    last_uses: Vec<Vec<Value>>,
    /// For each statement, its steps of progress.
    steps: Vec<usize>,
}

impl Calculation {
    /// Checks a calculation.
    ///
    /// # Errors
    /// Names the statement and what is wrong with it.
    pub fn new(literal: CalculationLiteral) -> Result<Self, MpcError> {
        check::check(literal)
    }

    /// The statements and what leaves.
    pub fn literal(&self) -> &CalculationLiteral {
        &self.literal
    }

    /// What parties give, in the order of the statements.
    pub fn inputs(&self) -> &[Tensor] {
        &self.inputs
    }

    /// What the servers kept of earlier calculations, in the order of the statements.
    pub fn loaded(&self) -> &[Tensor] {
        &self.loaded
    }

    /// What is opened, each to one party.
    pub fn outputs(&self) -> &[Tensor] {
        &self.outputs
    }

    /// What stays shared at the servers under a name; a later calculation loads it.
    pub fn kept(&self) -> &[Tensor] {
        &self.kept
    }

    /// What all parties that compute learn while it runs.
    pub fn opened(&self) -> &[Opened] {
        &self.opened
    }

    /// Computes at one party: `inputs` are those of [`Calculation::inputs`], then those of [`Calculation::loaded`]; the
    /// result is [`Calculation::outputs`], then [`Calculation::kept`]. `observe` is called after every step.
    ///
    /// # Errors
    /// If inputs have other shapes, numbers of the type `fixed` do not fit the ring, or a party is gone.
    pub fn run<W: Word>(
        &self,
        protocol: &mut dyn Protocol<W>,
        fixed: Fixed,
        inputs: Vec<Secret<W>>,
        observe: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Vec<Secret<W>>, MpcError> {
        let mut machine = Machine::new(fixed)?;
        let expected = self.inputs.len() + self.loaded.len();
        if inputs.len() != expected {
            return Err(MpcError::Count {
                what: "inputs",
                expected,
                found: inputs.len(),
            });
        }
        for (tensor, secret) in self.inputs.iter().chain(&self.loaded).zip(inputs) {
            if secret.shape() != tensor.shape {
                return Err(MpcError::Shapes {
                    operation: "input",
                    left: tensor.shape.clone(),
                    right: secret.shape().to_vec(),
                });
            }
            if secret.fixed().fraction_bits != fixed.fraction_bits {
                return Err(MpcError::Fractions {
                    operation: "input",
                    left: fixed.fraction_bits,
                    right: secret.fixed().fraction_bits,
                });
            }
            machine.insert(tensor.value, secret.declare_at_most(fixed.integer_bits));
        }
        let total = self.steps.iter().sum();
        let mut before = 0;
        for (place, statement) in self.literal.statements.iter().enumerate() {
            let value = Value(place as u64);
            machine.execute(protocol, value, statement, &mut |done, _, spent| {
                observe(Progress {
                    done: before + done,
                    total,
                    label: statement.label(),
                    spent,
                });
                Ok(())
            })?;
            before += self.steps[place];
            observe(Progress {
                done: before,
                total,
                label: statement.label(),
                spent: protocol.spent(),
            });
            for &dead in &self.last_uses[place] {
                machine.forget(dead);
            }
        }
        let leaving = self.outputs.iter().chain(&self.kept);
        leaving
            .map(|tensor| machine.tensor(tensor.value).cloned())
            .collect()
    }

    /// What a run costs all parties together, without running: for a protocol of so many parties whose kernels cost
    /// `kernel_cost`. Needs a few words of memory an element, and as many turns as a run.
    ///
    /// # Errors
    /// If numbers of the type `fixed` do not fit the ring.
    pub fn cost<W: Word>(
        &self,
        fixed: Fixed,
        parties: usize,
        kernel_cost: fn(Kernel) -> Cost,
    ) -> Result<Cost, MpcError> {
        let mut count = Count::<W>::new(parties, kernel_cost);
        let inputs = self.inputs.iter().chain(&self.loaded).map(|tensor| {
            let share = crate::Share::new(tensor.elements(), Vec::new());
            Secret::new(tensor.shape.clone(), fixed, share)
        });
        let inputs = inputs.collect::<Result<Vec<_>, _>>()?;
        self.run(&mut count, fixed, inputs, &mut |_| {})?;
        Ok(count.spent())
    }
}
