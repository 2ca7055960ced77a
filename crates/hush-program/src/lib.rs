//! The encrypted program as data.
//!
//! A [`Program`] is what the compiler emits and what every back end runs: straight-line instructions over
//! registers, each with the exact level and scale of its results. A [`ClientSpec`] is the public half: how
//! tensors become slots, which parameters and which keys are needed, never a weight.
//!
//! Start at [`program`] (the instructions), then [`machine`] (how a program is driven), then the two cheap
//! interpreters: [`clear`] (floats with modelled noise) and [`count`] (operations, levels, keys, cost).
//!
//! Invariants
//! - Plain data. Nothing here knows a ciphertext, a key or a polynomial ring.
//! - [`Program::check`] accepts exactly the programs that a machine can run without surprises: registers are
//!   written once and before use, levels never rise, vectors have the length of the slots, numbers are finite.
//! - The same program gives the same bytes and therefore the same [`Program::id`].
//!
//! Non-goals: choosing layouts or parameters (the compiler's work) and arithmetic on ciphertexts (the runtime's).
#![forbid(unsafe_code)]

pub mod clear;
pub mod client_spec;
pub mod cost;
pub mod count;
mod dump;
pub mod error;
pub mod exchange;
pub mod ladder;
pub mod machine;
pub mod noise;
pub mod program;
pub mod validate;
mod wire;

pub use client_spec::{
    ClientSpec, KeyManifest, Packing, PackingKind, Place, PostOperation, TensorSpec,
};
pub use error::ProgramError;
pub use exchange::{ExchangeError, ShortId};
pub use machine::{
    ExecuteError, LinearPlan, Machine, Observer, Step, execute, execute_instruction,
};
pub use program::{
    Basis, Block, Instruction, Operation, ParameterSpec, Plain, Polynomial, Program, Register,
};
