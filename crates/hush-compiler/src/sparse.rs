//! Sparse matrices from input elements to output elements: what every linear operator is.

use std::collections::BTreeMap;

/// Rows of (column, value), sorted by column, without zeros.
#[derive(Clone, Debug, PartialEq)]
pub struct SparseMatrix {
    columns: usize,
    rows: Vec<Vec<(usize, f64)>>,
}

impl SparseMatrix {
    /// The identity.
    pub fn identity(size: usize) -> Self {
        Self::selection(size, 0..size)
    }

    /// Each row takes one column.
    pub fn selection(columns: usize, sources: impl Iterator<Item = usize>) -> Self {
        Self {
            columns,
            rows: sources.map(|source| vec![(source, 1.0)]).collect(),
        }
    }

    /// From rows of (column, value); zeros are dropped.
    pub fn from_rows(columns: usize, rows: Vec<Vec<(usize, f64)>>) -> Self {
        let clean = |mut row: Vec<(usize, f64)>| {
            row.retain(|&(_, value)| value != 0.0);
            row.sort_by_key(|&(column, _)| column);
            row
        };
        Self {
            columns,
            rows: rows.into_iter().map(clean).collect(),
        }
    }

    /// Number of rows: output elements.
    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    /// Number of columns: input elements.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Non-zero entries.
    pub fn entries(&self) -> impl Iterator<Item = (usize, usize, f64)> + '_ {
        let row = |(index, row): (usize, &'_ Vec<(usize, f64)>)| {
            row.clone()
                .into_iter()
                .map(move |(column, value)| (index, column, value))
        };
        self.rows.iter().enumerate().flat_map(row)
    }

    /// Number of non-zero entries.
    pub fn len(&self) -> usize {
        self.rows.iter().map(Vec::len).sum()
    }

    /// Whether every entry is zero.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether it is the identity.
    pub fn is_identity(&self) -> bool {
        self.columns == self.rows.len()
            && self
                .rows
                .iter()
                .enumerate()
                .all(|(index, row)| row.as_slice() == [(index, 1.0)])
    }

    /// `self * inner`: first `inner`, then `self`.
    pub fn after(&self, inner: &SparseMatrix) -> SparseMatrix {
        if inner.is_identity() {
            return self.clone();
        }
        let row = |row: &Vec<(usize, f64)>| {
            if let &[(column, factor)] = row.as_slice() {
                return inner.rows[column]
                    .iter()
                    .map(|&(target, value)| (target, factor * value))
                    .collect();
            }
            let mut sums: BTreeMap<usize, f64> = BTreeMap::new();
            for &(column, factor) in row {
                for &(target, value) in &inner.rows[column] {
                    *sums.entry(target).or_insert(0.0) += factor * value;
                }
            }
            sums.into_iter()
                .filter(|&(_, value)| value != 0.0)
                .collect()
        };
        SparseMatrix {
            columns: inner.columns,
            rows: self.rows.iter().map(row).collect(),
        }
    }

    /// Row i times `factors[i]`.
    pub fn scale_rows(&self, factors: &[f64]) -> SparseMatrix {
        let rows = self.rows.iter().zip(factors);
        let rows = rows.map(|(row, factor)| {
            row.iter()
                .map(|&(column, value)| (column, factor * value))
                .collect()
        });
        SparseMatrix::from_rows(self.columns, rows.collect())
    }

    /// The sum of two matrices of the same shape.
    pub fn add(&self, other: &SparseMatrix) -> SparseMatrix {
        let rows = self.rows.iter().zip(&other.rows).map(|(left, right)| {
            let mut sums: BTreeMap<usize, f64> = left.iter().copied().collect();
            for &(column, value) in right {
                *sums.entry(column).or_insert(0.0) += value;
            }
            sums.into_iter().collect()
        });
        SparseMatrix::from_rows(self.columns, rows.collect())
    }

    /// Adds the product with a vector to `result`.
    pub fn apply_add(&self, vector: &[f64], result: &mut [f64]) {
        for (row, sum) in self.rows.iter().zip(result) {
            *sum += row
                .iter()
                .map(|&(column, value)| value * vector[column])
                .sum::<f64>();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn composition_is_application_in_turn() {
        let inner = SparseMatrix::from_rows(3, vec![vec![(0, 1.0), (2, 2.0)], vec![(1, -1.0)]]);
        let outer = SparseMatrix::from_rows(2, vec![vec![(0, 3.0), (1, 4.0)], vec![(1, 5.0)]]);
        let vector = [1.0, 10.0, 100.0];
        let (mut middle, mut expected, mut found) = (vec![0.0; 2], vec![0.0; 2], vec![0.0; 2]);
        inner.apply_add(&vector, &mut middle);
        outer.apply_add(&middle, &mut expected);
        outer.after(&inner).apply_add(&vector, &mut found);
        assert_eq!(found, expected);
        assert!(outer.after(&SparseMatrix::identity(2)) == outer);
    }

    #[test]
    fn sums_and_row_factors() {
        let matrix = SparseMatrix::from_rows(2, vec![vec![(1, 2.0), (0, 1.0)]]);
        assert_eq!(matrix.add(&matrix.scale_rows(&[-1.0])).len(), 0);
        assert_eq!(
            matrix.scale_rows(&[2.0]).entries().collect::<Vec<_>>(),
            [(0, 0, 2.0), (0, 1, 4.0)]
        );
    }
}
