//! Secure aggregation for federated learning.
//!
//! Purpose: a server adds up the vectors of many clients and learns the sum, and no single vector, as long as enough
//! clients stay until the end. Each client hides its vector behind masks that it shares with its neighbours in a random
//! graph; masks of neighbours cancel in the sum, and those of clients that drop out are rebuilt from Shamir shares
//! (Bonawitz et al., "Practical Secure Aggregation", CCS 2017; Bell et al., "Secure Single-Server Aggregation with
//! (Poly)Logarithmic Overhead", CCS 2020).
//!
//! Where to start: [`Settings`], then [`client::Client`] and [`server::Server`]: state machines that take and give
//! bytes and do no input or output. [`Quantizer`] turns floats into the words that are summed; [`noise`] and
//! [`accountant`] add differential privacy.
//!
//! Invariants:
//! - a client gives away at most one of the two secrets of another client, and none before a quorum of the whole cohort
//!   has signed who survived: the state machine has no way to answer twice;
//! - no branch and no index depends on a seed, a share or a value that is to be summed (the sampler of discrete noise
//!   excepted, see there);
//! - every message has exactly the length that the settings and the roster give it; nothing is allocated by a length
//!   from the wire;
//! - randomness is an argument.
//!
//! Non-goals: transport (connections must authenticate and encrypt); clients that lie about their own vector within its
//! range; a server that picks only clients that work for it.

#![forbid(unsafe_code)]

pub mod accountant;
mod agreement;
pub mod client;
mod error;
mod field;
mod graph;
mod held;
mod identity;
mod mask;
pub mod message;
pub mod noise;
mod pack;
mod quantize;
pub mod sampling;
pub mod server;
mod settings;
mod shamir;

pub use error::FederatedError;
pub use graph::Graph;
pub use held::Held;
pub use identity::{Directory, Identity, PublicIdentity};
pub use quantize::{Outliers, Quantizer, QuantizerLiteral, clip_norm};
pub use settings::{Settings, SettingsLiteral};
