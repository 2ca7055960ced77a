//! The demo's summary: a line a quantity, a column a run, at most 100 columns wide.

use super::measure::Measurement;
use crate::style::Painter;
use crate::terminal::{bytes, duration};

const LABEL: usize = 38;
const CELL: usize = 14;

/// Lines that are added one by one.
pub(super) struct Table {
    columns: usize,
    paint: Painter,
    lines: Vec<String>,
}

impl Table {
    pub(super) fn new(title: &str, columns: usize, paint: Painter) -> Self {
        Self {
            columns,
            paint,
            lines: vec![paint.bold(title)],
        }
    }

    pub(super) fn add(&mut self, label: &str, cell: impl Fn(usize) -> String) {
        let line = self.line(label, cell);
        self.lines.push(line);
    }

    pub(super) fn dim(&mut self, label: &str, cell: impl Fn(usize) -> String) {
        let line = self.line(label, cell);
        self.lines.push(self.paint.dim(line));
    }

    fn gap(&mut self) {
        self.lines.push(String::new());
    }

    fn line(&self, label: &str, cell: impl Fn(usize) -> String) -> String {
        let cells = (0..self.columns).map(|column| format!("{:>CELL$}", cell(column)));
        format!("{label:<LABEL$}{}", cells.collect::<String>())
    }

    pub(super) fn text(&self) -> String {
        let lines: Vec<_> = self.lines.iter().map(|line| line.trim_end()).collect();
        lines.join("\n")
    }
}

/// What the runs cost; `noun` is one sample.
pub(super) fn costs(table: &mut Table, columns: &[&Measurement], noun: &str, samples: usize) {
    let one = |column: usize| columns[column];
    table.gap();
    table.add("one run of the model, one thread", |column| {
        duration(one(column).group_milliseconds)
    });
    table.add(&format!("  {noun}s in a run, at most"), |column| {
        one(column).capacity.to_string()
    });
    table.add(&format!("  time per {noun} in a full run"), |column| {
        duration(one(column).group_milliseconds / one(column).capacity as f64)
    });
    table.add(&format!("  time per {noun} for these {noun}s"), |column| {
        let total = one(column).group_milliseconds * one(column).groups as f64;
        duration(total / samples as f64)
    });
    table.add("compile", |column| duration(one(column).steps.compile));
    table.add("keygen", |column| duration(one(column).steps.keygen));
    table.add(&format!("encrypt these {noun}s"), |column| {
        duration(one(column).steps.encrypt)
    });
    table.add(&format!("decrypt these {noun}s"), |column| {
        duration(one(column).steps.decrypt)
    });
    table.gap();
    table.add("evaluation keys", |column| {
        bytes(one(column).sizes.evaluation_key)
    });
    table.add("secret key", |column| bytes(one(column).sizes.secret_key));
    table.add("encrypted input of a run", |column| {
        bytes(one(column).sizes.group_input)
    });
    table.add("encrypted output of a run", |column| {
        bytes(one(column).sizes.group_output)
    });
    if columns.iter().all(|one| one.memory.is_some()) {
        table.add("memory of the process that runs it", |column| {
            bytes(one(column).memory.unwrap_or(0))
        });
    }
    table.add("ring degree N", |column| {
        (1u64 << one(column).log_degree).to_string()
    });
    table.add("moduli, chain + special", |column| {
        let (chain, special) = one(column).moduli;
        format!("{chain} + {special}")
    });
    table.add("log2(QP)", |column| format!("{:.1}", one(column).log_q_p));
    table.add("security, bits", |column| {
        one(column).security_bits.to_string()
    });
}
