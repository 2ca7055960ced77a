//! Everything that reads bytes from outside, as targets for fuzzing.
//!
//! Purpose: one list of targets for two drivers. `fuzz/` at the root of the repository feeds them to libFuzzer, which follows
//! coverage and needs a nightly compiler; `tests/bounded.rs` mutates their seeds for a moment in every run of the tests.
//!
//! Start at [`TARGETS`]; `targets/` has one file a kind of reader, [`Mutator`] the damage.
//!
//! Invariants:
//! - a target never panics, whatever the bytes, and accepts each of its seeds;
//! - it sees what a stranger can send: files of every kind, requests of both protocols, tokens, models to import.
//!
//! Non-goals: right answers to right questions, which the crates' own tests ask for.
#![forbid(unsafe_code)]

// The name that generated code expects; the importer of models has another version under it.
extern crate prost_grpc as prost;

#[path = "../../hush-serving/tests/common/mod.rs"]
mod common;
mod mutator;
mod targets;
mod world;

pub use mutator::Mutator;
pub use targets::{TARGETS, Target};
