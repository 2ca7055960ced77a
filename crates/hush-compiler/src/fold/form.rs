//! Affine forms of the values that non-linear operators give.

use std::collections::BTreeMap;

use hush_graph::SparseMatrix;

use crate::network::Index;

/// `sum of matrix * base + bias`, and the names of the nodes that led to it.
#[derive(Clone)]
pub(super) struct Form {
    pub(super) terms: BTreeMap<Index, SparseMatrix>,
    pub(super) bias: Vec<f64>,
    pub(super) labels: Vec<String>,
}

impl Form {
    pub(super) fn base(value: Index, elements: usize) -> Self {
        let terms = BTreeMap::from([(value, SparseMatrix::identity(elements))]);
        Self {
            terms,
            bias: vec![0.0; elements],
            labels: Vec::new(),
        }
    }

    /// The value that the form is equal to, if it is one.
    pub(super) fn as_base(&self) -> Option<Index> {
        let (&value, matrix) = self.terms.first_key_value()?;
        let alone = self.terms.len() == 1
            && matrix.is_identity()
            && self.bias.iter().all(|&bias| bias == 0.0);
        alone.then_some(value)
    }

    pub(super) fn apply(&self, matrix: &SparseMatrix, offset: &[f64], label: String) -> Self {
        let mut bias = offset.to_vec();
        matrix.apply_add(&self.bias, &mut bias);
        let terms = self
            .terms
            .iter()
            .map(|(&value, inner)| (value, matrix.after(inner)));
        let terms = terms.filter(|(_, matrix)| !matrix.is_empty()).collect();
        let mut labels = self.labels.clone();
        labels.push(label);
        Self {
            terms,
            bias,
            labels,
        }
    }

    pub(super) fn combine(&self, other: &Form, sign: f64, label: String) -> Self {
        let mut result = self.clone();
        let factors = vec![sign; self.bias.len()];
        for (&value, matrix) in &other.terms {
            let matrix = matrix.scale_rows(&factors);
            match result.terms.remove(&value) {
                Some(own) => result.terms.insert(value, own.add(&matrix)),
                None => result.terms.insert(value, matrix),
            };
        }
        result.terms.retain(|_, matrix| !matrix.is_empty());
        result
            .bias
            .iter_mut()
            .zip(&other.bias)
            .for_each(|(sum, bias)| *sum += sign * bias);
        result.labels.extend(other.labels.iter().cloned());
        result.labels.push(label);
        result
    }
}
