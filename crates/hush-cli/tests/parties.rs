//! `hush party` and `hush mpc`: private prediction in one process, and among processes of their own.

mod sandbox;

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use hush_graph::{Tensor, evaluate};
use sandbox::{Sandbox, floats};
use serde_json::Value;

fn model() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../examples/breast_cancer/breast_cancer_mlp_sigmoid.onnx")
}

/// Three samples, and what the float model says of them.
fn samples(sandbox: &Sandbox) -> Vec<f64> {
    let values: Vec<f32> = (0..90).map(|i| (i as f32 * 0.73).sin() * 2.0).collect();
    sandbox.write_npy("x.npy", "<f4", "(3, 30)", &floats(&values));
    let values = values.into_iter().map(f64::from).collect();
    let input = Tensor::new(vec![3, 30], values).unwrap();
    let graph = hush_onnx::import(model()).unwrap();
    evaluate(&graph, &[input]).unwrap()[0].data().to_vec()
}

fn check(sandbox: &Sandbox, expected: &[f64]) {
    let found = sandbox.read_npy("y.npy");
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!(
            (f64::from(*found) - expected).abs() < 1e-3,
            "{found} against {expected}"
        );
    }
}

/// Ends with the test.
struct Running(Vec<Child>);

impl Drop for Running {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[test]
fn all_parties_on_this_machine() {
    let sandbox = Sandbox::empty();
    let expected = samples(&sandbox);
    let model = model();
    let said = sandbox.succeed(&[
        "--json",
        "mpc",
        "predict",
        model.to_str().unwrap(),
        "--input",
        "x.npy",
        "-o",
        "y.npy",
        "--local",
        "--trace",
        "trace.json",
        "--latency",
        "20ms",
        "--bandwidth",
        "100Mbit",
    ]);
    check(&sandbox, &expected);
    let report: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(report["samples"], 3);
    let rounds = report["rounds"].as_f64().unwrap();
    assert!(report["predicted_milliseconds"].as_f64().unwrap() >= rounds * 20.0);
    let trace: Value = serde_json::from_slice(&sandbox.read("trace.json")).unwrap();
    assert_eq!(
        trace["traceEvents"].as_array().unwrap().len(),
        report["operations"].as_array().unwrap().len() + 1
    );
}

#[test]
fn each_party_a_process_with_its_policy() {
    let sandbox = Sandbox::empty();
    let expected = samples(&sandbox);
    let names = ["server0", "server1", "server2", "clinic"];
    let listeners: Vec<TcpListener> = names
        .iter()
        .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
        .collect();
    let mut parties = String::new();
    for (index, name) in names.iter().chain(&["client"]).enumerate() {
        let said = sandbox.succeed(&[
            "--json",
            "party",
            "new-identity",
            "--name",
            name,
            "-o",
            name,
        ]);
        let made: Value = serde_json::from_str(&said.stdout).unwrap();
        let fingerprint = made["fingerprint"].as_str().unwrap();
        let roles = match *name {
            "clinic" => "\"model-owner\"",
            "client" => "\"data-owner\", \"result-receiver\"",
            _ => "\"compute-server\"",
        };
        parties += &format!(
            "[[party]]\nname = \"{name}\"\nfingerprint = \"{fingerprint}\"\nroles = [{roles}]\n"
        );
        if let Some(listener) = listeners.get(index) {
            let address = listener.local_addr().unwrap();
            parties += &format!("address = \"{address}\"\n");
        }
    }
    drop(listeners);
    sandbox.write("parties.toml", parties.as_bytes());
    let allow = "[[allow]]\nprogram = \"breast_cancer_mlp_sigmoid\"\nproposers = [\"client\"]\nreveals = { \"*\" = [\"client\"] }\n";
    for name in names {
        let mut policy = allow.to_owned();
        if name == "clinic" {
            policy += &format!("gives = {{ weights = '{}' }}\n", model().display());
        }
        sandbox.write(&format!("{name}.policy.toml"), policy.as_bytes());
    }
    let start = |name: &str| {
        sandbox
            .command(&["party", "--name", name, "--config", "parties.toml"])
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    };
    let _running = Running(names.map(start).into());
    let model = model();
    let arguments = [
        "mpc",
        "predict",
        model.to_str().unwrap(),
        "--input",
        "x.npy",
        "-o",
        "y.npy",
        "--parties",
        "parties.toml",
        "--model-owner",
        "clinic",
    ];
    let said = sandbox.succeed(&arguments);
    check(&sandbox, &expected);
    assert!(said.stdout.contains("rounds"), "{}", said.stdout);
    let log = String::from_utf8(sandbox.read("server1.audit.jsonl")).unwrap();
    let events: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(events[0]["event"], "agreed");
    assert_eq!(events[0]["inputs"][0]["from"], "clinic");
    assert_eq!(events[1]["to"], "client");

    // Under another name the servers refuse it, and no output is left.
    std::fs::remove_file(sandbox.path("y.npy")).unwrap();
    let mut renamed = arguments.to_vec();
    renamed.extend(["--program", "mnist"]);
    let said = sandbox.hush(&renamed);
    let error = said.stderr;
    assert_eq!((said.code, said.stdout.as_str()), (Some(1), ""), "{error}");
    assert!(
        error.contains("clinic refuses: its policy has no rule for program mnist")
            || error.contains("server0 refuses: its policy has no rule for program mnist"),
        "{error}"
    );
    assert!(!sandbox.path("y.npy").exists());
}
