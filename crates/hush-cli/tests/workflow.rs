//! The five steps, with files of every format.

mod sandbox;

use sandbox::{Sandbox, decrypt_arguments, encrypt_arguments, floats, run_arguments};

const EXPECTED: [f32; 6] = [0.5, 1.25, 0.25, 2.5, 0.3125, 1.25];

fn close(actual: &[f32], expected: &[f32]) {
    assert_eq!(actual.len(), expected.len());
    for (a, b) in actual.iter().zip(expected) {
        assert!((a - b).abs() < 1e-2, "{actual:?} against {expected:?}");
    }
}

#[test]
fn npy_in_npy_out() {
    let sandbox = Sandbox::with_ciphertexts();
    sandbox.succeed(&decrypt_arguments("square", "keys", "y.ct", "y.npy"));
    close(&sandbox.read_npy("y.npy"), &EXPECTED);
}

#[test]
fn csv_in_csv_out() {
    let sandbox = Sandbox::with_ciphertexts();
    sandbox.write("x.csv", b"a,b,c\n0.5,-1,0\n1.5,0.25,1\n");
    sandbox.succeed(&encrypt_arguments("square", "keys", "x.csv", "x.ct"));
    sandbox.succeed(&run_arguments("square", "keys", "x.ct", "y.ct"));
    sandbox.succeed(&decrypt_arguments("square", "keys", "y.ct", "y.csv"));
    let text = String::from_utf8(sandbox.read("y.csv")).unwrap();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("y_0,y_1,y_2"));
    let cells: Vec<f32> = lines
        .flat_map(|line| line.split(','))
        .map(|cell| cell.parse().unwrap())
        .collect();
    close(&cells, &EXPECTED);
}

#[test]
fn npz_out_can_be_encrypted_again_by_array() {
    let sandbox = Sandbox::with_ciphertexts();
    sandbox.succeed(&decrypt_arguments("square", "keys", "y.ct", "y.npz"));
    let mut arguments = encrypt_arguments("square", "keys", "y.npz", "z.ct").to_vec();
    sandbox.succeed(&arguments);
    arguments.extend(["--array", "y"]);
    sandbox.succeed(&arguments);
    arguments.pop();
    arguments.push("nothing");
    let error = sandbox.fail(&arguments);
    assert!(error.contains("no array named `nothing`"), "{error}");
}

#[test]
fn flooded_results_differ_by_the_stated_noise() {
    let sandbox = Sandbox::with_ciphertexts();
    let plain = decrypt_arguments("square", "keys", "y.ct", "y.npy");
    let flooded = |error: &str| {
        let mut arguments = decrypt_arguments("square", "keys", "y.ct", "z.npy").to_vec();
        arguments.extend([
            "--flood",
            "8",
            "--flood-results",
            "4",
            "--flood-error",
            error,
        ]);
        arguments.into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let arguments = flooded("1e-5");
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    sandbox.succeed(&plain);
    // sqrt(12 * 4) * 2^4 * 1e-5.
    let said = sandbox.succeed(&arguments);
    assert!(
        said.stdout.contains("standard deviation 1.1e-3"),
        "{}",
        said.stdout
    );
    let (first, exact) = (sandbox.read_npy("z.npy"), sandbox.read_npy("y.npy"));
    sandbox.succeed(&arguments);
    assert_ne!(sandbox.read_npy("z.npy"), first, "noise is drawn anew");
    let largest = first.iter().zip(&exact).map(|(a, b)| (a - b).abs());
    let largest = largest.fold(0.0, f32::max);
    assert!(largest > 1e-5 && largest < 1e-2, "{largest}");

    let arguments = flooded("1e9");
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let error = sandbox.fail(&arguments);
    assert!(error.contains("flood"), "{error}");
    let said = sandbox.hush(&[&plain[..], &["--flood", "30"]].concat());
    assert_eq!(said.code, Some(2), "{}", said.stderr);
}

#[test]
fn a_batch_of_several_groups() {
    let sandbox = Sandbox::with_ciphertexts();
    let values: Vec<f32> = (0..33).map(|index| index as f32 / 32.0).collect();
    sandbox.write_npy("many.npy", "<f4", "(11, 3)", &floats(&values));
    sandbox.succeed(&encrypt_arguments("square", "keys", "many.npy", "x.ct"));
    sandbox.succeed(&run_arguments("square", "keys", "x.ct", "y.ct"));
    sandbox.succeed(&decrypt_arguments("square", "keys", "y.ct", "y.npy"));
    let expected: Vec<f32> = values.iter().map(|x| x * x + 0.25).collect();
    close(&sandbox.read_npy("y.npy"), &expected);
}

#[test]
fn inputs_outside_the_calibrated_range_are_warned_of() {
    let sandbox = Sandbox::with_ciphertexts();
    let values = floats(&[0.0, 1.0, 2.0, -3.5, 0.0, 0.0, 0.0, 3.0, 4.0]);
    sandbox.write_npy("wide.npy", "<f4", "(3, 3)", &values);
    let arguments = encrypt_arguments("square", "keys", "wide.npy", "wide.ct");
    let said = sandbox.hush(&arguments);
    assert_eq!(said.code, Some(0));
    let expected = "warning: 2 samples of input `x` lie outside -3 to 3, which the model was \
                    calibrated on: results may be wrong (the first is sample 1, counted from 0)\n";
    assert_eq!(said.stderr, expected);
}

#[test]
fn json_is_one_object_on_standard_output() {
    let sandbox = Sandbox::with_ciphertexts();
    let steps: [&[&str]; 5] = [
        &["keygen", "square.client", "-o", "keys", "--force"],
        &encrypt_arguments("square", "keys", "x.npy", "x.ct"),
        &run_arguments("square", "keys", "x.ct", "y.ct"),
        &decrypt_arguments("square", "keys", "y.ct", "y.npy"),
        &["inspect", "y.ct"],
    ];
    for step in steps {
        let mut arguments = step.to_vec();
        arguments.extend(["--json", "--threads", "1"]);
        let said = sandbox.succeed(&arguments);
        let object: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
        assert!(object.is_object(), "{}", said.stdout);
    }
    let said = sandbox.hush(&["inspect", "--json", "nothing.ct"]);
    assert_eq!(said.code, Some(1));
    let object: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
    assert!(object["error"]["causes"].is_array());
}

#[test]
fn keys_behind_a_passphrase() {
    let sandbox = Sandbox::with_model();
    sandbox.write("words", b"correct horse\n");
    sandbox.write("wrong", b"battery staple\n");
    let file = ["--passphrase-file", "words"];
    sandbox.succeed(&[&["keygen", "square.client", "-o", "keys"], &file[..]].concat());
    let encrypt = encrypt_arguments("square", "keys", "x.npy", "x.ct");
    let error = sandbox.fail(&encrypt);
    assert!(error.contains("protected with a passphrase"), "{error}");
    assert!(error.contains("hint: pass --passphrase-file"), "{error}");
    let error = sandbox.fail(&[&encrypt[..], &["--passphrase-file", "wrong"]].concat());
    assert!(error.contains("does not open the secret key"), "{error}");
    let error = sandbox.fail(&[&encrypt[..], &["--passphrase"]].concat());
    assert!(error.contains("there is no terminal"), "{error}");
    let mut command = sandbox.command(&encrypt);
    let said = command.env("HUSH_PASSPHRASE", "correct horse").output();
    assert!(said.unwrap().status.success());
    sandbox.succeed(&run_arguments("square", "keys", "x.ct", "y.ct"));
    let decrypt = decrypt_arguments("square", "keys", "y.ct", "y.npy");
    sandbox.succeed(&[&decrypt[..], &file[..]].concat());
    close(&sandbox.read_npy("y.npy"), &EXPECTED);
    let said = sandbox.succeed(&["inspect", "keys/secret.key"]);
    assert!(said.stdout.contains("protected with a passphrase"));
}

#[cfg(unix)]
#[test]
fn secret_keys_are_private_and_never_replaced_unasked() {
    use std::os::unix::fs::PermissionsExt;
    let sandbox = Sandbox::with_ciphertexts();
    let mode = |name: &str| {
        let metadata = std::fs::metadata(sandbox.path(name)).unwrap();
        metadata.permissions().mode() & 0o777
    };
    assert_eq!(mode("keys/secret.key"), 0o600);
    let error = sandbox.fail(&["keygen", "square.client", "-o", "keys"]);
    assert!(error.contains("it exists already"), "{error}");
    assert!(error.contains("hint: pass --force"), "{error}");
    let before = sandbox.read("keys/secret.key");
    sandbox.succeed(&["keygen", "square.client", "-o", "keys", "--force"]);
    assert_ne!(sandbox.read("keys/secret.key"), before);
}

#[test]
fn inspect_tells_what_every_file_holds() {
    let sandbox = Sandbox::with_ciphertexts();
    for (file, expected) in [
        ("square.model", "model (format 1)"),
        ("square.client", "client spec (format 1)"),
        ("keys/secret.key", "secret key (format 1)"),
        ("keys/evaluation.key", "relinearization"),
        ("x.ct", "encrypted inputs of program"),
        ("y.ct", "encrypted outputs of program"),
        ("x.npy", "array [2, 3], -1 to 1.5"),
    ] {
        let said = sandbox.succeed(&["inspect", file]);
        assert!(said.stdout.contains(expected), "{file}: {}", said.stdout);
    }
}
