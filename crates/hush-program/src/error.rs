//! What can be wrong with a program or a client spec.

use thiserror::Error;

use crate::program::Register;

/// A program or client spec that no machine should run.
#[derive(Clone, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum ProgramError {
    /// The slots are not a power of two of at most half the ring degree.
    #[error("slots must be a power of two of at most {limit}, not {slots}")]
    Slots {
        /// Slots found.
        slots: usize,
        /// Half the ring degree.
        limit: usize,
    },
    /// The parameters are out of the supported range.
    #[error("parameters: {reason}")]
    Parameters {
        /// What is wrong.
        reason: &'static str,
    },
    /// A register is read before any instruction writes it.
    #[error("instruction {index} ({label}) reads register {} before it is written", register.0)]
    Undefined {
        /// Instruction, or the number of instructions for the outputs.
        index: usize,
        /// Its label.
        label: String,
        /// The register.
        register: Register,
    },
    /// A register is written twice.
    #[error("instruction {index} ({label}) writes register {} a second time", register.0)]
    Rewritten {
        /// Instruction.
        index: usize,
        /// Its label.
        label: String,
        /// The register.
        register: Register,
    },
    /// A level does not follow from the operands.
    #[error(
        "instruction {index} ({label}) cannot have a result at level {level} from level {operand}"
    )]
    Level {
        /// Instruction.
        index: usize,
        /// Its label.
        label: String,
        /// Level of the result.
        level: usize,
        /// Level of the lowest operand.
        operand: usize,
    },
    /// A scale does not follow from the operands, or is not a positive finite number.
    #[error("instruction {index} ({label}) cannot have a result of scale {scale}")]
    Scale {
        /// Instruction.
        index: usize,
        /// Its label.
        label: String,
        /// The scale found.
        scale: f64,
    },
    /// Something else about one instruction.
    #[error("instruction {index} ({label}): {reason}")]
    Instruction {
        /// Instruction.
        index: usize,
        /// Its label.
        label: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// A field of the whole program or client spec.
    #[error("{field}: {reason}")]
    Field {
        /// Name of the field.
        field: &'static str,
        /// What is wrong.
        reason: &'static str,
    },
    /// The stored form cannot be read.
    #[error("stored program: {reason}")]
    Stored {
        /// What is wrong.
        reason: String,
    },
}
