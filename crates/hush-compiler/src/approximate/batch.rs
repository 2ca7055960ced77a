//! A network's values for many rows at once.
//!
//! Values are stored element by element, the rows of one element side by side, so that a matrix entry is one
//! multiplication of a run of numbers.

use std::rc::Rc;

use hush_graph::SparseMatrix;

use crate::calibrate::Calibrated;
use crate::network::{Index, Network, StageKind};

/// The values known so far. Clones share them.
#[derive(Clone)]
pub(super) struct Batch {
    /// Rows of data.
    pub(super) rows: usize,
    values: Vec<Option<Rc<Vec<f64>>>>,
}

impl Batch {
    /// The inputs of the network for some calibration rows.
    pub(super) fn new(network: &Network, calibrated: &Calibrated, rows: &[usize]) -> Self {
        let mut values = vec![None; network.values.len()];
        for (index, port) in network.inputs.iter().enumerate() {
            let elements = network.values[port.value].elements;
            let mut value = vec![0.0; elements * rows.len()];
            for (lane, &row) in rows.iter().enumerate() {
                for (element, &number) in calibrated.rows[row][index].iter().enumerate() {
                    value[element * rows.len() + lane] = number;
                }
            }
            values[port.value] = Some(Rc::new(value));
        }
        Self {
            rows: rows.len(),
            values,
        }
    }

    /// A value, element by element; empty if it is not known.
    pub(super) fn value(&self, value: Index) -> &[f64] {
        self.values[value]
            .as_ref()
            .map_or(&[], |known| known.as_slice())
    }

    /// Sets a value.
    pub(super) fn set(&mut self, value: Index, numbers: Vec<f64>) {
        self.values[value] = Some(Rc::new(numbers));
    }

    /// Forgets a value.
    pub(super) fn drop_value(&mut self, value: Index) {
        self.values[value] = None;
    }

    /// What a stage computes from known values.
    pub(super) fn compute(&self, kind: &StageKind) -> Vec<f64> {
        match kind {
            StageKind::Linear { terms, bias } => {
                let mut result: Vec<f64> = bias
                    .iter()
                    .flat_map(|&bias| std::iter::repeat_n(bias, self.rows))
                    .collect();
                for (value, matrix) in terms {
                    self.apply_add(matrix, self.value(*value), &mut result);
                }
                result
            }
            StageKind::Function { source, function } => {
                let values = self.value(*source).iter();
                values.map(|&x| function.evaluate(x)).collect()
            }
            StageKind::Polynomial { source, polynomial } => {
                let values = self.value(*source).iter();
                values.map(|&x| polynomial.evaluate(x)).collect()
            }
            StageKind::Shift { source, constant } => {
                self.value(*source).iter().map(|x| x + constant).collect()
            }
            StageKind::Fused {
                source,
                cubic: [_, c1, c2, c3],
                matrix,
                bias,
            } => {
                let values = self.value(*source).iter();
                let powers: Vec<f64> = values.map(|x| ((c3 * x + c2) * x + c1) * x).collect();
                let mut result: Vec<f64> = bias
                    .iter()
                    .flat_map(|&bias| std::iter::repeat_n(bias, self.rows))
                    .collect();
                self.apply_add(matrix, &powers, &mut result);
                result
            }
            StageKind::Product { left, right } => {
                let pairs = self.value(*left).iter().zip(self.value(*right));
                pairs.map(|(a, b)| a * b).collect()
            }
        }
    }

    fn apply_add(&self, matrix: &SparseMatrix, source: &[f64], result: &mut [f64]) {
        let lanes = self.rows;
        for (row, sums) in result.chunks_exact_mut(lanes).enumerate() {
            for (column, weight) in matrix.row(row) {
                let values = &source[column * lanes..][..lanes];
                for (sum, value) in sums.iter_mut().zip(values) {
                    *sum += weight * value;
                }
            }
        }
    }
}

/// Multiplications that one row costs.
pub(super) fn work(network: &Network) -> usize {
    let stage = |kind: &StageKind| match kind {
        StageKind::Linear { terms, .. } => terms.iter().map(|(_, matrix)| matrix.len()).sum(),
        StageKind::Fused { matrix, .. } => matrix.len(),
        _ => 0,
    };
    let elements: usize = network.values.iter().map(|value| value.elements).sum();
    16 * elements
        + network
            .stages
            .iter()
            .map(|own| stage(&own.kind))
            .sum::<usize>()
}
