//! Why a node test may be refused: `refusals.csv`, reviewed like code. Each reason that an outcome
//! has belongs to one class.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use anyhow::{Context, Result};

/// A kind of refusal that was looked at and found right.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Class {
    /// Its name in the table.
    pub name: String,
    /// A part of the messages that belong to it.
    pub message: String,
    /// Why the refusal is right.
    pub justification: String,
}

static CLASSES: LazyLock<Vec<Class>> =
    LazyLock::new(|| read().expect("refusals.csv has three columns"));

/// The classes in the order of the file; a class with several messages has several rows.
pub fn classes() -> &'static [Class] {
    &CLASSES
}

/// The class of a message: the first whose part it holds.
pub fn class_of(message: &str) -> Option<&'static Class> {
    classes()
        .iter()
        .find(|class| message.contains(&class.message))
}

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("refusals.csv")
}

fn read() -> Result<Vec<Class>> {
    let mut reader = csv::Reader::from_path(path())?;
    let rows = reader.records().map(|row| {
        let row = row?;
        let cell = |index: usize| {
            row.get(index)
                .map(str::to_owned)
                .context("a cell is missing")
        };
        Ok(Class {
            name: cell(0)?,
            message: cell(1)?,
            justification: cell(2)?,
        })
    });
    rows.collect()
}
