//! Training on shares against the same steps in floating point.

mod common;

use common::{Random, three};
use hush_mpc::operations::Convolution2d;
use hush_mpc::training::{LayerSpec, Loss, Network, Optimizer, OptimizerSpec, SigmoidKind};
use hush_mpc::{Fixed, Parties, Protocol, Secret};

const FIXED: Fixed = Fixed::STANDARD;

fn input(
    protocol: &mut dyn Protocol<u64>,
    owner: usize,
    shape: &[usize],
    values: &[f64],
) -> Secret<u64> {
    let own = (protocol.party() == owner).then_some(values);
    Secret::input(protocol, owner, shape, FIXED, own).unwrap()
}

fn open(protocol: &mut dyn Protocol<u64>, secret: &Secret<u64>) -> Vec<f64> {
    secret.reveal(protocol, Parties::all(3)).unwrap().unwrap()
}

/// Two clouds of points in so many dimensions, with labels.
fn clouds(random: &mut Random, rows: usize, dimensions: usize) -> (Vec<f64>, Vec<f64>) {
    let mut x = random.floats(-1.5, 1.5, rows * dimensions);
    let labels: Vec<f64> = (0..rows).map(|row| (row % 2) as f64).collect();
    for (row, label) in labels.iter().enumerate() {
        for value in &mut x[row * dimensions..][..dimensions / 2] {
            *value += label - 0.5;
        }
    }
    (x, labels)
}

#[test]
fn logistic_regression_follows_floating_point() {
    let mut random = Random::new();
    let (rows, columns, steps, rate) = (200, 10, 30, 0.5);
    let (x, y) = clouds(&mut random, rows, columns);
    let results = three(|protocol| {
        let protocol: &mut dyn Protocol<u64> = protocol;
        // Two owners of half the rows each.
        let half = rows / 2;
        let upper = input(protocol, 0, &[half, columns], &x[..half * columns]);
        let lower = input(protocol, 1, &[half, columns], &x[half * columns..]);
        let data = Secret::concatenate(0, &[&upper, &lower]).unwrap();
        let labels = input(protocol, 2, &[rows, 1], &y);
        let mut network = Network::new(
            protocol,
            &[columns],
            &[LayerSpec::Dense { units: 1 }],
            FIXED,
            1,
        )
        .unwrap();
        let initial = open(protocol, network.parameters()[0]);
        let mut optimizer = Optimizer::new(
            OptimizerSpec::Sgd {
                learning_rate: rate,
                momentum: 0.0,
            },
            0.0,
        );
        let loss = Loss::BinaryCrossEntropy(SigmoidKind::Accurate);
        let before = protocol.spent();
        let mut taken = 0;
        network
            .fit(
                protocol,
                &mut optimizer,
                loss,
                (&data, &labels),
                (rows, steps),
                |_| taken += 1,
            )
            .unwrap();
        assert_eq!(taken, steps);
        let rounds = protocol.spent().since(before).rounds / steps as u64;
        let weights = open(protocol, network.parameters()[0]);
        let bias = open(protocol, network.parameters()[1]);
        let logits = network.predict(protocol, &data).unwrap();
        let mean = loss.mean(protocol, &logits, &labels).unwrap();
        (initial, weights, bias[0], open(protocol, &mean)[0], rounds)
    });
    let (initial, weights, bias, mean, rounds) = &results[0];
    println!("{rounds} rounds a step");
    let (mut w, mut b) = (initial.clone(), 0.0);
    let dot = |w: &[f64], row: usize| {
        w.iter()
            .zip(&x[row * columns..])
            .map(|(w, x)| w * x)
            .sum::<f64>()
    };
    for _ in 0..steps {
        let errors: Vec<f64> = (0..rows)
            .map(|row| 1.0 / (1.0 + (-dot(&w, row) - b).exp()) - y[row])
            .collect();
        for column in 0..columns {
            let gradient: f64 = (0..rows)
                .map(|row| errors[row] * x[row * columns + column])
                .sum();
            w[column] -= rate * gradient / rows as f64;
        }
        b -= rate * errors.iter().sum::<f64>() / rows as f64;
    }
    for (found, expected) in weights.iter().zip(&w) {
        assert!((found - expected).abs() < 2e-3, "{found}, not {expected}");
    }
    assert!((bias - b).abs() < 2e-3);
    let expected: f64 = (0..rows)
        .map(|row| {
            let z = dot(&w, row) + b;
            z.max(0.0) + (-z.abs()).exp().ln_1p() - y[row] * z
        })
        .sum::<f64>()
        / rows as f64;
    assert!(
        (mean - expected).abs() < 3e-3,
        "loss {mean}, not {expected}"
    );
}

/// The change of the parameters in one step of plain descent, times minus one: the gradient.
fn gradients(
    layers: &[LayerSpec],
    shape: &[usize],
    loss: Loss,
    x: &[f64],
    y: &[f64],
    outputs: usize,
) -> (Vec<f64>, Vec<f64>, f64) {
    let samples = y.len() / outputs;
    let results = three(|protocol| {
        let protocol: &mut dyn Protocol<u64> = protocol;
        let batch = [&[samples], shape].concat();
        let (data, labels) = (
            input(protocol, 0, &batch, x),
            input(protocol, 1, &[samples, outputs], y),
        );
        let mut network = Network::new(protocol, shape, layers, FIXED, 7).unwrap();
        let all = |protocol: &mut dyn Protocol<u64>, network: &Network<u64>| -> Vec<f64> {
            network
                .parameters()
                .iter()
                .flat_map(|parameter| open(protocol, parameter))
                .collect()
        };
        let before = all(protocol, &network);
        let logits = network.predict(protocol, &data).unwrap();
        let mean = loss.mean(protocol, &logits, &labels).unwrap();
        let mean = open(protocol, &mean)[0];
        let mut optimizer = Optimizer::new(
            OptimizerSpec::Sgd {
                learning_rate: 1.0,
                momentum: 0.0,
            },
            0.0,
        );
        network
            .step(protocol, &mut optimizer, loss, &data, &labels)
            .unwrap();
        let after = all(protocol, &network);
        let change = before
            .iter()
            .zip(&after)
            .map(|(before, after)| before - after)
            .collect();
        (before, change, mean)
    });
    results.into_iter().next().unwrap()
}

/// The mean loss of a network with the parameters moved, in shares, for differences.
fn loss_at(
    layers: &[LayerSpec],
    shape: &[usize],
    loss: Loss,
    x: &[f64],
    y: &[f64],
    outputs: usize,
    parameters: &[f64],
) -> f64 {
    let samples = y.len() / outputs;
    let wide = Fixed::new(24, 32);
    let results = three(|protocol| {
        let protocol: &mut dyn Protocol<u128> = protocol;
        let batch = [&[samples], shape].concat();
        let own =
            |owner: usize, values: &[f64], party: usize| (party == owner).then(|| values.to_vec());
        let party = protocol.party();
        let data = Secret::input(protocol, 0, &batch, wide, own(0, x, party).as_deref()).unwrap();
        let labels = Secret::input(
            protocol,
            1,
            &[samples, outputs],
            wide,
            own(1, y, party).as_deref(),
        )
        .unwrap();
        let mut network = Network::<u128>::new(protocol, shape, layers, wide, 7).unwrap();
        let mut start = 0;
        let moved: Vec<Secret<u128>> = network
            .parameters()
            .iter()
            .map(|parameter| {
                let values = &parameters[start..start + parameter.len()];
                start += parameter.len();
                Secret::public(protocol, parameter.shape(), wide, values).unwrap()
            })
            .collect();
        network.set_parameters(&moved).unwrap();
        let logits = network.predict(protocol, &data).unwrap();
        let mean = loss.mean(protocol, &logits, &labels).unwrap();
        mean.reveal(protocol, Parties::all(3)).unwrap().unwrap()[0]
    });
    results[0]
}

fn check_gradients(layers: &[LayerSpec], shape: &[usize], loss: Loss, outputs: usize) {
    let mut random = Random::new();
    let samples = 3;
    let x = random.floats(-1.0, 1.0, samples * shape.iter().product::<usize>());
    let mut y = vec![0.0; samples * outputs];
    for sample in 0..samples {
        y[sample * outputs + sample % outputs] = 1.0;
    }
    let (parameters, gradient, mean) = gradients(layers, shape, loss, &x, &y, outputs);
    // On 128 bits with half the step of the differences the loss itself is exact enough.
    let reference = loss_at(layers, shape, loss, &x, &y, outputs, &parameters);
    assert!((mean - reference).abs() < 2e-3, "{mean}, not {reference}");
    let step = 2e-4;
    for probe in 0..12 {
        let index = probe * 7919 % parameters.len();
        let at = |by: f64| {
            let mut moved = parameters.clone();
            moved[index] += by;
            loss_at(layers, shape, loss, &x, &y, outputs, &moved)
        };
        // At a kink the slopes on both sides differ, and either is right.
        let (left, right) = (
            (reference - at(-step)) / step,
            (at(step) - reference) / step,
        );
        let found = gradient[index];
        let allowed = 3e-3 + 0.01 * left.abs().max(right.abs());
        let fine = found > left.min(right) - allowed && found < left.max(right) + allowed;
        assert!(
            fine,
            "parameter {index}: {found}, not between {left} and {right}"
        );
    }
}

#[test]
fn gradients_of_every_layer_are_those_of_the_loss() {
    let dense = |units| LayerSpec::Dense { units };
    check_gradients(
        &[dense(5), LayerSpec::Relu, dense(3)],
        &[4],
        Loss::MeanSquare,
        3,
    );
    check_gradients(
        &[
            dense(6),
            LayerSpec::Sigmoid(SigmoidKind::Accurate),
            dense(3),
        ],
        &[4],
        Loss::CrossEntropy,
        3,
    );
    let options = Convolution2d {
        strides: [2, 1],
        padding: [(1, 1), (0, 1)],
        ..Convolution2d::default()
    };
    let convolution = LayerSpec::Convolution {
        filters: 4,
        kernel: [3, 2],
        options,
    };
    let second = LayerSpec::Convolution {
        filters: 2,
        kernel: [2, 2],
        options: Convolution2d {
            groups: 2,
            ..Convolution2d::default()
        },
    };
    check_gradients(
        &[
            convolution,
            LayerSpec::Relu,
            LayerSpec::AveragePool([2, 2]),
            second,
            LayerSpec::Flatten,
            dense(3),
        ],
        &[2, 7, 6],
        Loss::CrossEntropy,
        3,
    );
    check_gradients(
        &[
            convolution,
            LayerSpec::MaxPool([2, 2]),
            LayerSpec::Relu,
            LayerSpec::Flatten,
            dense(3),
        ],
        &[2, 7, 6],
        Loss::CrossEntropy,
        3,
    );
}

#[test]
fn optimizers_follow_their_formulas() {
    // One weight, loss (w x - y)²/2 with x = 1: the gradient is w - y.
    let specs = [
        OptimizerSpec::Sgd {
            learning_rate: 0.1,
            momentum: 0.9,
        },
        OptimizerSpec::Adam {
            learning_rate: 0.05,
            betas: (0.9, 0.99),
            amsgrad: false,
        },
        OptimizerSpec::Adam {
            learning_rate: 0.05,
            betas: (0.9, 0.9),
            amsgrad: true,
        },
    ];
    for spec in specs {
        let found = three(|protocol| {
            let protocol: &mut dyn Protocol<u64> = protocol;
            let (x, y) = (
                input(protocol, 0, &[2, 1], &[1.0, 1.0]),
                input(protocol, 1, &[2, 1], &[2.0, 2.0]),
            );
            let mut network =
                Network::new(protocol, &[1], &[LayerSpec::Dense { units: 1 }], FIXED, 3).unwrap();
            let start = open(protocol, network.parameters()[0])[0];
            let mut optimizer = Optimizer::new(spec, 0.01);
            network
                .fit(
                    protocol,
                    &mut optimizer,
                    Loss::MeanSquare,
                    (&x, &y),
                    (2, 25),
                    |_| (),
                )
                .unwrap();
            (start, open(protocol, network.parameters()[0])[0])
        });
        let (start, found) = found[0];
        // Weight and bias get the same gradients, but not the same decay.
        let (mut p, mut m, mut v, mut top) = ([start, 0.0], [0.0; 2], [0.0; 2], [0.0f64; 2]);
        for step in 1..=25 {
            let gradient = p[0] + p[1] - 2.0;
            let old = p;
            for i in 0..2 {
                match spec {
                    OptimizerSpec::Sgd {
                        learning_rate,
                        momentum,
                    } => {
                        m[i] = momentum * m[i] + gradient;
                        p[i] -= learning_rate * m[i] + learning_rate * 0.01 * old[i];
                    }
                    OptimizerSpec::Adam {
                        learning_rate,
                        betas,
                        amsgrad,
                    } => {
                        m[i] = betas.0 * m[i] + (1.0 - betas.0) * gradient;
                        v[i] = betas.1 * v[i] + (1.0 - betas.1) * gradient * gradient;
                        top[i] = if amsgrad { top[i].max(v[i]) } else { v[i] };
                        let (c1, c2) = (1.0 - betas.0.powi(step), 1.0 - betas.1.powi(step));
                        p[i] -= learning_rate * (m[i] / c1) / (top[i] / c2).sqrt()
                            + learning_rate * 0.01 * old[i];
                    }
                    _ => unreachable!("three optimisers"),
                }
            }
        }
        assert!(
            (found - p[0]).abs() < 0.01,
            "{spec:?}: {found}, not {}",
            p[0]
        );
    }
}
