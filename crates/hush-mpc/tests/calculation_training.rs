//! Training by calculations against the library's own, early stops, and weights that are kept.

mod common;

use common::calculation::{Array, input, opened, output, shared};
use common::{Kind, Random};
use hush_mpc::calculation::{
    Calculation, CalculationLiteral, Fit, KeptLiteral, NetworkSpec, Operation, Progress, Resume,
    Statement, Value,
};
use hush_mpc::training::{LayerSpec, Loss, Network, Optimizer, OptimizerSpec, SigmoidKind};
use hush_mpc::{Cost, Fixed, Protocol, Secret};

/// Smooth, as the last bits of each step are random: they would decide for samples where a ReLU bends.
const LAYERS: [LayerSpec; 3] = [
    LayerSpec::Dense { units: 6 },
    LayerSpec::Sigmoid(SigmoidKind::Accurate),
    LayerSpec::Dense { units: 2 },
];

/// Two owners' rows, joined, train a network; weights, losses and predictions leave.
fn training(rows: usize, fit: impl Fn(Fit) -> Fit) -> Calculation {
    let statements = vec![
        input("a", &[rows / 2, 4]),
        input("b", &[rows / 2, 4]),
        input("labels", &[rows, 2]),
        Statement::Apply {
            operation: Operation::Concatenate(0),
            operands: vec![Value(0), Value(1)],
        },
        Statement::Network(NetworkSpec {
            input: vec![4],
            layers: LAYERS.to_vec(),
            seed: 7,
        }),
        Statement::Fit(fit(Fit {
            network: Value(4),
            x: Value(3),
            labels: Value(2),
            loss: Loss::CrossEntropy,
            optimizer: OptimizerSpec::Sgd {
                learning_rate: 0.8,
                momentum: 0.5,
            },
            weight_decay: 0.01,
            batch: 16,
            epochs: 5,
            losses: true,
            stop_below: None,
        })),
        Statement::Weights { network: Value(4) },
        Statement::Predict {
            network: Value(4),
            x: Value(3),
        },
    ];
    Calculation::new(CalculationLiteral {
        statements,
        outputs: vec![output("losses", 5), output("results", 7)],
        kept: vec![KeptLiteral {
            name: "network".to_owned(),
            value: Value(6),
        }],
    })
    .unwrap()
}

/// Two clouds, one label each, the owners' rows apart.
fn clouds(random: &mut Random, rows: usize) -> Vec<Array> {
    let mut x = random.floats(-1.0, 1.0, rows * 4);
    let mut labels = Vec::new();
    for row in 0..rows {
        let class = row % 2;
        x[row * 4] += 2.0 * class as f64 - 1.0;
        labels.extend([class as f64, 1.0 - class as f64]);
    }
    let half = rows * 2;
    vec![
        (vec![rows / 2, 4], x[..half].to_vec()),
        (vec![rows / 2, 4], x[half..].to_vec()),
        (vec![rows, 2], labels),
    ]
}

fn distance(found: &[f64], expected: &[f64]) -> f64 {
    let pairs = found.iter().zip(expected);
    pairs.map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt()
}

/// All weights and biases.
fn opened_weights(protocol: &mut dyn Protocol<u64>, network: &Network<u64>) -> Vec<f64> {
    let parameters: Vec<_> = network.parameters().into_iter().cloned().collect();
    let opened = parameters
        .iter()
        .map(|parameter| opened(protocol, parameter));
    opened.flatten().collect()
}

#[test]
fn a_calculation_trains_as_the_library_does() {
    let rows = 40;
    let data = clouds(&mut Random::new(), rows);
    let calculation = training(rows, |fit| fit);
    let fixed = Fixed::STANDARD;
    for kind in Kind::ALL {
        let results = kind.run::<u64, _>(|party| {
            let protocol: &mut dyn Protocol<u64> = party;
            let inputs = shared(protocol, fixed, &data);
            let x = Secret::concatenate(0, &[&inputs[0], &inputs[1]]).unwrap();
            let labels = inputs[2].clone();
            let (mut steps, mut last) = (Vec::new(), Cost::default());
            let mut observe = |progress: Progress<'_>| {
                assert!(progress.spent.bytes >= last.bytes && progress.done <= progress.total);
                last = progress.spent;
                steps.push((progress.done, progress.total));
            };
            let before = protocol.spent();
            let results = calculation.run(protocol, fixed, inputs, &mut observe);
            let spent = protocol.spent().since(before);
            let results = results.unwrap();
            assert_eq!(steps.last(), Some(&(22, 22)), "7 statements and 15 steps");
            let mut network = Network::new(protocol, &[4], &LAYERS, fixed, 7).unwrap();
            let spec = OptimizerSpec::Sgd {
                learning_rate: 0.8,
                momentum: 0.5,
            };
            let mut optimizer = Optimizer::new(spec, 0.01);
            let loss = Loss::CrossEntropy;
            let both = (&x, &labels);
            let initial = opened_weights(protocol, &network);
            network
                .fit(protocol, &mut optimizer, loss, both, (16, 5), |_| {})
                .unwrap();
            let direct = (initial, opened_weights(protocol, &network));
            let predicted = network.predict(protocol, &x).unwrap();
            let mean = loss.mean(protocol, &predicted, &labels).unwrap();
            let of_calculation: Vec<Vec<f64>> =
                results.iter().map(|one| opened(protocol, one)).collect();
            (of_calculation, direct, opened(protocol, &mean)[0], spent)
        });
        let (found, direct, mean, _) = &results[0];
        let [losses, predicted, weights] = &found[..] else {
            panic!("three results")
        };
        assert_eq!((losses.len(), predicted.len()), (5, rows * 2));
        let (initial, direct) = direct;
        let (apart, way) = (distance(weights, direct), distance(initial, direct));
        println!("{kind:?}: {apart:.5} apart after a way of {way:.3}");
        assert!(500.0 * apart < way, "{kind:?}: {apart} apart after {way}");
        assert!((losses[4] - mean).abs() < 5e-3, "{losses:?}, then {mean}");
        assert!(losses[4] < 0.6 * losses[0], "{losses:?}");
        let bytes = results.iter().map(|result| result.3.bytes).sum();
        let counted = Cost::new(results[0].3.rounds, bytes);
        let declared = calculation.cost::<u64>(fixed, 3, kind.cost::<u64>());
        assert_eq!(declared.unwrap(), counted, "{kind:?}");
    }
}

#[test]
fn a_training_stops_where_all_see_that_the_loss_is_below() {
    let rows = 40;
    let data = clouds(&mut Random::new(), rows);
    let calculation = training(rows, |fit| Fit {
        epochs: 30,
        optimizer: OptimizerSpec::Adam {
            learning_rate: 0.05,
            betas: (0.9, 0.999),
            amsgrad: true,
        },
        stop_below: Some(0.4),
        ..fit
    });
    assert_eq!(calculation.opened()[0].bits, 30);
    for kind in Kind::ALL {
        let results = kind.run::<u64, _>(|party| {
            let protocol: &mut dyn Protocol<u64> = party;
            let inputs = shared(protocol, Fixed::STANDARD, &data);
            let mut last = (0, 0);
            let results = calculation
                .run(protocol, Fixed::STANDARD, inputs, &mut |progress| {
                    last = (progress.done, progress.total);
                })
                .unwrap();
            assert_eq!(last.0, last.1);
            opened(protocol, &results[0])
        });
        let losses = &results[0];
        let taken = losses.iter().take_while(|&&loss| loss >= 0.0).count();
        println!("{kind:?}: {taken} epochs, {losses:?}");
        assert!((2..30).contains(&taken), "{losses:?}");
        assert!(losses[taken - 1] < 0.4 && losses[..taken - 1].iter().all(|&loss| loss >= 0.4));
        assert!(losses[taken..].iter().all(|&loss| loss == -1.0));
    }
}

/// What one calculation keeps, a later one loads: the same predictions without training.
#[test]
fn kept_weights_predict_again() {
    let rows = 40;
    let data = clouds(&mut Random::new(), rows);
    let first = training(rows, |fit| Fit {
        loss: Loss::BinaryCrossEntropy(SigmoidKind::Accurate),
        epochs: 2,
        losses: false,
        ..fit
    });
    let kept = &first.kept()[0];
    let second = Calculation::new(CalculationLiteral {
        statements: vec![
            Statement::Load {
                name: kept.name.clone(),
                shape: kept.shape.clone(),
            },
            Statement::Network(NetworkSpec {
                input: vec![4],
                layers: LAYERS.to_vec(),
                seed: 0,
            }),
            Statement::SetWeights {
                network: Value(1),
                weights: Value(0),
            },
            input("x", &[rows / 2, 4]),
            Statement::Predict {
                network: Value(1),
                x: Value(3),
            },
        ],
        outputs: vec![output("results", 4)],
        kept: Vec::new(),
    })
    .unwrap();
    let results = Kind::Rep3.run::<u64, _>(|party| {
        let protocol: &mut dyn Protocol<u64> = party;
        let fixed = Fixed::STANDARD;
        let inputs = shared(protocol, fixed, &data);
        let samples = inputs[0].clone();
        let results = first.run(protocol, fixed, inputs, &mut |_| {}).unwrap();
        let label = [9; 32];
        let stored = results[2].to_bytes(protocol, &label);
        let loaded = Secret::from_bytes(protocol, &label, &stored).unwrap();
        let again = second
            .run(protocol, fixed, vec![samples, loaded], &mut |_| {})
            .unwrap();
        (opened(protocol, &results[1]), opened(protocol, &again[0]))
    });
    let (trained, again) = &results[0];
    for (found, expected) in again.iter().zip(trained) {
        assert!((found - expected).abs() < 1e-3, "{found}, not {expected}");
    }
}

/// A second epoch by the network itself, against one by another network that has a checkpoint, and one by a network that
/// has the weights alone. The last bits of each step are random, so the first two are not the same.
#[test]
fn a_training_goes_on_from_its_checkpoint() {
    let rows = 40;
    let mut random = Random::new();
    let x = (vec![rows, 4], random.floats(-1.0, 1.0, rows * 4));
    let labels = (vec![rows, 2], random.floats(0.0, 1.0, rows * 2));
    // No weight whose gradient is nothing but random last bits, as those of units that are never on.
    let layers = vec![
        LayerSpec::BatchNorm {
            momentum: 0.9,
            epsilon: 1e-3,
        },
        LayerSpec::Dense { units: 6 },
        LayerSpec::Sigmoid(SigmoidKind::Accurate),
        LayerSpec::Dense { units: 2 },
    ];
    let sgd = OptimizerSpec::Sgd {
        learning_rate: 0.2,
        momentum: 0.9,
    };
    let adam = |amsgrad| OptimizerSpec::Adam {
        learning_rate: 0.05,
        betas: (0.9, 0.999),
        amsgrad,
    };
    for optimizer in [sgd, adam(false), adam(true)] {
        let weight_decay = 0.01;
        let mut statements = vec![input("x", &x.0), input("labels", &labels.0)];
        let mut add = |statement: Statement| {
            statements.push(statement);
            Value(statements.len() as u64 - 1)
        };
        let mut network = |seed| {
            add(Statement::Network(NetworkSpec {
                input: vec![4],
                layers: layers.clone(),
                seed,
            }))
        };
        let (straight, resumed, forgetful) = (network(7), network(8), network(8));
        let fit = |network| {
            Statement::Fit(Fit {
                network,
                x: Value(0),
                labels: Value(1),
                loss: Loss::MeanSquare,
                optimizer,
                weight_decay,
                batch: 16,
                epochs: 1,
                losses: false,
                stop_below: None,
            })
        };
        add(fit(straight));
        let weights = add(Statement::Weights { network: straight });
        let state = add(Statement::OptimizerState {
            network: straight,
            optimizer,
        });
        for network in [resumed, forgetful] {
            add(Statement::SetWeights { network, weights });
        }
        add(Statement::Resume(Resume {
            network: resumed,
            state,
            optimizer,
            weight_decay,
            steps: 3,
        }));
        let trained = [straight, resumed, forgetful].map(|network| {
            add(fit(network));
            add(Statement::Weights { network })
        });
        let outputs = ["straight", "resumed", "forgetful"]
            .into_iter()
            .zip(trained);
        let literal = CalculationLiteral {
            outputs: outputs.map(|(name, value)| output(name, value.0)).collect(),
            statements,
            kept: Vec::new(),
        };
        let calculation = Calculation::new(literal).unwrap();
        let data = [x.clone(), labels.clone()];
        let results = Kind::Rep3.run::<u64, _>(|party| {
            let protocol: &mut dyn Protocol<u64> = party;
            let inputs = shared(protocol, Fixed::STANDARD, &data);
            let results = calculation.run(protocol, Fixed::STANDARD, inputs, &mut |_| {});
            let results = results.unwrap();
            [0, 1, 2].map(|place| opened(protocol, &results[place]))
        });
        let [straight, resumed, forgetful] = &results[0];
        let (resumed, forgetful) = (distance(resumed, straight), distance(forgetful, straight));
        println!(
            "{optimizer:?}: {resumed:.5} from the straight training, {forgetful:.5} without its state"
        );
        assert!(
            8.0 * resumed < forgetful,
            "{optimizer:?}: {resumed}, {forgetful}"
        );
    }
}

#[test]
fn inputs_of_other_shapes_and_types_are_refused() {
    let calculation = training(40, |fit| fit);
    let refusals = Kind::Rep3.run::<u64, _>(|party| {
        let protocol: &mut dyn Protocol<u64> = party;
        let fixed = Fixed::STANDARD;
        let data = vec![(vec![2, 2], vec![0.0; 4]); 3];
        let mut run = |fixed, inputs| {
            let error = calculation.run(protocol, fixed, inputs, &mut |_| {});
            error.err().unwrap().to_string()
        };
        let few = run(fixed, Vec::new());
        let coarse = run(Fixed::new(15, 4), Vec::new());
        let inputs = shared(protocol, fixed, &data);
        let shapes = calculation.run(protocol, fixed, inputs, &mut |_| {});
        (few, coarse, shapes.err().unwrap().to_string())
    });
    let (few, coarse, shapes) = &refusals[0];
    assert_eq!(few, "inputs: 0 elements, not 3");
    assert!(coarse.starts_with("fixed point: 15 bits before and 4 behind the point"));
    assert_eq!(
        shapes,
        "input: shapes [20, 4] and [2, 2] do not go together"
    );
}
