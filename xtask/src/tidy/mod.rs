//! Rules of the house: each takes the repository and gives the places where it is broken.

mod code;
mod metadata;
mod repository;
mod rules;

pub(crate) use metadata::{Kind, Package};
pub(crate) use repository::{File, Repository};

use anyhow::Result;
use std::fmt;

/// One place where a rule is broken.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Violation {
    /// Path relative to the repository root.
    pub(crate) path: String,
    /// Line, from 1, where the rule is about a line.
    pub(crate) line: Option<usize>,
    /// Name of the rule.
    pub(crate) rule: &'static str,
    /// What is wrong.
    pub(crate) message: String,
    /// What to do.
    pub(crate) hint: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(
            f,
            ": {} [{}]\n  hint: {}",
            self.message, self.rule, self.hint
        )
    }
}

/// Checks the repository that holds the current folder and prints what it finds; true if nothing.
///
/// # Errors
/// If git or cargo cannot be asked about the repository.
pub(crate) fn run() -> Result<bool> {
    let repository = Repository::open()?;
    let violations = check(&repository);
    for violation in &violations {
        eprintln!("{violation}");
    }
    match violations.len() {
        0 => println!(
            "tidy: {} files, {} rules, all kept",
            repository.files.len(),
            rules::ALL.len()
        ),
        count => eprintln!("tidy: {count} broken"),
    }
    Ok(violations.is_empty())
}

/// All violations of all rules, ordered by path and line.
pub(crate) fn check(repository: &Repository) -> Vec<Violation> {
    let mut violations: Vec<Violation> = rules::ALL
        .iter()
        .flat_map(|rule| rule(repository))
        .collect();
    violations.sort();
    violations
}
