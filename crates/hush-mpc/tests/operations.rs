//! Every operation on fresh random numbers against floating point, and its cost against the count.

mod common;

use common::operation::{Operation, UNIT, near, operand, run, unary};
use common::{Random, three};
use hush_mpc::operations::*;
use hush_mpc::{Fixed, MpcError, Protocol, Secret};

#[test]
fn sums_and_products() {
    let mut random = Random::new();
    let fixed = Fixed::new(6, 16);
    let make = |random: &mut Random, shape: &[usize]| {
        let count = shape.iter().product();
        operand(shape, fixed, random.floats(-63.9, 63.9, count))
    };
    let (x, y) = (make(&mut random, &[30, 20]), make(&mut random, &[1, 20]));
    let pair: Vec<(f64, f64)> = x
        .values
        .iter()
        .enumerate()
        .map(|(i, &x)| (x, y.values[i % 20]))
        .collect();
    let operands = [x, y];
    let (shape, found, _) = run::<u64>(&operands, &|p, s| multiply(p, &s[0], &s[1]));
    assert_eq!(shape, [30, 20]);
    near(
        "product",
        &found,
        &pair.iter().map(|(x, y)| x * y).collect::<Vec<_>>(),
        |_| UNIT,
    );
    let (_, found, _) = run::<u64>(&operands, &|_, s| s[0].add(&s[1].broadcast_to(&[30, 20])?));
    near(
        "sum",
        &found,
        &pair.iter().map(|(x, y)| x + y).collect::<Vec<_>>(),
        |_| 0.0,
    );
    let (_, found, _) = run::<u64>(&operands, &|_, s| {
        s[0].sub(&s[1].broadcast_to(&[30, 20])?)?.times_whole(-3)
    });
    near(
        "difference",
        &found,
        &pair.iter().map(|(x, y)| -3.0 * (x - y)).collect::<Vec<_>>(),
        |_| 0.0,
    );
    let (_, found, _) = run::<u64>(&operands, &|p, s| multiply_public(p, &s[0], &[0.3]));
    near(
        "public product",
        &found,
        &pair.iter().map(|(x, _)| x * 0.3).collect::<Vec<_>>(),
        |_| 64.0 * UNIT / 2.0 + UNIT,
    );
    let (_, found, _) = run::<u64>(&operands, &|p, s| divide_public(p, &s[0], 1000.0));
    near(
        "public quotient",
        &found,
        &pair.iter().map(|(x, _)| x / 1000.0).collect::<Vec<_>>(),
        |_| 2.0 * UNIT,
    );
    let (shape, found, _) = run::<u64>(&operands, &|_, s| s[0].sum(0));
    assert_eq!(shape, [20]);
    let sums: Vec<f64> = (0..20)
        .map(|c| (0..30).map(|r| operands[0].values[r * 20 + c]).sum())
        .collect();
    near("sum along an axis", &found, &sums, |_| 1e-9);
    let wide = Fixed::new(20, 32);
    let x = operand(&[50], wide, random.floats(-1e5, 1e5, 50));
    let squares: Vec<f64> = x.values.iter().map(|x| x * x).collect();
    let (_, found, _) = run::<u128>(&[x], &|p, s| square(p, &s[0]));
    near("square on 128 bits", &found, &squares, |x| {
        wide.unit() + x * 1e-15
    });
}

#[test]
fn matrices_and_convolutions() {
    let mut random = Random::new();
    let fixed = Fixed::new(3, 16);
    let a = operand(&[17, 40], fixed, random.floats(-8.0, 7.9, 17 * 40));
    let b = operand(&[40, 9], fixed, random.floats(-7.9, 7.9, 40 * 9));
    let mut expected = vec![0.0; 17 * 9];
    for row in 0..17 {
        for column in 0..9 {
            expected[row * 9 + column] = (0..40)
                .map(|d| a.values[row * 40 + d] * b.values[d * 9 + column])
                .sum();
        }
    }
    let (shape, found, _) = run::<u64>(&[a, b], &|p, s| matrix_product(p, &s[0], &s[1]));
    assert_eq!(shape, [17, 9]);
    near("matrix product", &found, &expected, |_| UNIT);
    for (groups, strides, padding, dilations) in [
        (1, [1, 1], [(0, 0), (0, 0)], [1, 1]),
        (1, [2, 1], [(1, 2), (0, 1)], [1, 2]),
        (2, [1, 2], [(2, 2), (1, 1)], [1, 1]),
        (4, [1, 1], [(1, 1), (1, 1)], [2, 1]),
    ] {
        let options = Convolution2d {
            strides,
            padding,
            dilations,
            groups,
        };
        let (input, kernel) = ([2, 4, 9, 8], [8, 4 / groups, 3, 2]);
        let x = operand(
            &input,
            fixed,
            random.floats(-7.9, 7.9, input.iter().product()),
        );
        let w = operand(
            &kernel,
            fixed,
            random.floats(-1.0, 1.0, kernel.iter().product()),
        );
        let convolution = hush_graph::Convolution {
            weight: hush_graph::Tensor::new(kernel.to_vec(), w.values.clone()).unwrap(),
            bias: None,
            strides: strides.to_vec(),
            padding: padding.to_vec(),
            dilations: dilations.to_vec(),
            groups,
        };
        let mut builder = hush_graph::GraphBuilder::new("g");
        let value = builder.input("x", hush_graph::Shape::new(input[1..].to_vec()).unwrap());
        let y = builder
            .node(
                vec!["c".into()],
                hush_graph::Operator::Convolution(convolution),
                &[value],
                "y",
            )
            .unwrap();
        builder.output("y", y).unwrap();
        let samples = hush_graph::Tensor::new(input.to_vec(), x.values.clone()).unwrap();
        let expected = hush_graph::evaluate(&builder.build().unwrap(), &[samples])
            .unwrap()
            .remove(0);
        let (shape, found, _) =
            run::<u64>(&[x, w], &|p, s| convolve(p, &s[0], &s[1], options, None));
        assert_eq!(shape, expected.shape());
        near("convolution", &found, expected.data(), |_| UNIT);
    }
}

#[test]
fn comparisons_and_selections() {
    let fixed = Fixed::STANDARD;
    let exact = |_: f64| 0.0;
    unary(
        "relu",
        -32767.0,
        32767.0,
        fixed,
        &|p, s| relu(p, &s[0]),
        |x| x.max(0.0),
        exact,
    );
    unary(
        "absolute",
        -32767.0,
        32767.0,
        fixed,
        &|p, s| absolute(p, &s[0]),
        f64::abs,
        exact,
    );
    unary(
        "clip",
        -10.0,
        10.0,
        fixed,
        &|p, s| clip(p, &s[0], Some(-1.0), Some(6.0)),
        |x| x.clamp(-1.0, 6.0),
        exact,
    );
    unary(
        "leaky relu",
        -100.0,
        100.0,
        fixed,
        &|p, s| leaky_relu(p, &s[0], 0.25),
        |x| if x > 0.0 { x } else { x / 4.0 },
        |_| UNIT,
    );
    let mut random = Random::new();
    let mut values = random.floats(-3.0, 3.0, 600);
    // Equal elements too.
    for index in 0..100 {
        values[300 + index] = values[index];
    }
    let (x, y) = (
        operand(&[300], fixed, values[..300].to_vec()),
        operand(&[300], fixed, values[300..].to_vec()),
    );
    let pairs: Vec<(f64, f64)> = x
        .values
        .iter()
        .copied()
        .zip(y.values.iter().copied())
        .collect();
    let operands = [x, y];
    let expect = |f: fn(f64, f64) -> f64| pairs.iter().map(|&(x, y)| f(x, y)).collect::<Vec<f64>>();
    let (_, found, _) = run::<u64>(&operands, &|p, s| maximum(p, &s[0], &s[1]));
    near("maximum", &found, &expect(f64::max), exact);
    let (_, found, _) = run::<u64>(&operands, &|p, s| minimum(p, &s[0], &s[1]));
    near("minimum", &found, &expect(f64::min), exact);
    let as_words: &Operation<'_, u64> = &|p, s| {
        let bits = less(p, &s[0], &s[1])?;
        Secret::new(vec![300], Fixed::BIT, p.bits_to_words(&bits)?)
    };
    let (_, found, _) = run(&operands, as_words);
    near(
        "less",
        &found,
        &expect(|x, y| f64::from(u8::from(x < y))),
        exact,
    );
    let as_words: &Operation<'_, u64> = &|p, s| {
        let bits = equal(p, &s[0], &s[1])?;
        Secret::new(vec![300], Fixed::BIT, p.bits_to_words(&bits)?)
    };
    let (_, found, _) = run(&operands, as_words);
    near(
        "equal",
        &found,
        &expect(|x, y| f64::from(u8::from(x == y))),
        exact,
    );
    let (_, found, _) = run::<u64>(&operands, &|p, s| {
        let bits = less(p, &s[0], &s[1])?;
        select(p, &bits, &s[0], &s[1])
    });
    near("select", &found, &expect(f64::min), exact);
}

#[test]
fn orders() {
    let mut random = Random::new();
    let fixed = Fixed::STANDARD;
    let x = operand(&[5, 13], fixed, random.floats(-100.0, 100.0, 65));
    let rows: Vec<Vec<f64>> = x.values.chunks(13).map(<[f64]>::to_vec).collect();
    let sorted: Vec<Vec<f64>> = rows
        .iter()
        .map(|row| {
            let mut row = row.clone();
            row.sort_by(f64::total_cmp);
            row
        })
        .collect();
    let operands = [x];
    let (_, found, _) = run::<u64>(&operands, &|p, s| sort(p, &s[0]));
    near("sort", &found, &sorted.concat(), |_| 0.0);
    let (shape, found, _) = run::<u64>(&operands, &|p, s| top(p, &s[0], 3));
    assert_eq!(shape, [5, 3]);
    let expected: Vec<f64> = sorted
        .iter()
        .flat_map(|row| [row[12], row[11], row[10]])
        .collect();
    near("top", &found, &expected, |_| 0.0);
    let (shape, found, _) = run::<u64>(&operands, &|p, s| max_along(p, &s[0], 1));
    assert_eq!(shape, [5]);
    near(
        "maximum along an axis",
        &found,
        &sorted.iter().map(|row| row[12]).collect::<Vec<_>>(),
        |_| 0.0,
    );
    let (_, found, _) = run::<u64>(&operands, &|p, s| arg_max(p, &s[0], 1, false));
    let expected: Vec<f64> = rows
        .iter()
        .zip(&sorted)
        .map(|(row, sorted)| row.iter().position(|x| *x == sorted[12]).unwrap() as f64)
        .collect();
    near("arg-max", &found, &expected, |_| 0.0);
    let ties = operand(&[1, 7], fixed, vec![1.0, 5.0, 2.0, 5.0, 5.0, -1.0, 0.0]);
    let operands = [ties];
    let (_, found, _) = run::<u64>(&operands, &|p, s| arg_max(p, &s[0], 1, false));
    assert_eq!(found, [1.0]);
    let (_, found, _) = run::<u64>(&operands, &|p, s| arg_max(p, &s[0], 1, true));
    assert_eq!(found, [4.0]);
}

#[test]
fn what_does_not_fit_is_refused_before_anything_is_sent() {
    three(|protocol| {
        let protocol: &mut dyn Protocol<u64> = protocol;
        let values = (protocol.party() == 0).then_some(&[1.0][..]);
        let x = Secret::<u64>::input(protocol, 0, &[1], Fixed::new(20, 16), values).unwrap();
        let before = protocol.spent();
        assert!(matches!(
            multiply(protocol, &x, &x),
            Err(MpcError::Range { .. })
        ));
        assert!(matches!(
            polynomial(protocol, &x, &[0.0, 0.0, 1.0]),
            Err(MpcError::Range { .. })
        ));
        assert!(x.clone().times_whole(1 << 40).is_err());
        assert_eq!(protocol.spent(), before);
        assert!(multiply(protocol, &x.clone().declare(10), &x.declare(10)).is_ok());
        let none = Secret::<u64>::input(protocol, 0, &[1], Fixed::STANDARD, Some(&[f64::NAN]));
        assert!(matches!(none, Err(MpcError::Value { .. })));
    });
}

#[test]
fn ranges_can_be_checked_on_shares() {
    three(|protocol| {
        let protocol: &mut dyn Protocol<u64> = protocol;
        let values = (protocol.party() == 0).then_some(&[1.0, -3.9, 4.0, -4.1][..]);
        let x = Secret::<u64>::input(protocol, 0, &[4], Fixed::STANDARD, values).unwrap();
        assert!(!within(protocol, &x, 2).unwrap());
        assert!(within(protocol, &x, 3).unwrap());
        assert!(within(protocol, &x.slice(0, 0..3).unwrap(), 2).unwrap());
    });
}
