//! The shape of one sample.

use crate::GraphError;
use std::fmt;

/// The dimensions of one sample of a value: everything after the batch dimension.
/// A scalar per sample has no dimensions.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Shape {
    dimensions: Vec<usize>,
}

impl Shape {
    /// The largest number of elements of one tensor (2^28), far above what can run encrypted.
    pub const MAX_ELEMENTS: usize = 1 << 28;

    /// Checks that no dimension is zero and that the number of elements is within
    /// [`Shape::MAX_ELEMENTS`].
    pub fn new(dimensions: Vec<usize>) -> Result<Shape, GraphError> {
        let mut size = Some(1usize);
        for &dimension in &dimensions {
            size = size.and_then(|size| size.checked_mul(dimension));
        }
        match size {
            Some(size) if (1..=Self::MAX_ELEMENTS).contains(&size) => Ok(Shape { dimensions }),
            _ => Err(GraphError::ShapeSize {
                dimensions,
                maximum: Self::MAX_ELEMENTS,
            }),
        }
    }

    /// The dimensions, without the batch.
    pub fn dimensions(&self) -> &[usize] {
        &self.dimensions
    }

    /// The number of dimensions, without the batch.
    pub fn rank(&self) -> usize {
        self.dimensions.len()
    }

    /// The number of elements of one sample.
    pub fn size(&self) -> usize {
        self.dimensions.iter().product()
    }

    /// The dimensions with the number of samples in front.
    pub fn with_batch(&self, batch: usize) -> Vec<usize> {
        let mut dimensions = vec![batch];
        dimensions.extend_from_slice(&self.dimensions);
        dimensions
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[batch")?;
        for dimension in &self.dimensions {
            write!(formatter, ", {dimension}")?;
        }
        formatter.write_str("]")
    }
}

/// Row-major strides of `dimensions`.
pub(crate) fn strides(dimensions: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; dimensions.len()];
    for axis in (1..dimensions.len()).rev() {
        strides[axis - 1] = strides[axis] * dimensions[axis];
    }
    strides
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_empty_and_huge_shapes() {
        assert!(Shape::new(vec![3, 0]).is_err());
        assert!(Shape::new(vec![usize::MAX, 2]).is_err());
        assert!(Shape::new(vec![1 << 20, 1 << 20]).is_err());
        assert_eq!(Shape::new(vec![2, 3]).unwrap().size(), 6);
        assert_eq!(Shape::new(vec![]).unwrap().to_string(), "[batch]");
        assert_eq!(
            Shape::new(vec![1, 28, 28]).unwrap().to_string(),
            "[batch, 1, 28, 28]"
        );
    }

    #[test]
    fn strides_are_row_major() {
        assert_eq!(strides(&[2, 3, 4]), vec![12, 4, 1]);
        assert!(strides(&[]).is_empty());
    }
}
