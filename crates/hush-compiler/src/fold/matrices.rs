//! The matrices of operators.

use hush_graph::{SparseMatrix, Tensor};

/// For each input of a concatenation, where its elements go.
pub(super) fn concatenation(shapes: &[&[usize]], axis: usize) -> Vec<SparseMatrix> {
    let total: usize = shapes.iter().map(|shape| shape[axis]).sum();
    let inner: usize = shapes[0][axis + 1..].iter().product();
    let outer: usize = shapes[0][..axis].iter().product();
    let mut first = 0;
    let mut matrices = Vec::new();
    for shape in shapes {
        let own = shape[axis] * inner;
        let mut rows = vec![Vec::new(); outer * total * inner];
        for block in 0..outer {
            for element in 0..own {
                rows[(block * total + first) * inner + element] =
                    vec![(block * own + element, 1.0)];
            }
        }
        first += shape[axis];
        matrices.push(SparseMatrix::from_rows(outer * own, rows));
    }
    matrices
}

/// A constant at the shape of a sample.
pub(super) fn expand(constant: &Tensor, dimensions: &[usize]) -> Result<Vec<f64>, String> {
    constant
        .broadcast_to(dimensions)
        .map(Tensor::into_data)
        .map_err(|error| error.to_string())
}

/// A matrix on the last axis, and its bias.
pub(super) fn linear_matrix(
    weight: &Tensor,
    bias: Option<&Tensor>,
    dimensions: &[usize],
) -> (SparseMatrix, Vec<f64>) {
    let (outputs, inputs) = (weight.shape()[0], weight.shape()[1]);
    let groups = dimensions.iter().product::<usize>() / inputs;
    let mut rows = Vec::with_capacity(groups * outputs);
    let mut offset = Vec::with_capacity(groups * outputs);
    for group in 0..groups {
        for (output, weights) in weight.data().chunks_exact(inputs).enumerate() {
            rows.push(
                weights
                    .iter()
                    .enumerate()
                    .map(|(i, &w)| (group * inputs + i, w))
                    .collect(),
            );
            offset.push(bias.map_or(0.0, |bias| bias.data()[output]));
        }
    }
    (SparseMatrix::from_rows(groups * inputs, rows), offset)
}
