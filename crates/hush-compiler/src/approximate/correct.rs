//! Takes the systematic part of approximation errors out of linear stages.
//!
//! Polynomials are a little off on average, and channel by channel in the same direction. After each linear stage behind
//! a replaced function, every channel is brought back to the float model's by a factor and an offset, the linear
//! regression over the calibration rows. Both go into the stage's weights and bias, so they cost nothing.

use super::batch::Batch;
use super::target::Target;
use crate::calibrate::Calibrated;
use crate::network::{Index, Network, StageKind};

/// Fewer numbers of a channel than this say too little.
const LEAST_SAMPLES: usize = 128;

/// Share of a channel's variance that holds its factor to one.
const HOLD: f64 = 0.02;

/// Factors and offsets of the elements that a linear stage makes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Correction {
    /// Position of the stage.
    pub(super) stage: usize,
    factors: Vec<f64>,
    offsets: Vec<f64>,
}

/// What the float model gives at the linear stages behind its functions.
pub(super) struct Reference {
    /// By stage; the output and its values.
    values: Vec<Option<Vec<f64>>>,
    groups: Vec<usize>,
}

impl Reference {
    /// Runs the float model.
    pub(super) fn new(
        network: &Network,
        targets: &[Target],
        calibrated: &Calibrated,
        rows: &[usize],
    ) -> Self {
        let first = targets.first().map_or(usize::MAX, |target| target.stage);
        let mut batch = Batch::new(network, calibrated, rows);
        let mut remaining = network.uses();
        let mut values = Vec::with_capacity(network.stages.len());
        let mut groups = Vec::with_capacity(network.stages.len());
        for (position, stage) in network.stages.iter().enumerate() {
            let result = batch.compute(&stage.kind);
            let linear = matches!(stage.kind, StageKind::Linear { .. });
            values.push((linear && position > first).then(|| result.clone()));
            groups.push(group(network, stage.output));
            batch.set(stage.output, result);
            for value in stage.kind.reads() {
                remaining[value] -= 1;
                if remaining[value] == 0 {
                    batch.drop_value(value);
                }
            }
        }
        Self { values, groups }
    }

    /// Corrects what a stage has computed, if it is a linear one behind a function.
    pub(super) fn correct(
        &self,
        stage: usize,
        found: &mut [f64],
        lanes: usize,
    ) -> Option<Correction> {
        let expected = self.values[stage].as_ref()?;
        let group = self.groups[stage];
        if group * lanes < LEAST_SAMPLES || *expected == found {
            return None;
        }
        let elements = found.len() / lanes;
        let (mut factors, mut offsets) = (Vec::new(), Vec::new());
        let channels = found
            .chunks_mut(group * lanes)
            .zip(expected.chunks(group * lanes));
        for (found, expected) in channels {
            let (factor, offset) = regression(found, expected);
            found.iter_mut().for_each(|x| *x = factor * *x + offset);
            factors.extend(std::iter::repeat_n(factor, found.len() / lanes));
            offsets.extend(std::iter::repeat_n(offset, found.len() / lanes));
        }
        debug_assert_eq!(factors.len(), elements);
        Some(Correction {
            stage,
            factors,
            offsets,
        })
    }
}

/// Elements in a row that share a correction: those of a channel.
fn group(network: &Network, value: Index) -> usize {
    let vector = &network.values[value];
    let group = vector.shape.iter().skip(1).product::<usize>().max(1);
    if vector.elements.is_multiple_of(group) {
        group
    } else {
        1
    }
}

/// Factor and offset that bring `found` closest to `expected`.
fn regression(found: &[f64], expected: &[f64]) -> (f64, f64) {
    let count = found.len() as f64;
    let mean = |values: &[f64]| values.iter().sum::<f64>() / count;
    let (from, to) = (mean(found), mean(expected));
    let pairs = found.iter().zip(expected);
    let (mut variance, mut covariance) = (0.0, 0.0);
    for (x, y) in pairs {
        variance += (x - from) * (x - from);
        covariance += (x - from) * (y - to);
    }
    let factor = if variance > 0.0 {
        ((covariance + HOLD * variance) / ((1.0 + HOLD) * variance)).clamp(0.5, 2.0)
    } else {
        1.0
    };
    (factor, to - factor * from)
}

/// The network with its linear stages corrected.
pub(super) fn corrected(network: &Network, corrections: &[Correction]) -> Network {
    let mut result = network.clone();
    for correction in corrections {
        if let StageKind::Linear { terms, bias } = &mut result.stages[correction.stage].kind {
            for (_, matrix) in terms.iter_mut() {
                *matrix = matrix.scale_rows(&correction.factors);
            }
            let pairs = correction.factors.iter().zip(&correction.offsets);
            for (bias, (factor, offset)) in bias.iter_mut().zip(pairs) {
                *bias = *bias * factor + offset;
            }
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regressions_undo_a_linear_change() {
        let expected: Vec<f64> = (0..200).map(|k| f64::from(k).sin()).collect();
        let found: Vec<f64> = expected.iter().map(|x| 0.9 * x - 0.3).collect();
        let (factor, offset) = regression(&found, &expected);
        // Held back a little towards one.
        assert!(factor > 1.1 && factor < 1.0 / 0.9, "{factor}");
        let mean = |values: &mut dyn Iterator<Item = f64>| values.sum::<f64>() / 200.0;
        let after = mean(&mut found.iter().map(|x| factor * x + offset));
        assert!((after - mean(&mut expected.iter().copied())).abs() < 1e-12);
        assert_eq!(regression(&[2.0; 10], &[3.0; 10]), (1.0, 1.0));
    }
}
