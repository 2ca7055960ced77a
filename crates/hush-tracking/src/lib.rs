//! Runs, metrics, models, versions and artifacts behind the REST API that MLflow's clients speak.
//!
//! Start reading at [`Tracking`]: every operation is a method on it that takes who asks and gives what the API writes. The
//! routes of [`router`] only read requests and write answers; pages use the same methods. `database` says how SQLite and
//! PostgreSQL are asked in one way, `filter` how searches become SQL.
//!
//! Invariants:
//! - what is acknowledged is on the disk; what fails leaves nothing;
//! - whatever a caller wrote reaches the database as a bound parameter, never as SQL;
//! - every method asks whether the caller may do what it does;
//! - no path leaves the folder of artifacts, and the server asks no address that a caller named: webhooks go to hosts that
//!   the operator allowed;
//! - artifacts stream; none is held in memory;
//! - refusals have MLflow's form and codes, never HTML.
//!
//! Non-goals: MLflow's gateway to language models, its assistant, its review queues and its workspaces, which answer
//! `NOT_IMPLEMENTED`; who callers are (`hush-server` finds that out).
#![forbid(unsafe_code)]

mod artifacts;
mod caller;
mod database;
mod error;
mod filter;
mod limits;
mod rest;
mod store;
mod time;
pub mod wire;

pub use caller::{Caller, Permission};
pub use error::{ErrorCode, TrackingError};
pub use rest::{refuse, router};
pub use store::{
    Holder, Imported, LogBatch, LoggedModelOrder, LoggedModelSearch, NewLoggedModel, NewRun,
    NewVersion, NewWebhook, RunChange, StoredFile, Tracking, TrackingOptions,
};
