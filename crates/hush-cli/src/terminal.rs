//! What a command says: text for people, or one JSON object for machines.

use std::io::{Write, stdout};
use std::time::Duration;

use serde_json::{Value, json};

use crate::failure::{Result, causes_of, hint_of};
use crate::progress::Progress;
use crate::style::Painter;

/// What a command did, in both forms.
pub(crate) struct Outcome {
    /// Lines for people, without the last newline.
    pub(crate) text: String,
    /// One object for machines.
    pub(crate) json: Value,
}

/// How the process talks to whoever started it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terminal {
    /// One JSON object on standard output in place of text.
    pub(crate) json: bool,
    /// Bars on standard error.
    pub(crate) progress: Progress,
}

impl Terminal {
    pub(crate) fn new(json: bool, quiet: bool) -> Self {
        Self {
            json,
            progress: Progress::new(json || quiet),
        }
    }

    /// Prints an outcome on standard output.
    pub(crate) fn report(self, outcome: &Outcome) -> Result<()> {
        let mut out = stdout().lock();
        if self.json {
            writeln!(out, "{:#}", outcome.json)?;
        } else {
            writeln!(out, "{}", outcome.text)?;
        }
        Ok(())
    }

    /// Prints a warning on standard error.
    pub(crate) fn warn(self, warning: &str) {
        eprintln!("{} {warning}", Painter::stderr().note("warning:"));
    }

    /// Prints a failure on standard error, and as an object on standard output for machines.
    pub(crate) fn fail(self, error: &anyhow::Error) {
        let causes = causes_of(error);
        let hint = hint_of(error);
        let paint = Painter::stderr();
        for (index, cause) in causes.iter().enumerate() {
            if index == 0 {
                eprintln!("{} {cause}", paint.bad("error:"));
            } else {
                eprintln!("  {} {cause}", paint.dim("because"));
            }
        }
        if let Some(hint) = &hint {
            eprintln!("{} {hint}", paint.note("hint:"));
        }
        if self.json {
            let object = json!({ "error": { "causes": causes, "hint": hint } });
            // Nobody is left to tell if standard output is closed.
            let _ = writeln!(stdout().lock(), "{object:#}");
        }
    }
}

/// A number of bytes as people read it, decimal units.
pub(crate) fn bytes(count: u64) -> String {
    let count = count as f64;
    match count {
        c if c < 1e3 => format!("{c} B"),
        c if c < 1e6 => format!("{:.1} kB", c / 1e3),
        c if c < 1e9 => format!("{:.2} MB", c / 1e6),
        c => format!("{:.2} GB", c / 1e9),
    }
}

/// Milliseconds, for reports and for JSON.
pub(crate) fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// A duration as people read it.
pub(crate) fn duration(milliseconds: f64) -> String {
    match milliseconds {
        ms if ms < 0.01 => format!("{:.2} µs", ms * 1e3),
        ms if ms < 1.0 => format!("{:.0} µs", ms * 1e3),
        ms if ms < 100.0 => format!("{ms:.2} ms"),
        ms if ms < 10_000.0 => format!("{ms:.0} ms"),
        ms => format!("{:.1} s", ms / 1e3),
    }
}

/// `1 sample`, `2 samples`.
pub(crate) fn counted(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

/// An identifier in hexadecimal.
pub(crate) fn hexadecimal(id: &[u8]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_read_well() {
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(98_304), "98.3 kB");
        assert_eq!(bytes(16_000_000), "16.00 MB");
        assert_eq!(duration(0.0042), "4.20 µs");
        assert_eq!(duration(0.42), "420 µs");
        assert_eq!(duration(12.3456), "12.35 ms");
        assert_eq!(duration(2500.0), "2500 ms");
        assert_eq!(counted(1, "sample"), "1 sample");
        assert_eq!(counted(0, "sample"), "0 samples");
        assert_eq!(hexadecimal(&[0, 255]), "00ff");
    }
}
