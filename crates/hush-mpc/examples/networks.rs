//! Prediction and training with three parties as threads of this process: networks of the sizes that
//! others publish, with random weights. The least of seven runs.

use std::sync::Barrier;
use std::time::Instant;

use hush_graph::{
    BinaryOperator, Convolution, Function, Graph, GraphBuilder, Operator, Shape, SparseLinear,
    SparseMatrix, Tensor, ValueId,
};
use hush_mpc::execute::{Options, Plan, calibrate, reveal};
use hush_mpc::link::memory;
use hush_mpc::protocol::pond::{self, Pond};
use hush_mpc::protocol::rep3::{self, Rep3};
use hush_mpc::training::{LayerSpec, Loss, Network, Optimizer, OptimizerSpec, SigmoidKind};
use hush_mpc::{Cost, Fixed, Kernel, Parties, Protocol, Secret};
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

fn tensor(random: &mut ChaCha20Rng, shape: &[usize], reach: f64) -> Tensor {
    let count = shape.iter().product();
    let next = |_| reach * (2.0 * f64::from(random.next_u32()) / 4294967296.0 - 1.0);
    Tensor::new(shape.to_vec(), (0..count).map(next).collect()).unwrap()
}

struct Builder {
    graph: GraphBuilder,
    random: ChaCha20Rng,
    last: ValueId,
}

impl Builder {
    fn new(shape: &[usize]) -> Self {
        let mut graph = GraphBuilder::new("network");
        let last = graph.input("x", Shape::new(shape.to_vec()).unwrap());
        Self {
            graph,
            random: ChaCha20Rng::seed_from_u64(1),
            last,
        }
    }

    fn node(&mut self, operator: Operator, inputs: &[ValueId]) -> ValueId {
        let name = operator.name();
        self.last = self
            .graph
            .node(vec![name.into()], operator, inputs, name)
            .unwrap();
        self.last
    }

    fn dense(&mut self, inputs: usize, outputs: usize) {
        let reach = (3.0 / inputs as f64).sqrt();
        let (weight, bias) = (
            tensor(&mut self.random, &[outputs, inputs], reach),
            tensor(&mut self.random, &[outputs], 0.1),
        );
        self.node(
            Operator::Linear {
                weight,
                bias: Some(bias),
            },
            &[self.last],
        );
    }

    fn relu(&mut self) {
        self.node(Operator::Elementwise(Function::Relu), &[self.last]);
    }

    fn convolution(&mut self, channels: usize, filters: usize) {
        let reach = (3.0 / (25 * channels) as f64).sqrt();
        let convolution = Convolution {
            weight: tensor(&mut self.random, &[filters, channels, 5, 5], reach),
            bias: Some(tensor(&mut self.random, &[filters], 0.1)),
            strides: vec![1, 1],
            padding: vec![(0, 0); 2],
            dilations: vec![1, 1],
            groups: 1,
        };
        self.node(Operator::Convolution(convolution), &[self.last]);
    }

    /// The larger of neighbours, by columns and then by rows.
    fn max_pool(&mut self, channels: usize, size: usize) {
        let mut shape = [channels, size, size];
        for axis in [2, 1] {
            let from = shape;
            shape[axis] /= 2;
            let input = self.last;
            let halves: Vec<ValueId> = (0..2)
                .map(|start| {
                    let source = |element: usize| {
                        let mut place = [
                            element / (shape[1] * shape[2]),
                            element / shape[2] % shape[1],
                            element % shape[2],
                        ];
                        place[axis] = 2 * place[axis] + start;
                        (place[0] * from[1] + place[1]) * from[2] + place[2]
                    };
                    let size: usize = shape.iter().product();
                    let matrix =
                        SparseMatrix::selection(from.iter().product(), (0..size).map(source));
                    let shape = Shape::new(shape.to_vec()).unwrap();
                    self.node(
                        Operator::Sparse(SparseLinear {
                            name: "slice",
                            trained: false,
                            matrix,
                            bias: None,
                            shape,
                        }),
                        &[input],
                    )
                })
                .collect();
            self.node(Operator::Binary(BinaryOperator::Maximum), &halves);
        }
    }

    fn flatten(&mut self, size: usize) {
        let shape = Shape::new(vec![size]).unwrap();
        self.node(
            Operator::Movement(hush_graph::Movement::Reshape { shape }),
            &[self.last],
        );
    }

    fn finish(mut self) -> Graph {
        self.graph.output("y", self.last).unwrap();
        self.graph.build().unwrap()
    }
}

fn perceptron() -> Graph {
    let mut network = Builder::new(&[784]);
    network.dense(784, 128);
    network.relu();
    network.dense(128, 128);
    network.relu();
    network.dense(128, 10);
    network.finish()
}

fn lenet() -> Graph {
    let mut network = Builder::new(&[1, 28, 28]);
    network.convolution(1, 20);
    network.relu();
    network.max_pool(20, 24);
    network.convolution(20, 50);
    network.relu();
    network.max_pool(50, 8);
    network.flatten(800);
    network.dense(800, 500);
    network.relu();
    network.dense(500, 10);
    network.finish()
}

fn with_protocol<T: Send>(
    pond: bool,
    party: impl Fn(&mut dyn Protocol<u64>) -> T + Sync,
) -> Vec<T> {
    memory::run(3, |link| {
        let (mut random, link) = (ChaCha20Rng::from_os_rng(), Box::new(link));
        if pond {
            party(&mut Pond::establish(link, b"networks", &mut random).unwrap())
        } else {
            party(&mut Rep3::establish(link, b"networks", &mut random).unwrap())
        }
    })
}

fn predict(name: &str, graph: &Graph, batch: usize, pond: bool) {
    let shape = graph.value(graph.inputs()[0]).shape.with_batch(batch);
    let samples = tensor(&mut ChaCha20Rng::from_os_rng(), &shape, 1.0);
    let expected = hush_graph::evaluate(graph, std::slice::from_ref(&samples)).unwrap();
    let integer_bits = calibrate(graph, std::slice::from_ref(&samples), 3).unwrap();
    let plan = Plan::new(
        graph.clone(),
        Options {
            integer_bits,
            ..Options::default()
        },
    )
    .unwrap();
    let start = Barrier::new(3);
    let results = with_protocol(pond, |protocol| {
        let model = plan.load(protocol).unwrap();
        let own = (protocol.party() == 1).then_some(samples.data());
        let runs = (0..7).map(|_| {
            start.wait();
            let (before, time) = (protocol.spent(), Instant::now());
            let input = plan.input(protocol, 0, 1, batch, own).unwrap();
            let outputs = model.predict(protocol, &[input]).unwrap();
            let opened = reveal(protocol, &outputs, Parties::one(1)).unwrap();
            start.wait();
            (
                time.elapsed().as_secs_f64(),
                protocol.spent().since(before),
                opened,
            )
        });
        runs.min_by(|a, b| a.0.total_cmp(&b.0)).unwrap()
    });
    let bytes: u64 = results.iter().map(|result| result.1.bytes).sum();
    let cost: fn(Kernel) -> Cost = if pond {
        pond::cost::<u64>
    } else {
        rep3::cost::<u64>
    };
    let declared = plan.report::<u64>(batch, 3, cost).unwrap().total();
    assert_eq!(
        declared,
        Cost::new(results[0].1.rounds, bytes),
        "declared and measured"
    );
    let opened = results[1].2.as_ref().unwrap();
    let errors = opened[0]
        .iter()
        .zip(expected[0].data())
        .map(|(a, b)| (a - b).abs());
    println!(
        "{name:28} batch {batch:4} {:5} {:8.2} ms {:8.3} MB {:4} rounds, largest error {:.1e}",
        if pond { "pond" } else { "rep3" },
        results[0].0 * 1e3,
        bytes as f64 / 1e6,
        declared.rounds,
        errors.fold(0.0, f64::max)
    );
}

/// Full-batch steps of logistic regression, or batches of a network.
fn train(
    name: &str,
    inputs: usize,
    layers: &[LayerSpec],
    loss: Loss,
    (rows, labels, steps): (usize, usize, usize),
    shape: &[usize],
) {
    let mut random = ChaCha20Rng::from_os_rng();
    let (x, y) = (
        tensor(&mut random, &[rows, inputs], 1.0),
        tensor(&mut random, &[rows, labels], 0.5),
    );
    let y: Vec<f64> = y
        .data()
        .iter()
        .map(|y| f64::from(u8::from(*y > 0.0)))
        .collect();
    let start = Barrier::new(3);
    let results = with_protocol(false, |protocol| {
        let fixed = Fixed::new(11, 16);
        let shape = [&[rows], shape].concat();
        let own = |owner: usize| protocol.party() == owner;
        let (mine, theirs) = (own(0).then_some(x.data()), own(1).then_some(&y[..]));
        let data = Secret::input(protocol, 0, &shape, fixed, mine).unwrap();
        let labels = Secret::input(protocol, 1, &[rows, labels], fixed, theirs).unwrap();
        let runs = (0..3).map(|_| {
            let mut network = Network::new(protocol, &shape[1..], layers, fixed, 1).unwrap();
            let mut optimizer = Optimizer::new(
                OptimizerSpec::Sgd {
                    learning_rate: 0.1,
                    momentum: 0.0,
                },
                0.0,
            );
            start.wait();
            let (before, time) = (protocol.spent(), Instant::now());
            network
                .fit(
                    protocol,
                    &mut optimizer,
                    loss,
                    (&data, &labels),
                    (rows, steps),
                    |_| (),
                )
                .unwrap();
            start.wait();
            (time.elapsed().as_secs_f64(), protocol.spent().since(before))
        });
        runs.min_by(|a, b| a.0.total_cmp(&b.0)).unwrap()
    });
    let bytes: u64 = results.iter().map(|result| result.1.bytes).sum();
    println!(
        "{name:28} {steps:4} steps {:8.2} ms {:8.3} MB {:5.1} rounds a step",
        results[0].0 * 1e3,
        bytes as f64 / 1e6,
        results[0].1.rounds as f64 / steps as f64
    );
}

fn main() {
    for pond in [false, true] {
        predict("784-128-128-10", &perceptron(), 1, pond);
        predict("784-128-128-10", &perceptron(), 128, pond);
        predict("LeNet 20/50/500", &lenet(), 1, pond);
    }
    let logistic = [LayerSpec::Dense { units: 1 }];
    let loss = Loss::BinaryCrossEntropy(SigmoidKind::Three);
    train(
        "logistic regression 455 x 30",
        30,
        &logistic,
        loss,
        (455, 1, 70),
        &[30],
    );
    let perceptron = [
        LayerSpec::Dense { units: 128 },
        LayerSpec::Relu,
        LayerSpec::Dense { units: 128 },
        LayerSpec::Relu,
        LayerSpec::Dense { units: 10 },
    ];
    train(
        "784-128-128-10, batch 128",
        784,
        &perceptron,
        Loss::CrossEntropy,
        (128, 10, 5),
        &[784],
    );
}
