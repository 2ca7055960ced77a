//! Models built in code: compiled programs must agree with the float model on fresh inputs.

use hush_compiler::{Calibration, CompileError, Compiled, Options, compile};
use hush_graph::{Function, Graph, GraphBuilder, Operator, Shape, Tensor, evaluate};
use hush_program::clear::{ClearMachine, NoiseMode};
use hush_program::{ClientSpec, PackingKind, PostOperation, TensorSpec, execute};
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

/// Every output within 1e-3.
fn strict() -> Options {
    Options {
        precision: Some(1e-3),
        ..Options::default()
    }
}

struct Random(ChaCha20Rng);

impl Random {
    fn new(seed: u64) -> Self {
        println!("seed {seed}");
        Self(ChaCha20Rng::seed_from_u64(seed))
    }

    /// Uniform in [−1, 1).
    fn uniform(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }

    fn tensor(&mut self, shape: &[usize], size: f64) -> Tensor {
        let count = shape.iter().product();
        let data = (0..count).map(|_| size * self.uniform()).collect();
        Tensor::new(shape.to_vec(), data).unwrap()
    }
}

/// A network with the given widths and an activation between the layers.
fn mlp(random: &mut Random, widths: &[usize], activation: &Function) -> Graph {
    let mut builder = GraphBuilder::new("mlp");
    let mut value = builder.input("x", Shape::new(vec![widths[0]]).unwrap());
    for (layer, pair) in widths.windows(2).enumerate() {
        let size = (3.0 / pair[0] as f64).sqrt();
        let weight = random.tensor(&[pair[1], pair[0]], size);
        let bias = Some(random.tensor(&[pair[1]], 0.5));
        let name = format!("fc{layer}");
        value = builder
            .node(
                vec![name.clone()],
                Operator::Linear { weight, bias },
                &[value],
                name,
            )
            .unwrap();
        if layer + 2 < widths.len() {
            let name = format!("act{layer}");
            let operator = Operator::Elementwise(activation.clone());
            value = builder
                .node(vec![name.clone()], operator, &[value], name)
                .unwrap();
        }
    }
    builder.output("y", value).unwrap();
    builder.build().unwrap()
}

fn calibration(random: &mut Random, rows: usize, width: usize) -> Calibration {
    Calibration {
        inputs: vec![random.tensor(&[rows, width], 1.0)],
    }
}

/// Fills slots as a client would.
fn place(spec: &ClientSpec, tensor: &TensorSpec, samples: &[&[f64]]) -> Vec<Vec<f64>> {
    let mut slots = vec![vec![0.0; spec.slots]; tensor.ciphertexts];
    for (sample, row) in samples.iter().enumerate() {
        for (value, places) in row.iter().zip(&tensor.places) {
            for place in places {
                let slot = (place.slot + sample * spec.packing.sample_stride) % spec.slots;
                slots[place.ciphertext][slot] = *value;
            }
        }
    }
    slots
}

/// Largest output error on fresh inputs, with sampled noise.
fn error_on_fresh_inputs(
    random: &mut Random,
    graph: &Graph,
    compiled: &Compiled,
    count: usize,
) -> f64 {
    let (program, spec) = (&compiled.program, &compiled.client_spec);
    let width = spec.inputs[0].shape.iter().product();
    let inputs = random.tensor(&[count, width], 1.0);
    let expected = evaluate(graph, std::slice::from_ref(&inputs))
        .unwrap()
        .remove(0);
    let outputs = expected.data().len() / count;
    let rows: Vec<&[f64]> = inputs.data().chunks(width).collect();
    let mut machine = ClearMachine::new(program, NoiseMode::Sampled(random.0.next_u64()));
    let mut worst = 0.0f64;
    for (group, samples) in rows.chunks(spec.packing.samples).enumerate() {
        let values = place(spec, &spec.inputs[0], samples);
        let values = values
            .into_iter()
            .map(|slots| machine.encrypt(slots, program.input_level, program.input_scale))
            .collect();
        let results = execute(program, values, &mut machine, &mut ()).unwrap();
        for sample in 0..samples.len() {
            for (element, places) in spec.outputs[0].places.iter().enumerate() {
                let place = places[0];
                let slot = (place.slot + sample * spec.packing.sample_stride) % spec.slots;
                let found = results[place.ciphertext].values[slot];
                let row = group * spec.packing.samples + sample;
                worst = worst.max((found - expected.data()[row * outputs + element]).abs());
            }
        }
    }
    assert!(machine.headroom() > 0.0, "headroom {}", machine.headroom());
    worst
}

fn check(seed: u64, widths: &[usize], activation: &Function, options: &Options) -> Compiled {
    let mut random = Random::new(seed);
    let graph = mlp(&mut random, widths, activation);
    let calibration = calibration(&mut random, 400, widths[0]);
    let compiled = compile(&graph, &calibration, options).unwrap();
    println!("{}\n{}", compiled.report, compiled.program);
    compiled.client_spec.check().unwrap();
    assert_eq!(
        compiled.client_spec.program_id,
        compiled.program.id().unwrap()
    );
    let error = error_on_fresh_inputs(&mut random, &graph, &compiled, 20);
    assert!(
        error <= compiled.report.precision,
        "error {error:.2e} for widths {widths:?}"
    );
    compiled
}

fn square() -> Function {
    Function::Polynomial(hush_graph::Polynomial::new(vec![0.1, 0.4, 0.25]))
}

#[test]
fn small_dense_networks_in_one_ciphertext() {
    check(1, &[30, 16, 2], &square(), &strict());
    check(2, &[5, 7, 3], &Function::Tanh, &strict());
    check(3, &[64, 32, 16, 4], &square(), &strict());
    check(4, &[1, 1], &square(), &strict());
    check(
        5,
        &[9, 17, 33, 5],
        &Function::Sigmoid,
        &Options {
            precision: Some(1e-2),
            ..strict()
        },
    );
}

#[test]
fn wide_dense_networks() {
    let compiled = check(
        6,
        &[200, 100, 10],
        &square(),
        &Options {
            precision: Some(1e-2),
            ..strict()
        },
    );
    assert!(
        compiled.report.rotations < 60,
        "{}",
        compiled.report.rotations
    );
}

#[test]
fn several_samples_share_a_ciphertext() {
    let options = Options {
        batch: Some(8),
        packing: Some(PackingKind::Latency),
        ..strict()
    };
    let compiled = check(7, &[30, 16, 2], &square(), &options);
    assert_eq!(compiled.client_spec.packing.samples, 8);
}

#[test]
fn throughput_packing_needs_no_rotations() {
    let options = Options {
        batch: Some(5000),
        ..strict()
    };
    let compiled = check(8, &[12, 8, 3], &square(), &options);
    assert_eq!(compiled.client_spec.packing.kind, PackingKind::Throughput);
    assert!(compiled.client_spec.keys.rotations.is_empty());
    let tanh = Options {
        packing: Some(PackingKind::Throughput),
        precision: Some(1e-2),
        ..strict()
    };
    check(9, &[4, 6, 2], &Function::Tanh, &tanh);
}

#[test]
fn the_same_model_gives_the_same_bytes() {
    let build = || {
        let mut random = Random::new(10);
        let graph = mlp(&mut random, &[20, 10, 4], &Function::Sigmoid);
        let calibration = calibration(&mut random, 32, 20);
        compile(
            &graph,
            &calibration,
            &Options {
                precision: Some(1e-2),
                ..strict()
            },
        )
        .unwrap()
    };
    let (first, second) = (build(), build());
    assert_eq!(first.client_spec.program_id, second.client_spec.program_id);
    assert_eq!(first, second);
    assert_eq!(first.report.to_string(), second.report.to_string());
}

/// y = E (A act(B x) + C x · D x): a skip around an activation, and a product of two values.
#[test]
fn skips_and_products_of_values() {
    for seed in 20..23 {
        let mut random = Random::new(seed);
        let mut builder = GraphBuilder::new("skip");
        let x = builder.input("x", Shape::new(vec![6]).unwrap());
        let mut linear = |builder: &mut GraphBuilder, name: &str, inputs: usize, from| {
            let weight = random.tensor(&[4, inputs], 0.6);
            let operator = Operator::Linear { weight, bias: None };
            builder
                .node(vec![name.into()], operator, &[from], name)
                .unwrap()
        };
        let b = linear(&mut builder, "b", 6, x);
        let act = builder
            .node(
                vec!["act".into()],
                Operator::Elementwise(square()),
                &[b],
                "act",
            )
            .unwrap();
        let a = linear(&mut builder, "a", 4, act);
        let c = linear(&mut builder, "c", 6, x);
        let d = linear(&mut builder, "d", 6, x);
        let multiply = Operator::Binary(hush_graph::BinaryOperator::Multiply);
        let product = builder
            .node(vec!["product".into()], multiply, &[c, d], "product")
            .unwrap();
        let add = Operator::Binary(hush_graph::BinaryOperator::Add);
        let sum = builder
            .node(vec!["sum".into()], add, &[a, product], "sum")
            .unwrap();
        let last = linear(&mut builder, "last", 4, sum);
        builder.output("y", last).unwrap();
        let graph = builder.build().unwrap();
        let calibration = calibration(&mut random, 64, 6);
        for options in [
            strict(),
            Options {
                packing: Some(PackingKind::Throughput),
                ..strict()
            },
        ] {
            let compiled = compile(&graph, &calibration, &options).unwrap();
            println!("{}", compiled.program);
            let error = error_on_fresh_inputs(&mut random, &graph, &compiled, 10);
            assert!(error <= 1e-3, "seed {seed}: {error:.2e}");
        }
    }
}

#[test]
fn a_last_softmax_is_left_to_the_client() {
    let mut random = Random::new(30);
    let mut builder = GraphBuilder::new("soft");
    let x = builder.input("x", Shape::new(vec![6]).unwrap());
    let weight = random.tensor(&[4, 6], 0.6);
    let y = builder
        .node(
            vec!["fc".into()],
            Operator::Linear { weight, bias: None },
            &[x],
            "y",
        )
        .unwrap();
    let p = builder
        .node(
            vec!["soft".into()],
            Operator::Softmax { axis: 0 },
            &[y],
            "p",
        )
        .unwrap();
    builder.output("p", p).unwrap();
    let graph = builder.build().unwrap();
    let calibration = calibration(&mut random, 16, 6);
    let compiled = compile(&graph, &calibration, &strict()).unwrap();
    assert_eq!(
        compiled.client_spec.post,
        [PostOperation::Softmax { axis: 1 }]
    );
    assert_eq!(compiled.program.instructions.len(), 1);
}

#[test]
fn every_unsupported_node_is_named_at_once() {
    let mut builder = GraphBuilder::new("bad");
    let x = builder.input("x", Shape::new(vec![4]).unwrap());
    let a = builder
        .node(
            vec!["soft".into()],
            Operator::Softmax { axis: 0 },
            &[x],
            "a",
        )
        .unwrap();
    let b = builder
        .node(
            vec!["log".into()],
            Operator::LogSoftmax { axis: 0 },
            &[a],
            "b",
        )
        .unwrap();
    let weight = Tensor::new(vec![1, 4], vec![1.0; 4]).unwrap();
    let c = builder
        .node(
            vec!["fc".into()],
            Operator::Linear { weight, bias: None },
            &[b],
            "c",
        )
        .unwrap();
    builder.output("y", c).unwrap();
    let graph = builder.build().unwrap();
    let mut random = Random::new(40);
    let calibration = calibration(&mut random, 16, 4);
    let error = compile(&graph, &calibration, &strict()).unwrap_err();
    insta::assert_snapshot!(error, @r"
    the model has 2 unsupported parts:
      `soft`: softmax before the end of the model (only a last one can run on the data owner's side; cut the model after it)
      `log`: log_softmax before the end of the model (only a last one can run on the data owner's side; cut the model after it)
    ");
}

#[test]
fn calibration_data_must_fit() {
    let mut random = Random::new(50);
    let graph = mlp(&mut random, &[4, 3, 2], &square());
    let compile_with = |tensor: Tensor| {
        compile(
            &graph,
            &Calibration {
                inputs: vec![tensor],
            },
            &strict(),
        )
        .unwrap_err()
    };
    insta::assert_snapshot!(compile_with(random.tensor(&[16, 5], 1.0)), @"calibration data: input `x` must have shape [batch, 4] but has [1, 5]");
    insta::assert_snapshot!(compile_with(random.tensor(&[3, 4], 1.0)), @"calibration data has 3 rows, at least 8 are needed to find ranges");
    let mut data = vec![0.5; 40];
    data[21] = f64::NAN;
    insta::assert_snapshot!(compile_with(Tensor::new(vec![10, 4], data).unwrap()), @"calibration data: input `x` holds NaN in row 5; remove or repair that row");
    let none = compile(&graph, &Calibration { inputs: vec![] }, &strict()).unwrap_err();
    assert!(matches!(none, CompileError::CalibrationShape(_)), "{none}");
}

#[test]
fn what_cannot_be_reached_says_what_would_help() {
    let mut random = Random::new(60);
    let graph = mlp(&mut random, &[4, 3, 2], &Function::Relu);
    let data = calibration(&mut random, 16, 4);
    let options = Options {
        max_degree: 7,
        ..strict()
    };
    let error = compile(&graph, &data, &options).unwrap_err();
    assert!(
        matches!(error, CompileError::Approximation { .. }),
        "{error}"
    );
    let deep: Vec<usize> = vec![2; 120];
    let graph = mlp(&mut random, &deep, &Function::Tanh);
    let data = calibration(&mut random, 16, 2);
    let error = compile(&graph, &data, &strict()).unwrap_err();
    println!("{error}");
    assert!(
        matches!(
            error,
            CompileError::TooDeep(_) | CompileError::Precision { .. }
        ),
        "{error}"
    );
    let options = Options {
        security_bits: 100,
        ..strict()
    };
    let error = compile(&graph, &data, &options).unwrap_err();
    insta::assert_snapshot!(error, @"option security bits: must be 128, 192 or 256");
}

#[test]
fn the_report_is_a_table() {
    let mut random = Random::new(70);
    let graph = mlp(&mut random, &[6, 4, 2], &Function::Sigmoid);
    let data = calibration(&mut random, 64, 6);
    let compiled = compile(&graph, &data, &strict()).unwrap();
    insta::assert_snapshot!(compiled.report, @r"
    mlp
      packing             latency (predicted for one sample: latency packing 3.4 ms)
      samples per group   1
      ring degree         2^13, 32 slots
      chain               30.9 17.3 19.3 17.2 33.0 16.8 bits
      special primes      25.7 25.7 bits
      security            128 bits (log2 QP = 185.9)
      levels              5
      key switches        8 (5 rotations)
      products            4 of ciphertexts, 6 with plaintexts
      evaluation keys     6, 2.30 MB
      input ciphertexts   1 x 141.3 kB
      output ciphertexts  1 x 63.5 kB
      predicted error     1.6e-4 (asked for 1e-3; activations 1.4e-4)
      predicted time      3.367 ms per sample, 3.4 ms per group, one thread
      headroom            2.0 bits
      agreement           100.0 % of 64 calibration rows keep their arg max, 0 with another; error 4.1e-5 on average
      simulation          64 of 64 calibration rows: largest error 1.3e-4, 4.1e-5 on average, 0 with another arg max
    layouts
      x: each input repeated 4 times
      fc0: 1 diagonal, 3 folds, result repeated with period 4
      fc1: 1 diagonal, 2 folds, result one in 4 slots
    activations
      node  function          range        covered  degree  levels  fit error  typical  outside
      act0   sigmoid  -1.60 to 1.90  -1.95 to 2.25       6       3     2.3e-3   5.5e-5        0
    ");
}
