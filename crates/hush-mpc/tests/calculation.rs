//! Every operation of a calculation on all protocols against floating point, declared costs against what links counted.

mod common;

use common::calculation::{Array, input, opened, output, shared};
use common::{Kind, Random};
use hush_mpc::calculation::{Calculation, CalculationLiteral, Operation, Statement, Value};
use hush_mpc::{Cost, Fixed, Protocol, Word};

/// One operation on some arrays, and what comes out in floating point.
struct Case {
    operation: Operation,
    operands: Vec<Array>,
    shape: Vec<usize>,
    expected: Vec<f64>,
    error: f64,
}

impl Case {
    fn calculation(&self) -> Calculation {
        let mut statements: Vec<Statement> = self
            .operands
            .iter()
            .enumerate()
            .map(|(index, (shape, _))| input(&format!("x{index}"), shape))
            .collect();
        let count = statements.len() as u64;
        statements.push(Statement::Apply {
            operation: self.operation.clone(),
            operands: (0..count).map(Value).collect(),
        });
        Calculation::new(CalculationLiteral {
            statements,
            outputs: vec![output("y", count)],
            kept: Vec::new(),
        })
        .unwrap()
    }
}

/// The error function.
fn erf(x: f64) -> f64 {
    hush_graph::Function::Erf.evaluate(x)
}

fn cases(random: &mut Random) -> Vec<Case> {
    let grid = |values: Vec<f64>| -> Vec<f64> {
        values
            .into_iter()
            .map(|value| (value * 65536.0).round() / 65536.0)
            .collect()
    };
    let mut draw = |low, high, count| grid(random.floats(low, high, count));
    let (x, y, row) = (draw(-4.0, 4.0, 15), draw(-4.0, 4.0, 15), draw(-4.0, 4.0, 5));
    let positive = draw(0.1, 50.0, 15);
    let image = draw(-2.0, 2.0, 64);
    let kernel = draw(-1.0, 1.0, 54);
    let shape = vec![3, 5];
    let mut cases = Vec::new();
    let binary: [(Operation, Binary); 7] = [
        (Operation::Add, |x, y| x + y),
        (Operation::Subtract, |x, y| x - y),
        (Operation::Multiply, |x, y| x * y),
        (Operation::Maximum, f64::max),
        (Operation::Minimum, f64::min),
        (Operation::Less, |x, y| f64::from(u8::from(x < y))),
        (Operation::Equal, |x, y| f64::from(u8::from(x == y))),
    ];
    let mut twin = y.clone();
    twin[3] = x[3];
    for (operation, function) in binary {
        let pairs = x.iter().zip(&twin);
        cases.push(Case {
            operation: operation.clone(),
            operands: vec![(shape.clone(), x.clone()), (shape.clone(), twin.clone())],
            shape: shape.clone(),
            expected: pairs.map(|(&x, &y)| function(x, y)).collect(),
            error: 1e-4,
        });
        let broadcast = x.iter().enumerate().map(|(i, &x)| function(x, row[i % 5]));
        cases.push(Case {
            operation,
            operands: vec![(shape.clone(), x.clone()), (vec![5], row.clone())],
            shape: shape.clone(),
            expected: broadcast.collect(),
            error: 1e-4,
        });
    }
    cases.push(Case {
        operation: Operation::Divide,
        operands: vec![
            (shape.clone(), x.clone()),
            (shape.clone(), positive.clone()),
        ],
        shape: shape.clone(),
        expected: x.iter().zip(&positive).map(|(x, y)| x / y).collect(),
        error: 3e-4,
    });
    let unary: [(Operation, Unary); 17] = [
        (Operation::Negate, |x| -x),
        (Operation::Absolute, f64::abs),
        (Operation::Relu, |x| x.max(0.0)),
        (
            Operation::LeakyRelu(0.1),
            |x| if x < 0.0 { 0.1 * x } else { x },
        ),
        (Operation::Clip(-1.0, 2.0), |x| x.clamp(-1.0, 2.0)),
        (Operation::Exp(4.0), f64::exp),
        (Operation::Exp(1.0), |x| x.min(1.0).exp()),
        (Operation::Sigmoid, |x| 1.0 / (1.0 + (-x).exp())),
        (Operation::Tanh, f64::tanh),
        (Operation::Gelu, |x| {
            x / 2.0 * (1.0 + erf(x / std::f64::consts::SQRT_2))
        }),
        (Operation::Silu, |x| x / (1.0 + (-x).exp())),
        (Operation::Softplus, |x| x.exp().ln_1p()),
        (Operation::Elu(0.5), |x| {
            if x < 0.0 { 0.5 * x.exp_m1() } else { x }
        }),
        (Operation::Erf, erf),
        (Operation::AddPublic(vec![0.75]), |x| x + 0.75),
        (Operation::MultiplyPublic(vec![-0.3]), |x| -0.3 * x),
        (Operation::Polynomial(vec![0.5, -1.0, 0.25, 0.125]), |x| {
            0.5 - x + 0.25 * x * x + 0.125 * x * x * x
        }),
    ];
    for (operation, function) in unary {
        cases.push(Case {
            operation,
            operands: vec![(shape.clone(), x.clone())],
            shape: shape.clone(),
            expected: x.iter().map(|&x| function(x)).collect(),
            error: 2e-4,
        });
    }
    let of_positive: [(Operation, Unary); 4] = [
        (Operation::Reciprocal, f64::recip),
        (Operation::SquareRoot, f64::sqrt),
        (Operation::InverseSquareRoot, |x| x.sqrt().recip()),
        (Operation::Logarithm, f64::ln),
    ];
    for (operation, function) in of_positive {
        cases.push(Case {
            operation,
            operands: vec![(shape.clone(), positive.clone())],
            shape: shape.clone(),
            expected: positive.iter().map(|&x| function(x)).collect(),
            error: 2e-4,
        });
    }
    let lines = |function: &dyn Fn(&[f64]) -> Vec<f64>| -> Vec<f64> {
        x.chunks(5).flat_map(function).collect()
    };
    let softmax = |line: &[f64]| -> Vec<f64> {
        let sum: f64 = line.iter().map(|x| x.exp()).sum();
        line.iter().map(|x| x.exp() / sum).collect()
    };
    let sorted = |line: &[f64]| -> Vec<f64> {
        let mut line = line.to_vec();
        line.sort_by(f64::total_cmp);
        line
    };
    let place = |line: &[f64]| -> f64 {
        let most = (0..5).max_by(|&i, &j| line[i].total_cmp(&line[j]));
        most.unwrap() as f64
    };
    let columns: Vec<f64> = (0..15).map(|i| x[i % 3 * 5 + i / 3]).collect();
    let products: Vec<f64> = (0..9)
        .map(|i| (0..5).map(|k| x[i / 3 * 5 + k] * y[i % 3 * 5 + k]).sum())
        .collect();
    let turned: Vec<f64> = (0..15).map(|i| y[i % 3 * 5 + i / 3]).collect();
    let reductions = [
        (Operation::Softmax(1), shape.clone(), lines(&softmax)),
        (
            Operation::LogSoftmax(1),
            shape.clone(),
            lines(&|line| softmax(line).iter().map(|x| x.ln()).collect()),
        ),
        (
            Operation::Sum(1),
            vec![3],
            lines(&|line| vec![line.iter().sum()]),
        ),
        (
            Operation::Largest(1),
            vec![3],
            lines(&|line| vec![line.iter().copied().fold(f64::MIN, f64::max)]),
        ),
        (
            Operation::ArgMax(1),
            vec![3],
            lines(&|line| vec![place(line)]),
        ),
        (Operation::Sort, shape.clone(), lines(&sorted)),
        (
            Operation::Top(2),
            vec![3, 2],
            lines(&|line| sorted(line).into_iter().rev().take(2).collect()),
        ),
        (Operation::Reshape(vec![5, 3]), vec![5, 3], x.clone()),
        (Operation::Transpose(vec![1, 0]), vec![5, 3], columns),
        (
            Operation::Slice(1, 1, 3),
            vec![3, 2],
            lines(&|line| line[1..3].to_vec()),
        ),
        (
            Operation::Gather(1, vec![4, 0, 4]),
            vec![3, 3],
            lines(&|line| vec![line[4], line[0], line[4]]),
        ),
        (
            Operation::Pad(1, 1, 2),
            vec![3, 8],
            lines(&|line| [&[0.0], line, &[0.0, 0.0]].concat()),
        ),
        (
            Operation::Broadcast(vec![2, 3, 5]),
            vec![2, 3, 5],
            [&x[..], &x[..]].concat(),
        ),
    ];
    for (operation, result, expected) in reductions {
        cases.push(Case {
            operation,
            operands: vec![(shape.clone(), x.clone())],
            shape: result,
            expected,
            error: 3e-4,
        });
    }
    cases.push(Case {
        operation: Operation::MatrixProduct,
        operands: vec![(shape.clone(), x.clone()), (vec![5, 3], turned)],
        shape: vec![3, 3],
        expected: products,
        error: 1e-4,
    });
    cases.push(Case {
        operation: Operation::Concatenate(0),
        operands: vec![(shape.clone(), x.clone()), (vec![1, 5], row.clone())],
        shape: vec![4, 5],
        expected: [&x[..], &row].concat(),
        error: 1e-4,
    });
    let pixel = |n: usize, c: usize, y: usize, x: usize| image[((n * 2 + c) * 4 + y) * 4 + x];
    let windows = |function: &dyn Fn([f64; 4]) -> f64| -> Vec<f64> {
        (0..16)
            .map(|i| {
                let (n, c, y, x) = (i / 8, i / 4 % 2, i / 2 % 2 * 2, i % 2 * 2);
                let at = |dy, dx| pixel(n, c, y + dy, x + dx);
                function([at(0, 0), at(0, 1), at(1, 0), at(1, 1)])
            })
            .collect()
    };
    let images = (vec![2, 2, 4, 4], image.clone());
    cases.push(Case {
        operation: Operation::MaxPool([2, 2]),
        operands: vec![images.clone()],
        shape: vec![2, 2, 2, 2],
        expected: windows(&|w| w.into_iter().fold(f64::MIN, f64::max)),
        error: 1e-4,
    });
    cases.push(Case {
        operation: Operation::AveragePool([2, 2]),
        operands: vec![images.clone()],
        shape: vec![2, 2, 2, 2],
        expected: windows(&|w| w.iter().sum::<f64>() / 4.0),
        error: 1e-4,
    });
    let convolved = (0..24).map(|i| {
        let (n, f, y, x) = (i / 12, i / 4 % 3, i / 2 % 2, i % 2);
        let terms = (0..18).map(|k| {
            let (c, dy, dx) = (k / 9, k / 3 % 3, k % 3);
            pixel(n, c, y + dy, x + dx) * kernel[f * 18 + k]
        });
        terms.sum()
    });
    cases.push(Case {
        operation: Operation::Convolve(hush_mpc::operations::Convolution2d::default()),
        operands: vec![images.clone(), (vec![3, 2, 3, 3], kernel.clone())],
        shape: vec![2, 3, 2, 2],
        expected: convolved.collect(),
        error: 2e-4,
    });
    cases
}

fn check_cases<W: Word>(kind: Kind, fixed: Fixed) {
    let mut random = Random::new();
    let cases = cases(&mut random);
    let calculations: Vec<Calculation> = cases.iter().map(Case::calculation).collect();
    let results = kind.run::<W, _>(|party| {
        let protocol: &mut dyn Protocol<W> = party;
        cases
            .iter()
            .zip(&calculations)
            .map(|(case, calculation)| {
                let inputs = shared(protocol, fixed, &case.operands);
                let before = protocol.spent();
                let results = calculation
                    .run(protocol, fixed, inputs, &mut |_| {})
                    .unwrap();
                let spent = protocol.spent().since(before);
                (opened(protocol, &results[0]), spent)
            })
            .collect::<Vec<_>>()
    });
    for (index, (case, calculation)) in cases.iter().zip(&calculations).enumerate() {
        let name = case.operation.name();
        assert_eq!(calculation.outputs()[0].shape, case.shape, "{name}");
        let found = &results[0][index].0;
        for (found, expected) in found.iter().zip(&case.expected) {
            let error = case.error * expected.abs().max(1.0);
            assert!(
                (found - expected).abs() <= error,
                "{kind:?} {name}: {found}, not {expected} ± {error:e}"
            );
        }
        let bytes = results.iter().map(|party| party[index].1.bytes).sum();
        let counted = Cost::new(results[0][index].1.rounds, bytes);
        let declared = calculation.cost::<W>(fixed, 3, kind.cost::<W>()).unwrap();
        assert_eq!(declared, counted, "{kind:?} {name}");
    }
}

/// What an operation is on floats.
type Unary = fn(f64) -> f64;
type Binary = fn(f64, f64) -> f64;

#[test]
fn every_operation_on_every_protocol() {
    for kind in Kind::ALL {
        check_cases::<u64>(kind, Fixed::STANDARD);
    }
}

#[test]
fn every_operation_on_128_bits() {
    for kind in Kind::ALL {
        check_cases::<u128>(kind, Fixed::WIDE);
    }
}

#[test]
fn rows_are_shuffled_whole() {
    let rows = 40;
    let values: Vec<f64> = (0..rows * 2).map(|i| (i / 2) as f64).collect();
    let case = Case {
        operation: Operation::Shuffle,
        operands: vec![(vec![rows, 2], values)],
        shape: vec![rows, 2],
        expected: Vec::new(),
        error: 0.0,
    };
    let calculation = case.calculation();
    for kind in Kind::ALL {
        let results = kind.run::<u64, _>(|party| {
            let protocol: &mut dyn Protocol<u64> = party;
            let inputs = shared(protocol, Fixed::STANDARD, &case.operands);
            let results = calculation.run(protocol, Fixed::STANDARD, inputs, &mut |_| {});
            opened(protocol, &results.unwrap()[0])
        });
        let found: Vec<f64> = results[0].chunks(2).map(|row| row[0]).collect();
        assert!(results[0].chunks(2).all(|row| row[0] == row[1]), "{kind:?}");
        let ascending: Vec<f64> = (0..rows).map(|row| row as f64).collect();
        assert_ne!(found, ascending, "{kind:?}: the same order");
        let mut sorted = found;
        sorted.sort_by(f64::total_cmp);
        assert_eq!(sorted, ascending, "{kind:?}");
    }
}
