//! `hush simulate` stands in for encrypt, run and decrypt.

mod sandbox;

use sandbox::{Sandbox, decrypt_arguments, floats};

fn simulate<'a>(input: &'a str, output: &'a str) -> Vec<&'a str> {
    vec!["simulate", "square.model", "--input", input, "-o", output]
}

#[test]
fn without_keys_it_gives_what_decryption_gives_up_to_noise() {
    let sandbox = Sandbox::with_ciphertexts();
    sandbox.succeed(&decrypt_arguments("square", "keys", "y.ct", "y.npy"));
    let said = sandbox.succeed(&simulate("x.npy", "s.npy"));
    assert!(
        said.stdout.starts_with("simulated 2 samples in "),
        "{}",
        said.stdout
    );
    let (encrypted, simulated) = (sandbox.read_npy("y.npy"), sandbox.read_npy("s.npy"));
    assert_eq!(encrypted.len(), simulated.len());
    for (a, b) in encrypted.iter().zip(&simulated) {
        assert!((a - b).abs() < 1e-2, "{encrypted:?} against {simulated:?}");
    }
}

#[test]
fn the_seed_decides_the_noise() {
    let sandbox = Sandbox::with_model();
    let mut other = simulate("x.npy", "c.npy");
    other.extend(["--seed", "1"]);
    sandbox.succeed(&simulate("x.npy", "a.npy"));
    sandbox.succeed(&simulate("x.npy", "b.npy"));
    sandbox.succeed(&other);
    assert_eq!(sandbox.read("a.npy"), sandbox.read("b.npy"));
    assert_ne!(sandbox.read("a.npy"), sandbox.read("c.npy"));
}

#[test]
fn samples_that_outgrow_a_ciphertext_are_warned_of() {
    let sandbox = Sandbox::with_model();
    sandbox.write_npy("wide.npy", "<f4", "(1, 3)", &floats(&[1e4, 0.0, 0.0]));
    let said = sandbox.hush(&simulate("wide.npy", "y.npy"));
    assert_eq!(said.code, Some(0));
    assert!(
        said.stderr
            .contains("1 sample of input `x` lies outside -3 to 3"),
        "{}",
        said.stderr
    );
    assert!(
        said.stderr
            .contains("values outgrow the room of a ciphertext by"),
        "{}",
        said.stderr
    );
}

#[test]
fn wrong_inputs_and_files_are_errors() {
    let sandbox = Sandbox::with_model();
    sandbox.write_npy("narrow.npy", "<f4", "(1, 2)", &floats(&[1.0, 0.0]));
    let error = sandbox.fail(&simulate("narrow.npy", "y.npy"));
    assert!(error.contains("input `x`"), "{error}");
    let error = sandbox.fail(&[
        "simulate",
        "square.client",
        "--input",
        "x.npy",
        "-o",
        "y.npy",
    ]);
    assert!(error.contains("square.client"), "{error}");
}
