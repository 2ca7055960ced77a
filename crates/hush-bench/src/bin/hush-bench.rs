//! Medians of engine operations as JSON, for comparison with peers in one run.
//!
//! usage: hush-bench [--json FILE] [--log-degree N]... [--operation NAME]... [--set NAME]...
#![forbid(unsafe_code)]

use std::io::Write;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use hush_bench::{Bench, OPERATIONS};
use hush_testkit::ParameterSet;
use serde_json::{Value, json};

/// Time spent on each operation, after one run that is not counted.
const BUDGET: Duration = Duration::from_millis(400);
const LEAST_RUNS: usize = 5;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::from(2)
        }
    }
}

#[derive(Default)]
struct Options {
    json: Option<String>,
    log_degrees: Vec<u32>,
    operations: Vec<String>,
    sets: Vec<String>,
}

fn options() -> Result<Options, String> {
    let mut options = Options::default();
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or(format!("{name} needs a value"))?;
        match name.as_str() {
            "--json" => options.json = Some(value),
            "--log-degree" => options
                .log_degrees
                .push(value.parse().map_err(|_| format!("{value} is no degree"))?),
            "--operation" => options.operations.push(value),
            "--set" => options.sets.push(value),
            _ => return Err(format!("unknown option {name}")),
        }
    }
    Ok(options)
}

fn run() -> Result<(), String> {
    let options = options()?;
    let isa = hush_simd::Isa::from_environment().map_err(|error| error.to_string())?;
    let chosen = |names: &[String], name: &str| names.is_empty() || names.iter().any(|n| n == name);
    let mut rows: Vec<Value> = Vec::new();
    for set in &ParameterSet::SECURE {
        let wanted =
            options.log_degrees.is_empty() || options.log_degrees.contains(&set.log_degree);
        if !wanted || !chosen(&options.sets, set.name) {
            continue;
        }
        let mut bench = Bench::new(set);
        for &(name, operation) in OPERATIONS {
            if !chosen(&options.operations, name) {
                continue;
            }
            let median_ms = median(|| operation(&mut bench));
            println!("{:10} {name:30} {median_ms:10.3} ms", set.name);
            let mut row = json!({
                "operation": name,
                "set": set.name,
                "log_degree": set.log_degree,
                "limbs": bench.limbs(),
                "special": set.special,
                "threads": rayon::current_num_threads(),
                "isa": isa.name(),
                "median_ms": median_ms,
            });
            if name == "multiply_relinearize_rescale" {
                row["max_error_log2"] = json!(bench.product_error().log2());
            }
            rows.push(row);
        }
    }
    if let Some(path) = options.json {
        let mut file = std::fs::File::create(&path).map_err(|error| format!("{path}: {error}"))?;
        serde_json::to_writer_pretty(&mut file, &rows)
            .map_err(|error| format!("{path}: {error}"))?;
        writeln!(file).map_err(|error| format!("{path}: {error}"))?;
    }
    Ok(())
}

fn median(mut run: impl FnMut()) -> f64 {
    run();
    let mut times = Vec::new();
    let start = Instant::now();
    while times.len() < LEAST_RUNS || start.elapsed() < BUDGET {
        let before = Instant::now();
        run();
        times.push(before.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
