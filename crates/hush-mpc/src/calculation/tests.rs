//! Bytes come back, damaged ones never panic, and what does not fit is refused by name.

use super::*;
use crate::operations::Convolution2d;
use crate::protocol::rep3;
use crate::training::{LayerSpec, Loss, OptimizerSpec, SigmoidKind};

/// One of everything, on small tensors.
pub(crate) fn everything() -> CalculationLiteral {
    let mut statements = Vec::new();
    let mut add = |statement: Statement| {
        statements.push(statement);
        Value(statements.len() as u64 - 1)
    };
    let x = add(Statement::Input {
        name: "x".to_owned(),
        shape: vec![2, 1, 4, 4],
        owner: "hospital_a".to_owned(),
    });
    let labels = add(Statement::Input {
        name: "labels".to_owned(),
        shape: vec![2, 3],
        owner: "hospital_b".to_owned(),
    });
    let kernel = add(Statement::Load {
        name: "kernel".to_owned(),
        shape: vec![2, 1, 2, 2],
    });
    let mut apply = |operation: &str, operands: &[Value], numbers: &[f64], counts: &[usize]| {
        add(Statement::Apply {
            operation: Operation::parse(operation, numbers.to_vec(), counts.to_vec()).unwrap(),
            operands: operands.to_vec(),
        })
    };
    let flat = apply("reshape", &[x], &[], &[2, 16]);
    let row = apply("slice", &[flat], &[], &[0, 0, 1]);
    let mut sums = vec![flat];
    for binary in [
        "add", "subtract", "multiply", "divide", "maximum", "minimum", "less", "equal",
    ] {
        sums.push(apply(binary, &[flat, row], &[], &[]));
    }
    for unary in [
        "negate",
        "absolute",
        "relu",
        "reciprocal",
        "sqrt",
        "inverse_sqrt",
        "log",
        "sigmoid",
        "tanh",
        "gelu",
        "silu",
        "softplus",
        "erf",
        "sort",
        "shuffle",
    ] {
        sums.push(apply(unary, &[flat], &[], &[]));
    }
    sums.push(apply("add_public", &[flat], &[0.5], &[]));
    sums.push(apply("multiply_public", &[flat], &[0.25], &[]));
    sums.push(apply("polynomial", &[flat], &[0.25, 1.0, 0.5], &[]));
    sums.push(apply("leaky_relu", &[flat], &[0.1], &[]));
    sums.push(apply("elu", &[flat], &[1.0], &[]));
    sums.push(apply("clip", &[flat], &[-1.0, 1.0], &[]));
    sums.push(apply("exp", &[flat], &[2.0], &[]));
    sums.push(apply("softmax", &[flat], &[], &[1]));
    sums.push(apply("log_softmax", &[flat], &[], &[1]));
    sums.push(apply("gather", &[flat], &[], &[0, 1, 0]));
    let padded = apply("pad", &[row], &[], &[0, 1, 0]);
    sums.push(padded);
    let joined = apply("concatenate", &sums, &[], &[0]);
    for reduction in ["sum", "max", "argmax"] {
        apply(reduction, &[joined], &[], &[0]);
    }
    apply("top", &[joined], &[], &[3]);
    let turned = apply("transpose", &[row], &[], &[1, 0]);
    apply("matmul", &[flat, turned], &[], &[]);
    apply("broadcast", &[row], &[], &[3, 16]);
    let windows = apply("convolve", &[x, kernel], &[], &[1, 1, 0, 0, 1, 1]);
    let pooled = apply("max_pool", &[x], &[], &[2, 2]);
    apply("average_pool", &[x], &[], &[2, 2]);
    let network = add(Statement::Network(NetworkSpec {
        input: vec![1, 4, 4],
        layers: vec![
            LayerSpec::Convolution {
                filters: 2,
                kernel: [3, 3],
                options: Convolution2d {
                    padding: [(1, 1), (1, 1)],
                    ..Convolution2d::default()
                },
            },
            LayerSpec::BatchNorm {
                momentum: 0.9,
                epsilon: 1e-3,
            },
            LayerSpec::Relu,
            LayerSpec::MaxPool([2, 2]),
            LayerSpec::AveragePool([1, 2]),
            LayerSpec::Flatten,
            LayerSpec::Dense { units: 3 },
            LayerSpec::Sigmoid(SigmoidKind::Five),
        ],
        seed: u64::MAX,
    }));
    let mut fit = |optimizer, loss, losses, stop_below| {
        add(Statement::Fit(Fit {
            network,
            x,
            labels,
            loss,
            optimizer,
            weight_decay: 0.01,
            batch: 1,
            epochs: 2,
            losses,
            stop_below,
        }))
    };
    let sgd = OptimizerSpec::Sgd {
        learning_rate: 0.1,
        momentum: 0.9,
    };
    let adam = |amsgrad| OptimizerSpec::Adam {
        learning_rate: 0.01,
        betas: (0.9, 0.999),
        amsgrad,
    };
    let losses = fit(sgd, Loss::MeanSquare, true, Some(0.01));
    fit(adam(false), Loss::CrossEntropy, false, None);
    let binary = Loss::BinaryCrossEntropy(SigmoidKind::Three);
    fit(adam(true), binary, false, None);
    let weights = add(Statement::Weights { network });
    add(Statement::SetWeights { network, weights });
    let optimizer = adam(true);
    let state = add(Statement::OptimizerState { network, optimizer });
    add(Statement::Resume(Resume {
        network,
        state,
        optimizer,
        weight_decay: 0.01,
        steps: 4,
    }));
    add(Statement::Parameter { network, index: 1 });
    let results = add(Statement::Predict { network, x });
    let loss = add(Statement::Loss {
        results,
        labels,
        loss: Loss::CrossEntropy,
    });
    let public = add(Statement::Public {
        shape: vec![2, 2],
        values: vec![1.0, -2.5, 0.0, 1e-3],
    });
    let output = |name: &str, value, receiver: &str| OutputLiteral {
        name: name.to_owned(),
        value,
        receiver: receiver.to_owned(),
    };
    CalculationLiteral {
        outputs: vec![
            output("joined", joined, "analyst"),
            output("losses", losses, "hospital_a"),
            output("loss", loss, "analyst"),
            output("windows", windows, "analyst"),
            output("pooled", pooled, "analyst"),
            output("public", public, "analyst"),
        ],
        kept: vec![KeptLiteral {
            name: "weights".to_owned(),
            value: weights,
        }],
        statements,
    }
}

#[test]
fn bytes_come_back_and_say_what_enters_and_leaves() {
    let literal = everything();
    let calculation = Calculation::new(literal.clone()).unwrap();
    let bytes = calculation.to_bytes();
    let again = Calculation::from_bytes(&bytes).unwrap();
    assert_eq!(again.literal(), &literal);
    assert_eq!(again, calculation);
    assert_eq!(again.to_bytes(), bytes);
    let names = |tensors: &[Tensor]| -> Vec<String> {
        tensors
            .iter()
            .map(|tensor| format!("{} {:?} {}", tensor.name, tensor.shape, tensor.party))
            .collect()
    };
    assert_eq!(
        names(again.inputs()),
        ["x [2, 1, 4, 4] hospital_a", "labels [2, 3] hospital_b"]
    );
    assert_eq!(names(again.loaded()), ["kernel [2, 1, 2, 2] "]);
    assert_eq!(names(again.outputs())[1], "losses [2] hospital_a");
    assert_eq!(names(again.kept()), ["weights [43] "]);
    assert_eq!(
        again.opened()[0].what,
        "whether the mean loss of each of at most 2 epochs is below 0.01"
    );
    // Without running; twice the same.
    let cost = |calculation: &Calculation| {
        calculation
            .cost::<u64>(Fixed::STANDARD, 3, rep3::cost::<u64>)
            .unwrap()
    };
    assert_eq!(cost(&calculation), cost(&again));
    assert!(cost(&again).rounds > 100);
}

#[test]
fn what_does_not_fit_is_refused_by_its_place() {
    let input = |shape: &[usize]| Statement::Input {
        name: "x".to_owned(),
        shape: shape.to_vec(),
        owner: "a".to_owned(),
    };
    let apply = |operation, operands: &[u64]| Statement::Apply {
        operation,
        operands: operands.iter().copied().map(Value).collect(),
    };
    let refusal = |statements: Vec<Statement>| {
        let value = Value(statements.len() as u64 - 1);
        let literal = CalculationLiteral {
            statements,
            outputs: vec![OutputLiteral {
                name: "y".to_owned(),
                value,
                receiver: "b".to_owned(),
            }],
            kept: Vec::new(),
        };
        Calculation::new(literal).unwrap_err().to_string()
    };
    for (statements, reason) in [
        (
            vec![apply(Operation::Relu, &[0])],
            "statement 0 operands: there is no tensor 0",
        ),
        (
            vec![input(&[2, 3]), apply(Operation::Add, &[0, 0, 0])],
            "statement 1 add: takes 2 tensors, not 3",
        ),
        (
            vec![input(&[2, 3]), apply(Operation::MatrixProduct, &[0, 0])],
            "statement 1: matrix product: shapes [2, 3] and [2, 3] do not go together",
        ),
        (
            vec![input(&[1 << 40, 1 << 40])],
            "statement 0 input: a tensor of shape [1099511627776, 1099511627776] has more than 2^28 elements",
        ),
        (
            vec![
                input(&[2]),
                apply(Operation::AddPublic(vec![f64::NAN]), &[0]),
            ],
            "statement 1 add_public: NaN is no number",
        ),
        (
            vec![input(&[2]), input(&[2])],
            "x: there are two inputs of this name",
        ),
        (
            vec![input(&[2]), apply(Operation::Pad(0, usize::MAX, 5), &[0])],
            "statement 1 pad: a tensor of shape [18446744073709551615] has more than 2^28 elements",
        ),
    ] {
        assert_eq!(refusal(statements), reason);
    }
    let nothing = CalculationLiteral {
        statements: vec![input(&[2])],
        ..CalculationLiteral::default()
    };
    assert_eq!(
        Calculation::new(nothing).unwrap_err().to_string(),
        "outputs: nothing is opened or kept"
    );
}

/// Damage anywhere: an error or another calculation, which may be refused when its cost is counted, but no panic.
#[test]
fn damaged_bytes_never_panic() {
    let bytes = Calculation::new(everything()).unwrap().to_bytes();
    let mut state = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_nanos() as u64;
    println!("seed {state}");
    let mut word = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) as usize
    };
    let mut accepted = 0;
    let mut attempt = |damaged: &[u8]| {
        let Ok(calculation) = Calculation::from_bytes(damaged) else {
            return;
        };
        accepted += 1;
        let tensors = calculation.literal().statements.iter();
        let small = tensors.clone().count() < 200
            && calculation
                .inputs()
                .iter()
                .chain(calculation.loaded())
                .all(|tensor| tensor.elements() < 1 << 12)
            && calculation.steps.iter().sum::<usize>() < 1000
            && tensors.clone().all(|statement| match statement {
                Statement::Apply { operation, .. } => {
                    operation.arguments().1.iter().all(|&count| count < 1 << 8)
                }
                Statement::Network(spec) => spec
                    .layers
                    .iter()
                    .all(|&layer| layer_parts(layer).2.iter().all(|&count| count < 1 << 8)),
                _ => true,
            });
        if small {
            let _ = calculation.cost::<u64>(Fixed::STANDARD, 3, rep3::cost::<u64>);
        }
    };
    for place in 0..bytes.len() {
        attempt(&bytes[..place]);
        for change in [0x01, 0x10, 0x80, 0xff] {
            let mut damaged = bytes.clone();
            damaged[place] ^= change;
            attempt(&damaged);
        }
    }
    for _ in 0..2000 {
        let mut damaged = bytes.clone();
        for _ in 0..1 + word() % 4 {
            let place = word() % damaged.len();
            match word() % 3 {
                0 => damaged[place] = word() as u8,
                1 => drop(damaged.remove(place)),
                _ => damaged.insert(place, word() as u8),
            }
        }
        attempt(&damaged);
    }
    println!("{accepted} damaged calculations were still some");
}

/// Every type of numbers that is accepted runs, or is refused in words.
#[test]
fn types_of_numbers_never_panic() {
    let calculation = Calculation::new(everything()).unwrap();
    for integer_bits in [0, 1, 4, 8, 15, 20, 28, 40, 62, 100, u32::MAX / 2] {
        for fraction_bits in [0, 7, 8, 12, 16, 20, 24, 31, 40, 48, 60, u32::MAX / 2] {
            let fixed = Fixed::new(integer_bits, fraction_bits);
            let narrow = calculation.cost::<u64>(fixed, 3, rep3::cost::<u64>);
            let wide = calculation.cost::<u128>(fixed, 3, rep3::cost::<u128>);
            if (narrow.is_ok(), wide.is_ok()) != (false, false) {
                println!("{fixed:?}: {} {}", narrow.is_ok(), wide.is_ok());
            } else if let Err(error) = &narrow {
                println!("{fixed:?}: {error}");
            }
        }
    }
}
