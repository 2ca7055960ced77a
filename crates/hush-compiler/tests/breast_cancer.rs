//! The two example models: parameters, precision and keys.

use std::path::PathBuf;

use hush_compiler::{Calibration, Compiled, Options, compile};
use hush_graph::{Graph, Tensor};

fn example(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../examples/breast_cancer")
        .join(name)
}

/// All rows, each column with mean zero and variance one.
fn rows() -> Vec<Vec<f64>> {
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
    for column in 0..30 {
        let count = rows.len() as f64;
        let mean = rows.iter().map(|row| row[column]).sum::<f64>() / count;
        let variance = rows
            .iter()
            .map(|row| (row[column] - mean).powi(2))
            .sum::<f64>()
            / count;
        rows.iter_mut()
            .for_each(|row| row[column] = (row[column] - mean) / variance.sqrt());
    }
    rows
}

fn load(name: &str) -> (Graph, Calibration) {
    let graph = hush_onnx::import(example(name)).unwrap();
    let rows = rows();
    let tensor = Tensor::new(vec![rows.len(), 30], rows.concat()).unwrap();
    (
        graph,
        Calibration {
            inputs: vec![tensor],
        },
    )
}

fn compiled(name: &str, options: &Options) -> Compiled {
    let (graph, calibration) = load(name);
    let start = std::time::Instant::now();
    let compiled = compile(&graph, &calibration, options).unwrap();
    println!(
        "{:?}\n{}\n{}\n{}",
        start.elapsed(),
        compiled.report,
        compiled.program,
        compiled.client_spec
    );
    compiled
}

#[test]
fn polynomial_model_for_latency() {
    let compiled = compiled("breast_cancer_mlp.onnx", &Options::default());
    assert_eq!(compiled.report.log_degree, 13);
    assert!(compiled.report.predicted_error <= 1e-3);
    assert!(compiled.report.simulated_error <= 1e-3);
    assert_eq!(compiled.report.simulated_changes, 0);
}

#[test]
fn sigmoid_model_for_latency() {
    let compiled = compiled("breast_cancer_mlp_sigmoid.onnx", &Options::default());
    assert!(compiled.report.predicted_error <= 1e-3);
    assert!(compiled.report.simulated_error <= 1e-3);
}

#[test]
fn polynomial_model_for_throughput() {
    let options = Options {
        batch: Some(4096),
        ..Options::default()
    };
    let compiled = compiled("breast_cancer_mlp.onnx", &options);
    assert_eq!(compiled.report.packing, "throughput");
    assert_eq!(compiled.report.log_degree, 13);
    assert!(compiled.report.simulated_error <= 1e-3);
}
