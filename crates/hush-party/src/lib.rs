//! One party of a multi-party computation, as a process.
//!
//! Purpose: several parties on machines of their own agree on what to compute, prove who they are, share their inputs
//! and open results to whom each of them allows. The computation itself is `hush-mpc`'s, behind [`Runner`].
//!
//! Where to start: [`Configuration`] (who the parties are), [`Policy`] (what this one agrees to), [`Player`] (the
//! process that waits for sessions) and [`propose`] (the side that asks for one).
//!
//! Invariants:
//! - nothing but proposals and their answers travels before all parties agree on program, protocol, ring, fixed point,
//!   library version, roster, inputs, outputs and fresh nonces; a mismatch names the field and the party;
//! - inputs leave their owner as shares only, and results reach the receiver that the policies name and nobody else;
//! - what a policy does not allow is refused; what was allowed is in the audit log before it happens;
//! - nothing is allocated by a length from the wire beyond a bound known before.
//!
//! Non-goals: protocols on shares; parties that follow a protocol wrongly (all protocols are secure against parties
//! that run them as written).

#![forbid(unsafe_code)]

mod agreement;
mod atomic;
pub mod audit;
pub mod calculate;
mod channel;
mod client;
mod configuration;
mod error;
mod halt;
mod identity;
mod job;
mod kept;
pub mod local;
mod npy;
mod peers;
mod player;
mod policy;
pub mod predict;
mod programs;
mod propose;
mod protocol;
mod report;
mod runner;
mod served;
mod sharing;
mod words;

pub use configuration::{Configuration, Party, Role};
pub use error::PartyError;
pub use halt::Halt;
pub use identity::Identity;
pub use job::{Input, Job, JobLiteral, Kept, Output, Program};
pub use player::{Player, PlayerOptions};
pub use policy::Policy;
pub use programs::Programs;
pub use propose::{Given, Outcome, Proposal, propose, propose_until};
pub use protocol::ProtocolName;
pub use runner::{Computed, Observer, Runner, Work};
pub use served::KeptModel;
pub use words::Words;
