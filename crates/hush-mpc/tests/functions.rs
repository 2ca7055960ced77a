//! Approximated functions on fresh random numbers against floating point.

mod common;

use common::Random;
use common::operation::{UNIT, near, operand, run, unary};
use hush_mpc::Fixed;
use hush_mpc::operations::*;

#[test]
fn scalar_functions() {
    let fixed = Fixed::STANDARD;
    let f = |function: hush_graph::Function| move |x: f64| function.evaluate(x);
    use hush_graph::Function;
    let sigmoid = Piecewise::fit(
        f(Function::Sigmoid),
        (-12.0, 12.0),
        (0.0, 0.0),
        (1.0, 0.0),
        1e-5,
    );
    println!("{} pieces", sigmoid.pieces.len());
    unary(
        "sigmoid",
        -100.0,
        100.0,
        fixed,
        &|p, s| piecewise(p, &s[0], &sigmoid),
        f(Function::Sigmoid),
        |_| 1e-5 + 2.0 * UNIT,
    );
    let gelu = Piecewise::fit(f(Function::Gelu), (-5.0, 5.0), (0.0, 0.0), (0.0, 1.0), 1e-4);
    println!("{} pieces", gelu.pieces.len());
    unary(
        "gelu",
        -60.0,
        60.0,
        fixed,
        &|p, s| piecewise(p, &s[0], &gelu),
        f(Function::Gelu),
        |_| 1e-4 + 2.0 * UNIT,
    );
    unary(
        "sigmoid in three pieces",
        -9.0,
        9.0,
        fixed,
        &|p, s| sigmoid_three(p, &s[0]),
        |x| (x + 0.5).clamp(0.0, 1.0),
        |_| UNIT,
    );
    unary(
        "sigmoid in five pieces",
        -9.0,
        9.0,
        fixed,
        &|p, s| sigmoid_five(p, &s[0]),
        f(Function::Sigmoid),
        |_| 0.03,
    );
    let coefficients = [0.5, 0.197, 0.25, -0.004];
    unary(
        "polynomial",
        -7.9,
        7.9,
        Fixed::new(3, 16),
        &|p, s| polynomial(p, &s[0], &coefficients),
        |x| 0.5 + 0.197 * x + 0.25 * x * x - 0.004 * x * x * x,
        |_| 4.0 * UNIT,
    );
    unary(
        "exp below zero",
        -40.0,
        0.0,
        fixed,
        &|p, s| exp(p, &s[0], 0.0),
        f64::exp,
        |_| 3.0 * UNIT,
    );
    unary(
        "exp",
        -8.0,
        5.0,
        fixed,
        &|p, s| exp(p, &s[0], 5.0),
        f64::exp,
        |x| 2.0 * UNIT + x * 1e-6,
    );
    unary(
        "reciprocal",
        0.01,
        30000.0,
        fixed,
        &|p, s| reciprocal(p, &s[0]),
        f64::recip,
        |x| 2.0 * UNIT + x * 3e-8,
    );
    unary(
        "reciprocal of small",
        0.001,
        1.0,
        fixed,
        &|p, s| reciprocal(p, &s[0]),
        f64::recip,
        |x| 2.0 * UNIT + x * 3e-8,
    );
    unary(
        "logarithm",
        0.001,
        30000.0,
        fixed,
        &|p, s| logarithm(p, &s[0]),
        f64::ln,
        |_| 2.0 * UNIT,
    );
    unary(
        "square root",
        0.001,
        30000.0,
        fixed,
        &|p, s| square_root(p, &s[0]),
        f64::sqrt,
        |x| 2.0 * UNIT + x * 4e-6,
    );
    unary(
        "inverse square root",
        0.001,
        3000.0,
        fixed,
        &|p, s| inverse_square_root(p, &s[0]),
        |x| 1.0 / x.sqrt(),
        |x| 2.0 * UNIT + x * 4e-6,
    );
    // Of what is not positive comes zero.
    for operation in [
        reciprocal::<u64>,
        logarithm::<u64>,
        square_root::<u64>,
        inverse_square_root::<u64>,
    ] {
        let x = operand(&[3], fixed, vec![0.0, -1.0, -30000.0]);
        let (_, found, _) = run::<u64>(&[x], &|p, s| operation(p, &s[0]));
        assert_eq!(found, [0.0; 3]);
    }
}

#[test]
fn softmax_and_quotients() {
    let mut random = Random::new();
    let x = operand(&[6, 10], Fixed::new(6, 16), random.floats(-20.0, 20.0, 60));
    let rows: Vec<Vec<f64>> = x
        .values
        .chunks(10)
        .map(|row| {
            let sum: f64 = row.iter().map(|x| x.exp()).sum();
            row.iter().map(|x| x.exp() / sum).collect()
        })
        .collect();
    let operands = [x];
    let (_, found, _) = run::<u64>(&operands, &|p, s| softmax(p, &s[0], 1));
    near("softmax", &found, &rows.concat(), |_| 4.0 * UNIT);
    let (_, found, _) = run::<u64>(&operands, &|p, s| log_softmax(p, &s[0], 1));
    let logs: Vec<f64> = operands[0]
        .values
        .chunks(10)
        .flat_map(|row| {
            let sum: f64 = row.iter().map(|x| x.exp()).sum();
            row.iter().map(move |x| x - sum.ln()).collect::<Vec<_>>()
        })
        .collect();
    near("log-softmax", &found, &logs, |_| 2e-4);
    let (a, b) = (
        operand(&[100], Fixed::new(4, 16), random.floats(-15.0, 15.0, 100)),
        operand(&[100], Fixed::new(6, 16), random.floats(0.5, 60.0, 100)),
    );
    let expected: Vec<f64> = a.values.iter().zip(&b.values).map(|(a, b)| a / b).collect();
    let (_, found, _) = run::<u64>(&[a, b], &|p, s| divide(p, &s[0], &s[1], Fixed::new(6, 16)));
    near("quotient", &found, &expected, |_| 34.0 * UNIT);
}
