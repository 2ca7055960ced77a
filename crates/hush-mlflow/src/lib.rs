//! A tracking server and model registry that speaks MLflow's REST API, seen from outside: `hush register` and
//! `hush run-project` write to one, `hush-server` follows the versions in one and logs to it.
//!
//! Start reading at [`Tracking`]; `registry.rs`, `runs.rs` and `artifacts.rs` hold what it asks for.
//!
//! Invariants:
//! - only the server that was named is asked: a location that it answers leads nowhere else;
//! - artifacts stream, in both directions;
//! - everything that waits has a limit;
//! - passwords and tokens are neither shown nor logged.
//!
//! Non-goals: being such a server (`hush-tracking`); the parts of the API that nothing here needs.
#![forbid(unsafe_code)]

mod artifacts;
mod error;
mod model_uri;
mod options;
mod registry;
mod runs;
mod tracking;

pub use artifacts::ArtifactRoot;
pub use error::MlflowError;
pub use model_uri::{ModelUri, Selector};
pub use options::TrackingOptions;
pub use registry::{LoggedModel, Version};
pub use runs::{Metric, Run, RunStatus};
pub use tracking::{Body, Call, Tracking};
