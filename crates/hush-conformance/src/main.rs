//! Runs the node tests and writes their table and the page of operators.
//!
//! usage: cargo run -p hush-conformance [page | float | simulated | encrypted [part of a test's name]]
//!
//! With a stage it prints the table up to there and writes nothing; `page` writes the page from the table as it is.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::{Result, bail};
use hush_conformance::run::{Until, run};
use hush_conformance::{operators_page, outcome, read};

/// How many of the slowest cases are named.
const SLOWEST: usize = 12;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let until = match arguments.first().map(String::as_str) {
        None | Some("encrypted") => Until::Encrypted,
        Some("page") => {
            let table = std::fs::read_to_string(outcome::path())?;
            return Ok(std::fs::write(
                operators_page::path(),
                operators_page::render(&table)?,
            )?);
        }
        Some("float") => Until::Float,
        Some("simulated") => Until::Simulated,
        Some(other) => bail!("`{other}` is none of `page`, `float`, `simulated` and `encrypted`"),
    };
    let (mut tests, left_out) = read()?;
    if let Some(part) = arguments.get(1) {
        tests.retain(|test| test.name.contains(part.as_str()));
    }
    let begun = Instant::now();
    let mut outcomes = run(&tests, |_, _| until);
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
    if arguments.is_empty() {
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
