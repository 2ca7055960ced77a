//! The report as people read it.

use std::fmt::{self, Display, Formatter};

use super::{Report, human_bytes};

/// Degrees of polynomials that are applied in turn.
fn joined(degrees: &[usize]) -> String {
    let degrees: Vec<String> = degrees.iter().map(usize::to_string).collect();
    degrees.join(", ")
}

/// Prints rows with columns as wide as their widest cell; the first column is left-aligned.
fn table(out: &mut Formatter<'_>, rows: &[Vec<String>]) -> fmt::Result {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let cells = |column: usize| rows.iter().filter_map(move |row| row.get(column));
    let widths: Vec<usize> = (0..columns)
        .map(|column| {
            cells(column)
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or(0)
        })
        .collect();
    for row in rows {
        let mut line = String::from(" ");
        for (cell, width) in row.iter().zip(&widths) {
            let padding = " ".repeat(width - cell.chars().count());
            line.push(' ');
            if row.len() == 2 || line.trim().is_empty() {
                line.push_str(&format!("{cell}{padding} "));
            } else {
                line.push_str(&format!("{padding}{cell} "));
            }
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

impl Display for Report {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let list = |bits: &[f64]| {
            bits.iter()
                .map(|bits| format!("{bits:.1}"))
                .collect::<Vec<_>>()
                .join(" ")
        };
        let row = |name: &str, value: String| vec![name.to_owned(), value];
        writeln!(out, "{}", self.model)?;
        let bytes = |count: usize, bytes: u64| format!("{count} x {}", human_bytes(bytes));
        let rows = vec![
            row(
                "packing",
                format!("{} ({})", self.packing, self.packing_reason),
            ),
            row("samples per group", self.samples.to_string()),
            row(
                "ring degree",
                format!("2^{}, {} slots", self.log_degree, self.slots),
            ),
            row("chain", format!("{} bits", list(&self.chain_bits))),
            row(
                "special primes",
                format!("{} bits", list(&self.special_bits)),
            ),
            row(
                "security",
                format!(
                    "{} bits (log2 QP = {:.1})",
                    self.security_bits, self.log_q_p
                ),
            ),
            row("levels", self.levels.to_string()),
            row(
                "key switches",
                format!("{} ({} rotations)", self.key_switches, self.rotations),
            ),
            row(
                "products",
                format!(
                    "{} of ciphertexts, {} with plaintexts",
                    self.multiplications, self.plain_multiplications
                ),
            ),
            row(
                "evaluation keys",
                format!("{}, {}", self.keys, human_bytes(self.key_bytes)),
            ),
            row(
                "input ciphertexts",
                bytes(self.input_ciphertexts, self.input_ciphertext_bytes),
            ),
            row(
                "output ciphertexts",
                bytes(self.output_ciphertexts, self.output_ciphertext_bytes),
            ),
            row(
                "predicted error",
                format!(
                    "{:.1e} ({} {:.0e}; activations {:.1e})",
                    self.predicted_error,
                    if self.precision_given {
                        "asked for"
                    } else {
                        "limit"
                    },
                    self.precision,
                    self.approximation_error
                ),
            ),
            row(
                "predicted time",
                format!(
                    "{:.3} ms per sample, {:.1} ms per group, one thread",
                    self.sample_milliseconds, self.group_milliseconds
                ),
            ),
            row("headroom", format!("{:.1} bits", self.headroom_bits)),
            row(
                "agreement",
                format!(
                    "{:.1} % of {} calibration rows keep their arg max, {} with another; error {:.1e} on average",
                    self.agreement(),
                    self.calibration_rows,
                    self.approximation_changes,
                    self.approximation_mean_error
                ),
            ),
            row(
                "simulation",
                format!(
                    "{} of {} calibration rows: largest error {:.1e}, {:.1e} on average, {} with another arg max",
                    self.simulated_rows,
                    self.calibration_rows,
                    self.simulated_error,
                    self.simulated_mean_error,
                    self.simulated_changes
                ),
            ),
        ];
        table(out, &rows)?;
        for note in &self.notes {
            writeln!(out, "note: {note}")?;
        }
        writeln!(out, "layouts")?;
        for layout in &self.layouts {
            writeln!(out, "  {layout}")?;
        }
        if self.activations.is_empty() {
            return Ok(());
        }
        writeln!(out, "activations")?;
        let titles = [
            "node",
            "function",
            "range",
            "covered",
            "degree",
            "levels",
            "fit error",
            "typical",
            "outside",
        ];
        let mut rows = vec![
            titles
                .iter()
                .map(|&title| title.to_owned())
                .collect::<Vec<_>>(),
        ];
        for activation in &self.activations {
            rows.push(vec![
                activation.node.clone(),
                activation.function.clone(),
                format!("{:.2} to {:.2}", activation.smallest, activation.largest),
                format!("{:.2} to {:.2}", activation.lo, activation.hi),
                joined(&activation.degrees),
                activation.levels.to_string(),
                format!("{:.1e}", activation.fit_error),
                format!("{:.1e}", activation.typical_error),
                activation.out_of_range.to_string(),
            ]);
        }
        table(out, &rows)
    }
}
