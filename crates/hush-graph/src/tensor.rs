//! Dense float tensors: constants of a graph, and batches that are fed to it.

use crate::GraphError;
use crate::shape::{Shape, strides};

/// A dense row-major tensor of `f64`. Weights stored as `f32` widen without loss.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    shape: Vec<usize>,
    data: Vec<f64>,
}

impl Tensor {
    /// Checks that `data` has as many elements as `shape` says. A dimension may be zero (an empty
    /// batch).
    pub fn new(shape: Vec<usize>, data: Vec<f64>) -> Result<Tensor, GraphError> {
        let expected = shape
            .iter()
            .try_fold(1usize, |size, &dimension| size.checked_mul(dimension));
        match expected {
            Some(expected) if expected == data.len() => Ok(Tensor { shape, data }),
            Some(expected) => Err(GraphError::ElementCount {
                shape,
                expected,
                actual: data.len(),
            }),
            None => Err(GraphError::ShapeSize {
                dimensions: shape,
                maximum: Shape::MAX_ELEMENTS,
            }),
        }
    }

    /// A tensor without dimensions.
    pub fn scalar(value: f64) -> Tensor {
        Tensor {
            shape: Vec::new(),
            data: vec![value],
        }
    }

    /// For results whose size is right by construction.
    pub(crate) fn from_parts(shape: Vec<usize>, data: Vec<f64>) -> Tensor {
        debug_assert_eq!(shape.iter().product::<usize>(), data.len());
        Tensor { shape, data }
    }

    /// All dimensions.
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

    /// The value, if there is exactly one element.
    pub fn as_scalar(&self) -> Option<f64> {
        match self.data.as_slice() {
            [value] => Some(*value),
            _ => None,
        }
    }

    /// Whether no element is NaN or infinite.
    pub fn is_finite(&self) -> bool {
        self.data.iter().all(|value| value.is_finite())
    }

    /// The same elements under another shape of the same size.
    pub fn reshape(self, shape: Vec<usize>) -> Result<Tensor, GraphError> {
        Tensor::new(shape, self.data)
    }

    /// `function` on each element.
    pub fn map(&self, function: impl Fn(f64) -> f64) -> Tensor {
        Tensor {
            shape: self.shape.clone(),
            data: self.data.iter().map(|&value| function(value)).collect(),
        }
    }

    /// Repeats the elements along missing and unit dimensions, as NumPy does.
    pub fn broadcast_to(&self, shape: &[usize]) -> Result<Tensor, GraphError> {
        if self.shape == shape {
            return Ok(self.clone());
        }
        let sources = broadcast_sources(&self.shape, shape)?;
        let data = sources
            .into_iter()
            .map(|source| self.data[source])
            .collect();
        Ok(Tensor {
            shape: shape.to_vec(),
            data,
        })
    }
}

/// The shape that NumPy gives to an element-wise result of two shapes; `None` if they disagree.
pub fn broadcast_shape(left: &[usize], right: &[usize]) -> Option<Vec<usize>> {
    let rank = left.len().max(right.len());
    let at = |shape: &[usize], axis: usize| {
        if axis + shape.len() < rank {
            1
        } else {
            shape[axis + shape.len() - rank]
        }
    };
    (0..rank)
        .map(|axis| match (at(left, axis), at(right, axis)) {
            (a, b) if a == b => Some(a),
            (1, b) => Some(b),
            (a, 1) => Some(a),
            _ => None,
        })
        .collect()
}

/// Whether `from` broadcasts to exactly `to`. Allocates nothing of their size.
pub(crate) fn check_broadcast(from: &[usize], to: &[usize]) -> Result<(), GraphError> {
    if broadcast_shape(from, to).as_deref() == Some(to) {
        return Ok(());
    }
    Err(GraphError::Broadcast {
        from: from.to_vec(),
        to: to.to_vec(),
    })
}

/// For each element of `to`, the index of the element of `from` that it repeats.
pub(crate) fn broadcast_sources(from: &[usize], to: &[usize]) -> Result<Vec<usize>, GraphError> {
    check_broadcast(from, to)?;
    let padding = to.len() - from.len();
    let mut steps = vec![0; to.len()];
    for (axis, stride) in strides(from).into_iter().enumerate() {
        if from[axis] != 1 {
            steps[axis + padding] = stride;
        }
    }
    Ok(walk(to, &steps))
}

/// The offsets that a row-major walk over `dimensions` visits when axis `a` advances by `steps[a]`.
pub(crate) fn walk(dimensions: &[usize], steps: &[usize]) -> Vec<usize> {
    let mut offsets = vec![0usize];
    for (&dimension, &step) in dimensions.iter().zip(steps) {
        offsets = offsets
            .into_iter()
            .flat_map(|offset| (0..dimension).map(move |index| offset + index * step))
            .collect();
    }
    offsets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_elements() {
        assert!(Tensor::new(vec![2, 2], vec![1.0; 3]).is_err());
        assert!(Tensor::new(vec![usize::MAX, 2], vec![]).is_err());
        assert_eq!(Tensor::scalar(2.0).as_scalar(), Some(2.0));
    }

    #[test]
    fn broadcasts_like_numpy() {
        let row = Tensor::new(vec![3], vec![1.0, 2.0, 3.0]).unwrap();
        assert_eq!(
            row.broadcast_to(&[2, 3]).unwrap().data(),
            &[1.0, 2.0, 3.0, 1.0, 2.0, 3.0]
        );
        let column = Tensor::new(vec![2, 1], vec![1.0, 2.0]).unwrap();
        assert_eq!(
            column.broadcast_to(&[2, 3]).unwrap().data(),
            &[1.0, 1.0, 1.0, 2.0, 2.0, 2.0]
        );
        assert!(row.broadcast_to(&[2, 4]).is_err());
        assert!(column.broadcast_to(&[2]).is_err());
        assert_eq!(broadcast_shape(&[2, 1], &[3]), Some(vec![2, 3]));
        assert_eq!(broadcast_shape(&[2], &[3]), None);
    }
}
