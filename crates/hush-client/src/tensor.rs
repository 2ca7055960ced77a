//! Tensors on the data owner's side: batches of samples in the clear.

use crate::ClientError;

/// A dense row-major tensor whose first dimension is the batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    shape: Vec<usize>,
    data: Vec<f64>,
}

impl Tensor {
    /// Checks that `data` has as many elements as `shape` says.
    ///
    /// # Errors
    /// [`ClientError::ElementCount`] otherwise.
    pub fn new(shape: Vec<usize>, data: Vec<f64>) -> Result<Self, ClientError> {
        let expected = shape
            .iter()
            .try_fold(1usize, |size, &extent| size.checked_mul(extent));
        if expected == Some(data.len()) {
            Ok(Self { shape, data })
        } else {
            Err(ClientError::ElementCount {
                shape,
                actual: data.len(),
            })
        }
    }

    /// All dimensions, the batch first.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The elements, row-major.
    pub fn data(&self) -> &[f64] {
        &self.data
    }

    /// The elements, row-major, by value.
    pub fn into_data(self) -> Vec<f64> {
        self.data
    }
}

/// A shape as people write it: `[batch, 30]`.
pub(crate) fn shape_with_batch(shape: &[usize]) -> String {
    let extents = shape.iter().map(|extent| format!(", {extent}"));
    format!("[batch{}]", extents.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_elements() {
        assert!(Tensor::new(vec![2, 3], vec![0.0; 6]).is_ok());
        assert!(Tensor::new(vec![2, 3], vec![0.0; 5]).is_err());
        assert!(Tensor::new(vec![usize::MAX, 3], vec![]).is_err());
        assert_eq!(shape_with_batch(&[1, 28, 28]), "[batch, 1, 28, 28]");
    }
}
