//! Small dense linear systems.

/// Solves `matrix * x = right` by elimination with partial pivoting; `matrix` holds rows. `None` where it is singular.
pub(crate) fn solve(mut matrix: Vec<Vec<f64>>, mut right: Vec<f64>) -> Option<Vec<f64>> {
    let size = right.len();
    for column in 0..size {
        let pivot = (column..size)
            .max_by(|&a, &b| matrix[a][column].abs().total_cmp(&matrix[b][column].abs()))?;
        let largest = matrix[pivot][column];
        if !(largest.is_finite() && largest != 0.0) {
            return None;
        }
        matrix.swap(column, pivot);
        right.swap(column, pivot);
        let (above, below) = matrix.split_at_mut(column + 1);
        let leading = &above[column];
        for (offset, row) in below.iter_mut().enumerate() {
            let factor = row[column] / largest;
            if factor != 0.0 {
                for (value, &top) in row[column..].iter_mut().zip(&leading[column..]) {
                    *value -= factor * top;
                }
                right[column + 1 + offset] -= factor * right[column];
            }
        }
    }
    for column in (0..size).rev() {
        let known: f64 = (column + 1..size)
            .map(|other| matrix[column][other] * right[other])
            .sum();
        right[column] = (right[column] - known) / matrix[column][column];
    }
    right.iter().all(|value| value.is_finite()).then_some(right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn solutions_solve() {
        let matrix = vec![
            vec![0.0, 2.0, 1.0],
            vec![1.0, -1.0, 3.0],
            vec![4.0, 0.5, -2.0],
        ];
        let found = solve(matrix.clone(), vec![1.0, 2.0, 3.0]).unwrap();
        for (row, right) in matrix.iter().zip([1.0, 2.0, 3.0]) {
            let value: f64 = row.iter().zip(&found).map(|(a, b)| a * b).sum();
            assert!((value - right).abs() < 1e-14);
        }
        assert_eq!(
            solve(vec![vec![1.0, 2.0], vec![2.0, 4.0]], vec![1.0, 1.0]),
            None
        );
    }
}
