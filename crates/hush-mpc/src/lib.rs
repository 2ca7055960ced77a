//! Multi-party computation on secret shares.
//!
//! Purpose: several parties compute on numbers that none of them sees. A [`link::Link`] carries
//! words between them.
//!
//! Where to start: [`link`].
//!
//! Invariants:
//! - no branch and no index depends on a secret or on a share of one;
//! - every party knows the length of each message before it arrives; nothing is allocated by a
//!   length from the wire.
//!
//! Non-goals: who the parties are and whether they may run a program (see `hush-party`); malicious
//! parties: all protocols here are secure against parties that follow them.

#![forbid(unsafe_code)]

mod error;
pub mod execute;
mod fixed;
pub mod link;
pub mod operations;
pub mod protocol;
mod secret;
mod session;
mod share;
mod stored;
pub mod training;

pub use error::MpcError;
pub use fixed::Fixed;
pub use hush_simd::words::Word;
pub use protocol::{BilinearMap, Cost, Kernel, Parties, Protocol};
pub use secret::Secret;
pub use session::Session;
pub use share::{BLOCK, Bits, Share};
pub use stored::Label;
