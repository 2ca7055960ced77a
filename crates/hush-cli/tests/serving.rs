//! Predictions from the command line on a server in the process of the test.

#[path = "../../hush-server/tests/server/authority.rs"]
mod authority;
mod sandbox;

use std::fs;
use std::process::Stdio;

use authority::Authority;
use insta::assert_snapshot;
use sandbox::{Sandbox, floats, write_model};
use serde_json::Value;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

/// A server with `square.model` of a sandbox, stopped when dropped.
struct Running {
    http: String,
    grpc: String,
    _stop: oneshot::Sender<()>,
    _runtime: Runtime,
}

impl Running {
    fn new(sandbox: &Sandbox) -> Self {
        Self::with(sandbox, &[])
    }

    /// With more arguments.
    fn with(sandbox: &Sandbox, more: &[String]) -> Self {
        let path = |name: &str| sandbox.path(name).to_str().unwrap().to_owned();
        fs::create_dir(sandbox.path("models")).unwrap();
        write_model(&sandbox.path("models/square"), 0.25);
        let mut arguments = vec![
            "hush-server".to_owned(),
            "--http=127.0.0.1:0".to_owned(),
            "--grpc=127.0.0.1:0".to_owned(),
            format!("--keys={}", path("server_keys")),
            path("models/square.model"),
        ];
        arguments.extend_from_slice(more);
        let matches = hush_server::serve_command()
            .try_get_matches_from(arguments)
            .unwrap();
        let layers = hush_server::read(&matches, []).unwrap();
        let settings = hush_server::Settings::new(&layers).unwrap();
        let runtime = Runtime::new().unwrap();
        let server = runtime
            .block_on(hush_server::Server::open(settings))
            .unwrap();
        let http = format!("http://{}", server.http().unwrap());
        let grpc = format!("grpc://{}", server.grpc().unwrap());
        let (stop, stopped) = oneshot::channel();
        runtime.spawn(server.run(async {
            let _ = stopped.await;
        }));
        Self {
            http,
            grpc,
            _stop: stop,
            _runtime: runtime,
        }
    }
}

fn predict<'a>(url: &'a str, input: &'a str, output: &'a str) -> Vec<&'a str> {
    let mut arguments = vec!["predict", url, "--model", "square", "--input", input];
    arguments.extend(["--keys", "own"]);
    if !output.is_empty() {
        arguments.extend(["-o", output]);
    }
    arguments
}

fn assert_squares(outputs: &[f32], inputs: &[f32]) {
    assert_eq!(outputs.len(), inputs.len());
    for (y, x) in outputs.iter().zip(inputs) {
        assert!((y - x * x - 0.25).abs() < 1e-2, "{y} for {x}");
    }
}

/// So many samples of three features.
fn samples(sandbox: &Sandbox, name: &str, count: usize) -> Vec<f32> {
    let value = |index| (index % 41) as f32 / 20.0 - 1.0;
    let values: Vec<f32> = (0..3 * count).map(value).collect();
    sandbox.write_npy(name, "<f4", &format!("({count}, 3)"), &floats(&values));
    values
}

#[test]
fn predictions_over_both_protocols() {
    let sandbox = Sandbox::empty();
    let running = Running::new(&sandbox);
    let values = samples(&sandbox, "x.npy", 100);
    for url in [&running.grpc, &running.http] {
        let said = sandbox.succeed(&predict(url, "x.npy", "y.npy"));
        assert_eq!(said.stdout, "predicted 100 samples to `y.npy`\n");
        assert_squares(&sandbox.read_npy("y.npy"), &values);
    }
    let mut arguments = predict(&running.grpc, "x.npy", "y.npz");
    arguments.push("--json");
    let said: Value = serde_json::from_str(&sandbox.succeed(&arguments).stdout).unwrap();
    assert_eq!(said["samples"], 100);
    assert_eq!(
        said["output"]["arrays"][0]["shape"],
        serde_json::json!([100, 3])
    );

    let said = sandbox.succeed(&["top", &running.http]);
    assert!(said.stdout.contains("ready"), "{}", said.stdout);
    assert!(said.stdout.contains("1 stored"), "{}", said.stdout);
    let said = sandbox.succeed(&["top", &running.http, "--json"]);
    let said: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(said["models"][0]["samples"], 300.0);
    assert!(
        said["models"][0]["stages"]["compute"]["p99_ms"]
            .as_f64()
            .unwrap()
            > 0.0
    );
    let error = sandbox.fail(&["top", &running.grpc]);
    assert!(error.contains("served over HTTP only"), "{error}");
}

#[test]
fn tables_in_and_out() {
    let sandbox = Sandbox::empty();
    let running = Running::new(&sandbox);
    sandbox.write("x.csv", b"a,b,c\n0.5,-1,0\n2,0,1\n");
    let said = sandbox.succeed(&predict(&running.grpc, "x.csv", "y.csv"));
    assert_eq!(said.stdout, "predicted 2 samples to `y.csv`\n");
    let text = String::from_utf8(sandbox.read("y.csv")).unwrap();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("y_0,y_1,y_2"));
    let cells = lines.flat_map(|line| line.split(',').map(|cell| cell.parse().unwrap()));
    assert_squares(
        &cells.collect::<Vec<f32>>(),
        &[0.5, -1.0, 0.0, 2.0, 0.0, 1.0],
    );
    let printed = sandbox.succeed(&predict(&running.http, "x.csv", ""));
    assert!(
        printed.stdout.starts_with("y_0,y_1,y_2\n"),
        "{}",
        printed.stdout
    );
    assert_eq!(printed.stdout.lines().count(), 3);
}

#[test]
fn a_killed_command_goes_on_where_it_stood() {
    let sandbox = Sandbox::empty();
    let running = Running::new(&sandbox);
    let values = samples(&sandbox, "x.npy", 8000);
    let mut arguments = predict(&running.grpc, "x.npy", "y.npy");
    arguments.push("--resume");
    let mut command = sandbox.command(&arguments);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    while !sandbox.path("y.npy.resume").exists() {
        assert!(child.try_wait().unwrap().is_none(), "it ended");
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!sandbox.path("y.npy").exists());

    samples(&sandbox, "other.npy", 8001);
    let mut other = predict(&running.grpc, "other.npy", "y.npy");
    other.push("--resume");
    let said = sandbox.hush(&other);
    assert_eq!(said.code, Some(1));
    assert_snapshot!(said.stderr, @r"
    error: `y.npy.part` is of another input or model
    hint: remove `y.npy.resume` to begin anew, or name another output
    ");

    arguments.push("--json");
    let said: Value = serde_json::from_str(&sandbox.succeed(&arguments).stdout).unwrap();
    assert_eq!(said["samples"], 8000);
    assert!(said["resumed_at"].as_u64().unwrap() > 0);
    assert_squares(&sandbox.read_npy("y.npy"), &values);
    for left in ["y.npy.part", "y.npy.resume"] {
        assert!(!sandbox.path(left).exists(), "{left}");
    }
}

#[test]
fn parquet_files_in() {
    let sandbox = Sandbox::empty();
    let running = Running::new(&sandbox);
    let table = |name: &str| format!("{}/testdata/{name}.parquet", env!("CARGO_MANIFEST_DIR"));
    let values: Vec<f32> = (0..100)
        .flat_map(|row| [row as f32 / 100.0, (row % 2) as f32, -1.0])
        .collect();
    for url in [&running.grpc, &running.http] {
        let said = sandbox.succeed(&predict(url, &table("samples"), "y.npy"));
        assert_eq!(said.stdout, "predicted 100 samples to `y.npy`\n");
        assert_squares(&sandbox.read_npy("y.npy"), &values);
    }
    let error = sandbox.fail(&predict(&running.grpc, &table("samples"), "y.parquet"));
    assert_snapshot!(error, @r"
    error: `y.parquet` cannot be written: Parquet files are read only
    hint: use a file name that ends in .npy, .npz or .csv
    ");
    let error = sandbox.fail(&predict(&running.grpc, &table("text"), "z.npy"));
    assert!(error.contains("column `who` holds no numbers"), "{error}");
}

#[test]
fn certificates_on_both_sides() {
    let sandbox = Sandbox::empty();
    let authority = Authority::new();
    sandbox.write("ca.pem", authority.pem.as_bytes());
    for name in ["server", "alice", "bob"] {
        let (certificate, key) = authority.sign(name);
        sandbox.write(&format!("{name}.pem"), certificate.as_bytes());
        sandbox.write(&format!("{name}.key"), key.as_bytes());
    }
    let roles = "roles = ['predict', 'upload-keys']";
    let accounts = format!("[[account]]\nname = 'alice'\n{roles}\n");
    sandbox.write("tokens.toml", accounts.as_bytes());
    let path = |name: &str| sandbox.path(name).display().to_string();
    let running = Running::with(
        &sandbox,
        &[
            format!("--tls-cert={}", path("server.pem")),
            format!("--tls-key={}", path("server.key")),
            format!("--client-ca={}", path("ca.pem")),
            format!("--tokens={}", path("tokens.toml")),
        ],
    );
    let values = samples(&sandbox, "x.npy", 10);
    for url in [&running.grpc, &running.http] {
        let url = url
            .replace("grpc:", "grpcs:")
            .replace("http:", "https:")
            .replace("127.0.0.1", "localhost");
        let shown = |name: &str| {
            let mut arguments = predict(&url, "x.npy", "y.npy").join(" ");
            arguments.push_str(" --ca ca.pem");
            if !name.is_empty() {
                arguments.push_str(&format!(" --cert {name}.pem --key {name}.key"));
            }
            arguments
        };
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let run = |name: &str| {
            let words = words(&shown(name));
            sandbox.hush(&words.iter().map(String::as_str).collect::<Vec<_>>())
        };
        let said = run("alice");
        assert_eq!((said.code, &*said.stderr), (Some(0), ""));
        assert_squares(&sandbox.read_npy("y.npy"), &values);
        for stranger in ["bob", ""] {
            let said = run(stranger);
            assert_eq!(said.code, Some(1), "{stranger}");
            assert!(
                said.stderr.contains("the server refused"),
                "{}",
                said.stderr
            );
        }
        let said = sandbox.hush(&predict(&url, "x.npy", "y.npy"));
        assert_eq!(said.code, Some(1));
        assert!(said.stderr.contains("certificate"), "{}", said.stderr);
    }
}

#[test]
fn tokens_on_open_ways_are_warned_of() {
    let sandbox = Sandbox::with_model();
    let warning = |url: &str| {
        let mut command = sandbox.command(&predict(url, "x.npy", "y.npy"));
        let output = command.env("HUSH_TOKEN", "hush_7").output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        let text = String::from_utf8(output.stderr).unwrap();
        text.lines().next().unwrap().to_owned()
    };
    // Nobody has this name (RFC 6761).
    assert_snapshot!(
        warning("grpc://models.invalid"),
        @"warning: the token is sent to grpc://models.invalid without encryption: whoever is on the way can use it; connect with grpcs://"
    );
    assert!(warning("http://models.invalid").contains("connect with https://"));
    for quiet in [
        "grpcs://models.invalid",
        "grpc://127.0.0.1:1",
        "http://localhost:1",
    ] {
        assert!(warning(quiet).starts_with("error: "), "{quiet}");
    }
}

#[test]
fn failures_say_what_to_do() {
    let sandbox = Sandbox::with_model();
    let running = Running::new(&sandbox);
    let error = sandbox.fail(&predict("127.0.0.1:8081", "x.npy", "y.npy"));
    assert_snapshot!(error, @r"
    error: `127.0.0.1:8081` is not the address of a server: it does not begin with grpc://, grpcs://, http:// or https://
    hint: write for example grpc://127.0.0.1:8081 or https://models.example.org
    ");
    let mut arguments = predict(&running.grpc, "x.npy", "y.npy");
    arguments[3] = "nothing";
    let error = sandbox.fail(&arguments);
    assert!(
        error.starts_with("error: the server refused: there is no model `nothing`"),
        "{error}"
    );
    sandbox.write("x.csv", b"1,2\n3,4\n");
    let said = sandbox.hush(&predict(&running.grpc, "x.csv", "y.csv"));
    assert_eq!(said.code, Some(1));
    assert!(
        said.stderr.contains("input `x` has shape [2, 2]"),
        "{}",
        said.stderr
    );
    assert!(!sandbox.path("y.csv").exists());
    let mut arguments = predict(&running.grpc, "x.npy", "y.npz");
    arguments.push("--resume");
    let error = sandbox.fail(&arguments);
    assert!(error.contains("leave out --resume"), "{error}");
    drop(running);
}

#[cfg(unix)]
#[test]
fn the_server_is_found_beside_the_command() {
    use std::os::unix::fs::PermissionsExt;
    let sandbox = Sandbox::empty();
    let hush = sandbox.path("hush");
    fs::copy(env!("CARGO_BIN_EXE_hush"), &hush).unwrap();
    let run = |arguments: &[&str]| {
        let mut command = std::process::Command::new(&hush);
        command.args(arguments).env("PATH", "").env("NO_COLOR", "1");
        let output = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (
            output.status.code(),
            text(output.stdout),
            text(output.stderr),
        )
    };
    let (code, _, error) = run(&["serve", "models"]);
    assert_eq!(code, Some(1));
    assert_snapshot!(error, @r"
    error: the program `hush-server` is neither beside `hush` nor on the PATH
    hint: build both with `cargo build --release -p hush-cli -p hush-server`, or put it beside `hush`
    ");
    sandbox.write("hush-server", b"#!/bin/sh\necho \"$@\"\nexit 7\n");
    let executable = fs::Permissions::from_mode(0o755);
    fs::set_permissions(sandbox.path("hush-server"), executable).unwrap();
    let (code, said, _) = run(&["serve", "models", "--http", "127.0.0.1:1", "--help"]);
    assert_eq!(
        (code, said.as_str()),
        (Some(7), "models --http 127.0.0.1:1 --help\n")
    );
    let (_, said, _) = run(&["serve", "--print-config"]);
    assert_eq!(said, "--print-config\n");
    let (_, said, _) = run(&["token", "create", "alice", "--tokens=t"]);
    assert_eq!(said, "token create alice --tokens=t\n");
}
