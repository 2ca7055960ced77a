//! `hush run-project`: what it starts, and what it leaves behind when it is interrupted. `conda` and `docker` are programs of
//! the test that write down how they are called.
#![cfg(unix)]

mod sandbox;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use sandbox::{Said, Sandbox};
use serde_json::{Value, json};

/// A tracking server that ends with the test.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(sandbox: &Sandbox) -> Self {
        let arguments = ["server", "--port", "0", "--keys", "keys"];
        let mut child = sandbox
            .command(&arguments)
            .stderr(Stdio::piped())
            .spawn()
            .expect("hush starts");
        let mut lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        let address = lines
            .find_map(|line| {
                let line = line.expect("a line");
                line.strip_prefix("REST ")
                    .map(|address| address.trim().to_owned())
            })
            .expect("an address");
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address }
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        let host = self.address.strip_prefix("http://").expect("an address");
        let mut stream = TcpStream::connect(host).expect("a connection");
        let body = body.to_string();
        write!(
            stream,
            "POST /api/2.0/mlflow/{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .expect("a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let at = answer.find("\r\n\r\n").expect("a header");
        serde_json::from_str(&answer[at..]).unwrap_or_else(|_| panic!("no JSON: {answer}"))
    }

    /// The only run.
    fn run(&self) -> Value {
        let found = self.post("runs/search", &json!({"experiment_ids": ["0"]}));
        let runs = found["runs"].as_array().expect("runs");
        assert_eq!(runs.len(), 1, "{found}");
        runs[0].clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A folder `project` with these files, and `bin` with programs that write down their arguments in `calls`.
fn project(files: &[(&str, &str)], programs: &[(&str, &str)]) -> Sandbox {
    let sandbox = Sandbox::empty();
    let calls = sandbox.path("calls");
    for folder in ["project", "bin", "base/etc/profile.d"] {
        fs::create_dir_all(sandbox.path(folder)).expect("a folder");
    }
    for (name, text) in files {
        fs::write(sandbox.path("project").join(name), text).expect("a file");
    }
    for (name, rest) in programs {
        let path = sandbox.path("bin").join(name);
        let calls = calls.display();
        let text = format!(
            "#!/bin/sh\n{{ printf %s {name}; printf '|%s' \"$@\"; echo; }} >> {calls}\n{rest}\n"
        );
        fs::write(&path, text).expect("a program");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("permissions");
    }
    sandbox
}

fn command(sandbox: &Sandbox, server: &Server, arguments: &[&str]) -> Command {
    let mut all = vec![
        "--quiet",
        "run-project",
        "project",
        "--tracking-uri",
        &server.address,
    ];
    all.extend_from_slice(arguments);
    let mut command = sandbox.command(&all);
    let path = std::env::var("PATH").unwrap_or_default();
    let path = format!("{}:{path}", sandbox.path("bin").display());
    command
        .env("PATH", path)
        .env_remove("MLFLOW_RUN_ID")
        .env("COPIED", "from here")
        .env("MLFLOW_TRACKING_TOKEN", "secret");
    command
}

fn run(sandbox: &Sandbox, server: &Server, arguments: &[&str]) -> Said {
    Said::from(
        command(sandbox, server, arguments)
            .output()
            .expect("hush starts"),
    )
}

fn calls(sandbox: &Sandbox) -> Vec<String> {
    let text = fs::read_to_string(sandbox.path("calls")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

fn wait_for(what: &str, mut ready: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !ready() {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "{what} takes too long"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn is_alive(process: &str) -> bool {
    let state = fs::read_to_string(format!("/proc/{process}/stat"));
    // What has ended and waits to be asked for is not alive.
    state.is_ok_and(|state| !state.contains(") Z "))
}

#[test]
fn an_interruption_ends_the_command_and_kills_the_run() {
    let file = "entry_points:\n  main:\n    command: \"sleep 600 & echo $! > started && wait\"\n";
    for signal in ["-INT", "-TERM"] {
        let sandbox = project(&[("MLproject", file)], &[]);
        let server = Server::start(&sandbox);
        let child = command(&sandbox, &server, &["--env-manager", "local"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("hush starts");
        let started = || fs::read_to_string(sandbox.path("project/started")).unwrap_or_default();
        wait_for("the command", || started().ends_with('\n'));
        assert_eq!(server.run()["info"]["status"], "RUNNING");
        let process = started().trim().to_owned();
        assert!(is_alive(&process));
        let told = Command::new("kill")
            .args([signal, &child.id().to_string()])
            .status();
        assert!(told.expect("kill starts").success());
        let said = Said::from(child.wait_with_output().expect("a child"));
        assert_eq!(said.code, Some(130), "{}", said.stderr);
        assert!(
            said.stderr.contains("is marked as killed"),
            "{}",
            said.stderr
        );
        let run = server.run();
        assert_eq!(run["info"]["status"], "KILLED");
        assert!(run["info"]["end_time"].is_number(), "{run}");
        wait_for("the end of what it had started", || !is_alive(&process));
    }
}

#[test]
fn environments_of_conda_are_made_once() {
    let file = "conda_env: environment.yaml\nentry_points:\n  main:\n    parameters: {alpha: float}\n    command: \"echo {alpha} > ran\"\n";
    let conda = "case \"$1 $2\" in\n\
        'env list') cat made 2>/dev/null || echo '{\"envs\": []}' ;;\n\
        'env create') echo \"{\\\"envs\\\": [\\\"/x/$5\\\"]}\" > made ;;\n\
        'info --base') echo \"$BASE\" ;;\n\
        esac";
    let files = [
        ("MLproject", file),
        ("environment.yaml", "dependencies: [python=3.11]\n"),
    ];
    let sandbox = project(&files, &[("conda", conda)]);
    let server = Server::start(&sandbox);
    // What shells of conda's users have: a function that changes the environment.
    let activated = format!(
        "conda() {{ echo \"activated|$*\" >> {}; }}\n",
        sandbox.path("calls").display()
    );
    fs::write(sandbox.path("base/etc/profile.d/conda.sh"), activated).expect("a file");
    for alpha in ["0.5", "0.25"] {
        let mut command = command(&sandbox, &server, &["-P", &format!("alpha={alpha}")]);
        let said = Said::from(
            command
                .env("BASE", sandbox.path("base"))
                .output()
                .expect("hush starts"),
        );
        assert_eq!(said.code, Some(0), "{}", said.stderr);
        assert_eq!(
            fs::read_to_string(sandbox.path("project/ran")).expect("a file"),
            format!("{alpha}\n")
        );
    }
    let calls = calls(&sandbox);
    let made = calls
        .iter()
        .find(|call| call.starts_with("conda|env|create"))
        .expect("a call");
    let words: Vec<&str> = made.split('|').collect();
    assert_eq!(
        words[..5],
        ["conda", "env", "create", "--quiet", "--name"],
        "{made}"
    );
    let (name, file) = (words[5], sandbox.path("project/environment.yaml"));
    assert_eq!(
        (words[6], words[7]),
        (
            "--file",
            file.canonicalize().expect("a file").to_str().expect("text")
        )
    );
    let once = [
        "conda|env|list|--json",
        made,
        "conda|info|--base",
        &format!("activated|activate {name}"),
    ];
    let again = [once[0], once[2], once[3]];
    assert_eq!(calls, [&once[..], &again[..]].concat());
}

#[test]
fn containers_get_what_the_project_says() {
    let file = "name: My Project\ndocker_env:\n  image: python:3.11\n  volumes: [\"/a:/b\"]\n  environment: [[NEW, \"1 2\"], COPIED]\n\
        entry_points:\n  main:\n    parameters: {alpha: {type: float, default: 0.5}}\n    command: \"python train.py {alpha}\"\n";
    let docker = "if [ \"$1\" = build ]; then cat \"$6\" > \"$(dirname \"$0\")/recipe\"; fi";
    let sandbox = project(&[("MLproject", file)], &[("docker", docker)]);
    let server = Server::start(&sandbox);
    let said = run(
        &sandbox,
        &server,
        &["-A", "gpus=all", "-A", "t", "-P", "label=a b"],
    );
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    let run = server.run();
    let id = run["info"]["run_id"].as_str().expect("an id");
    let calls = calls(&sandbox);
    assert_eq!(calls.len(), 2, "{calls:?}");
    let build: Vec<&str> = calls[0].split('|').collect();
    assert_eq!(build[..4], ["docker", "build", "--quiet", "--tag"]);
    let image = build[4];
    assert!(image.starts_with("hush-my-project:"), "{image}");
    assert_eq!(
        fs::read_to_string(sandbox.path("bin/recipe")).expect("a recipe"),
        "FROM python:3.11\nCOPY . /mlflow/projects/code/\nWORKDIR /mlflow/projects/code/\n"
    );
    let expected = [
        "docker|run|--rm|--gpus|all|-t|-v|/a:/b",
        &format!(
            "-e|MLFLOW_RUN_ID={id}|-e|MLFLOW_EXPERIMENT_ID=0|-e|MLFLOW_TRACKING_URI={}",
            server.address
        ),
        "-e|MLFLOW_TRACKING_TOKEN|-e|NEW=1 2|-e|COPIED",
        &format!("{image}|bash|-c|python train.py 0.5 --label 'a b'"),
    ];
    assert_eq!(calls[1], expected.join("|"));
    let tags = run["data"]["tags"].as_array().expect("tags");
    assert!(
        tags.contains(&json!({"key": "mlflow.project.env", "value": "docker"})),
        "{tags:?}"
    );
    assert_eq!(run["info"]["status"], "FINISHED");
}

#[test]
fn what_cannot_start_fails_the_run() {
    let file = "docker_env: {image: x}\nentry_points: {main: {command: \"true\"}}\n";
    let sandbox = project(
        &[("MLproject", file)],
        &[("docker", "echo no daemon >&2; exit 1")],
    );
    let server = Server::start(&sandbox);
    let said = run(&sandbox, &server, &[]);
    assert_eq!(said.code, Some(1));
    assert!(said.stderr.contains("no daemon"), "{}", said.stderr);
    assert_eq!(server.run()["info"]["status"], "FAILED");
}
