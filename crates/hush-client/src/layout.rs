//! Tensors to slot vectors and back, by the places that the client spec names.
//!
//! A batch is cut into groups of `packing.samples` samples; a group takes the ciphertexts of every
//! tensor once. The last group may be filled partly; its free slots hold zero.

use hush_program::{ClientSpec, TensorSpec};
use hush_wire::DirectionV1;

use crate::tensor::shape_with_batch;
use crate::{ClientError, Tensor};

/// Checks the inputs against the spec and returns the number of samples.
///
/// # Errors
/// If a tensor is missing or surplus, empty, has another shape or batch, or holds a NaN or an
/// infinity; the error names the tensor, the sample and the element.
pub fn check_inputs(spec: &ClientSpec, tensors: &[Tensor]) -> Result<usize, ClientError> {
    if tensors.len() != spec.inputs.len() {
        return Err(ClientError::TensorCount {
            expected: spec.inputs.len(),
            actual: tensors.len(),
        });
    }
    let mut samples = None;
    for (wanted, tensor) in spec.inputs.iter().zip(tensors) {
        let (&batch, shape) = match tensor.shape().split_first() {
            Some((batch, shape)) if shape == wanted.shape => (batch, shape),
            _ => {
                return Err(ClientError::Shape {
                    tensor: wanted.name.clone(),
                    expected: shape_with_batch(&wanted.shape),
                    actual: tensor.shape().to_vec(),
                });
            }
        };
        if batch == 0 {
            return Err(ClientError::EmptyBatch {
                tensor: wanted.name.clone(),
            });
        }
        let expected = *samples.get_or_insert(batch);
        if batch != expected {
            return Err(ClientError::Batch {
                tensor: wanted.name.clone(),
                expected,
                actual: batch,
            });
        }
        let size = shape.iter().product::<usize>().max(1);
        let wrong = tensor.data().iter().position(|value| !value.is_finite());
        if let Some(index) = wrong {
            return Err(ClientError::NotFinite {
                tensor: wanted.name.clone(),
                sample: index / size,
                element: index % size,
                value: tensor.data()[index],
            });
        }
    }
    samples.ok_or(ClientError::TensorCount {
        expected: 1,
        actual: 0,
    })
}

/// Samples of one input that lie outside the range that the model was calibrated on.
#[derive(Clone, Debug, PartialEq)]
pub struct Outliers {
    /// The input.
    pub tensor: String,
    /// Smallest and largest element of the calibration data.
    pub range: (f64, f64),
    /// The first such sample, from 0.
    pub first: usize,
    /// How many samples there are.
    pub count: usize,
}

/// What lies outside the calibrated ranges, an entry an input with such samples: the model may give
/// wrong results for them.
///
/// The inputs must have passed [`check_inputs`].
pub fn find_outliers(spec: &ClientSpec, tensors: &[Tensor]) -> Vec<Outliers> {
    let pairs = spec.inputs.iter().zip(tensors);
    pairs
        .filter_map(|(wanted, tensor)| {
            let range = wanted.range?;
            let outside = |values: &[f64]| {
                let mut values = values.iter();
                values.any(|value| !(range.0..=range.1).contains(value))
            };
            let samples = tensor.data().chunks(wanted.places.len().max(1));
            let mut samples = samples
                .enumerate()
                .filter(|(_, values)| outside(values))
                .map(|(sample, _)| sample);
            let first = samples.next()?;
            Some(Outliers {
                tensor: wanted.name.clone(),
                range,
                first,
                count: 1 + samples.count(),
            })
        })
        .collect()
}

/// The slot vectors of group `group`: those of the first input tensor, then those of the next.
///
/// The inputs must have passed [`check_inputs`].
pub fn encode_group(spec: &ClientSpec, tensors: &[Tensor], group: usize) -> Vec<Vec<f64>> {
    let mut vectors = Vec::with_capacity(spec.ciphertexts_per_group(DirectionV1::Input));
    for (wanted, tensor) in spec.inputs.iter().zip(tensors) {
        let first = vectors.len();
        vectors.resize(first + wanted.ciphertexts, vec![0.0; spec.slots]);
        let own = &mut vectors[first..];
        for (sample, values) in samples_of(spec, wanted, tensor.data(), group) {
            let offset = sample * spec.packing.sample_stride;
            for (&value, places) in values.iter().zip(&wanted.places) {
                for place in places {
                    own[place.ciphertext][(place.slot + offset) % spec.slots] = value;
                }
            }
        }
    }
    vectors
}

/// The slot vectors of a whole batch, group by group.
///
/// # Errors
/// As [`check_inputs`].
pub fn encode_inputs(spec: &ClientSpec, tensors: &[Tensor]) -> Result<Vec<Vec<f64>>, ClientError> {
    let samples = check_inputs(spec, tensors)?;
    let groups = samples.div_ceil(spec.packing.samples);
    let vectors = (0..groups).flat_map(|group| encode_group(spec, tensors, group));
    Ok(vectors.collect())
}

/// The output tensors of a batch from its slot vectors, group by group as [`encode_inputs`] orders
/// them. An element with several places is their mean. Post operations are not applied.
///
/// # Errors
/// [`ClientError::CiphertextCount`] or [`ClientError::SlotCount`] if the vectors do not fit the
/// spec, [`ClientError::Garbage`] if a value is not finite.
pub fn decode_outputs(
    spec: &ClientSpec,
    samples: usize,
    vectors: &[Vec<f64>],
) -> Result<Vec<Tensor>, ClientError> {
    let per_group = spec.ciphertexts_per_group(DirectionV1::Output);
    let groups = samples.div_ceil(spec.packing.samples);
    if Some(vectors.len()) != groups.checked_mul(per_group) {
        return Err(ClientError::CiphertextCount {
            expected: groups.saturating_mul(per_group),
            actual: vectors.len(),
        });
    }
    if let Some(vector) = vectors.iter().find(|vector| vector.len() != spec.slots) {
        return Err(ClientError::SlotCount {
            expected: spec.slots,
            actual: vector.len(),
        });
    }
    let mut first = 0;
    let mut tensors = Vec::with_capacity(spec.outputs.len());
    for wanted in &spec.outputs {
        let mut data = Vec::new();
        for sample in 0..samples {
            let group = sample / spec.packing.samples;
            let offset = sample % spec.packing.samples * spec.packing.sample_stride;
            let own = &vectors[group * per_group + first..][..wanted.ciphertexts];
            for places in &wanted.places {
                let sum: f64 = places
                    .iter()
                    .map(|place| own[place.ciphertext][(place.slot + offset) % spec.slots])
                    .sum();
                data.push(sum / places.len() as f64);
            }
        }
        if !data.iter().all(|value| value.is_finite()) {
            return Err(ClientError::Garbage {
                tensor: wanted.name.clone(),
            });
        }
        let mut shape = vec![samples];
        shape.extend(&wanted.shape);
        tensors.push(Tensor::new(shape, data)?);
        first += wanted.ciphertexts;
    }
    Ok(tensors)
}

/// The samples of one group with their elements, numbered within the group.
fn samples_of<'a>(
    spec: &ClientSpec,
    tensor: &TensorSpec,
    data: &'a [f64],
    group: usize,
) -> impl Iterator<Item = (usize, &'a [f64])> {
    let size = tensor.places.len().max(1);
    data.chunks(size)
        .skip(group * spec.packing.samples)
        .take(spec.packing.samples)
        .enumerate()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::spec;
    use proptest::prelude::*;

    fn tensor(samples: usize, size: usize) -> Tensor {
        let data = (0..samples * size).map(|index| index as f64 + 1.0);
        Tensor::new(vec![samples, size], data.collect()).unwrap()
    }

    #[test]
    fn samples_lie_a_stride_apart_with_every_replica() {
        let mut spec = spec(2, 2);
        for (element, places) in spec.inputs[0].places.iter_mut().enumerate() {
            let mut replica = places[0];
            replica.slot = element + 8;
            places.push(replica);
        }
        spec.packing.sample_stride = 2;
        let vectors = encode_inputs(&spec, &[tensor(3, 2)]).unwrap();
        assert_eq!(vectors.len(), 2);
        assert_eq!(vectors[0][..4], [1.0, 2.0, 3.0, 4.0]);
        assert_eq!(vectors[0][8..12], [1.0, 2.0, 3.0, 4.0]);
        assert_eq!(vectors[1][..4], [5.0, 6.0, 0.0, 0.0]);
        assert_eq!(vectors[1][8..12], [5.0, 6.0, 0.0, 0.0]);
    }

    #[test]
    fn outputs_are_the_mean_of_their_places() {
        let mut spec = spec(2, 2);
        let mut other = spec.outputs[0].places[0][0];
        other.slot = 15;
        spec.outputs[0].places[0].push(other);
        let mut vector = vec![0.0; 16];
        (vector[0], vector[15], vector[1]) = (1.0, 3.0, 7.0);
        let decoded = decode_outputs(&spec, 1, &[vector]).unwrap();
        assert_eq!(decoded[0].data(), [2.0, 7.0]);
    }

    #[test]
    fn wrong_inputs_are_named() {
        let spec = spec(2, 2);
        let check = |tensors: &[Tensor]| check_inputs(&spec, tensors);
        assert!(matches!(check(&[]), Err(ClientError::TensorCount { .. })));
        assert!(matches!(
            check(&[tensor(2, 3)]),
            Err(ClientError::Shape { .. })
        ));
        let flat = Tensor::new(vec![2], vec![0.0; 2]).unwrap();
        assert!(matches!(check(&[flat]), Err(ClientError::Shape { .. })));
        let empty = Tensor::new(vec![0, 2], vec![]).unwrap();
        assert!(matches!(
            check(&[empty]),
            Err(ClientError::EmptyBatch { .. })
        ));
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let wrong = Tensor::new(vec![2, 2], vec![0.0, 1.0, 2.0, value]).unwrap();
            assert!(matches!(
                check(&[wrong]),
                Err(ClientError::NotFinite {
                    sample: 1,
                    element: 1,
                    ..
                })
            ));
        }
    }

    #[test]
    fn samples_outside_the_calibrated_range_are_counted() {
        let mut spec = spec(2, 2);
        let input = tensor(5, 2);
        assert_eq!(find_outliers(&spec, std::slice::from_ref(&input)), []);
        spec.inputs[0].range = Some((2.0, 8.0));
        let found = find_outliers(&spec, &[input]);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].first, found[0].count), (0, 2));
    }

    #[test]
    fn wrong_outputs_are_refused() {
        let spec = spec(2, 2);
        assert!(matches!(
            decode_outputs(&spec, 3, &[vec![0.0; 16]]),
            Err(ClientError::CiphertextCount {
                expected: 2,
                actual: 1
            })
        ));
        assert!(matches!(
            decode_outputs(&spec, 1, &[vec![0.0; 8]]),
            Err(ClientError::SlotCount { .. })
        ));
        assert!(matches!(
            decode_outputs(&spec, 1, &[vec![f64::NAN; 16]]),
            Err(ClientError::Garbage { .. })
        ));
    }

    proptest! {
        #[test]
        fn the_identity_program_gives_back_its_inputs(samples in 1usize..40) {
            let spec = spec(4, 4);
            let input = tensor(samples, 2);
            let vectors = encode_inputs(&spec, std::slice::from_ref(&input)).unwrap();
            prop_assert_eq!(vectors.len(), samples.div_ceil(4));
            let back = decode_outputs(&spec, samples, &vectors).unwrap();
            prop_assert_eq!(&back[0], &input);
        }
    }
}
