//! What the data owner computes in the clear after decryption: the end of the model that needs no
//! encryption.

use hush_program::{ClientSpec, PostOperation};

use crate::{ClientError, Tensor};

/// Applies the spec's post operations, in order, to each decrypted output tensor.
///
/// # Errors
/// If an axis is not one of a tensor; a checked [`ClientSpec`] has none such.
pub fn finish_outputs(
    spec: &ClientSpec,
    mut outputs: Vec<Tensor>,
) -> Result<Vec<Tensor>, ClientError> {
    for operation in &spec.post {
        outputs = outputs
            .into_iter()
            .map(|tensor| apply(operation, tensor))
            .collect::<Result<_, _>>()?;
    }
    Ok(outputs)
}

/// Whether the finished outputs are indices rather than numbers.
pub fn outputs_are_indices(spec: &ClientSpec) -> bool {
    spec.post
        .iter()
        .any(|operation| matches!(operation, PostOperation::ArgMax { .. }))
}

fn apply(operation: &PostOperation, tensor: Tensor) -> Result<Tensor, ClientError> {
    match *operation {
        PostOperation::Sigmoid => {
            let shape = tensor.shape().to_vec();
            let data = tensor.into_data().into_iter().map(sigmoid).collect();
            Tensor::new(shape, data)
        }
        PostOperation::Softmax { axis } => map_lanes(tensor, axis, |lane| {
            let normalizer = log_sum_exp(lane);
            lane.iter_mut()
                .for_each(|value| *value = (*value - normalizer).exp());
        }),
        PostOperation::LogSoftmax { axis } => map_lanes(tensor, axis, |lane| {
            let normalizer = log_sum_exp(lane);
            lane.iter_mut().for_each(|value| *value -= normalizer);
        }),
        PostOperation::ArgMax { axis, keepdims } => arg_max(tensor, axis, keepdims),
        _ => Err(ClientError::UnknownPost {
            operation: format!("{operation:?}"),
        }),
    }
}

fn sigmoid(x: f64) -> f64 {
    if x >= 0.0 {
        1.0 / (1.0 + (-x).exp())
    } else {
        let e = x.exp();
        e / (1.0 + e)
    }
}

fn log_sum_exp(lane: &[f64]) -> f64 {
    let largest = lane.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = lane.iter().map(|value| (value - largest).exp()).sum();
    largest + sum.ln()
}

/// Extents before, at and after `axis`.
fn split(shape: &[usize], axis: usize) -> Result<(usize, usize, usize), ClientError> {
    match shape.get(axis) {
        Some(&extent) => Ok((
            shape[..axis].iter().product(),
            extent,
            shape[axis + 1..].iter().product(),
        )),
        None => Err(ClientError::Axis {
            axis,
            shape: shape.to_vec(),
        }),
    }
}

/// Applies `function` to every run of elements along `axis`.
fn map_lanes(
    tensor: Tensor,
    axis: usize,
    function: impl Fn(&mut [f64]),
) -> Result<Tensor, ClientError> {
    let shape = tensor.shape().to_vec();
    let (outer, extent, inner) = split(&shape, axis)?;
    let mut data = tensor.into_data();
    let mut lane = vec![0.0; extent];
    for first in 0..outer {
        for last in 0..inner {
            let at = |index: usize| (first * extent + index) * inner + last;
            for (index, value) in lane.iter_mut().enumerate() {
                *value = data[at(index)];
            }
            function(&mut lane);
            for (index, value) in lane.iter().enumerate() {
                data[at(index)] = *value;
            }
        }
    }
    Tensor::new(shape, data)
}

/// The first index of the largest value along `axis`.
fn arg_max(tensor: Tensor, axis: usize, keepdims: bool) -> Result<Tensor, ClientError> {
    let mut shape = tensor.shape().to_vec();
    let (outer, extent, inner) = split(&shape, axis)?;
    let data = tensor.data();
    let mut indices = Vec::with_capacity(outer * inner);
    for first in 0..outer {
        for last in 0..inner {
            let mut best = 0;
            for index in 1..extent {
                let at = |index: usize| data[(first * extent + index) * inner + last];
                if at(index) > at(best) {
                    best = index;
                }
            }
            indices.push(best as f64);
        }
    }
    if keepdims {
        shape[axis] = 1;
    } else {
        shape.remove(axis);
    }
    Tensor::new(shape, indices)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(shape: &[usize], data: &[f64]) -> Tensor {
        Tensor::new(shape.to_vec(), data.to_vec()).unwrap()
    }

    fn close(left: &[f64], right: &[f64]) {
        assert_eq!(left.len(), right.len());
        for (a, b) in left.iter().zip(right) {
            assert!((a - b).abs() < 1e-12, "{left:?} against {right:?}");
        }
    }

    #[test]
    fn softmax_sums_to_one_and_survives_large_values() {
        let x = tensor(&[2, 2], &[1000.0, 1000.0, 0.0, 3f64.ln()]);
        let y = apply(&PostOperation::Softmax { axis: 1 }, x.clone()).unwrap();
        close(y.data(), &[0.5, 0.5, 0.25, 0.75]);
        let z = apply(&PostOperation::LogSoftmax { axis: 1 }, x).unwrap();
        close(
            z.data(),
            &[0.5f64.ln(), 0.5f64.ln(), 0.25f64.ln(), 0.75f64.ln()],
        );
    }

    #[test]
    fn softmax_along_an_inner_axis() {
        let x = tensor(&[1, 2, 2], &[0.0, 1.0, 0.0, 1.0]);
        let y = apply(&PostOperation::Softmax { axis: 1 }, x).unwrap();
        close(y.data(), &[0.5; 4]);
    }

    #[test]
    fn sigmoid_at_both_ends() {
        let x = tensor(&[3], &[-1000.0, 0.0, 1000.0]);
        let y = apply(&PostOperation::Sigmoid, x).unwrap();
        close(y.data(), &[0.0, 0.5, 1.0]);
    }

    #[test]
    fn arg_max_takes_the_first_of_equals() {
        let x = tensor(&[2, 3], &[1.0, 5.0, 5.0, -1.0, -2.0, -1.0]);
        let kept = |keepdims| PostOperation::ArgMax { axis: 1, keepdims };
        let y = apply(&kept(false), x.clone()).unwrap();
        assert_eq!((y.shape(), y.data()), (&[2][..], &[1.0, 0.0][..]));
        let y = apply(&kept(true), x).unwrap();
        assert_eq!(y.shape(), [2, 1]);
    }

    #[test]
    fn an_axis_must_exist() {
        assert!(matches!(
            apply(
                &PostOperation::Softmax { axis: 2 },
                tensor(&[1, 2], &[0.0; 2])
            ),
            Err(ClientError::Axis { axis: 2, .. })
        ));
    }
}
