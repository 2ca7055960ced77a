//! Multi-party computation on secret shares.
//!
//! Purpose: several parties compute on numbers that none of them sees: private prediction, private
//! training, and whatever else is made of sums, products and comparisons.
//!
//! Where to start: [`Protocol`] is what a way of sharing offers, a handful of kernels; [`protocol::rep3`],
//! [`protocol::pond`] and [`protocol::securenn`] are such ways. [`Secret`] is a tensor of shared fixed-point
//! numbers and [`operations`] is what one does with it, written once for all protocols. [`execute`] runs a
//! [`hush_graph::Graph`], [`training`] trains, and a [`calculation`] is a checked program of all that. A
//! [`link::Link`] carries messages; a [`Session`] adds common randomness.
//!
//! # Costs
//!
//! Every kernel declares its rounds and bytes as a function of public sizes ([`Cost`], [`Kernel`]), and
//! [`protocol::count::Count`] is a protocol that only adds them up: whatever runs on a protocol tells its
//! cost without running. Tests compare with what links counted. For 2^20 elements of 64 bits, all parties
//! together:
//!
//! | operation | replicated | Pond | SecureNN |
//! |---|---|---|---|
//! | product | 1 round, 25 MB | 1, 42 MB | as Pond |
//! | product, truncated | 2, 46 MB | 2, 71 MB | as Pond |
//! | matrix product 512 x 512 x 512, truncated | 2, 11.5 MB | 2, 18 MB | as Pond |
//! | comparison of 33 bits | 7, 35 MB | 6, 57 MB | 3, 118 MB |
//! | comparison of 64 bits | 8, 71 MB | 7, 106 MB | 3, 215 MB |
//! | ReLU on 33 bits | 9, 69 MB | 8, 108 MB | 5, 168 MB |
//! | ReLU on 64 bits | 10, 105 MB | 9, 157 MB | 5, 266 MB |
//!
//! Rounds are per half a million elements: larger vectors are worked on in turns.
//!
//! Truncation is off by less than one unit in the last place, up or down, right in the mean, and never
//! wrong otherwise. The range of numbers is part of their type ([`Fixed`]): comparisons work on the bits of
//! the range, and what would overflow is refused before anything is sent.
//!
//! # Invariants
//!
//! - No branch and no index depends on a secret or on a share of one.
//! - No mask is drawn twice: they are numbered by session, run, step and element while the program runs.
//! - Every party knows the length of each message before it arrives; nothing is allocated by a length
//!   from the wire.
//! - Nothing is opened but by [`Protocol::reveal`] and its like, to the parties that are named.
//!
//! # Security
//!
//! All protocols are secure against one party that follows the protocol and tries to learn more
//! (semi-honest, honest majority of three). A party that deviates can make results wrong and, by doing so,
//! may learn something. Public are shapes, ranges, the program, scalar functions and the matrices of pooling
//! and padding; see [`execute`].
//!
//! Non-goals: who the parties are and whether they may run a program (see `hush-party`); malicious
//! parties; training on rings where declared ranges do not hold, which gives wrong numbers, not errors.

#![forbid(unsafe_code)]

pub mod calculation;
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
