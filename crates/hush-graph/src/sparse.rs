//! Sparse matrices from input elements to output elements: what every linear operator is.

use std::collections::BTreeMap;

/// Compressed rows of (column, value), sorted by column, without zeros unless a pattern was pushed.
#[derive(Clone, Debug, PartialEq)]
pub struct SparseMatrix {
    columns: usize,
    /// Where each row starts in `entries`; one more than there are rows.
    starts: Vec<usize>,
    entries: Vec<(u32, f64)>,
}

impl SparseMatrix {
    /// The identity.
    pub fn identity(size: usize) -> Self {
        Self::selection(size, 0..size)
    }

    /// Each row takes one column. All columns are below `columns`, which is below 2^32.
    pub fn selection(columns: usize, sources: impl Iterator<Item = usize>) -> Self {
        let mut matrix = Self::empty(columns);
        for source in sources {
            matrix.push_row([(source, 1.0)]);
        }
        matrix
    }

    /// From rows of (column, value), one entry a column; zeros are dropped.
    pub fn from_rows(columns: usize, rows: Vec<Vec<(usize, f64)>>) -> Self {
        let mut matrix = Self::empty(columns);
        for row in rows {
            matrix.push_row(row);
        }
        matrix
    }

    /// Without rows; [`SparseMatrix::push_row`] adds them.
    pub fn empty(columns: usize) -> Self {
        Self {
            columns,
            starts: vec![0],
            entries: Vec::new(),
        }
    }

    /// Adds a row of (column, value), one entry a column in any order; zeros are dropped.
    ///
    /// # Panics
    /// If a column is not below [`SparseMatrix::columns`].
    pub fn push_row(&mut self, row: impl IntoIterator<Item = (usize, f64)>) {
        self.push(row.into_iter().filter(|&(_, value)| value != 0.0));
    }

    /// Like [`SparseMatrix::push_row`], but keeps zeros: the places say where a weight may be, and must not
    /// tell which weights are zero.
    ///
    /// # Panics
    /// If a column is not below [`SparseMatrix::columns`].
    pub fn push_pattern(&mut self, row: impl IntoIterator<Item = (usize, f64)>) {
        self.push(row.into_iter());
    }

    fn push(&mut self, row: impl Iterator<Item = (usize, f64)>) {
        let start = self.entries.len();
        self.entries.extend(row.map(|(column, value)| {
            assert!(column < self.columns, "column {column} of {}", self.columns);
            (column as u32, value)
        }));
        let row = &mut self.entries[start..];
        if !row.is_sorted_by_key(|&(column, _)| column) {
            row.sort_unstable_by_key(|&(column, _)| column);
        }
        self.starts.push(self.entries.len());
    }

    /// The same matrix without entries that are zero.
    pub fn without_zeros(&self) -> Self {
        let mut matrix = Self::empty(self.columns);
        for row in 0..self.rows() {
            matrix.push_row(self.row(row));
        }
        matrix
    }

    /// A matrix of zeros with entries in the same places.
    pub fn pattern(&self) -> Self {
        let entries = self.entries.iter().map(|&(column, _)| (column, 0.0));
        Self {
            columns: self.columns,
            starts: self.starts.clone(),
            entries: entries.collect(),
        }
    }

    /// Number of rows: output elements.
    pub fn rows(&self) -> usize {
        self.starts.len() - 1
    }

    /// Number of columns: input elements.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The entries of a row as (column, value), sorted by column.
    pub fn row(&self, index: usize) -> impl ExactSizeIterator<Item = (usize, f64)> + '_ {
        let pair = |&(column, value): &(u32, f64)| (column as usize, value);
        self.slice(index).iter().map(pair)
    }

    fn slice(&self, index: usize) -> &[(u32, f64)] {
        &self.entries[self.starts[index]..self.starts[index + 1]]
    }

    /// Entries as (row, column, value).
    pub fn entries(&self) -> impl Iterator<Item = (usize, usize, f64)> + '_ {
        let entries = |row| {
            self.row(row)
                .map(move |(column, value)| (row, column, value))
        };
        (0..self.rows()).flat_map(entries)
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether it is the identity.
    pub fn is_identity(&self) -> bool {
        let own = |row| self.slice(row) == [(row as u32, 1.0)];
        self.columns == self.rows() && (0..self.columns).all(own)
    }

    /// `self * inner`: first `inner`, then `self`.
    pub fn after(&self, inner: &SparseMatrix) -> SparseMatrix {
        if inner.is_identity() {
            return self.clone();
        }
        let mut product = Self::empty(inner.columns);
        let mut sums: BTreeMap<usize, f64> = BTreeMap::new();
        for row in 0..self.rows() {
            match self.slice(row) {
                &[(column, factor)] => {
                    let scaled = inner.row(column as usize);
                    product.push_row(scaled.map(|(target, value)| (target, factor * value)));
                }
                entries => {
                    for &(column, factor) in entries {
                        for (target, value) in inner.row(column as usize) {
                            *sums.entry(target).or_insert(0.0) += factor * value;
                        }
                    }
                    product.push_row(std::mem::take(&mut sums));
                }
            }
        }
        product
    }

    /// Row i times `factors[i]`.
    pub fn scale_rows(&self, factors: &[f64]) -> SparseMatrix {
        let mut scaled = Self::empty(self.columns);
        for (row, factor) in factors.iter().enumerate().take(self.rows()) {
            scaled.push_row(
                self.row(row)
                    .map(|(column, value)| (column, factor * value)),
            );
        }
        scaled
    }

    /// The sum of two matrices of the same shape.
    pub fn add(&self, other: &SparseMatrix) -> SparseMatrix {
        let mut total = Self::empty(self.columns);
        for row in 0..self.rows() {
            let mut sums: BTreeMap<usize, f64> = self.row(row).collect();
            for (column, value) in other.row(row) {
                *sums.entry(column).or_insert(0.0) += value;
            }
            total.push_row(sums);
        }
        total
    }

    /// Adds the product with a vector to `result`.
    pub fn apply_add(&self, vector: &[f64], result: &mut [f64]) {
        for (row, sum) in result.iter_mut().enumerate().take(self.rows()) {
            let products = self.row(row).map(|(column, value)| value * vector[column]);
            *sum += products.sum::<f64>();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn composition_is_application_in_turn() {
        let inner = SparseMatrix::from_rows(3, vec![vec![(2, 2.0), (0, 1.0)], vec![(1, -1.0)]]);
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
