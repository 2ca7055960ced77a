//! The two example models: parameters, precision and keys.

use std::collections::BTreeSet;
use std::path::PathBuf;

use hush_compiler::{Calibration, Compiled, Options, compile};
use hush_graph::{Tensor, evaluate};
use hush_program::clear::{ClearMachine, NoiseMode};
use hush_program::{PackingKind, execute};

fn example(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../examples/breast_cancer")
        .join(name)
}

/// Every output within 1e-3.
fn strict() -> Options {
    Options {
        precision: Some(1e-3),
        ..Options::default()
    }
}

/// (training rows, validation rows), standardised by the training rows' mean and deviation.
fn rows() -> (Vec<Vec<f64>>, Vec<Vec<f64>>) {
    let text = std::fs::read_to_string(example("breast_cancer.csv")).unwrap();
    let mut rows: Vec<Vec<f64>> = text
        .lines()
        .skip(1)
        .map(|line| {
            line.split(',')
                .take(30)
                .map(|cell| cell.parse().unwrap())
                .collect()
        })
        .collect();
    let split = std::fs::read_to_string(example("split.csv")).unwrap();
    let held: BTreeSet<usize> = split
        .lines()
        .skip(1)
        .map(|line| line.trim().parse().unwrap())
        .collect();
    for column in 0..30 {
        let training = || {
            (0..569)
                .filter(|row| !held.contains(row))
                .map(|row| rows[row][column])
        };
        let mean = training().sum::<f64>() / 455.0;
        let deviation = (training().map(|x| (x - mean).powi(2)).sum::<f64>() / 455.0).sqrt();
        rows.iter_mut()
            .for_each(|row| row[column] = (row[column] - mean) / deviation);
    }
    let (mut training, mut validation) = (Vec::new(), Vec::new());
    for (index, row) in rows.into_iter().enumerate() {
        if held.contains(&index) {
            validation.push(row)
        } else {
            training.push(row)
        }
    }
    (training, validation)
}

fn tensor(rows: &[Vec<f64>]) -> Tensor {
    Tensor::new(vec![rows.len(), 30], rows.concat()).unwrap()
}

/// Compiles with all 569 feature rows as calibration data.
fn compiled(name: &str, options: &Options) -> Compiled {
    let graph = hush_onnx::import(example(name)).unwrap();
    let (training, validation) = rows();
    let inputs = vec![tensor(&[training, validation].concat())];
    let start = std::time::Instant::now();
    let compiled = compile(&graph, &Calibration { inputs }, options).unwrap();
    println!(
        "{:?}\n{}\n{}\n{}",
        start.elapsed(),
        compiled.report,
        compiled.program,
        compiled.client_spec
    );
    compiled
}

/// Largest output errors on the validation rows with sampled noise: outputs of at most one, and the others.
fn validation_errors(compiled: &Compiled, name: &str, seed: u64) -> (f64, f64) {
    let (program, spec) = (&compiled.program, &compiled.client_spec);
    let (_, validation) = rows();
    let graph = hush_onnx::import(example(name)).unwrap();
    let expected = evaluate(&graph, &[tensor(&validation)]).unwrap().remove(0);
    let mut machine = ClearMachine::new(program, NoiseMode::Sampled(seed));
    let (mut small, mut large) = (0.0f64, 0.0f64);
    for (row, expected) in validation.iter().zip(expected.data().chunks(2)) {
        let mut slots = vec![vec![0.0; spec.slots]; spec.inputs[0].ciphertexts];
        for (value, places) in row.iter().zip(&spec.inputs[0].places) {
            places
                .iter()
                .for_each(|place| slots[place.ciphertext][place.slot] = *value);
        }
        let values = slots
            .into_iter()
            .map(|slots| machine.encrypt(slots, program.input_level, program.input_scale))
            .collect();
        let outputs = execute(program, values, &mut machine, &mut ()).unwrap();
        for (expected, places) in expected.iter().zip(&spec.outputs[0].places) {
            let error = (outputs[places[0].ciphertext].values[places[0].slot] - expected).abs();
            if expected.abs() <= 1.1 {
                small = small.max(error)
            } else {
                large = large.max(error)
            }
        }
    }
    assert!(machine.headroom() > 0.0, "{}", machine.headroom());
    (small, large)
}

#[test]
fn polynomial_model_for_latency() {
    let name = "breast_cancer_mlp.onnx";
    let compiled = compiled(name, &strict());
    let report = &compiled.report;
    assert_eq!(
        (report.log_degree, report.security_bits, report.levels),
        (13, 128, 5)
    );
    assert!(report.predicted_error <= 1e-3 && report.simulated_error <= 1e-3);
    assert_eq!(report.simulated_changes, 0);
    assert!(report.input_ciphertexts == 1 && report.input_ciphertext_bytes <= 200_000);
    assert!(report.key_bytes <= 245_000_000 / 15);
    for seed in 0..20 {
        let (small, large) = validation_errors(&compiled, name, seed);
        println!("seed {seed}: {small:.1e} on usual outputs, {large:.1e} on the outlier");
        assert!(small <= 4e-4, "{small:e}");
        assert!(large <= 2e-3, "{large:e}");
    }
}

#[test]
fn sigmoid_model_for_latency() {
    let compiled = compiled(
        "breast_cancer_mlp_sigmoid.onnx",
        &Options {
            precision: Some(1e-2),
            ..strict()
        },
    );
    assert_eq!(compiled.report.log_degree, 14);
    assert!(compiled.report.predicted_error <= 1e-2 && compiled.report.simulated_error <= 1e-2);
    assert_eq!(compiled.report.simulated_changes, 0);
}

#[test]
fn polynomial_model_for_throughput() {
    let packing = Some(PackingKind::Throughput);
    let options = Options {
        batch: Some(4096),
        packing,
        ..strict()
    };
    let compiled = compiled("breast_cancer_mlp.onnx", &options);
    assert_eq!(compiled.report.packing, "throughput");
    assert_eq!(compiled.report.rotations, 0);
    assert!(compiled.report.predicted_error <= 1e-3 && compiled.report.simulated_error <= 1e-3);
}
