//! The server that is deployed: settings, accounts, TLS, connections, logs and metrics around `hush-serving` and
//! `hush-tracking`.
//!
//! Start reading at [`Server`]; `settings/table.rs` lists everything that can be set.
//!
//! Invariants:
//! - no secret key: this crate links neither `hush-keys` nor `hush-client`;
//! - without accounts only this machine can connect, and no page of another site;
//! - nobody makes the server wait or hold memory without bound: connections, headers, bodies and answers have limits;
//! - logs and metrics hold neither tensors nor tokens.
//!
//! Non-goals: the protocols themselves (`hush-serving`, `hush-tracking`).
#![forbid(unsafe_code)]

mod accounts;
mod connections;
mod deployments;
mod error;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod layers;
mod logging;
mod metrics;
mod pages;
mod program;
mod server;
mod server_command;
mod settings;
mod summary;
mod token_command;
mod traces;
mod tracking;
mod traffic;

pub use error::ServerError;
pub use program::{exit_code, main};
pub use server::Server;
pub(crate) use settings::command;
pub use settings::{Layers, Origin, Settings, print, read, serve_command};
