//! Graphs there and back, whole and damaged.

use super::*;
use hush_graph::{BinaryOperator, Composition, Function, Polynomial, Step};

fn tensor(shape: &[usize]) -> Tensor {
    let size: usize = shape.iter().product();
    let data = (0..size).map(|i| (i as f64 * 0.37).sin()).collect();
    Tensor::new(shape.to_vec(), data).unwrap()
}

/// One node of every kind.
fn graph() -> Graph {
    let mut builder = GraphBuilder::new("everything");
    let mut last = builder.input("image", Shape::new(vec![1, 6, 6]).unwrap());
    let mut add = |operator: Operator, twice: bool| {
        let name = operator.name().to_owned();
        let inputs = if twice { vec![last, last] } else { vec![last] };
        last = builder
            .node(vec![name.clone()], operator, &inputs, name)
            .unwrap();
        last
    };
    add(
        Operator::Convolution(Convolution {
            weight: tensor(&[4, 1, 3, 3]),
            bias: Some(tensor(&[4])),
            strides: vec![1, 1],
            padding: vec![(1, 1), (1, 1)],
            dilations: vec![1, 1],
            groups: 1,
        }),
        false,
    );
    add(Operator::affine(0.5, -1.0), false);
    add(
        Operator::Affine {
            scale: tensor(&[4, 1, 1]),
            offset: tensor(&[4, 1, 1]),
        },
        false,
    );
    for function in [
        Function::Relu,
        Function::LeakyRelu { slope: 0.1 },
        Function::Clip {
            minimum: None,
            maximum: Some(6.0),
        },
        Function::Polynomial(Polynomial::new(vec![1.0, 0.5, 0.25])),
        Function::Composition(
            Composition::new(vec![
                Step::Affine {
                    scale: 2.0,
                    offset: 1.0,
                    input: 0,
                },
                Step::Function {
                    function: Function::Tanh,
                    input: 1,
                },
                Step::Binary {
                    operator: BinaryOperator::Multiply,
                    left: 0,
                    right: 2,
                },
            ])
            .unwrap(),
        ),
    ] {
        add(Operator::Elementwise(function), false);
    }
    add(Operator::Binary(BinaryOperator::Maximum), true);
    add(
        Operator::Sparse(SparseLinear {
            name: "pad",
            trained: false,
            matrix: SparseMatrix::selection(144, (0..72).map(|i| 2 * i)),
            bias: Some(vec![0.5; 72]),
            shape: Shape::new(vec![72]).unwrap(),
        }),
        false,
    );
    add(
        Operator::Movement(Movement::Reshape {
            shape: Shape::new(vec![8, 9]).unwrap(),
        }),
        false,
    );
    add(
        Operator::Movement(Movement::Transpose {
            permutation: vec![1, 0],
        }),
        false,
    );
    add(Operator::Concatenate { axis: 0 }, true);
    let flat = Operator::Movement(Movement::Reshape {
        shape: Shape::new(vec![144]).unwrap(),
    });
    add(flat, false);
    add(
        Operator::Linear {
            weight: tensor(&[3, 144]),
            bias: Some(tensor(&[3])),
        },
        false,
    );
    let mut matrix = SparseMatrix::empty(3);
    matrix.push_pattern([(0, 0.0), (2, 1.5)]);
    matrix.push_pattern([(1, -0.5)]);
    add(
        Operator::Sparse(SparseLinear {
            name: "convolution_transpose",
            trained: true,
            matrix,
            bias: Some(vec![0.25, -0.25]),
            shape: Shape::new(vec![2]).unwrap(),
        }),
        false,
    );
    let soft = add(Operator::Softmax { axis: 0 }, false);
    builder.output("probabilities", soft).unwrap();
    builder.build().unwrap()
}

#[test]
fn graphs_come_back_without_their_weights() {
    let graph = graph();
    let bytes = graph_to_bytes(&graph).unwrap();
    let found = graph_from_bytes(&bytes).unwrap();
    let expected = crate::execute::without_weights(&graph).unwrap();
    assert_eq!(found.nodes().len(), expected.nodes().len());
    for (found, expected) in found.nodes().iter().zip(expected.nodes()) {
        match (&found.operator, &expected.operator) {
            // Its name is not kept.
            (Operator::Sparse(one), Operator::Sparse(other)) => {
                assert_eq!((&one.matrix, &one.bias), (&other.matrix, &other.bias));
            }
            (one, other) => assert_eq!(one, other),
        }
        assert_eq!(
            (&found.names, &found.inputs),
            (&expected.names, &expected.inputs)
        );
    }
    assert_eq!(found.outputs(), expected.outputs());
    // Weights leave no trace.
    let zeros = graph_to_bytes(&expected).unwrap();
    assert_eq!(bytes, zeros);
}

#[test]
fn damaged_graphs_are_refused_or_read_and_never_panic() {
    let bytes = graph_to_bytes(&graph()).unwrap();
    let mut state = 88_172_645_463_325_252u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let (mut read, mut refused) = (0, 0);
    for _ in 0..3000 {
        let mut damaged = bytes.clone();
        for _ in 0..1 + random() % 4 {
            let place = random() as usize % damaged.len();
            match random() % 4 {
                0 => damaged[place] = random() as u8,
                1 => damaged[place] ^= 1 << (random() % 8),
                2 => damaged.truncate(place.max(1)),
                _ => damaged.insert(place, random() as u8),
            }
        }
        match graph_from_bytes(&damaged) {
            Ok(_) => read += 1,
            Err(_) => refused += 1,
        }
    }
    assert!(read > 0 && refused > 0, "{read} {refused}");
}
