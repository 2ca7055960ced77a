//! `hush party` and `hush mpc`: private prediction in one process, and among processes of their own.

mod sandbox;

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use hush_graph::{Tensor, evaluate};
use sandbox::{Said, Sandbox, floats};
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

/// Makes identities and the file of all parties; those with an address listen.
fn parties(sandbox: &Sandbox, all: &[(&str, &str, bool)]) {
    let listeners: Vec<TcpListener> = all
        .iter()
        .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
        .collect();
    let mut parties = String::new();
    for ((name, roles, listens), listener) in all.iter().zip(&listeners) {
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
        parties += &format!(
            "[[party]]\nname = \"{name}\"\nfingerprint = \"{fingerprint}\"\nroles = [{roles}]\n"
        );
        if *listens {
            let address = listener.local_addr().unwrap();
            parties += &format!("address = \"{address}\"\n");
        }
    }
    sandbox.write("parties.toml", parties.as_bytes());
}

const SERVER: &str = "\"compute-server\"";
const CLIENT: &str = "\"data-owner\", \"result-receiver\", \"model-owner\"";

fn start(sandbox: &Sandbox, verb: &[&str], name: &str, more: &[&str]) -> Child {
    let place = ["--name", name, "--config", "parties.toml"];
    let arguments = [verb, &place, more].concat();
    let mut command = sandbox.command(&arguments);
    command.stderr(Stdio::null()).spawn().unwrap()
}

#[test]
fn a_model_is_kept_and_served_by_processes_and_ctrl_c_ends_them() {
    let sandbox = Sandbox::empty();
    let expected = samples(&sandbox);
    let servers = ["server0", "server1", "server2"];
    parties(
        &sandbox,
        &[
            ("server0", SERVER, true),
            ("server1", SERVER, true),
            ("server2", "\"crypto-producer\"", true),
            ("client", CLIENT, false),
            ("stranger", CLIENT, false),
        ],
    );
    let policy = "[[allow]]\nprogram = \"breast_cancer_mlp_sigmoid\"\nproposers = [\"client\"]\nkeeps = [\"mortality\"]\n";
    for name in servers {
        sandbox.write(&format!("{name}.policy.toml"), policy.as_bytes());
    }
    let mut running = Running(
        servers
            .map(|name| start(&sandbox, &["party"], name, &[]))
            .into(),
    );
    let model = model();
    let keep = [
        "mpc",
        "keep",
        model.to_str().unwrap(),
        "--as",
        "mortality",
        "--parties",
        "parties.toml",
        "--protocol",
        "securenn",
    ];
    sandbox.succeed(&keep);
    assert!(sandbox.path("server2.shares/mortality.share").exists());
    interrupt(&mut running);

    let more = ["--model", "mortality", "--to", "client"];
    let serve = |name| start(&sandbox, &["mpc", "serve"], name, &more);
    let mut running = Running(servers.map(serve).into());
    let predict = |name| {
        let predict = [
            "mpc",
            "predict",
            "--kept",
            "mortality",
            "--input",
            "x.npy",
            "-o",
            "y.npy",
        ];
        sandbox.hush(&[&predict[..], &["--parties", "parties.toml", "--name", name]].concat())
    };
    let said = predict("client");
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    check(&sandbox, &expected);
    let said = predict("stranger");
    let refusal = "server0 refuses: its policy does not let stranger use mortality";
    assert!(said.stderr.contains(refusal), "{}", said.stderr);
    // Nothing but predictions with it: not even keeping another one under its name.
    let said = sandbox.hush(&keep);
    assert!(
        said.stderr
            .contains("refuses: its policy does not keep shares"),
        "{}",
        said.stderr
    );
    interrupt(&mut running);
}

/// As Ctrl-C does; they end well.
fn interrupt(running: &mut Running) {
    for child in &mut running.0 {
        let process = child.id().to_string();
        let sent = std::process::Command::new("kill")
            .args(["-INT", &process])
            .status();
        assert!(sent.unwrap().success());
    }
    for child in &mut running.0 {
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }
}

/// As the kernel does to a process that takes too much memory: nobody is told anything.
#[test]
fn a_server_that_is_killed_ends_the_session_for_everybody_by_its_name() {
    let sandbox = Sandbox::empty();
    let servers = ["server0", "server1", "server2"];
    let mut all = servers.map(|name| (name, SERVER, true)).to_vec();
    all.push(("client", CLIENT, false));
    parties(&sandbox, &all);
    for name in servers {
        let policy = "[[allow]]\nprogram = \"breast_cancer_mlp_sigmoid\"\nreveals = { \"*\" = [\"client\"] }\n";
        sandbox.write(&format!("{name}.policy.toml"), policy.as_bytes());
    }
    let party = |name| start(&sandbox, &["party"], name, &[]);
    let mut running = Running(servers.map(party).into());
    // Enough samples that the session lasts.
    let rows = 120_000;
    let values: Vec<f32> = (0..rows * 30).map(|i| (i as f32 * 0.73).sin()).collect();
    let shape = format!("({rows}, 30)");
    sandbox.write_npy("x.npy", "<f4", &shape, &floats(&values));
    let model = model();
    let predict = ["mpc", "predict", model.to_str().unwrap(), "-i", "x.npy"];
    let predict = [&predict[..], &["-o", "y.npy", "--parties", "parties.toml"]].concat();
    let mut client = sandbox.command(&predict);
    let client = client.stdout(Stdio::piped()).stderr(Stdio::piped());
    let client = client.spawn().unwrap();
    let events = |name: &str| -> Vec<Value> {
        let log = std::fs::read_to_string(sandbox.path(&format!("{name}.audit.jsonl")));
        let log = log.unwrap_or_default();
        log.lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    };
    let begun = Instant::now();
    while events("server1").is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(60), "no session");
        std::thread::sleep(Duration::from_millis(5));
    }
    std::thread::sleep(Duration::from_millis(700));
    running.0[1].kill().unwrap();
    running.0[1].wait().unwrap();

    let said = Said::from(client.wait_with_output().unwrap());
    assert_eq!((said.code, &*said.stdout), (Some(1), ""), "{}", said.stderr);
    assert!(said.stderr.contains("server1"), "{}", said.stderr);
    assert!(!sandbox.path("y.npy").exists());
    for name in ["server0", "server2"] {
        let begun = Instant::now();
        let last = loop {
            let last = events(name).pop().unwrap();
            if last["event"] == "failed" {
                break last;
            }
            assert!(begun.elapsed() < Duration::from_secs(60), "{last}");
            std::thread::sleep(Duration::from_millis(5));
        };
        let reason = last["reason"].as_str().unwrap();
        println!("{name}: {reason}");
        assert!(reason.contains("server1"), "{reason}");
    }

    // The others still serve, once it is back.
    running.0[1] = party("server1");
    let expected = samples(&sandbox);
    sandbox.succeed(&predict);
    check(&sandbox, &expected);
}

#[test]
fn samples_of_one_party_and_results_for_another() {
    let sandbox = Sandbox::empty();
    let expected = samples(&sandbox);
    let roles = |name: &'static str| match name {
        "hospital" => "\"data-owner\"",
        "ward" => "\"result-receiver\"",
        _ => SERVER,
    };
    let names = ["server0", "server1", "server2", "hospital", "ward"];
    let mut all = names.map(|name| (name, roles(name), true)).to_vec();
    all.push(("client", CLIENT, false));
    parties(&sandbox, &all);
    for name in names {
        let mut policy = "[[allow]]\nprogram = \"breast_cancer_mlp_sigmoid\"\nreveals = { \"*\" = [\"ward\"] }\n".to_owned();
        policy += match name {
            "hospital" => "gives = { \"INPUT\" = \"x.npy\" }\n",
            "ward" => "receives = { \"OUTPUT\" = \"y.npy\" }\n",
            _ => "",
        };
        let graph = hush_onnx::import(model()).unwrap();
        let input = &graph.value(graph.inputs()[0]).name;
        let policy = policy.replace("INPUT", input);
        let policy = policy.replace("OUTPUT", &graph.outputs()[0].name);
        sandbox.write(&format!("{name}.policy.toml"), policy.as_bytes());
    }
    let _running = Running(
        names
            .map(|name| start(&sandbox, &["party"], name, &[]))
            .into(),
    );
    let model = model();
    let arguments = [
        "mpc",
        "predict",
        model.to_str().unwrap(),
        "--parties",
        "parties.toml",
        "--data-owner",
        "hospital",
        "--samples",
        "3",
        "--receiver",
        "ward",
        "--protocol",
        "pond",
    ];
    let said = sandbox.succeed(&arguments);
    assert!(
        said.stdout.contains("the outputs are at ward"),
        "{}",
        said.stdout
    );
    let written = sandbox.read("y.npy");
    let (numbers, _) = written[written.len() - 8 * expected.len()..].as_chunks::<8>();
    for (found, expected) in numbers.iter().zip(&expected) {
        assert!((f64::from_le_bytes(*found) - expected).abs() < 1e-3);
    }
    let mut wrong = arguments;
    wrong[8] = "4";
    let said = sandbox.hush(&wrong);
    let refusal = "hospital refuses: x.npy: has the shape [3, 30], the program takes [4, 30]";
    assert!(
        said.stderr.contains(refusal) || said.stderr.contains("has the shape [3, 30]"),
        "{}",
        said.stderr
    );
}

#[test]
fn every_protocol_and_ring_on_this_machine() {
    let sandbox = Sandbox::empty();
    let expected = samples(&sandbox);
    let model = model();
    for (protocol, ring) in [("pond", "64"), ("securenn", "128")] {
        let arguments = [
            "mpc",
            "predict",
            model.to_str().unwrap(),
            "-i",
            "x.npy",
            "-o",
            "y.npy",
            "--local",
            "--protocol",
            protocol,
            "--ring",
            ring,
            "--trace-tensorboard",
            "runs",
        ];
        sandbox.succeed(&arguments);
        check(&sandbox, &expected);
    }
    assert_eq!(std::fs::read_dir(sandbox.path("runs")).unwrap().count(), 2);
}

#[test]
fn each_party_a_process_with_its_policy() {
    let sandbox = Sandbox::empty();
    let expected = samples(&sandbox);
    let names = ["server0", "server1", "server2", "clinic"];
    parties(
        &sandbox,
        &[
            ("server0", SERVER, true),
            ("server1", SERVER, true),
            ("server2", SERVER, true),
            ("clinic", "\"model-owner\"", true),
            ("client", CLIENT, false),
        ],
    );
    let allow = "[[allow]]\nprogram = \"breast_cancer_mlp_sigmoid\"\nproposers = [\"client\"]\nreveals = { \"*\" = [\"client\"] }\n";
    for name in names {
        let mut policy = allow.to_owned();
        if name == "clinic" {
            policy += &format!("gives = {{ weights = '{}' }}\n", model().display());
        }
        sandbox.write(&format!("{name}.policy.toml"), policy.as_bytes());
    }
    let _running = Running(
        names
            .map(|name| start(&sandbox, &["party"], name, &[]))
            .into(),
    );
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
