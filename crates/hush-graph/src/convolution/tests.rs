use super::*;
use proptest::prelude::*;

fn plain(weight: Tensor) -> Convolution {
    let axes = weight.shape().len() - 2;
    Convolution {
        weight,
        bias: None,
        strides: vec![1; axes],
        padding: vec![(0, 0); axes],
        dilations: vec![1; axes],
        groups: 1,
    }
}

fn shape(dimensions: &[usize]) -> Shape {
    Shape::new(dimensions.to_vec()).unwrap()
}

fn counting(shape: Vec<usize>) -> Tensor {
    let size: usize = shape.iter().product();
    let data = (0..size).map(|n| ((n * 7) % 11) as f64 - 4.0).collect();
    Tensor::new(shape, data).unwrap()
}

#[test]
fn known_values_in_one_dimension() {
    let mut convolution = plain(Tensor::new(vec![1, 1, 2], vec![1.0, -10.0]).unwrap());
    convolution.padding = vec![(1, 2)];
    convolution.strides = vec![2];
    convolution.bias = Some(Tensor::new(vec![1], vec![0.5]).unwrap());
    let input = shape(&[1, 3]);
    assert_eq!(convolution.result_shape(&input), Ok(shape(&[1, 3])));
    let result = convolution.evaluate(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &input);
    assert_eq!(result, [-9.5, -27.5, 0.5, -39.5, -54.5, 0.5]);
}

#[test]
fn refuses_what_does_not_fit() {
    let good = plain(counting(vec![2, 3, 3, 3]));
    let refusal = |change: &dyn Fn(&mut Convolution), dimensions: &[usize]| {
        let mut convolution = good.clone();
        change(&mut convolution);
        convolution.result_shape(&shape(dimensions)).unwrap_err()
    };
    assert!(good.result_shape(&shape(&[3, 5, 5])).is_ok());
    assert!(refusal(&|_| (), &[3, 5]).contains("needs 3 dimensions"));
    assert!(refusal(&|_| (), &[4, 5, 5]).contains("does not read 4 channels"));
    assert!(refusal(&|_| (), &[3, 5, 2]).contains("larger than dimension 3"));
    assert!(refusal(&|c| c.groups = 0, &[3, 5, 5]).contains("0 groups"));
    assert!(refusal(&|c| c.groups = 3, &[9, 5, 5]).contains("3 groups"));
    assert!(refusal(&|c| c.strides[0] = 0, &[3, 5, 5]).contains("positive"));
    assert!(refusal(&|c| c.dilations = vec![1], &[3, 5, 5]).contains("2 entries"));
    assert!(refusal(&|c| c.dilations[0] = usize::MAX, &[3, 5, 5]).contains("larger"));
    assert!(refusal(&|c| c.padding[0] = (usize::MAX, 1), &[3, 5, 5]).contains("larger"));
    assert!(refusal(&|c| c.padding[0] = (1 << 40, 1), &[3, 5, 5]).contains("more than"));
    assert!(refusal(&|c| c.bias = Some(counting(vec![3])), &[3, 5, 5]).contains("2 elements"));
}

/// One axis: length, kernel, stride, padding, dilation.
fn axis() -> impl Strategy<Value = [usize; 6]> {
    (
        1..5usize,
        1..4usize,
        1..4usize,
        0..4usize,
        0..4usize,
        1..4usize,
    )
        .prop_map(|(length, kernel, stride, before, after, dilation)| {
            [length + 3, kernel, stride, before, after, dilation]
        })
        .prop_filter(
            "the window fits",
            |&[length, kernel, _, before, after, dilation]| {
                length + before + after > (kernel - 1) * dilation
            },
        )
}

fn by_definition(convolution: &Convolution, input: &Shape, x: &[f64]) -> Vec<f64> {
    let result = convolution.result_shape(input).unwrap();
    let index = |dimensions: &[usize], mut flat: usize| {
        let mut at = vec![0; dimensions.len()];
        for axis in (0..dimensions.len()).rev() {
            at[axis] = flat % dimensions[axis];
            flat /= dimensions[axis];
        }
        at
    };
    let element = |flat: usize| {
        let at = index(result.dimensions(), flat);
        let per_group = convolution.output_channels() / convolution.groups;
        let mut sum = convolution.bias.as_ref().map_or(0.0, |b| b.data()[at[0]]);
        for (position, &weight) in convolution.weight.data().iter().enumerate() {
            let tap = index(convolution.weight.shape(), position);
            if tap[0] != at[0] {
                continue;
            }
            let mut flat = at[0] / per_group * convolution.group_channels() + tap[1];
            let inside = (0..convolution.strides.len()).all(|axis| {
                let place = at[axis + 1] * convolution.strides[axis]
                    + tap[axis + 2] * convolution.dilations[axis];
                let length = input.dimensions()[axis + 1];
                let Some(place) = place.checked_sub(convolution.padding[axis].0) else {
                    return false;
                };
                flat = flat * length + place;
                place < length
            });
            if inside {
                sum += weight * x[flat];
            }
        }
        sum
    };
    (0..result.size()).map(element).collect()
}

proptest! {
    #[test]
    fn evaluation_and_matrix_follow_the_definition(
        axes in prop::collection::vec(axis(), 1..4),
        groups in 1..4usize,
        channels in 1..3usize,
        per_group in 1..3usize,
        with_bias: bool,
    ) {
        let mut kernel = vec![groups * per_group, channels];
        kernel.extend(axes.iter().map(|axis| axis[1]));
        let mut dimensions = vec![groups * channels];
        dimensions.extend(axes.iter().map(|axis| axis[0]));
        let convolution = Convolution {
            weight: counting(kernel),
            bias: with_bias.then(|| counting(vec![groups * per_group])),
            strides: axes.iter().map(|axis| axis[2]).collect(),
            padding: axes.iter().map(|axis| (axis[3], axis[4])).collect(),
            dilations: axes.iter().map(|axis| axis[5]).collect(),
            groups,
        };
        let input = shape(&dimensions);
        let x = counting(dimensions).into_data();
        let expected = by_definition(&convolution, &input, &x);
        prop_assert_eq!(&convolution.evaluate(&x, &input), &expected);
        let (matrix, mut sums) = convolution.matrix(&input);
        prop_assert_eq!(matrix.columns(), input.size());
        prop_assert_eq!(matrix.rows(), expected.len());
        matrix.apply_add(&x, &mut sums);
        prop_assert_eq!(&sums, &expected);
    }
}
