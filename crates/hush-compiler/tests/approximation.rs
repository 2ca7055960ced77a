//! How functions are replaced by polynomials: the network stays what it was but for the error reported.

use hush_compiler::approximate::{Approximated, approximate};
use hush_compiler::calibrate::{Calibrated, calibrate};
use hush_compiler::fold::fold;
use hush_compiler::{Calibration, CompileError, Options, compile};
use hush_graph::{BinaryOperator, Function, Graph, GraphBuilder, Operator, Shape, Tensor};
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

struct Random(ChaCha20Rng);

impl Random {
    fn new(seed: u64) -> Self {
        println!("seed {seed}");
        Self(ChaCha20Rng::seed_from_u64(seed))
    }

    fn tensor(&mut self, shape: &[usize], size: f64) -> Tensor {
        let unit = |bits: u64| (bits >> 11) as f64 / (1u64 << 52) as f64 - 1.0;
        let count = shape.iter().product();
        let data = (0..count).map(|_| size * unit(self.0.next_u64()));
        Tensor::new(shape.to_vec(), data.collect()).unwrap()
    }
}

/// Dense layers with functions between them; `shift` is added before each function.
fn graph(random: &mut Random, widths: &[usize], functions: &[Function], shift: f64) -> Graph {
    let mut builder = GraphBuilder::new("layers");
    let mut value = builder.input("x", Shape::new(vec![widths[0]]).unwrap());
    for (layer, pair) in widths.windows(2).enumerate() {
        let weight = random.tensor(&[pair[1], pair[0]], (3.0 / pair[0] as f64).sqrt());
        let bias = random.tensor(&[pair[1]], 0.3);
        let bias = bias.data().iter().map(|bias| bias + shift).collect();
        let bias = Some(Tensor::new(vec![pair[1]], bias).unwrap());
        let name = format!("fc{layer}");
        let operator = Operator::Linear { weight, bias };
        value = builder
            .node(vec![name.clone()], operator, &[value], name)
            .unwrap();
        if let Some(function) = functions.get(layer) {
            let name = format!("act{layer}");
            let operator = Operator::Elementwise(function.clone());
            value = builder
                .node(vec![name.clone()], operator, &[value], name)
                .unwrap();
        }
    }
    builder.output("y", value).unwrap();
    builder.build().unwrap()
}

fn run(
    graph: &Graph,
    data: Tensor,
    options: &Options,
) -> Result<(Calibrated, Approximated), CompileError> {
    let network = fold(graph)?;
    let calibration = Calibration { inputs: vec![data] };
    let calibrated = calibrate(graph, &network, &calibration)?;
    let approximated = approximate(&network, &calibrated, options)?;
    Ok((calibrated, approximated))
}

fn precise(precision: f64) -> Options {
    Options {
        precision: Some(precision),
        ..Options::default()
    }
}

/// Largest output error of the network as it was rewritten.
fn error(calibrated: &Calibrated, approximated: &Approximated) -> f64 {
    let network = &approximated.network;
    let mut largest = 0.0f64;
    for (row, expected) in calibrated.rows.iter().zip(&calibrated.outputs) {
        let inputs: Vec<&[f64]> = row.iter().map(Vec::as_slice).collect();
        let values = network.evaluate(&inputs);
        for (port, expected) in network.outputs.iter().zip(expected) {
            for (found, expected) in values[port.value].iter().zip(expected) {
                largest = largest.max((found - expected).abs());
            }
        }
    }
    largest
}

fn levels(approximated: &Approximated) -> usize {
    let depths = approximated.network.depths();
    depths[approximated.network.outputs[0].value]
}

#[test]
fn the_rewritten_network_has_the_error_reported() {
    let leaky = Function::LeakyRelu { slope: 0.1 };
    for (seed, functions) in [
        (1, [Function::Relu, Function::Relu]),
        (2, [leaky, Function::Tanh]),
        (3, [Function::Abs, Function::Sigmoid]),
        (4, [Function::Gelu, Function::Abs]),
    ] {
        let mut random = Random::new(seed);
        let graph = graph(&mut random, &[12, 16, 10, 4], &functions, 0.0);
        let data = random.tensor(&[300, 12], 1.0);
        let mut before = usize::MAX;
        for options in [
            precise(0.01),
            precise(0.1),
            precise(0.5),
            Options::default(),
        ] {
            let (calibrated, approximated) = run(&graph, data.clone(), &options).unwrap();
            let found = error(&calibrated, &approximated);
            assert!(
                (found - approximated.error).abs() < 1e-7,
                "{found} {} for {:?}",
                approximated.error,
                approximated.fits
            );
            let summed: usize = approximated.fits.iter().map(|fit| fit.levels).sum();
            assert_eq!(levels(&approximated), summed + 3, "{:?}", approximated.fits);
            assert!(approximated.fits.iter().all(|fit| fit.out_of_range == 0));
            if let Some(precision) = options.precision {
                assert!(found <= precision && approximated.precision == precision);
                assert!(levels(&approximated) <= before);
                before = levels(&approximated);
            }
        }
    }
}

#[test]
fn a_composite_sign_takes_over_where_degrees_end() {
    let mut random = Random::new(10);
    let graph = graph(&mut random, &[6, 5, 3], &[Function::Relu], 0.0);
    let options = Options {
        max_degree: 31,
        ..precise(2e-3)
    };
    let data = random.tensor(&[2000, 6], 1.0);
    let (calibrated, approximated) = run(&graph, data, &options).unwrap();
    let fit = &approximated.fits[0];
    println!(
        "{:?} in {} levels, error {:.1e}",
        fit.degrees, fit.levels, fit.error
    );
    assert!(fit.degrees.len() > 1);
    let found = error(&calibrated, &approximated);
    assert!(
        (found - approximated.error).abs() < 1e-7 && found <= 2e-3,
        "{found}"
    );
}

#[test]
fn functions_that_matter_less_get_fewer_levels() {
    let mut random = Random::new(11);
    let functions = [Function::Relu, Function::Relu, Function::Relu];
    let graph = graph(&mut random, &[20, 24, 24, 24, 5], &functions, 0.0);
    let data = random.tensor(&[400, 20], 1.0);
    let (_, each) = run(&graph, data.clone(), &precise(0.2)).unwrap();
    let degrees: Vec<usize> = each.fits.iter().map(|fit| fit.levels).collect();
    println!("{degrees:?}");
    let most = degrees.iter().max().unwrap();
    assert!(degrees.iter().sum::<usize>() < 3 * most, "{degrees:?}");
    // The same choice every time.
    let (_, again) = run(&graph, data, &precise(0.2)).unwrap();
    assert_eq!(each, again);
}

#[test]
fn arguments_outside_of_a_domain_are_refused() {
    let mut random = Random::new(12);
    let data = random.tensor(&[64, 4], 1.0);
    // Square roots of what is above zero by far.
    let above = graph(&mut random, &[4, 3, 2], &[Function::Sqrt], 6.0);
    let (_, approximated) = run(&above, data.clone(), &precise(1e-3)).unwrap();
    assert!(approximated.fits[0].interval.0 > 0.0);
    let across = graph(&mut random, &[4, 3, 2], &[Function::Reciprocal], 0.0);
    let refused = run(&across, data, &precise(1e-3)).unwrap_err();
    assert!(matches!(refused, CompileError::Domain { .. }), "{refused}");
}

#[test]
fn jumps_are_refused_where_arguments_meet_them() {
    let mut random = Random::new(21);
    let data = random.tensor(&[64, 5], 1.0);
    let jumps = [Function::ThresholdedRelu { alpha: 0.25 }];
    let model = graph(&mut random, &[5, 4, 2], &jumps, 0.0);
    let refused = run(&model, data.clone(), &precise(1e-2)).unwrap_err();
    assert!(
        matches!(refused, CompileError::Jump { at: 0.25, .. }),
        "{refused}"
    );
    let above = graph(&mut random, &[5, 4, 2], &jumps, 9.0);
    run(&above, data, &precise(1e-2)).unwrap();
}

#[test]
fn absolute_values_get_even_polynomials() {
    let mut random = Random::new(13);
    let graph = graph(&mut random, &[8, 12, 3], &[Function::Abs], 0.2);
    let data = random.tensor(&[500, 8], 1.0);
    for precision in [0.5, 0.05] {
        let (_, approximated) = run(&graph, data.clone(), &precise(precision)).unwrap();
        let fit = &approximated.fits[0];
        assert_eq!(fit.interval.0, -fit.interval.1);
        assert_eq!(fit.degree % 2, 0, "{:?}", fit.degrees);
        for [x, _, y] in &fit.curve {
            let mirrored = fit.curve.iter().find(|point| (point[0] + x).abs() < 1e-9);
            assert!(
                mirrored.is_none_or(|point| (point[2] - y).abs() < 1e-4),
                "{x}"
            );
        }
    }
}

/// A function of a product has no linear stage before it, and a composite sign multiplies by its argument: both run as
/// programs, with noise.
#[test]
fn every_form_compiles() {
    let mut random = Random::new(14);
    let mut builder = GraphBuilder::new("gate");
    let x = builder.input("x", Shape::new(vec![6]).unwrap());
    let mut dense = |name: &str| {
        let weight = random.tensor(&[5, 6], 0.7);
        let operator = Operator::Linear { weight, bias: None };
        let name = name.to_owned();
        builder
            .node(vec![name.clone()], operator, &[x], name)
            .unwrap()
    };
    let (left, right) = (dense("left"), dense("right"));
    let product = Operator::Binary(BinaryOperator::Multiply);
    let product = builder
        .node(vec!["times".to_owned()], product, &[left, right], "times")
        .unwrap();
    let tanh = Operator::Elementwise(Function::Tanh);
    let value = builder
        .node(vec!["tanh".to_owned()], tanh, &[product], "tanh")
        .unwrap();
    builder.output("y", value).unwrap();
    let stacked = builder.build().unwrap();
    let kinked = graph(&mut random, &[6, 5, 3], &[Function::Relu], 0.0);
    let signs = Options {
        max_degree: 31,
        ..precise(4e-3)
    };
    for (graph, options, composite) in [(stacked, precise(1e-2), false), (kinked, signs, true)] {
        let inputs = vec![random.tensor(&[200, 6], 1.0)];
        let compiled = compile(&graph, &Calibration { inputs }, &options).unwrap();
        let report = &compiled.report;
        println!("{report}");
        assert!(report.simulated_error <= report.precision);
        let degrees = &report.activations[0].degrees;
        assert_eq!(degrees.len() > 1, composite, "{degrees:?}");
    }
}
