//! Rewrites from graph to graph.
//!
//! `expression.rs` finds values that are one scalar function of an earlier value, however the
//! model spells it out; `activation.rs` knows the names of such functions, with their scales;
//! `chain.rs` finds all other scalar functions and `named.rs` names those by their values;
//! `ending.rs` settles what the outputs end in; `join.rs` joins products that stand side by side; `simplify.rs` replaces the nodes.

mod activation;
mod chain;
mod ending;
mod expression;
mod join;
mod named;
mod simplify;

pub use ending::leave_out_labels;
pub use simplify::simplify;
