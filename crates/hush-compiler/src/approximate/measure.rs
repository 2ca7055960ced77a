//! How far outputs are from those of the float model, and how far they may be.

use hush_program::PostOperation;

use super::batch::Batch;
use crate::calibrate::Calibrated;
use crate::network::Network;
use crate::options::{APPROXIMATION_SHARE, DEFAULT_LEAST, DEFAULT_SHARE, Options};

/// Errors are taken this many times as large when the rows that may change their class are estimated: calibration rows
/// are often those a model was trained on, which lie further from its decision boundaries than the rows to come.
const CAUTION: f64 = 2.0;

/// The estimate may be this many times the share of rows that [`Options::min_agreement`] leaves.
const SLACK: f64 = 1.5;

/// Without a precision the root mean square error may be this share of the largest output.
const LOOSE_SHARE: f64 = 0.05;

/// The root mean square error on all rows may exceed the limit by this factor.
const TOLERANCE: f64 = 1.05;

/// Output errors over some rows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Deviation {
    /// Rows measured.
    pub rows: usize,
    /// Largest difference of any output.
    pub largest: f64,
    /// Mean difference.
    pub mean: f64,
    /// Root of the mean square difference.
    pub root_mean_square: f64,
    /// Rows with another arg max (another sign, for a single output before a sigmoid).
    pub changes: usize,
}

/// Collects output errors.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Meter {
    deviation: Deviation,
    squares: f64,
    sum: f64,
    count: usize,
}

impl Meter {
    /// Compares the outputs that a batch holds to those of the float model on the same rows.
    pub(super) fn add(
        &mut self,
        network: &Network,
        calibrated: &Calibrated,
        rows: &[usize],
        batch: &Batch,
    ) {
        for (lane, &row) in rows.iter().enumerate() {
            let mut changed = false;
            for (port, expected) in network.outputs.iter().zip(&calibrated.outputs[row]) {
                let value = batch.value(port.value);
                let found: Vec<f64> = (0..expected.len())
                    .map(|element| value[element * rows.len() + lane])
                    .collect();
                for (found, expected) in found.iter().zip(expected) {
                    self.one(found - expected);
                }
                changed |= class(&network.post, expected) != class(&network.post, &found);
            }
            self.deviation.rows += 1;
            self.deviation.changes += usize::from(changed);
        }
    }

    fn one(&mut self, error: f64) {
        let size = if error.is_nan() {
            f64::INFINITY
        } else {
            error.abs()
        };
        self.deviation.largest = self.deviation.largest.max(size);
        self.squares += size * size;
        self.sum += size;
        self.count += 1;
    }

    /// What was found.
    pub(super) fn finish(self) -> Deviation {
        let count = self.count.max(1) as f64;
        Deviation {
            mean: self.sum / count,
            root_mean_square: (self.squares / count).sqrt(),
            ..self.deviation
        }
    }
}

/// The place of the largest output; for a single output before a sigmoid, whether it is positive.
fn class(post: &[PostOperation], values: &[f64]) -> usize {
    match values {
        [value] => usize::from(post.contains(&PostOperation::Sigmoid) && *value > 0.0),
        _ => (0..values.len())
            .max_by(|&a, &b| values[a].total_cmp(&values[b]).then(b.cmp(&a)))
            .unwrap_or(0),
    }
}

/// What the approximation has to reach.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Goal {
    /// Largest error that is good enough whatever else.
    pub(super) largest: f64,
    /// Without a precision, for outputs that are classes: a root mean square error that is good enough.
    spread: Option<f64>,
    /// What noise may add.
    noise: f64,
}

impl Goal {
    /// From the options and the float outputs.
    pub(super) fn new(network: &Network, calibrated: &Calibrated, options: &Options) -> Self {
        let outputs = calibrated.outputs.iter().flatten().flatten();
        let largest = outputs.fold(0.0f64, |most, output| most.max(output.abs()));
        let precision = options
            .precision
            .unwrap_or_else(|| (DEFAULT_SHARE * largest).max(DEFAULT_LEAST));
        let sigmoid = network.post.contains(&PostOperation::Sigmoid);
        let classes = calibrated
            .outputs
            .first()
            .is_some_and(|outputs| outputs.iter().all(|output| output.len() > 1 || sigmoid));
        let by_class = options.precision.is_none() && classes;
        let spread = by_class.then(|| {
            let margins: Vec<Vec<f64>> = calibrated
                .outputs
                .iter()
                .flatten()
                .map(|output| margins(output))
                .collect();
            let allowed = SLACK * (1.0 - options.min_agreement);
            spread_for(&margins, allowed, LOOSE_SHARE * largest)
        });
        Self {
            largest: APPROXIMATION_SHARE * precision,
            spread,
            noise: (1.0 - APPROXIMATION_SHARE) * precision,
        }
    }

    /// Whether the errors are small enough.
    pub(super) fn met(&self, deviation: &Deviation) -> bool {
        let root = deviation.root_mean_square;
        self.spread.is_some_and(|spread| root <= spread) || deviation.largest <= self.largest
    }

    /// Whether the errors are small enough on rows that were not looked at.
    pub(super) fn nearly_met(&self, deviation: &Deviation) -> bool {
        let spread = self.spread.map(|spread| TOLERANCE * spread);
        Self { spread, ..*self }.met(deviation)
    }

    /// A goal that is harder to meet.
    pub(super) fn stricter(&self) -> Self {
        Self {
            largest: 0.8 * self.largest,
            spread: self.spread.map(|spread| 0.9 * spread),
            ..*self
        }
    }

    /// Whether rows that change their class are what counts.
    pub(super) fn by_agreement(&self) -> bool {
        self.spread.is_some()
    }

    /// The largest error of outputs, noise included, when approximation makes `error` of it.
    pub(super) fn precision(&self, error: f64) -> f64 {
        error.max(self.largest) + self.noise
    }
}

/// By how much each other output is below the largest, in units of the deviation of a difference of two outputs.
fn margins(output: &[f64]) -> Vec<f64> {
    if let [value] = output {
        return vec![value.abs()];
    }
    let top = (0..output.len()).max_by(|&a, &b| output[a].total_cmp(&output[b]));
    let others = (0..output.len()).filter(|&index| Some(index) != top);
    let largest = top.map_or(0.0, |top| output[top]);
    others
        .map(|index| (largest - output[index]) / 2f64.sqrt())
        .collect()
}

/// The deviation of normal output errors, at most `most`, for which the expected share of rows that change their class
/// is as large as allowed, with errors [`CAUTION`] times as large.
fn spread_for(margins: &[Vec<f64>], allowed: f64, most: f64) -> f64 {
    let share = |spread: f64| {
        let scale = CAUTION * spread * 2f64.sqrt();
        let row = |row: &Vec<f64>| {
            let changes = row.iter().map(|margin| 0.5 * libm::erfc(margin / scale));
            changes.sum::<f64>().min(1.0)
        };
        margins.iter().map(row).sum::<f64>() / margins.len().max(1) as f64
    };
    let (mut low, mut high) = (0.0, most);
    if share(most) <= allowed {
        return most;
    }
    for _ in 0..50 {
        let middle = 0.5 * (low + high);
        if share(middle) <= allowed {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spread_gives_the_share_of_changes_allowed() {
        // One other class, at a margin of two deviations of the enlarged difference: 2.275 % change.
        let margins: Vec<Vec<f64>> = vec![margins(&[1.0, 3.0]); 10];
        let spread = spread_for(&margins, 0.022_750_13, 100.0);
        assert!(
            (spread * CAUTION * 2f64.sqrt() - 1.0).abs() < 1e-4,
            "{spread}"
        );
        assert_eq!(spread_for(&margins, 0.022_750_13, 0.1), 0.1);
        assert!(spread_for(&[vec![0.0]], 0.01, 1.0) < 1e-9);
    }
}
