//! From an ONNX model to encrypted results, and everything that compiling refuses.

mod sandbox;

use std::path::{Path, PathBuf};

use sandbox::{Sandbox, floats};

const ROWS: usize = 64;
const FEATURES: usize = 30;

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/breast_cancer")
}

/// Values spread over [-2, 2], the same in every run.
fn features(rows: usize) -> Vec<f32> {
    let golden = 0.618_034_f32;
    (0..rows * FEATURES)
        .map(|index| (index as f32 * golden).fract() * 4.0 - 2.0)
        .collect()
}

/// The example model and calibration data that fits it.
fn with_onnx() -> Sandbox {
    let sandbox = Sandbox::empty();
    let onnx = std::fs::read(examples().join("breast_cancer_mlp.onnx")).unwrap();
    sandbox.write("model.onnx", &onnx);
    write_rows(&sandbox, "data.npy", ROWS);
    sandbox
}

fn write_rows(sandbox: &Sandbox, name: &str, rows: usize) {
    let shape = format!("({rows}, {FEATURES})");
    sandbox.write_npy(name, "<f4", &shape, &floats(&features(rows)));
}

const COMPILE: [&str; 6] = [
    "compile",
    "model.onnx",
    "--calibration",
    "data.npy",
    "-o",
    "cancer",
];

#[test]
fn a_compiled_model_agrees_with_its_float_model() {
    let sandbox = with_onnx();
    let said = sandbox.succeed(&COMPILE);
    for expected in [
        "security",
        "evaluation keys",
        "cancer.model",
        "cancer.client",
    ] {
        assert!(said.stdout.contains(expected), "{}", said.stdout);
    }
    write_rows(&sandbox, "x.npy", 5);
    sandbox.succeed(&["keygen", "cancer.client", "-o", "keys"]);
    sandbox.succeed(&[
        "encrypt",
        "cancer.client",
        "--key",
        "keys/secret.key",
        "--input",
        "x.npy",
        "-o",
        "x.ct",
    ]);
    sandbox.succeed(&[
        "run",
        "cancer.model",
        "--evaluation-key",
        "keys/evaluation.key",
        "--input",
        "x.ct",
        "-o",
        "y.ct",
    ]);
    sandbox.succeed(&[
        "decrypt",
        "cancer.client",
        "--key",
        "keys/secret.key",
        "--input",
        "y.ct",
        "-o",
        "y.npy",
    ]);
    let graph = hush_onnx::import(sandbox.path("model.onnx")).unwrap();
    let input = features(5).into_iter().map(f64::from).collect();
    let input = hush_graph::Tensor::new(vec![5, FEATURES], input).unwrap();
    let expected = hush_graph::evaluate(&graph, &[input]).unwrap();
    let actual = sandbox.read_npy("y.npy");
    assert_eq!(actual.len(), expected[0].data().len());
    for (a, b) in actual.iter().zip(expected[0].data()) {
        assert!((f64::from(*a) - b).abs() < 1e-3, "{a} against {b}");
    }
}

#[test]
fn compiling_twice_gives_the_same_bytes() {
    let sandbox = with_onnx();
    let said = sandbox.succeed(&[&COMPILE[..], &["--json", "--packing", "throughput"]].concat());
    let object: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(object["report"]["packing"], "throughput");
    let first = (sandbox.read("cancer.model"), sandbox.read("cancer.client"));
    sandbox.succeed(&[&COMPILE[..], &["--packing", "throughput"]].concat());
    let second = (sandbox.read("cancer.model"), sandbox.read("cancer.client"));
    assert!(first == second);
    let said = sandbox.succeed(&["inspect", "cancer.model", "--program"]);
    assert!(said.stdout.contains("fc1"), "{}", said.stdout);
    let said = sandbox.succeed(&["inspect", "cancer.client"]);
    assert!(said.stdout.contains("input"), "{}", said.stdout);
    let said = sandbox.succeed(&["inspect", "model.onnx"]);
    assert!(said.stdout.contains("[batch, 30]"), "{}", said.stdout);
}

#[test]
fn calibration_data_that_does_not_fit() {
    let sandbox = with_onnx();
    let values = |count: usize| floats(&vec![0.5; count]);
    let cases = [
        ("<f4", "(64, 29)", values(64 * 29), "[batch, 30]"),
        ("<f4", "(30,)", values(30), "[batch, 30]"),
        ("<f4", "(3, 30)", values(90), "3 rows"),
        ("<c8", "(8, 30)", values(480), "dtype"),
    ];
    for (descr, shape, body, expected) in cases {
        sandbox.write_npy("data.npy", descr, shape, &body);
        let error = sandbox.fail(&COMPILE);
        assert!(error.contains(expected), "{shape}: {error}");
    }
    let mut rows = features(ROWS);
    rows[FEATURES + 2] = f32::NAN;
    sandbox.write_npy("data.npy", "<f4", "(64, 30)", &floats(&rows));
    let error = sandbox.fail(&COMPILE);
    assert!(error.contains("NaN in row 1"), "{error}");
    std::fs::remove_file(sandbox.path("data.npy")).unwrap();
    let error = sandbox.fail(&COMPILE);
    assert!(error.contains("data.npy"), "{error}");
}

#[test]
fn unsupported_operators_are_all_named_at_once() {
    let sandbox = with_onnx();
    let mut onnx = sandbox.read("model.onnx");
    for at in 0..onnx.len() - 4 {
        if &onnx[at..at + 4] == b"Gemm" {
            onnx[at..at + 4].copy_from_slice(b"LSTM");
        }
    }
    sandbox.write("model.onnx", &onnx);
    let error = sandbox.fail(&COMPILE);
    assert!(error.contains("LSTM `/fc1/LSTM`"), "{error}");
    assert!(error.contains("LSTM `/fc2/LSTM`"), "{error}");
}

#[test]
fn damaged_models() {
    let sandbox = with_onnx();
    let onnx = sandbox.read("model.onnx");
    let half = onnx[..onnx.len() / 2].to_vec();
    for bytes in [half, Vec::new(), b"\xff\xff\xff no model".to_vec()] {
        sandbox.write("model.onnx", &bytes);
        sandbox.fail(&COMPILE);
    }
    std::fs::remove_file(sandbox.path("model.onnx")).unwrap();
    let error = sandbox.fail(&COMPILE);
    assert!(error.contains("model.onnx"), "{error}");
}

#[test]
fn options_out_of_range() {
    let sandbox = with_onnx();
    for (option, value) in [
        ("--precision", "0"),
        ("--batch", "0"),
        ("--security", "80"),
        ("--activation-margin", "99"),
        ("--headroom", "99"),
        ("--max-degree", "1"),
    ] {
        let said = sandbox.hush(&[&COMPILE[..], &[option, value]].concat());
        assert_eq!(said.code, Some(2), "{option}: {}", said.stderr);
        assert!(said.stderr.contains("must be"), "{option}: {}", said.stderr);
    }
}

#[test]
fn impossible_wishes_and_unwritable_outputs() {
    let sandbox = with_onnx();
    let error = sandbox.fail(&[&COMPILE[..], &["--precision", "1e-30"]].concat());
    assert!(error.contains("precision"), "{error}");
    let mut elsewhere = COMPILE;
    elsewhere[5] = "missing/cancer";
    let error = sandbox.fail(&elsewhere);
    assert!(
        error.contains("the folder `missing` does not exist"),
        "{error}"
    );
}

#[test]
fn the_demo_agrees_with_the_float_models() {
    let sandbox = Sandbox::empty();
    let examples = examples();
    let arguments = [
        "demo",
        "--samples",
        "4",
        "--data",
        examples.to_str().unwrap(),
    ];
    let said = sandbox.succeed(&[&arguments[..], &["--json"]].concat());
    let object: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
    for model in object["models"].as_array().unwrap() {
        for packing in ["latency", "batch"] {
            let one = &model[packing];
            assert_eq!(one["same_predictions"], 4, "{one}");
            assert_eq!(one["accuracy"], model["float"]["accuracy"]);
            assert!(one["largest_error"].as_f64().unwrap() < 2e-2, "{one}");
            assert!(one["security_bits"].as_u64().unwrap() >= 128, "{one}");
        }
    }
    assert_eq!(sandbox.contents(), []);
    let error = sandbox.fail(&["demo"]);
    assert!(error.contains("there is no example data"), "{error}");
}
