//! The ONNX backend node tests, against everything between a model file and a decrypted result.
//!
//! Purpose: each test that the onnx package has for an operator of ours is imported, run on floats,
//! compiled, run with modelled noise, and for a fixed share encrypted; `outcomes.csv` says how far
//! each comes and why not further, and `docs/operators.md` is made from it.
//!
//! Start at [`run`](run::run), then `case.rs` (how a test gets a batch) and `refusals.csv` (why a test may be refused).
//! `cargo run -p hush-conformance` writes the table and the page again.
//!
//! Invariants:
//! - No test is skipped in silence: what is not packed is listed in the archive with its reason, and
//!   what is packed has a row for every variant.
//! - A row that no longer holds fails, in both directions.
//!
//! Non-goals: speed, whole models, tests of our own.
#![forbid(unsafe_code)]

mod archive;
pub mod case;
mod compare;
pub mod operators_page;
pub mod outcome;
mod protected;
pub mod refusals;
pub mod run;
mod values;
mod wrap;

pub use archive::{LeftOut, NodeTest, read};
pub use outcome::{Outcome, Stage};
pub use protected::PRECISION;
