//! The table of outcomes: `outcomes.csv`, one row a case, reviewed like code.

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::case::{Batch, Variant};
use crate::refusals;

/// How far a case came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// A wrong result, an unexpected error or a panic: a bug.
    Wrong,
    /// The importer refuses the model.
    Refused,
    /// Right on floats, but the compiler refuses the model.
    NotCompiled,
    /// Right on floats; not compiled, since it is large or leaves nothing to compute.
    Float,
    /// Compiled, and right with modelled noise.
    Simulated,
    /// Right on ciphertexts, too.
    Encrypted,
}

impl fmt::Display for Stage {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Stage::Wrong => "wrong",
            Stage::Refused => "refused",
            Stage::NotCompiled => "not compiled",
            Stage::Float => "float",
            Stage::Simulated => "simulated",
            Stage::Encrypted => "encrypted",
        })
    }
}

/// One row of the table.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The release of the onnx package.
    pub release: String,
    /// The test's name.
    pub name: String,
    /// The operators of its model.
    pub operators: Vec<String>,
    /// Which inputs are data.
    pub variant: Variant,
    /// Where the batch is, if anywhere.
    pub batch: Option<Batch>,
    /// How far it came.
    pub stage: Stage,
    /// What stopped it.
    pub reason: String,
    /// Levels of the compiled program.
    pub levels: Option<usize>,
    /// How long it took; not part of the table.
    pub seconds: f64,
}

impl Outcome {
    /// The cells of its row.
    pub fn row(&self) -> [String; 8] {
        let refused = matches!(
            self.stage,
            Stage::Refused | Stage::NotCompiled | Stage::Wrong
        );
        let class = match refused {
            true => refusals::class_of(&self.reason).map_or("unknown", |class| class.name.as_str()),
            false => "",
        };
        [
            self.release.clone(),
            self.name.clone(),
            self.variant.to_string(),
            self.batch
                .map_or_else(String::new, |batch| batch.to_string()),
            self.stage.to_string(),
            self.levels
                .map_or_else(String::new, |levels| levels.to_string()),
            class.to_owned(),
            self.reason.clone(),
        ]
    }
}

/// The table's place in the repository.
pub fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("outcomes.csv")
}

/// The table as text.
///
/// # Errors
/// None that a vector of bytes can give.
pub fn write(outcomes: &[Outcome]) -> Result<String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record([
        "release", "test", "data", "batch", "outcome", "levels", "class", "reason",
    ])?;
    for outcome in outcomes {
        writer.write_record(outcome.row())?;
    }
    Ok(String::from_utf8(
        writer.into_inner().context("the table is not written")?,
    )?)
}
