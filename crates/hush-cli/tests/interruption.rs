//! Ctrl-C leaves no partial file.
#![cfg(unix)]

mod sandbox;

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use sandbox::{Said, Sandbox, encrypt_arguments, floats};

/// Interrupts a command as soon as its unfinished output is there.
fn interrupt(sandbox: &Sandbox, arguments: &[&str]) -> Said {
    let before = sandbox.contents();
    let mut command = sandbox.command(arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("hush starts");
    let begun = Instant::now();
    let unfinished = || {
        sandbox.contents().iter().any(|(path, _)| {
            path.extension()
                .is_some_and(|extension| extension == "part")
        })
    };
    while !unfinished() {
        assert!(begun.elapsed() < Duration::from_secs(60), "no output began");
        assert!(child.try_wait().expect("a child").is_none(), "it ended");
        std::thread::yield_now();
    }
    let killed = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(killed.expect("kill starts").success());
    let said = Said::from(child.wait_with_output().expect("a child"));
    assert_eq!(sandbox.contents(), before, "{}", said.stderr);
    said
}

#[test]
fn an_interrupted_command_says_so_and_leaves_nothing() {
    let sandbox = Sandbox::with_ciphertexts();
    // Enough samples to be busy for much longer than it takes to interrupt.
    let samples = 200_000;
    let values = floats(&vec![0.5; samples * 3]);
    sandbox.write_npy("many.npy", "<f4", &format!("({samples}, 3)"), &values);
    let said = interrupt(
        &sandbox,
        &encrypt_arguments("square", "keys", "many.npy", "many.ct"),
    );
    assert_eq!(said.code, Some(130));
    assert!(
        said.stderr.contains("error: interrupted"),
        "{}",
        said.stderr
    );
    assert_eq!(said.stdout, "");
}
