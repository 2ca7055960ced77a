//! Graphs on shares against the float interpreter, and their reports against what was spent.

mod common;

use common::{Kind, Random, three};
use hush_graph::{
    BinaryOperator, Convolution, Function, Graph, GraphBuilder, Operator, Polynomial, Shape,
    SparseLinear, SparseMatrix, Tensor, ValueId,
};
use hush_mpc::execute::{
    Options, Plan, Weights, calibrate, fold, graph_to_bytes, reveal, without_weights,
};
use hush_mpc::{Cost, Parties, Protocol};

fn tensor(random: &mut Random, shape: &[usize], reach: f64) -> Tensor {
    let count = shape.iter().product();
    Tensor::new(shape.to_vec(), random.floats(-reach, reach, count)).unwrap()
}

struct Network {
    builder: GraphBuilder,
    last: ValueId,
    nodes: usize,
}

impl Network {
    fn new(shape: &[usize]) -> Self {
        let mut builder = GraphBuilder::new("network");
        let last = builder.input("x", Shape::new(shape.to_vec()).unwrap());
        Self {
            builder,
            last,
            nodes: 0,
        }
    }

    fn node(&mut self, operator: Operator, inputs: &[ValueId]) -> ValueId {
        self.nodes += 1;
        let name = format!("node{}", self.nodes);
        self.last = self
            .builder
            .node(vec![name.clone()], operator, inputs, name)
            .unwrap();
        self.last
    }

    fn then(&mut self, operator: Operator) -> ValueId {
        self.node(operator, &[self.last])
    }

    fn finish(mut self) -> Graph {
        self.builder.output("y", self.last).unwrap();
        self.builder.build().unwrap()
    }
}

/// Every second element along the last axis of `[channels, rows, columns]`, from `start` on.
fn every_second(shape: &[usize], axis: usize, start: usize) -> Operator {
    let mut result = shape.to_vec();
    result[axis] /= 2;
    let size: usize = result.iter().product();
    let source = |element: usize| {
        let (columns, rows) = (result[2], result[1]);
        let mut place = [
            element / (rows * columns),
            element / columns % rows,
            element % columns,
        ];
        place[axis] = 2 * place[axis] + start;
        (place[0] * shape[1] + place[1]) * shape[2] + place[2]
    };
    Operator::Sparse(SparseLinear {
        name: "slice",
        trained: false,
        matrix: SparseMatrix::selection(shape.iter().product(), (0..size).map(source)),
        bias: None,
        shape: Shape::new(result).unwrap(),
    })
}

/// Convolution, normalisation, ReLU, max pooling by 2 × 2, dense layer, another function, dense layer.
fn image_network(random: &mut Random, function: Function) -> Graph {
    let mut network = Network::new(&[2, 9, 8]);
    let convolution = Convolution {
        weight: tensor(random, &[3, 2, 3, 2], 0.5),
        bias: Some(tensor(random, &[3], 0.5)),
        strides: vec![1, 1],
        padding: vec![(1, 0), (1, 0)],
        dilations: vec![1, 1],
        groups: 1,
    };
    network.then(Operator::Convolution(convolution));
    network.then(Operator::Affine {
        scale: tensor(random, &[3, 1, 1], 2.0),
        offset: tensor(random, &[3, 1, 1], 1.0),
    });
    let relu = network.then(Operator::Elementwise(Function::Relu));
    let columns: Vec<ValueId> = (0..2)
        .map(|start| network.node(every_second(&[3, 8, 8], 2, start), &[relu]))
        .collect();
    let larger = network.node(Operator::Binary(BinaryOperator::Maximum), &columns);
    let rows: Vec<ValueId> = (0..2)
        .map(|start| network.node(every_second(&[3, 8, 4], 1, start), &[larger]))
        .collect();
    network.node(Operator::Binary(BinaryOperator::Maximum), &rows);
    // Means of pairs.
    let pairs = (0..24)
        .map(|pair| vec![(2 * pair, 0.5), (2 * pair + 1, 0.5)])
        .collect();
    network.then(Operator::Sparse(SparseLinear {
        name: "average_pool",
        trained: false,
        matrix: SparseMatrix::from_rows(48, pairs),
        bias: None,
        shape: Shape::new(vec![24]).unwrap(),
    }));
    network.then(Operator::Linear {
        weight: tensor(random, &[10, 24], 0.5),
        bias: Some(tensor(random, &[10], 0.5)),
    });
    network.then(Operator::Elementwise(function));
    network.then(Operator::Linear {
        weight: tensor(random, &[4, 10], 0.5),
        bias: None,
    });
    network.finish()
}

/// Runs with the weights of party 0 and inputs of party 1, opened to party 0; checks result and report.
fn check(kind: Kind, graph: Graph, batch: usize, error: f64, weights: Weights) {
    let mut random = Random::new();
    let graph = fold(&graph).unwrap();
    let shape = graph.value(graph.inputs()[0]).shape.with_batch(batch);
    let samples = tensor(&mut random, &shape, 1.0);
    let expected = hush_graph::evaluate(&graph, std::slice::from_ref(&samples))
        .unwrap()
        .remove(0);
    let integer_bits = calibrate(&graph, std::slice::from_ref(&samples), 2).unwrap();
    let options = Options {
        integer_bits,
        weights,
        ..Options::default()
    };
    let results = kind.run::<u64, _>(|protocol| {
        let protocol: &mut dyn Protocol<u64> = protocol;
        let party = protocol.party();
        // Only party 0 has the weights, unless they are public.
        let graph = if party == 0 || weights == Weights::Public {
            graph.clone()
        } else {
            without_weights(&graph).unwrap()
        };
        let plan = Plan::new(graph, options.clone()).unwrap();
        let model = plan.load(protocol).unwrap();
        let before = protocol.spent();
        let own = (party == 1).then_some(samples.data());
        let input = plan.input(protocol, 0, 1, batch, own).unwrap();
        let outputs = model.predict(protocol, &[input]).unwrap();
        let opened = reveal(protocol, &outputs, Parties::one(0)).unwrap();
        assert_eq!(opened.is_some(), party == 0);
        let report = plan.report::<u64>(batch, 3, kind.cost::<u64>()).unwrap();
        (protocol.spent().since(before), opened, report)
    });
    let bytes = results.iter().map(|result| result.0.bytes).sum();
    assert_eq!(
        results[0].2.total(),
        Cost::new(results[0].0.rounds, bytes),
        "\n{}",
        results[0].2
    );
    let opened = results[0].1.as_ref().unwrap();
    assert_eq!(opened[0].len(), expected.data().len());
    for (index, (found, expected)) in opened[0].iter().zip(expected.data()).enumerate() {
        assert!(
            (found - expected).abs() <= error,
            "output {index}: {found}, not {expected}"
        );
    }
}

/// [`check`] on every protocol.
fn check_all(graph: Graph, batch: usize, error: f64, weights: Weights) {
    for kind in Kind::ALL {
        check(kind, graph.clone(), batch, error, weights);
    }
}

#[test]
fn networks_of_every_kind_of_layer() {
    let mut random = Random::new();
    let clip = Function::Clip {
        minimum: Some(0.0),
        maximum: Some(6.0),
    };
    let polynomial = Function::Polynomial(Polynomial::new(vec![0.5, 0.197, 0.0, -0.004]));
    for (function, error) in [
        (Function::Relu, 1e-3),
        (Function::Sigmoid, 2e-3),
        (Function::Gelu, 2e-3),
        (Function::Tanh, 2e-3),
        (clip, 1e-3),
        (polynomial, 1e-3),
    ] {
        check_all(
            image_network(&mut random, function),
            3,
            error,
            Weights::Party(0),
        );
    }
    check_all(
        image_network(&mut random, Function::LeakyRelu { slope: 0.1 }),
        1,
        1e-3,
        Weights::Public,
    );
}

/// A matrix whose entries are weights, some of them zero, with places that any model of this shape has.
fn trained(random: &mut Random, rows: usize, columns: usize, bias: bool) -> Operator {
    let mut matrix = SparseMatrix::empty(columns);
    let values = tensor(random, &[rows, columns], 1.0);
    for (row, values) in values.data().chunks(columns).enumerate() {
        let places = values.iter().copied().enumerate();
        matrix.push_pattern(
            places.filter_map(|(column, value)| match (row + column) % 5 {
                0 => None,
                1 => Some((column, 0.0)),
                _ => Some((column, value)),
            }),
        );
    }
    Operator::Sparse(SparseLinear {
        name: "convolution_transpose",
        trained: true,
        matrix,
        bias: bias.then(|| tensor(random, &[rows], 1.0).into_data()),
        shape: Shape::new(vec![rows]).unwrap(),
    })
}

#[test]
fn weights_of_sparse_matrices_are_shared_and_leave_no_trace() {
    let mut random = Random::new();
    for weights in [Weights::Party(0), Weights::Public] {
        for bias in [true, false] {
            let mut network = Network::new(&[12]);
            network.then(trained(&mut random, 17, 12, bias));
            network.then(Operator::Elementwise(Function::Relu));
            network.then(trained(&mut random, 5, 17, !bias));
            check_all(network.finish(), 3, 1e-3, weights);
        }
    }
    // A constant that is joined to a sample: no entries, only a bias.
    let constant = Operator::Sparse(SparseLinear {
        name: "constant",
        trained: true,
        matrix: SparseMatrix::from_rows(4, vec![vec![]; 3]),
        bias: Some(tensor(&mut random, &[3], 1.0).into_data()),
        shape: Shape::new(vec![3]).unwrap(),
    });
    let mut network = Network::new(&[4]);
    let (sample, constant) = (network.last, network.then(constant));
    network.node(Operator::Concatenate { axis: 0 }, &[sample, constant]);
    check_all(network.finish(), 2, 1e-3, Weights::Party(0));
}

#[test]
fn programs_of_two_models_of_one_shape_are_the_same() {
    let program = || {
        let mut random = Random::new();
        let mut network = Network::new(&[12]);
        network.then(trained(&mut random, 7, 12, true));
        network.then(Operator::Elementwise(Function::Relu));
        graph_to_bytes(&network.finish()).unwrap()
    };
    assert_eq!(program(), program());
}

#[test]
fn endings() {
    let mut random = Random::new();
    for ending in [
        Operator::Softmax { axis: 0 },
        Operator::LogSoftmax { axis: 0 },
        Operator::ArgMax {
            axis: 0,
            keep_dimension: true,
            last: false,
        },
    ] {
        let mut network = Network::new(&[6]);
        network.then(Operator::Linear {
            weight: tensor(&mut random, &[5, 6], 2.0),
            bias: Some(tensor(&mut random, &[5], 1.0)),
        });
        network.then(ending);
        check_all(network.finish(), 4, 1e-3, Weights::Party(0));
    }
}

#[test]
fn functions_of_the_graph() {
    let mut random = Random::new();
    let positive = |function: Function| {
        // |x| + 1/4 first.
        let mut network = Network::new(&[40]);
        network.then(Operator::Elementwise(Function::Abs));
        network.then(Operator::affine(1.0, 0.25));
        network.then(Operator::Elementwise(function));
        network.finish()
    };
    for function in [
        Function::Log,
        Function::Sqrt,
        Function::Reciprocal,
        Function::Power { exponent: -0.5 },
        Function::Power { exponent: 1.5 },
    ] {
        check_all(positive(function), 2, 1e-3, Weights::Party(0));
    }
    let any = |function: Function, reach: f64| {
        let mut network = Network::new(&[40]);
        network.then(Operator::affine(reach, 0.0));
        network.then(Operator::Elementwise(function));
        network.finish()
    };
    for (function, reach) in [
        (Function::ThresholdedRelu { alpha: 0.5 }, 3.0),
        (Function::Step { inclusive: true }, 3.0),
        (Function::Elu { alpha: 1.5 }, 9.0),
        (
            Function::Selu {
                alpha: 1.67,
                gamma: 1.05,
            },
            9.0,
        ),
        (Function::Celu { alpha: 0.5 }, 9.0),
        (
            Function::HardSigmoid {
                alpha: 0.2,
                beta: 0.5,
            },
            9.0,
        ),
        (Function::HardSwish, 9.0),
        (Function::Softsign, 9.0),
        (Function::Softplus, 20.0),
        (Function::GeluTanh, 9.0),
        (Function::Silu, 20.0),
        (Function::Mish, 20.0),
        (Function::Exp, 3.0),
        (Function::Erf, 9.0),
        (Function::Sin, 3.5),
        (Function::Cos, 3.5),
    ] {
        check_all(any(function, reach), 2, 1.5e-3, Weights::Party(0));
    }
    let _ = tensor(&mut random, &[1], 1.0);
}

#[test]
fn weights_outside_the_range_are_refused_with_their_node() {
    let weight = Tensor::new(vec![1, 1], vec![40000.0]).unwrap();
    let mut network = Network::new(&[1]);
    network.then(Operator::Linear { weight, bias: None });
    let plan = Plan::new(
        network.finish(),
        Options {
            weights: Weights::Public,
            ..Options::default()
        },
    )
    .unwrap();
    three(|protocol| {
        let error = plan.load::<u64>(protocol).err().unwrap().to_string();
        assert!(
            error.contains("node1") && error.contains("40000"),
            "{error}"
        );
    });
}
