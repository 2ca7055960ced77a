//! Runs an encrypted program on ciphertexts.
//!
//! Start reading at [`Deployment`], which answers files of ciphertexts, and [`Runtime`] below it; `machine.rs` maps
//! each operation of a program to a circuit.
//!
//! Invariants:
//! - no secret key: this crate links neither `hush-keys` nor `hush-client`;
//! - inputs and keys are checked against the program before anything runs, so a wrong key,
//!   another model's ciphertext or a missing rotation is an error and never a wrong number;
//! - every result has the level and scale that the program states.
//!
//! Non-goals: formats (`hush-wire`), tensors (`hush-client`), compiling.
#![forbid(unsafe_code)]

mod deployment;
mod error;
mod execute;
mod groups;
mod machine;
mod memory;
mod model;
mod prepared;
mod seat;

pub use deployment::{Answer, Deployment, Inputs};
pub use error::RuntimeError;
pub use groups::Group;
pub use memory::{Held, Memory};
pub use model::Model;

use hush_ckks::{
    Ciphertext, CkksError, EvaluationKeys, Evaluator, GaloisElement, Level, Parameters,
    ParametersLiteral, Scale,
};
use hush_program::count::count;
use hush_program::{KeyManifest, Observer, Program};
use rayon::prelude::*;

use crate::execute::Execution;
use crate::machine::CiphertextMachine;
use crate::prepared::Prepared;
use crate::seat::Place;

/// A program with its plaintexts encoded, ready to run for any key.
///
/// Operations run on the current rayon pool: `pool.install(|| runtime.run(…))` sets the
/// number of threads. A run whose observer says that it is [`Observer::alone`] goes on on one
/// thread of its own, from the next instruction on; called from outside of a pool, it then
/// leaves the pool alone.
pub struct Runtime {
    program: Program,
    manifest: KeyManifest,
    evaluator: Evaluator,
    prepared: Prepared,
    memory: Memory,
}

/// How a program is prepared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Bytes that a run may take in all. Keys, ciphertexts and tables come first; what is left
    /// is for encoded weights, and those for which there is no room are encoded, or at least
    /// transformed, at each run. No limit: everything is kept.
    pub memory: Option<u64>,
}

impl Runtime {
    /// Checks the program and its parameters, and encodes its plaintexts.
    ///
    /// # Errors
    /// [`RuntimeError::Program`] for a program that does not hold together,
    /// [`RuntimeError::Ckks`] for parameters that are refused, [`RuntimeError::Prepare`]
    /// for a plaintext that cannot be encoded, with the instruction's label.
    pub fn new(program: Program) -> Result<Self, RuntimeError> {
        Self::with_options(program, Options::default())
    }

    /// [`Runtime::new`] with options.
    ///
    /// # Errors
    /// As [`Runtime::new`].
    pub fn with_options(program: Program, options: Options) -> Result<Self, RuntimeError> {
        program.check()?;
        let manifest = count(&program)?.keys;
        let parameters = Parameters::new(ParametersLiteral {
            log_degree: program.parameters.log_degree,
            moduli: program.parameters.moduli.clone(),
            special_moduli: program.parameters.special_moduli.clone(),
        })?;
        let (prepared, memory) = Prepared::new(&program, &parameters, &manifest, options.memory)?;
        // Made here, not in the first run.
        manifest.rotations.par_iter().for_each(|(&steps, _)| {
            let element = GaloisElement::rotation(&parameters, steps);
            parameters.ring().permutation(element.value() as usize);
        });
        Ok(Self {
            evaluator: Evaluator::new(&parameters),
            prepared,
            memory,
            manifest,
            program,
        })
    }

    /// Where the memory of a run goes, and how the weights are held.
    #[must_use]
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// What runs.
    #[must_use]
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// The checked parameters.
    #[must_use]
    pub fn parameters(&self) -> &Parameters {
        self.evaluator.parameters()
    }

    /// The keys a run needs, each at the highest level it is used at.
    #[must_use]
    pub fn manifest(&self) -> &KeyManifest {
        &self.manifest
    }

    /// Refuses keys of other parameters, and names every key that is missing at once.
    ///
    /// # Errors
    /// [`RuntimeError::Ckks`] for other parameters, [`RuntimeError::MissingKeys`].
    pub fn check_keys(&self, keys: &EvaluationKeys) -> Result<(), RuntimeError> {
        if keys.parameters() != self.parameters() {
            return Err(CkksError::ParameterMismatch.into());
        }
        let mut missing = Vec::new();
        if let Some(level) = self.manifest.relinearization
            && keys.relinearization(Level(level)).is_err()
        {
            missing.push(format!("relinearization at level {level}"));
        }
        for (&steps, &level) in &self.manifest.rotations {
            if keys.rotation(steps, Level(level)).is_err() {
                missing.push(format!("rotation by {steps} at level {level}"));
            }
        }
        if missing.is_empty() {
            Ok(())
        } else {
            Err(RuntimeError::MissingKeys { missing })
        }
    }

    /// Runs the program on one group of ciphertexts.
    ///
    /// # Errors
    /// [`RuntimeError::Input`] for a ciphertext of another level, scale, slot count, key or
    /// parameter set; those of [`Runtime::check_keys`]; [`RuntimeError::Execute`] if an
    /// instruction fails or the observer stops the run.
    pub fn run(
        &self,
        inputs: Vec<Ciphertext>,
        keys: &EvaluationKeys,
        observer: &mut (impl Observer + Send),
    ) -> Result<Vec<Ciphertext>, RuntimeError> {
        self.run_at(&mut Place::default(), inputs, keys, observer)
    }

    fn run_at(
        &self,
        place: &mut Place,
        inputs: Vec<Ciphertext>,
        keys: &EvaluationKeys,
        observer: &mut (impl Observer + Send),
    ) -> Result<Vec<Ciphertext>, RuntimeError> {
        self.check_keys(keys)?;
        for (index, input) in inputs.iter().enumerate() {
            self.check_input(input, keys)
                .map_err(|source| RuntimeError::Input { index, source })?;
        }
        let machine = CiphertextMachine {
            evaluator: &self.evaluator,
            prepared: &self.prepared,
            keys,
            slots: self.program.slots,
        };
        let failed = |error| RuntimeError::Execute(Box::new(error));
        let mut execution = Execution::new(&self.program, inputs, machine).map_err(failed)?;
        while !execution.is_done() {
            place
                .perform(observer.alone(), || execution.advance(observer))?
                .map_err(failed)?;
        }
        execution.finish().map_err(failed)
    }

    fn check_input(&self, input: &Ciphertext, keys: &EvaluationKeys) -> Result<(), CkksError> {
        if input.parameters() != self.parameters() {
            return Err(CkksError::ParameterMismatch);
        }
        if input.key_id() != keys.key_id() {
            return Err(CkksError::KeyMismatch {
                expected: keys.key_id(),
                actual: input.key_id(),
            });
        }
        if input.parts().len() != 2 {
            return Err(CkksError::PartsMismatch {
                expected: 2,
                actual: input.parts().len(),
            });
        }
        let (left, right) = (input.level(), Level(self.program.input_level));
        if left != right {
            return Err(CkksError::LevelMismatch { left, right });
        }
        let (left, right) = (input.scale(), Scale::new(self.program.input_scale)?);
        if !left.matches(right) {
            return Err(CkksError::ScaleMismatch { left, right });
        }
        let (left, right) = (input.slots(), self.program.slots);
        if left != right {
            return Err(CkksError::SlotsMismatch { left, right });
        }
        Ok(())
    }
}
