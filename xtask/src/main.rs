//! Developer tasks. `cargo xtask tidy` checks the rules of the house that no compiler knows.
//!
//! Start at [`tidy::check`]; every rule is a file of its own in `tidy/rules/`.
//!
//! Non-goals: building, testing or formatting; `make help` lists what does that.
#![forbid(unsafe_code)]

mod tidy;

use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask TASK

tasks:
  tidy    check layering, file sizes, leftovers, names, documentation and texts
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["tidy"] => match tidy::run() {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(error) => {
                eprintln!("error: {error:#}");
                ExitCode::FAILURE
            }
        },
        ["help" | "-h" | "--help"] => {
            print!("{USAGE}");
            ExitCode::SUCCESS
        }
        _ => {
            eprint!("{USAGE}");
            ExitCode::from(2)
        }
    }
}
