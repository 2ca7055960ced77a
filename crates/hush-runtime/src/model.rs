//! A compiled model as its owner has it, read from its file.

use std::io::Read;

use hush_program::{ClientSpec, Program};
use hush_wire::program::{ClientSpecV1, ModelV1};
use hush_wire::{Kind, read_message};

use crate::RuntimeError;

/// What a `.model` file holds: the program with its weights, and what the data owner gets of it.
#[derive(Clone, Debug)]
pub struct Model {
    /// Instructions and weights.
    pub program: Program,
    /// The public half, without weights.
    pub client_spec: ClientSpec,
    /// What the compiler reported, as JSON.
    pub report_json: String,
}

impl Model {
    /// Reads and checks a `.model` file.
    ///
    /// # Errors
    /// [`RuntimeError::File`] for damaged or foreign bytes, [`RuntimeError::Program`] for a program that does not
    /// hold together, [`RuntimeError::Halves`] if the two halves do not belong together.
    pub fn read(input: impl Read) -> Result<Self, RuntimeError> {
        let stored: ModelV1 = read_message(input, Kind::Model)?;
        let program = Program::try_from(stored.program)?;
        let client_spec = ClientSpec::try_from(stored.client_spec)?;
        if client_spec.program_id != program.id()? {
            return Err(RuntimeError::Halves);
        }
        Ok(Self {
            program,
            client_spec,
            report_json: stored.report_json,
        })
    }

    /// The bytes of the `.client` file that belongs to the model.
    ///
    /// # Errors
    /// [`RuntimeError::File`], which does not happen for a model that was read.
    pub fn client_file(&self) -> Result<Vec<u8>, RuntimeError> {
        let stored = ClientSpecV1::from(&self.client_spec);
        let mut bytes = Vec::new();
        hush_wire::write_message(&mut bytes, Kind::Client, &stored)?;
        Ok(bytes)
    }
}
