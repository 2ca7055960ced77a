//! Runs the node tests and writes their table and the page of operators.
//!
//! usage: cargo run -p hush-conformance [float | simulated]     without writing, up to a stage
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::{Result, bail};
use hush_conformance::run::{Until, run};
use hush_conformance::{operators_page, outcome, read};

/// How many of the slowest cases are named.
const SLOWEST: usize = 12;

fn main() -> Result<()> {
    let until = match std::env::args().nth(1).as_deref() {
        None => Until::Encrypted,
        Some("float") => Until::Float,
        Some("simulated") => Until::Simulated,
        Some(other) => bail!("`{other}` is neither `float` nor `simulated`"),
    };
    let (tests, left_out) = read()?;
    let begun = Instant::now();
    let mut outcomes = run(&tests, until);
    let seconds = begun.elapsed().as_secs_f64();
    let mut stages: BTreeMap<String, usize> = BTreeMap::new();
    for outcome in &outcomes {
        *stages.entry(outcome.stage.to_string()).or_default() += 1;
    }
    println!(
        "{} tests, {} cases in {seconds:.1} s: {stages:?}; {} tests left out",
        tests.len(),
        outcomes.len(),
        left_out.len()
    );
    let table = outcome::write(&outcomes)?;
    if until == Until::Encrypted {
        std::fs::write(outcome::path(), &table)?;
        std::fs::write(operators_page::path(), operators_page::render(&table)?)?;
    } else {
        print!("{table}");
    }
    outcomes.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
    for outcome in outcomes.iter().take(SLOWEST) {
        println!("{:6.2} s  {}", outcome.seconds, outcome.row().join(","));
    }
    Ok(())
}
