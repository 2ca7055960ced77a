//! Operators that only move elements of a sample.

use crate::shape::{Shape, strides};
use crate::tensor::{broadcast_sources, check_broadcast, walk};
use std::fmt;

/// Moves, repeats or drops elements within each sample, without arithmetic.
///
/// Every movement is a map from output elements to input elements ([`Movement::sources`]), which
/// is all that an execution needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Movement {
    /// The same elements in the same order under another shape.
    Reshape {
        /// The new shape of a sample.
        shape: Shape,
    },
    /// Axis `a` of the result is axis `permutation[a]` of the input (batch not counted).
    Transpose {
        /// A permutation of the axes of a sample.
        permutation: Vec<usize>,
    },
    /// Repeats along missing and unit axes, as NumPy's broadcasting does within a sample.
    Expand {
        /// The new shape of a sample.
        shape: Shape,
    },
}

impl Movement {
    /// The shape of the result, or what is wrong with `input`.
    pub(crate) fn result_shape(&self, input: &Shape) -> Result<Shape, String> {
        match self {
            Movement::Reshape { shape } if shape.size() == input.size() => Ok(shape.clone()),
            Movement::Reshape { shape } => {
                Err(format!("{} elements cannot become {shape}", input.size()))
            }
            Movement::Transpose { permutation } => {
                let mut sorted = permutation.clone();
                sorted.sort_unstable();
                if sorted.iter().copied().ne(0..input.rank()) {
                    return Err(format!("{permutation:?} is not a permutation of its axes"));
                }
                let dimensions = permutation
                    .iter()
                    .map(|&axis| input.dimensions()[axis])
                    .collect();
                Shape::new(dimensions).map_err(|error| error.to_string())
            }
            Movement::Expand { shape } => check_broadcast(input.dimensions(), shape.dimensions())
                .map(|()| shape.clone())
                .map_err(|error| error.to_string()),
        }
    }

    /// For each element of the result (row-major, one sample) the element of the input that it
    /// takes. `input` must be a shape that the graph accepted for this movement.
    pub fn sources(&self, input: &Shape) -> Vec<usize> {
        match self {
            Movement::Reshape { shape } => (0..shape.size()).collect(),
            Movement::Transpose { permutation } => {
                let input_strides = strides(input.dimensions());
                let dimensions: Vec<usize> = permutation
                    .iter()
                    .map(|&axis| input.dimensions()[axis])
                    .collect();
                let steps: Vec<usize> = permutation
                    .iter()
                    .map(|&axis| input_strides[axis])
                    .collect();
                walk(&dimensions, &steps)
            }
            Movement::Expand { shape } => broadcast_sources(input.dimensions(), shape.dimensions())
                .expect("the graph checked the shape of this movement"),
        }
    }
}

impl fmt::Display for Movement {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Movement::Reshape { .. } => formatter.write_str("reshape"),
            Movement::Transpose { permutation } => write!(formatter, "transpose({permutation:?})"),
            Movement::Expand { .. } => formatter.write_str("expand"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(dimensions: &[usize]) -> Shape {
        Shape::new(dimensions.to_vec()).unwrap()
    }

    #[test]
    fn transpose_of_a_matrix() {
        let movement = Movement::Transpose {
            permutation: vec![1, 0],
        };
        assert_eq!(movement.result_shape(&shape(&[2, 3])), Ok(shape(&[3, 2])));
        assert_eq!(movement.sources(&shape(&[2, 3])), vec![0, 3, 1, 4, 2, 5]);
        assert!(movement.result_shape(&shape(&[2])).is_err());
        assert!(
            Movement::Transpose {
                permutation: vec![0, 0]
            }
            .result_shape(&shape(&[2, 3]))
            .is_err()
        );
    }

    #[test]
    fn expand_repeats() {
        let movement = Movement::Expand {
            shape: shape(&[2, 2]),
        };
        assert_eq!(movement.sources(&shape(&[2, 1])), vec![0, 0, 1, 1]);
        assert!(movement.result_shape(&shape(&[3, 1])).is_err());
    }
}
