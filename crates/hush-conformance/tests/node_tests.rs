//! The table of outcomes, the refusals and what is left out still hold.

use std::collections::{BTreeMap, BTreeSet};

use hush_conformance::refusals::{class_of, classes};
use hush_conformance::{Outcome, Stage, operators_page, outcome, read, run};

/// `cargo run -p hush-conformance` writes the table again; the difference is for review.
#[test]
fn every_outcome_is_the_one_in_the_table() {
    let (tests, _) = read().unwrap();
    let outcomes = run::run(&tests, run::Until::Encrypted);
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for outcome in &outcomes {
        *counts.entry(outcome.stage.to_string()).or_default() += 1;
    }
    println!(
        "{} tests, {} cases: {counts:?}",
        tests.len(),
        outcomes.len()
    );
    let expected = std::fs::read_to_string(outcome::path()).unwrap();
    let difference = outcome::difference(&expected, &outcome::write(&outcomes).unwrap());
    assert!(
        difference.is_empty(),
        "{} rows of outcomes.csv no longer hold (`cargo run -p hush-conformance` writes them again):\n{}",
        difference.len(),
        difference.join("\n")
    );
    check_reasons(&outcomes);
    for (stage, least) in [("simulated", 300), ("encrypted", 30)] {
        let count = counts.get(stage).copied().unwrap_or(0);
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
        let known = class == "operator" && details.split(' ').any(|name| supported.contains(&name));
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
