//! The table of outcomes, the refusals and what is left out still hold.

use std::collections::{BTreeMap, BTreeSet};

use hush_conformance::refusals::{class_of, classes};
use hush_conformance::run::{Until, run, share};
use hush_conformance::{NodeTest, Outcome, Stage, case::Variant, operators_page, outcome, read};

/// Programs of up to so many levels, for tests of up to so many elements, are all compiled again and simulated.
const SHALLOW: usize = 5;
const SMALL: usize = 512;
/// Of the others up to so many levels one in [`SHARE`]; of even deeper ones, which take long to compile, none.
const DEEP: usize = 10;
const SHARE: u64 = 16;

/// The rows of the table, as text, by release, test and data.
fn stored() -> BTreeMap<[String; 3], csv::StringRecord> {
    let mut reader = csv::Reader::from_path(outcome::path()).unwrap();
    let rows = reader.records().map(|row| {
        let row = row.unwrap();
        let key = [&row[0], &row[1], &row[2]].map(str::to_owned);
        (key, row)
    });
    rows.collect()
}

/// How far a case is run here: always on floats.
fn until(row: Option<&csv::StringRecord>, test: &NodeTest, variant: Variant) -> Until {
    let levels: Option<usize> = row.and_then(|row| row[5].parse().ok());
    match levels {
        Some(levels) if levels <= SHALLOW && test.elements() <= SMALL => Until::Encrypted,
        Some(levels) if levels <= DEEP && share(test, variant, SHARE) => Until::Encrypted,
        Some(_) => Until::Float,
        None => Until::Encrypted,
    }
}

/// `cargo run -p hush-conformance` runs everything and writes the table again; the difference is for review.
#[test]
fn outcomes_are_those_in_the_table() {
    let (tests, _) = read().unwrap();
    let stored = stored();
    let key = |release: &str, name: &str, variant: Variant| {
        [release.to_owned(), name.to_owned(), variant.to_string()]
    };
    let outcomes = run(&tests, |test, variant| {
        let row = stored.get(&key(&test.release, &test.name, variant));
        until(row, test, variant)
    });
    let (mut rows, mut again, mut differ) = (0, BTreeMap::new(), Vec::new());
    for outcome in &outcomes {
        let found = outcome.row();
        let Some(row) = stored.get(&key(&outcome.release, &outcome.name, outcome.variant)) else {
            differ.push(format!("+ {}", found.join(",")));
            continue;
        };
        rows += 1;
        *again.entry(outcome.stage.to_string()).or_insert(0) += 1;
        let cut_short = outcome.stage == Stage::Float && !row[5].is_empty();
        let same = match cut_short {
            true => row.iter().zip(&found).take(4).all(|(a, b)| a == b),
            false => row.iter().eq(found.iter().map(String::as_str)),
        };
        if !same {
            let row: Vec<&str> = row.iter().collect();
            differ.push(format!("- {}\n+ {}", row.join(","), found.join(",")));
        }
    }
    println!("{} tests, {rows} cases: {again:?}", tests.len());
    assert!(
        differ.is_empty() && rows == stored.len(),
        "{} rows of outcomes.csv do not hold, {} are for tests that are gone (`cargo run -p hush-conformance` writes \
         the table again):\n{}",
        differ.len(),
        stored.len() - rows,
        differ.join("\n")
    );
    check_reasons(&outcomes);
    for (stage, least) in [("simulated", 300), ("encrypted", 30)] {
        let count = again.get(stage).copied().unwrap_or(0);
        assert!(count >= least, "only {count} cases are {stage}");
    }
}

/// Nothing is wrong, each refusal has a class, and each class has a refusal.
fn check_reasons(outcomes: &[Outcome]) {
    let wrong: Vec<_> = outcomes
        .iter()
        .filter(|outcome| outcome.stage == Stage::Wrong)
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    let mut used = BTreeSet::new();
    for outcome in outcomes {
        if matches!(outcome.stage, Stage::Refused | Stage::NotCompiled) {
            let class = class_of(&outcome.reason);
            let class =
                class.unwrap_or_else(|| panic!("{outcome:?} needs a class in refusals.csv"));
            used.insert(class);
        }
    }
    let idle: Vec<_> = classes()
        .iter()
        .filter(|class| !used.contains(class))
        .collect();
    assert!(idle.is_empty(), "no row needs {idle:?}");
}

#[test]
fn only_what_is_not_supported_is_left_out() {
    let (tests, left_out) = read().unwrap();
    let supported = hush_onnx::supported_operators();
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for one in &left_out {
        let (class, details) = one.reason.split_once(": ").unwrap();
        *counts.entry((&one.release, class)).or_default() += 1;
        let known = class == "operator" && details.split(' ').all(|name| supported.contains(&name));
        assert!(
            !known,
            "{} {}: {details} is supported",
            one.release, one.name
        );
    }
    println!("left out: {counts:?}");
    let tested: BTreeSet<&str> = tests.iter().flat_map(|test| test.operators()).collect();
    let untested: Vec<_> = supported
        .iter()
        .filter(|name| !tested.contains(*name))
        .collect();
    assert!(untested.is_empty(), "no node test for {untested:?}");
}

#[test]
fn the_page_of_operators_is_up_to_date() {
    let table = std::fs::read_to_string(outcome::path()).unwrap();
    let page = operators_page::render(&table).unwrap();
    let stored = std::fs::read_to_string(operators_page::path()).unwrap();
    assert!(
        page == stored,
        "docs/operators.md is stale: `cargo run -p hush-conformance` writes it again"
    );
}
