//! The program itself: how it starts, and how it stops.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hush-server"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("HUSH_SERVER_") {
            command.env_remove(name);
        }
    }
    command
}

#[tokio::test]
async fn it_tells_where_it_is_and_stops_when_asked() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = program()
        .args([
            "--demo-models",
            "--http",
            "127.0.0.1:0",
            "--grpc",
            "127.0.0.1:0",
        ])
        .arg("--keys")
        .arg(folder.path().join("keys"))
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let first = lines.next().unwrap().unwrap();
    let address = first.strip_prefix("REST      http://").unwrap();
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    let request = "GET /v2/health/ready HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    std::io::Write::write_all(&mut stream, request.as_bytes()).unwrap();
    let answer = BufReader::new(stream).lines().next().unwrap().unwrap();
    assert_eq!(answer, "HTTP/1.1 200 OK");
    let stopped = Command::new("kill").arg(child.id().to_string()).status();
    assert!(stopped.unwrap().success());
    let rest: Vec<String> = lines.map(Result::unwrap).collect();
    assert!(child.wait().unwrap().success(), "{rest:#?}");
    let last: serde_json::Value = serde_json::from_str(rest.last().unwrap()).unwrap();
    assert_eq!(last["message"], "stopped", "{rest:#?}");
}

#[test]
fn without_accounts_it_stays_on_this_machine() {
    let output = program().args(["--http", "0.0.0.0:0"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("hush-server token create NAME"), "{told}");
}

#[test]
fn settings_come_from_file_environment_and_flags() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("server.toml");
    std::fs::write(&file, "queue = 1\nthreads = 1\nuploads = 1\n").unwrap();
    let output = program()
        .arg("--config")
        .arg(&file)
        .args(["--print-config", "--threads", "3"])
        .env("HUSH_SERVER_QUEUE", "2")
        .env("HUSH_SERVER_THREADS", "2")
        .output()
        .unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let line = |key: &str| {
        let mut lines = printed.lines().filter(|line| line.starts_with(key));
        lines
            .next()
            .unwrap()
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(line("threads"), "threads = \"3\" # the flag --threads");
    assert_eq!(
        line("queue"),
        "queue = \"2\" # the environment variable HUSH_SERVER_QUEUE"
    );
    assert!(line("uploads").starts_with("uploads = \"1\" # the file"));
}
