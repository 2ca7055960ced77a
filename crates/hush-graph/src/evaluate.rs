//! The float reference interpreter: what a model computes, in `f64`, without any protection.

use crate::shape::strides;
use crate::{EvaluateError, Graph, Operator, Shape, SparseLinear, Tensor, ValueId};

/// Runs the graph on a batch: one tensor `[batch, …]` per graph input, in order.
/// Returns one tensor `[batch, …]` per graph output; indices (arg-max) come as whole numbers.
/// NaN and infinities pass through as floating point does.
///
/// Single-threaded and simple; meant for calibration and comparison.
pub fn evaluate(graph: &Graph, inputs: &[Tensor]) -> Result<Vec<Tensor>, EvaluateError> {
    evaluate_observed(graph, inputs, |_, _| {})
}

/// Like [`evaluate`], and shows each value (inputs too) to `observe` as soon as it is known.
pub fn evaluate_observed(
    graph: &Graph,
    inputs: &[Tensor],
    mut observe: impl FnMut(ValueId, &Tensor),
) -> Result<Vec<Tensor>, EvaluateError> {
    let batch = check_inputs(graph, inputs)?;
    let mut last_use = vec![0; graph.values().len()];
    for (position, node) in graph.nodes().iter().enumerate() {
        for input in &node.inputs {
            last_use[input.index()] = position;
        }
    }
    for output in graph.outputs() {
        last_use[output.value.index()] = usize::MAX;
    }
    let mut values: Vec<Option<Tensor>> = vec![None; graph.values().len()];
    for (&id, input) in graph.inputs().iter().zip(inputs) {
        observe(id, input);
        values[id.index()] = Some(input.clone());
    }
    for (position, node) in graph.nodes().iter().enumerate() {
        let operands: Vec<&Tensor> = node
            .inputs
            .iter()
            .map(|input| {
                values[input.index()]
                    .as_ref()
                    .expect("defined before use, kept until last use")
            })
            .collect();
        let input_shape = &graph.value(node.inputs[0]).shape;
        let result_shape = &graph.value(node.output).shape;
        let data = apply(&node.operator, &operands, input_shape);
        let result = Tensor::from_parts(result_shape.with_batch(batch), data);
        observe(node.output, &result);
        values[node.output.index()] = Some(result);
        for input in &node.inputs {
            if last_use[input.index()] == position {
                values[input.index()] = None;
            }
        }
    }
    let outputs = graph.outputs().iter();
    Ok(outputs
        .map(|output| {
            values[output.value.index()]
                .clone()
                .expect("outputs are kept")
        })
        .collect())
}

fn check_inputs(graph: &Graph, inputs: &[Tensor]) -> Result<usize, EvaluateError> {
    if inputs.len() != graph.inputs().len() {
        let (expected, actual) = (graph.inputs().len(), inputs.len());
        return Err(EvaluateError::InputCount { expected, actual });
    }
    let mut batch = None;
    for (&id, input) in graph.inputs().iter().zip(inputs) {
        let value = graph.value(id);
        let (samples, dimensions) = match input.shape() {
            [samples, dimensions @ ..] if dimensions == value.shape.dimensions() => {
                (*samples, dimensions)
            }
            _ => {
                return Err(EvaluateError::InputShape {
                    name: value.name.clone(),
                    expected: value.shape.to_string(),
                    actual: input.shape().to_vec(),
                });
            }
        };
        debug_assert_eq!(dimensions, value.shape.dimensions());
        let expected = *batch.get_or_insert(samples);
        if samples != expected {
            return Err(EvaluateError::BatchMismatch {
                name: value.name.clone(),
                expected,
                actual: samples,
            });
        }
    }
    Ok(batch.unwrap_or(0))
}

fn apply(operator: &Operator, operands: &[&Tensor], input_shape: &Shape) -> Vec<f64> {
    let input = operands[0].data();
    match operator {
        Operator::Linear { weight, bias } => linear(input, weight, bias.as_ref()),
        Operator::Convolution(convolution) => convolution.evaluate(input, input_shape),
        Operator::Sparse(linear) => sparse(input, linear),
        Operator::Concatenate { axis } => concatenate(operands, *axis),
        Operator::Affine { scale, offset } => {
            let expand = |constant: &Tensor| {
                constant
                    .broadcast_to(input_shape.dimensions())
                    .expect("the graph checked this constant")
            };
            let (scale, offset) = (expand(scale), expand(offset));
            let constants = scale.data().iter().zip(offset.data()).cycle();
            input
                .iter()
                .zip(constants)
                .map(|(x, (scale, offset))| scale * x + offset)
                .collect()
        }
        Operator::Elementwise(function) => input.iter().map(|&x| function.evaluate(x)).collect(),
        Operator::Movement(movement) => {
            let sources = movement.sources(input_shape);
            let samples = input.chunks_exact(input_shape.size());
            samples
                .flat_map(|sample| sources.iter().map(|&source| sample[source]))
                .collect()
        }
        Operator::Binary(binary) => {
            let pairs = input.iter().zip(operands[1].data());
            pairs
                .map(|(&left, &right)| binary.evaluate(left, right))
                .collect()
        }
        Operator::Softmax { axis } => along_axis(input, input_shape, *axis, softmax),
        Operator::LogSoftmax { axis } => along_axis(input, input_shape, *axis, log_softmax),
        Operator::ArgMax { axis, last, .. } => along_axis(input, input_shape, *axis, |line| {
            vec![arg_max(line, *last) as f64]
        }),
    }
}

fn linear(input: &[f64], weight: &Tensor, bias: Option<&Tensor>) -> Vec<f64> {
    let columns = weight.shape()[1];
    let rows = weight.data().chunks_exact(columns);
    let mut result = Vec::with_capacity(input.len() / columns * rows.len());
    for row in input.chunks_exact(columns) {
        for (output, weights) in rows.clone().enumerate() {
            let offset = bias.map_or(0.0, |bias| bias.data()[output]);
            result.push(dot(row, weights) + offset);
        }
    }
    result
}

fn sparse(input: &[f64], linear: &SparseLinear) -> Vec<f64> {
    let samples = input.chunks_exact(linear.matrix.columns());
    let mut result = Vec::with_capacity(samples.len() * linear.matrix.rows());
    for sample in samples {
        let zeros = || vec![0.0; linear.matrix.rows()];
        let mut sums = linear.bias.clone().unwrap_or_else(zeros);
        linear.matrix.apply_add(sample, &mut sums);
        result.extend(sums);
    }
    result
}

/// `axis` is counted without the batch.
fn concatenate(operands: &[&Tensor], axis: usize) -> Vec<f64> {
    let block = |operand: &Tensor| operand.shape()[axis + 1..].iter().product::<usize>();
    let blocks = operands[0].data().len() / block(operands[0]);
    let mut result = Vec::with_capacity(operands.iter().map(|o| o.data().len()).sum());
    for position in 0..blocks {
        for operand in operands {
            let size = block(operand);
            result.extend_from_slice(&operand.data()[position * size..(position + 1) * size]);
        }
    }
    result
}

/// With independent partial sums, so that the compiler can use vector registers.
fn dot(left: &[f64], right: &[f64]) -> f64 {
    const LANES: usize = 8;
    let mut sums = [0.0; LANES];
    let (left_chunks, right_chunks) = (left.chunks_exact(LANES), right.chunks_exact(LANES));
    let rest = left_chunks
        .remainder()
        .iter()
        .zip(right_chunks.remainder())
        .map(|(a, b)| a * b);
    let rest: f64 = rest.sum();
    for (a, b) in left_chunks.zip(right_chunks) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    sums.iter().sum::<f64>() + rest
}

/// Replaces each line of elements along `axis` by what `function` makes of it; all results must
/// have the same length.
fn along_axis(
    input: &[f64],
    shape: &Shape,
    axis: usize,
    function: impl Fn(&[f64]) -> Vec<f64>,
) -> Vec<f64> {
    let length = shape.dimensions()[axis];
    let stride = strides(shape.dimensions())[axis];
    let mut result = Vec::with_capacity(input.len());
    for block in input.chunks_exact(length * stride) {
        let lines: Vec<Vec<f64>> = (0..stride)
            .map(|start| {
                let line: Vec<f64> = block[start..].iter().step_by(stride).copied().collect();
                function(&line)
            })
            .collect();
        for position in 0..lines[0].len() {
            result.extend(lines.iter().map(|line| line[position]));
        }
    }
    result
}

fn softmax(line: &[f64]) -> Vec<f64> {
    let largest = line.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let exponentials: Vec<f64> = line.iter().map(|x| libm::exp(x - largest)).collect();
    let sum: f64 = exponentials.iter().sum();
    exponentials
        .into_iter()
        .map(|exponential| exponential / sum)
        .collect()
}

fn log_softmax(line: &[f64]) -> Vec<f64> {
    let largest = line.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = line.iter().map(|x| libm::exp(x - largest)).sum();
    line.iter().map(|x| x - largest - libm::log(sum)).collect()
}

fn arg_max(line: &[f64], last: bool) -> usize {
    let mut best = 0;
    for (index, &value) in line.iter().enumerate() {
        if value > line[best] || (last && value == line[best]) {
            best = index;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{GraphBuilder, Movement, SparseMatrix};

    fn run(operator: Operator, dimensions: &[usize], data: Vec<f64>) -> Tensor {
        let mut builder = GraphBuilder::new("g");
        let x = builder.input("x", Shape::new(dimensions.to_vec()).unwrap());
        let y = builder.node(vec!["n".into()], operator, &[x], "y").unwrap();
        builder.output("y", y).unwrap();
        let mut shape = vec![data.len() / dimensions.iter().product::<usize>()];
        shape.extend_from_slice(dimensions);
        let input = Tensor::new(shape, data).unwrap();
        evaluate(&builder.build().unwrap(), &[input])
            .unwrap()
            .remove(0)
    }

    #[test]
    fn linear_on_the_last_axis() {
        let weight = Tensor::new(vec![2, 3], vec![1.0, 0.0, 2.0, 0.0, 1.0, 0.0]).unwrap();
        let bias = Some(Tensor::new(vec![2], vec![10.0, 20.0]).unwrap());
        let result = run(
            Operator::Linear { weight, bias },
            &[3],
            vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
        );
        assert_eq!(result.shape(), &[2, 2]);
        assert_eq!(result.data(), &[17.0, 22.0, 26.0, 25.0]);
    }

    #[test]
    fn affine_with_a_constant_per_channel() {
        let scale = Tensor::new(vec![2, 1], vec![1.0, 10.0]).unwrap();
        let operator = Operator::Affine {
            scale,
            offset: Tensor::scalar(1.0),
        };
        let result = run(operator, &[2, 2], vec![1.0, 2.0, 3.0, 4.0]);
        assert_eq!(result.data(), &[2.0, 3.0, 31.0, 41.0]);
    }

    #[test]
    fn sparse_matrix_on_each_sample() {
        let matrix =
            SparseMatrix::from_rows(2, vec![vec![(0, 2.0), (1, 1.0)], vec![], vec![(1, -1.0)]]);
        let shape = Shape::new(vec![3, 1]).unwrap();
        let operator = Operator::Sparse(SparseLinear {
            name: "pad",
            trained: false,
            matrix,
            bias: Some(vec![0.0, 7.0, 0.5]),
            shape,
        });
        let result = run(operator, &[2], vec![1.0, 2.0, 3.0, 4.0]);
        assert_eq!(result.shape(), &[2, 3, 1]);
        assert_eq!(result.data(), &[4.0, 7.0, -1.5, 10.0, 7.0, -3.5]);
    }

    #[test]
    fn concatenation_keeps_samples_apart() {
        let mut builder = GraphBuilder::new("g");
        let x = builder.input("x", Shape::new(vec![2, 1]).unwrap());
        let z = builder.input("z", Shape::new(vec![2, 2]).unwrap());
        let join = Operator::Concatenate { axis: 1 };
        let y = builder
            .node(vec!["n".into()], join, &[x, z, x], "y")
            .unwrap();
        builder.output("y", y).unwrap();
        let x = Tensor::new(vec![2, 2, 1], vec![1.0, 2.0, 3.0, 4.0]).unwrap();
        let z = (10..18).map(f64::from).collect();
        let z = Tensor::new(vec![2, 2, 2], z).unwrap();
        let result = evaluate(&builder.build().unwrap(), &[x, z])
            .unwrap()
            .remove(0);
        assert_eq!(result.shape(), &[2, 2, 4]);
        let first = [1.0, 10.0, 11.0, 1.0, 2.0, 12.0, 13.0, 2.0];
        let second = [3.0, 14.0, 15.0, 3.0, 4.0, 16.0, 17.0, 4.0];
        assert_eq!(result.data(), [first, second].concat());
    }

    #[test]
    fn transpose_moves_within_each_sample() {
        let operator = Operator::Movement(Movement::Transpose {
            permutation: vec![1, 0],
        });
        let result = run(
            operator,
            &[2, 2],
            vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0],
        );
        assert_eq!(result.data(), &[1.0, 3.0, 2.0, 4.0, 5.0, 7.0, 6.0, 8.0]);
    }

    #[test]
    fn softmax_over_an_inner_axis() {
        let result = run(
            Operator::Softmax { axis: 0 },
            &[2, 2],
            vec![0.0, 1000.0, 0.0, 1000.0],
        );
        assert_eq!(result.data(), &[0.5, 0.5, 0.5, 0.5]);
        let result = run(Operator::LogSoftmax { axis: 1 }, &[1, 2], vec![3.0, 3.0]);
        assert!((result.data()[0] + std::f64::consts::LN_2).abs() < 1e-15);
    }

    #[test]
    fn arg_max_breaks_ties_as_asked() {
        let arg_max = |last| Operator::ArgMax {
            axis: 0,
            keep_dimension: false,
            last,
        };
        let result = run(arg_max(false), &[3], vec![1.0, 5.0, 5.0]);
        assert_eq!((result.shape(), result.data()), (&[1][..], &[1.0][..]));
        assert_eq!(run(arg_max(true), &[3], vec![1.0, 5.0, 5.0]).data(), &[2.0]);
    }

    #[test]
    fn refuses_wrong_inputs() {
        let mut builder = GraphBuilder::new("g");
        let x = builder.input("x", Shape::new(vec![3]).unwrap());
        let z = builder.input("z", Shape::new(vec![3]).unwrap());
        builder.output("x", x).unwrap();
        builder.output("z", z).unwrap();
        let graph = builder.build().unwrap();
        let tensor = |shape: &[usize]| {
            Tensor::new(shape.to_vec(), vec![0.0; shape.iter().product()]).unwrap()
        };
        assert!(matches!(
            evaluate(&graph, &[tensor(&[1, 3])]),
            Err(EvaluateError::InputCount {
                expected: 2,
                actual: 1
            })
        ));
        assert!(matches!(
            evaluate(&graph, &[tensor(&[1, 3]), tensor(&[3])]),
            Err(EvaluateError::InputShape { .. })
        ));
        assert!(matches!(
            evaluate(&graph, &[tensor(&[1, 3]), tensor(&[2, 3])]),
            Err(EvaluateError::BatchMismatch {
                expected: 1,
                actual: 2,
                ..
            })
        ));
    }
}
