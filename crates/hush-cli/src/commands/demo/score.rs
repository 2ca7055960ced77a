//! How good predictions are, and how far encrypted outputs are from float ones.

use hush_client::Tensor;

/// Counts of a two-class prediction, malignant being positive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Score {
    true_positive: usize,
    false_positive: usize,
    true_negative: usize,
    false_negative: usize,
}

impl Score {
    pub(super) fn of(predicted: &[bool], actual: &[bool]) -> Self {
        let mut score = Self::default();
        for (&predicted, &actual) in predicted.iter().zip(actual) {
            let count = match (predicted, actual) {
                (true, true) => &mut score.true_positive,
                (true, false) => &mut score.false_positive,
                (false, false) => &mut score.true_negative,
                (false, true) => &mut score.false_negative,
            };
            *count += 1;
        }
        score
    }

    /// Share of right predictions.
    pub(super) fn accuracy(self) -> f64 {
        let right = self.true_positive + self.true_negative;
        right as f64 / (right + self.false_positive + self.false_negative) as f64
    }

    /// Harmonic mean of precision and recall; 0 where nothing is positive.
    pub(super) fn f1(self) -> f64 {
        let doubled = 2 * self.true_positive;
        let all = doubled + self.false_positive + self.false_negative;
        if all == 0 {
            return 0.0;
        }
        doubled as f64 / all as f64
    }
}

/// The class of the largest output, the first of equal ones.
pub(super) fn predictions(outputs: &Tensor) -> Vec<usize> {
    let largest = |row: &[f64]| {
        let classes = (0..row.len()).max_by(|&a, &b| row[a].total_cmp(&row[b]).then(b.cmp(&a)));
        classes.unwrap_or(0)
    };
    rows(outputs).map(largest).collect()
}

/// The outputs, a row a sample.
pub(super) fn rows(outputs: &Tensor) -> impl Iterator<Item = &[f64]> {
    let width = outputs.shape()[1..].iter().product::<usize>().max(1);
    outputs.data().chunks(width)
}

/// The largest absolute difference.
pub(super) fn largest_error(left: &[f64], right: &[f64]) -> f64 {
    let pairs = left.iter().zip(right);
    pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_of_a_small_example() {
        let score = Score::of(&[true, true, false, false], &[true, false, false, true]);
        assert_eq!(score.accuracy(), 0.5);
        assert_eq!(score.f1(), 0.5);
        assert_eq!(Score::of(&[false], &[false]).f1(), 0.0);
    }

    #[test]
    fn predictions_take_the_largest_output() {
        let outputs = Tensor::new(vec![3, 2], vec![0.1, 0.9, 0.6, 0.4, 0.5, 0.5]).unwrap();
        assert_eq!(predictions(&outputs), [1, 0, 0]);
        assert_eq!(largest_error(&[1.0, 2.0], &[1.5, 1.0]), 1.0);
    }
}
