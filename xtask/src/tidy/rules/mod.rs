//! One rule per file.

mod crate_docs;
mod edges;
mod insecure;
mod leftovers;
mod length;
mod machine_text;
mod markdown;
mod names;
mod reach;
mod serialize;
mod unsafe_code;

use super::{Repository, Violation};

/// A rule: what breaks it in the repository.
pub(crate) type Rule = fn(&Repository) -> Vec<Violation>;

/// All rules.
pub(crate) const ALL: &[Rule] = &[
    crate_docs::check,
    edges::check,
    insecure::check,
    leftovers::check,
    length::check,
    machine_text::check,
    markdown::check,
    names::check,
    reach::check,
    serialize::check,
    unsafe_code::check,
];
