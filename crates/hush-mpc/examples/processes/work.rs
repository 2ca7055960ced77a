//! What is computed. Inputs are random and shared before the clock starts; results are opened after it stops.

use std::path::PathBuf;
use std::time::Instant;

use crate::training;
use hush_graph::Tensor;
use hush_mpc::execute::{Options, Plan, calibrate, fold};
use hush_mpc::operations::{less, matrix_product, multiply, relu};
use hush_mpc::training::{LayerSpec, Loss, Network, Optimizer, OptimizerSpec, SigmoidKind};
use hush_mpc::{Cost, Fixed, Parties, Protocol, Secret};
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

pub(crate) type Shared = Secret<u64>;

/// What one party measured.
pub(crate) struct Measured {
    pub(crate) seconds: Vec<f64>,
    /// Of one run, at this party.
    pub(crate) cost: Cost,
    pub(crate) largest_error: f64,
}

/// Waits for the others: an opened number.
pub(crate) fn barrier(protocol: &mut dyn Protocol<u64>) {
    let one: Shared = Secret::public(&*protocol, &[1], Fixed::STANDARD, &[1.0]).expect("one");
    one.reveal(protocol, Parties::all(3))
        .expect("all are there");
}

/// Values in `-reach..reach`, the same at all parties, so that each can compare with floats.
pub(crate) fn values(seed: u64, count: usize, reach: f64) -> Vec<f64> {
    let mut random = ChaCha20Rng::seed_from_u64(seed);
    (0..count)
        .map(|_| (f64::from(random.next_u32()) / f64::from(u32::MAX) * 2.0 - 1.0) * reach)
        .collect()
}

pub(crate) fn share(
    protocol: &mut dyn Protocol<u64>,
    shape: &[usize],
    fixed: Fixed,
    values: &[f64],
) -> Shared {
    let own = (protocol.party() == 0).then_some(values);
    Secret::input(protocol, 0, shape, fixed, own).expect("inputs are shared")
}

/// Runs `call` once to warm up, then `runs` times, and compares what the last run gave.
pub(crate) fn measure(
    protocol: &mut dyn Protocol<u64>,
    runs: usize,
    expected: &[f64],
    mut call: impl FnMut(&mut dyn Protocol<u64>) -> Shared,
) -> Measured {
    call(protocol);
    let (mut seconds, mut cost, mut last) = (Vec::new(), Cost::default(), None);
    for _ in 0..runs {
        barrier(protocol);
        let before = protocol.spent();
        let start = Instant::now();
        last = Some(call(protocol));
        cost = protocol.spent().since(before);
        barrier(protocol);
        seconds.push(start.elapsed().as_secs_f64());
    }
    let opened = last
        .expect("at least one run")
        .reveal(protocol, Parties::all(3))
        .expect("the result opens")
        .expect("to this party too");
    let largest_error = opened
        .iter()
        .zip(expected)
        .fold(0.0f64, |most, (found, expected)| {
            most.max((found - expected).abs())
        });
    Measured {
        seconds,
        cost,
        largest_error,
    }
}

pub(crate) fn run(work: &str, runs: usize, protocol: &mut dyn Protocol<u64>) -> Measured {
    const MILLION: usize = 1 << 20;
    let standard = Fixed::STANDARD;
    match work {
        "matmul512" => {
            let (a, b) = (values(1, 512 * 512, 1.0), values(2, 512 * 512, 1.0));
            let mut expected = vec![0.0; 512 * 512];
            for row in 0..512 {
                for inner in 0..512 {
                    let factor = a[row * 512 + inner];
                    for column in 0..512 {
                        expected[row * 512 + column] += factor * b[inner * 512 + column];
                    }
                }
            }
            // Numbers below 2^8: sums of 512 products fit with room for the truncation.
            let narrow = Fixed::new(8, 16);
            let x = share(protocol, &[512, 512], narrow, &a);
            let y = share(protocol, &[512, 512], narrow, &b);
            measure(protocol, runs, &expected, |protocol| {
                matrix_product(protocol, &x, &y).expect("a product")
            })
        }
        "mul1m" => {
            let (a, b) = (values(1, MILLION, 1.0), values(2, MILLION, 1.0));
            let expected: Vec<f64> = a.iter().zip(&b).map(|(a, b)| a * b).collect();
            let narrow = Fixed::new(4, 16);
            let x = share(protocol, &[MILLION], narrow, &a);
            let y = share(protocol, &[MILLION], narrow, &b);
            measure(protocol, runs, &expected, |protocol| {
                multiply(protocol, &x, &y).expect("a product")
            })
        }
        "relu1m" | "relu1m33" => {
            let a = values(1, MILLION, 8.0);
            let expected: Vec<f64> = a.iter().map(|a| a.max(0.0)).collect();
            // All 64 bits, or the 33 of numbers below 2^16.
            let fixed = Fixed::new(if work == "relu1m" { 47 } else { 16 }, 16);
            let x = share(protocol, &[MILLION], fixed, &a);
            measure(protocol, runs, &expected, |protocol| {
                relu(protocol, &x).expect("a ReLU")
            })
        }
        "cmp1m" => {
            let (a, b) = (values(1, MILLION, 8.0), values(2, MILLION, 8.0));
            let expected: Vec<f64> = a
                .iter()
                .zip(&b)
                .map(|(a, b)| f64::from(u8::from(a < b)))
                .collect();
            let x = share(protocol, &[MILLION], standard, &a);
            let y = share(protocol, &[MILLION], standard, &b);
            compare(protocol, runs, &expected, &x, &y)
        }
        "lr" => regression(protocol, runs),
        "network-a" => training::step(protocol, runs),
        "mlp1" | "mlp1-pond" => network(protocol, runs, "mnist_mlp.onnx", 1),
        "mlp128" => network(protocol, runs, "mnist_mlp.onnx", 128),
        "lenet1" => network(protocol, runs, "mnist_lenet5_maxpool.onnx", 1),
        other => panic!("no work is called {other}"),
    }
}

/// Bits, not words: what a comparison is before anything is chosen by it.
fn compare(
    protocol: &mut dyn Protocol<u64>,
    runs: usize,
    expected: &[f64],
    x: &Shared,
    y: &Shared,
) -> Measured {
    let mut bits = less(protocol, x, y).expect("a comparison");
    let (mut seconds, mut cost) = (Vec::new(), Cost::default());
    for _ in 0..runs {
        barrier(protocol);
        let before = protocol.spent();
        let start = Instant::now();
        bits = less(protocol, x, y).expect("a comparison");
        cost = protocol.spent().since(before);
        barrier(protocol);
        seconds.push(start.elapsed().as_secs_f64());
    }
    let opened = protocol
        .reveal_bits(Parties::all(3), &bits)
        .expect("the result opens")
        .expect("to this party too");
    let off = opened
        .iter()
        .zip(expected)
        .filter(|(found, expected)| **found as f64 != **expected)
        .count();
    // Numbers closer than the unit of fixed point may compare either way.
    let largest_error = if off > 40 { 1.0 } else { 0.0 };
    Measured {
        seconds,
        cost,
        largest_error,
    }
}

/// Private weights and private samples.
fn network(protocol: &mut dyn Protocol<u64>, runs: usize, file: &str, batch: usize) -> Measured {
    let folder = std::env::var_os("HUSH_DATA").expect("HUSH_DATA names the folder of networks");
    let graph = hush_onnx::import(PathBuf::from(folder).join(file)).expect("the network");
    let graph =
        fold(&hush_graph::rewrite::simplify(&graph).expect("it is simple")).expect("it is folded");
    let shape = graph.value(graph.inputs()[0]).shape.with_batch(batch);
    let pixels: Vec<f64> = values(3, shape.iter().product(), 1.0)
        .into_iter()
        .map(f64::abs)
        .collect();
    let samples = Tensor::new(shape, pixels.clone()).expect("samples");
    let expected = hush_graph::evaluate(&graph, std::slice::from_ref(&samples)).expect("floats");
    let integer_bits = calibrate(&graph, &[samples], 3).expect("ranges");
    let options = Options {
        integer_bits,
        ..Options::default()
    };
    let plan = Plan::new(graph, options).expect("all operators are known");
    let model = plan.load::<u64>(protocol).expect("weights are shared");
    let own = (protocol.party() == 0).then_some(&pixels[..]);
    let input = plan
        .input(protocol, 0, 0, batch, own)
        .expect("samples are shared");
    measure(protocol, runs, expected[0].data(), |protocol| {
        let inputs = [input.clone()];
        let mut outputs = model.predict(protocol, &inputs).expect("a prediction");
        outputs.remove(0)
    })
}

/// Rows of a batch, passes over all rows, and the step along the mean gradient.
const BATCH: usize = 64;
const EPOCHS: usize = 10;
const RATE: f64 = 0.1;

/// The breast-cancer table, standardised, cut to whole batches.
fn cancer() -> (Vec<f64>, Vec<f64>, usize) {
    let folder = std::env::var_os("HUSH_DATA").expect("HUSH_DATA names the folder of data");
    let text = std::fs::read_to_string(PathBuf::from(folder).join("breast_cancer.csv"))
        .expect("the table");
    let table: Vec<Vec<f64>> = text
        .lines()
        .skip(1)
        .map(|line| {
            line.split(',')
                .map(|cell| cell.trim().parse().expect("a number"))
                .collect()
        })
        .collect();
    let rows = 455 / BATCH * BATCH;
    let columns = table[0].len() - 1;
    let mut samples = vec![0.0; rows * columns];
    for column in 0..columns {
        let values: Vec<f64> = table[..rows].iter().map(|row| row[column]).collect();
        let mean = values.iter().sum::<f64>() / rows as f64;
        let square = values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / rows as f64;
        for (row, value) in values.iter().enumerate() {
            samples[row * columns + column] = (value - mean) / square.sqrt();
        }
    }
    let labels = table[..rows].iter().map(|row| row[columns]).collect();
    (samples, labels, columns)
}

/// The weights after all passes in floats, with the same sigmoid of three pieces.
fn descend(samples: &[f64], labels: &[f64], columns: usize) -> Vec<f64> {
    let mut weights = vec![0.0; columns + 1];
    for _ in 0..EPOCHS {
        for (rows, labels) in samples.chunks(BATCH * columns).zip(labels.chunks(BATCH)) {
            let mut gradient = vec![0.0; columns + 1];
            for (row, label) in rows.chunks(columns).zip(labels) {
                let sum: f64 = row.iter().zip(&weights).map(|(x, w)| x * w).sum();
                let error = (sum + weights[columns] + 0.5).clamp(0.0, 1.0) - label;
                for (gradient, x) in gradient.iter_mut().zip(row.iter().chain(&[1.0])) {
                    *gradient += error * x;
                }
            }
            for (weight, gradient) in weights.iter_mut().zip(gradient) {
                *weight -= RATE / BATCH as f64 * gradient;
            }
        }
    }
    weights
}

/// Logistic regression from zeros: 70 steps.
fn regression(protocol: &mut dyn Protocol<u64>, runs: usize) -> Measured {
    let (samples, labels, columns) = cancer();
    let expected = descend(&samples, &labels, columns);
    let fixed = Fixed::new(12, 16);
    let x = share(protocol, &[labels.len(), columns], fixed, &samples);
    let y = share(protocol, &[labels.len(), 1], fixed, &labels);
    let layers = [LayerSpec::Dense { units: 1 }];
    measure(protocol, runs, &expected, |protocol| {
        let mut network =
            Network::new(&*protocol, &[columns], &layers, fixed, 1).expect("a network");
        let zeros: Vec<Shared> = network
            .parameters()
            .iter()
            .map(|known| {
                let zeros = vec![0.0; known.len()];
                Secret::public(&*protocol, known.shape(), fixed, &zeros).expect("zeros")
            })
            .collect();
        network.set_parameters(&zeros).expect("the same shapes");
        let spec = OptimizerSpec::Sgd {
            learning_rate: RATE,
            momentum: 0.0,
        };
        let mut optimizer = Optimizer::new(spec, 0.0);
        let loss = Loss::BinaryCrossEntropy(SigmoidKind::Three);
        network
            .fit(
                protocol,
                &mut optimizer,
                loss,
                (&x, &y),
                (BATCH, EPOCHS),
                |_| {},
            )
            .expect("it trains");
        let parameters = network.parameters();
        let flat = |one: &Shared| one.clone().reshape(vec![one.len()]).expect("one axis");
        let parts: Vec<Shared> = parameters.into_iter().map(flat).collect();
        Secret::concatenate(0, &parts.iter().collect::<Vec<_>>()).expect("one after another")
    })
}
