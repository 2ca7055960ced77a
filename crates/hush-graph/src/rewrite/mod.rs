//! Rewrites from graph to graph.
//!
//! `expression.rs` finds values that are one scalar function of an earlier value, however the
//! model spells it out; `activation.rs` knows the names of such functions; `simplify.rs` replaces
//! the nodes.

mod activation;
mod expression;
mod simplify;

pub use simplify::simplify;
