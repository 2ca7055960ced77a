//! The Wisconsin breast-cancer table: rows standardised as the example models were trained on.

use std::collections::BTreeSet;
use std::path::Path;

use hush_client::Tensor;

use crate::arrays::csv::{Table, read_table};
use crate::failure::{Failure, Result};
use crate::files::{about, open};

/// Table of all rows; the last column is 1 for a benign tumour.
pub(super) const TABLE: &str = "breast_cancer.csv";
/// Which rows, counted from 0, are kept for validation; the others are for training.
pub(super) const SPLIT: &str = "split.csv";

/// One part of the table.
pub(super) struct Part {
    /// Standardised features, `[rows, features]`, exact in single precision.
    pub(super) features: Tensor,
    /// Whether each row is malignant.
    pub(super) malignant: Vec<bool>,
}

/// The table in its two parts.
pub(super) struct Data {
    pub(super) training: Part,
    pub(super) validation: Part,
}

/// Reads the table and the split, and standardises every feature by the mean and the (population)
/// standard deviation of the training rows.
pub(super) fn read(folder: &Path) -> Result<Data> {
    let table = read_file(&folder.join(TABLE))?;
    let split = read_file(&folder.join(SPLIT))?;
    let rows: Vec<&[f64]> = table.cells.chunks(table.width).collect();
    let validation: BTreeSet<usize> = split.cells.iter().map(|&row| row as usize).collect();
    let in_range = validation.iter().all(|&row| row < rows.len());
    if table.width < 2 || split.width != 1 || !in_range || validation.len() >= rows.len() {
        return Err(Failure::new(format!(
            "`{SPLIT}` in `{}` does not name rows of `{TABLE}`",
            folder.display()
        ))
        .hint("restore the example folder")
        .into());
    }
    let (kept, training): (Vec<usize>, Vec<usize>) =
        (0..rows.len()).partition(|row| validation.contains(row));
    let features = table.width - 1;
    let scaling: Vec<(f64, f64)> = (0..features)
        .map(|column| mean_and_deviation(training.iter().map(|&row| rows[row][column])))
        .collect();
    let part = |indices: &[usize]| -> Result<Part> {
        let mut cells = Vec::with_capacity(indices.len() * features);
        for &row in indices {
            let scaled = rows[row].iter().zip(&scaling);
            // The models were trained in single precision.
            cells.extend(
                scaled.map(|(x, (mean, deviation))| f64::from(((x - mean) / deviation) as f32)),
            );
        }
        Ok(Part {
            features: Tensor::new(vec![indices.len(), features], cells)?,
            malignant: indices
                .iter()
                .map(|&row| rows[row][features] == 0.0)
                .collect(),
        })
    };
    Ok(Data {
        training: part(&training)?,
        validation: part(&kept)?,
    })
}

impl Part {
    /// The first rows.
    pub(super) fn take(self, count: usize) -> Result<Self> {
        let rows = count.min(self.malignant.len());
        let width = self.features.shape()[1];
        let mut cells = self.features.into_data();
        cells.truncate(rows * width);
        let mut malignant = self.malignant;
        malignant.truncate(rows);
        Ok(Self {
            features: Tensor::new(vec![rows, width], cells)?,
            malignant,
        })
    }
}

fn read_file(path: &Path) -> Result<Table> {
    about("example data", path, open(path).and_then(read_table))
}

fn mean_and_deviation(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let count = values.clone().count() as f64;
    let mean = values.clone().sum::<f64>() / count;
    let variance = values.map(|value| (value - mean).powi(2)).sum::<f64>() / count;
    (mean, variance.sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_split_is_that_of_the_models() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/breast_cancer");
        let data = read(&folder).unwrap();
        assert_eq!(data.training.features.shape(), [455, 30]);
        assert_eq!(data.validation.features.shape(), [114, 30]);
        // The first and last standardised cells that the models were validated on.
        let cells = data.validation.features.data();
        let expected = [1.873372, -0.36791864, 1.7236869, 2.002576];
        for (cell, expected) in cells.iter().zip(expected) {
            assert!((cell - expected).abs() < 1e-6, "{cell} against {expected}");
        }
        assert_eq!(data.validation.malignant[..4], [true; 4]);
        let malignant = data.validation.malignant.iter().filter(|&&yes| yes).count();
        assert_eq!(malignant, 47);
        let part = data.validation.take(3).unwrap();
        assert_eq!(part.features.shape(), [3, 30]);
        assert_eq!(part.malignant.len(), 3);
    }
}
