//! `docs/operators.md`: the importer's catalogue of operators, with the node tests that hold.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Result;
use hush_onnx::{Runs, SupportedOperator, catalogue};

use crate::archive::read;

const HEAD: &str = "# Operators

Written by `cargo run -p hush-conformance` from the importer's own catalogue and from the outcomes of the
[node tests](../crates/hush-conformance/README.md); a test fails when it is stale.

Whatever depends on constants alone is computed while the model is imported. The rest runs where the table says:

- **linear**: encrypted, as part of a sparse matrix; neighbouring linear operators share one level;
- **polynomial**: encrypted, as a polynomial fitted on the calibrated range, the logarithm of its degree in levels;
- **product**: encrypted, as a product of ciphertexts, one level;
- **comparison**: encrypted, in rounds of pairwise maxima, each by the polynomial of an absolute value;
- **data owner**: in the clear after decryption, at the end of the model;
- **constants**: while the model is imported.

The first dimension of every value is the batch, and nothing computes across samples. The last column counts node tests
of the operator alone: right on floats, and of these right with the arithmetic of encryption, out of all there are. Tests
of more than 4096 elements a sample, 256 for maxima, are run on floats only; those on other numbers than floats, truth values and 32- or
64-bit integers, and those of more than 100 kB, are left out. What stops the others is in
[outcomes.csv](../crates/hush-conformance/outcomes.csv), and why that may be so in
[refusals.csv](../crates/hush-conformance/refusals.csv).
";

/// The page's place in the repository.
pub fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/operators.md")
}

/// Node tests of one operator.
#[derive(Clone, Default)]
struct Counts<'a> {
    all: BTreeSet<&'a str>,
    right: BTreeSet<&'a str>,
    compiled: BTreeSet<&'a str>,
}

/// The page, from the table of outcomes.
///
/// # Errors
/// If the table or the archive is damaged.
pub fn render(table: &str) -> Result<String> {
    let (tests, _) = read()?;
    let mut operators = BTreeMap::new();
    for test in &tests {
        if let [operator] = test.operators()[..] {
            operators.insert((test.release.as_str(), test.name.as_str()), operator);
        }
    }
    let rows: Vec<csv::StringRecord> = csv::Reader::from_reader(table.as_bytes())
        .records()
        .collect::<Result<_, _>>()?;
    let mut counts: BTreeMap<&str, Counts<'_>> = BTreeMap::new();
    for row in &rows {
        let cell = |index: usize| row.get(index).unwrap_or_default();
        let Some(&operator) = operators.get(&(cell(0), cell(1))) else {
            continue;
        };
        let counts = counts.entry(operator).or_default();
        counts.all.insert(cell(1));
        if matches!(
            cell(4),
            "not compiled" | "float" | "simulated" | "encrypted"
        ) {
            counts.right.insert(cell(1));
        }
        if matches!(cell(4), "simulated" | "encrypted") {
            counts.compiled.insert(cell(1));
        }
    }
    let mut page = HEAD.to_owned();
    for (title, constant) in [
        ("Operators on data", false),
        ("Operators on constants only", true),
    ] {
        write!(page, "\n## {title}\n\n")?;
        page.push_str("| operator | domain | operator sets | runs | restrictions | node tests |\n");
        page.push_str("|---|---|---|---|---|---|\n");
        let chosen = |entry: &&SupportedOperator| (entry.runs == Runs::Constant) == constant;
        for entry in catalogue().iter().filter(chosen) {
            let none = Counts::default();
            let counts = counts.get(entry.name).unwrap_or(&none);
            write_row(&mut page, entry, counts)?;
        }
    }
    Ok(page)
}

fn write_row(page: &mut String, entry: &SupportedOperator, counts: &Counts<'_>) -> Result<()> {
    let (oldest, newest) = entry.operator_sets;
    let (all, right, compiled) = (counts.all.len(), counts.right.len(), counts.compiled.len());
    let tests = match (all, entry.runs) {
        (0, _) => "none exist".to_owned(),
        (_, Runs::Constant) => format!("{right} of {all}"),
        _ => format!("{right}, {compiled} of {all}"),
    };
    let (name, domain, restrictions) = (entry.name, entry.domain, entry.restrictions);
    let runs = where_it_runs(entry.runs);
    writeln!(
        page,
        "| {name} | {domain} | {oldest} to {newest} | {runs} | {restrictions} | {tests} |"
    )?;
    Ok(())
}

fn where_it_runs(runs: Runs) -> &'static str {
    match runs {
        Runs::Linear => "linear",
        Runs::Polynomial => "polynomial",
        Runs::Product => "product",
        Runs::Comparison => "comparison",
        Runs::DataOwner => "data owner",
        _ => "constants",
    }
}
