//! Whatever is wrong with an input gives a clear error, exit code 1, and leaves no file behind.

mod sandbox;

use sandbox::{Sandbox, decrypt_arguments, encrypt_arguments, floats, run_arguments, write_model};

/// Each file with a command that reads it.
fn readers() -> Vec<(&'static str, Vec<&'static str>)> {
    let encrypt = encrypt_arguments("square", "keys", "x.npy", "out.ct").to_vec();
    let run = run_arguments("square", "keys", "x.ct", "out.ct").to_vec();
    let decrypt = decrypt_arguments("square", "keys", "y.ct", "out.npy").to_vec();
    vec![
        (
            "square.client",
            vec!["keygen", "square.client", "-o", "more"],
        ),
        ("square.client", encrypt.clone()),
        ("square.client", decrypt.clone()),
        ("keys/secret.key", encrypt),
        ("keys/secret.key", decrypt.clone()),
        ("square.model", run.clone()),
        ("keys/evaluation.key", run.clone()),
        ("x.ct", run),
        ("y.ct", decrypt),
    ]
}

/// Changes one file, runs every command that reads it, and puts the file back.
fn with_each(change: impl Fn(&[u8]) -> Vec<u8>, expected: &[&str]) {
    let sandbox = Sandbox::with_ciphertexts();
    for (file, command) in readers() {
        let good = sandbox.read(file);
        sandbox.write(file, &change(&good));
        for arguments in [command, vec!["inspect", file]] {
            let error = sandbox.fail(&arguments);
            assert!(
                error.contains(file),
                "{arguments:?} names the file: {error}"
            );
            assert!(
                expected.iter().any(|expected| error.contains(expected)),
                "{arguments:?}: {error}"
            );
            assert!(error.contains("\nhint: "), "{arguments:?}: {error}");
        }
        sandbox.write(file, &good);
    }
}

#[test]
fn truncated_files() {
    with_each(|bytes| bytes[..bytes.len() - 1].to_vec(), &["is truncated"]);
    with_each(|bytes| bytes[..bytes.len() / 2].to_vec(), &["is truncated"]);
    with_each(|bytes| bytes[..10].to_vec(), &["is truncated"]);
    with_each(|_| Vec::new(), &["is empty", "no extension"]);
}

#[test]
fn flipped_bits() {
    let expected = ["does not match", "not below its modulus"];
    let flip = |position: fn(usize) -> usize| {
        move |bytes: &[u8]| {
            let mut bytes = bytes.to_vec();
            let at = position(bytes.len());
            bytes[at] ^= 0x10;
            bytes
        }
    };
    with_each(flip(|_| 30), &expected);
    with_each(flip(|length| length - 40), &expected);
    with_each(flip(|length| length - 1), &expected);
}

#[test]
fn foreign_files() {
    let foreign = b"\x89PNG and then some bytes that are long enough to be read".to_vec();
    with_each(|_| foreign.clone(), &["not a HushML file"]);
}

#[test]
fn newer_files() {
    let newer = |bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        bytes[6] = 9;
        bytes
    };
    with_each(newer, &["has format version 9"]);
}

#[test]
fn oversized_files() {
    let longer = |bytes: &[u8]| [bytes, b"x"].concat();
    with_each(longer, &["continues after its end"]);
    let claims = |bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        bytes[12..20].copy_from_slice(&u64::MAX.to_le_bytes());
        bytes
    };
    with_each(claims, &["the limit here is"]);
}

#[test]
fn files_in_each_others_place() {
    let sandbox = Sandbox::with_ciphertexts();
    let error = sandbox.fail(&["keygen", "square.model", "-o", "more"]);
    assert!(
        error.contains("expected client spec, but the file holds model"),
        "{error}"
    );
    let mut run = run_arguments("square", "keys", "x.ct", "out.ct");
    run[3] = "keys/secret.key";
    let error = sandbox.fail(&run);
    assert!(
        error.contains("expected evaluation keys, but the file holds secret key"),
        "{error}"
    );
    let error = sandbox.fail(&run_arguments("square", "keys", "y.ct", "out.ct"));
    assert!(
        error.contains("encrypted inputs are needed here"),
        "{error}"
    );
    assert!(
        error.contains("hint: pass the file that `hush encrypt` wrote"),
        "{error}"
    );
    let error = sandbox.fail(&decrypt_arguments("square", "keys", "x.ct", "out.npy"));
    assert!(
        error.contains("encrypted outputs are needed here"),
        "{error}"
    );
    let error = sandbox.fail(&["keygen", "nothing.client", "-o", "more"]);
    assert!(error.contains("No such file"), "{error}");
    let error = sandbox.fail(&["inspect", "keys"]);
    assert!(error.contains("it is a folder"), "{error}");
}

#[test]
fn another_models_ciphertexts() {
    let sandbox = Sandbox::with_ciphertexts();
    write_model(&sandbox.path("other"), 0.5);
    let error = sandbox.fail(&run_arguments("other", "keys", "x.ct", "out.ct"));
    assert!(
        error.contains("the ciphertexts belong to program"),
        "{error}"
    );
    assert!(
        error.contains("hint: use the .client and .model files"),
        "{error}"
    );
    let error = sandbox.fail(&decrypt_arguments("other", "keys", "y.ct", "out.npy"));
    assert!(
        error.contains("the ciphertexts belong to program"),
        "{error}"
    );
}

#[test]
fn another_key() {
    let sandbox = Sandbox::with_ciphertexts();
    sandbox.succeed(&["keygen", "square.client", "-o", "other_keys"]);
    let error = sandbox.fail(&run_arguments("square", "other_keys", "x.ct", "out.ct"));
    assert!(error.contains("are encrypted under key"), "{error}");
    assert!(error.contains("hint: use the key pair"), "{error}");
    let error = sandbox.fail(&decrypt_arguments(
        "square",
        "other_keys",
        "y.ct",
        "out.npy",
    ));
    assert!(error.contains("are encrypted under key"), "{error}");
}

#[test]
fn numbers_that_are_none() {
    let sandbox = Sandbox::with_ciphertexts();
    for (value, name) in [
        (f32::NAN, "NaN"),
        (f32::INFINITY, "inf"),
        (f32::NEG_INFINITY, "-inf"),
    ] {
        let values = floats(&[0.0, 1.0, 2.0, 3.0, value, 5.0]);
        sandbox.write_npy("bad.npy", "<f4", "(2, 3)", &values);
        let error = sandbox.fail(&encrypt_arguments("square", "keys", "bad.npy", "out.ct"));
        let expected = format!("input `x` holds {name} (sample 1, element 1, counted from 0)");
        assert!(error.contains(&expected), "{error}");
    }
    sandbox.write("bad.csv", b"a,b,c\n1,2,nan\n");
    let error = sandbox.fail(&encrypt_arguments("square", "keys", "bad.csv", "out.ct"));
    assert!(error.contains("holds NaN (sample 0, element 2"), "{error}");
    sandbox.write("bad.csv", b"a,b,c\n1,2,\n");
    let error = sandbox.fail(&encrypt_arguments("square", "keys", "bad.csv", "out.ct"));
    assert!(
        error.contains("line 2, column 3: `` is not a number"),
        "{error}"
    );
    let huge = floats(&[1e30; 3]);
    sandbox.write_npy("bad.npy", "<f4", "(1, 3)", &huge);
    let error = sandbox.fail(&encrypt_arguments("square", "keys", "bad.npy", "out.ct"));
    assert!(error.contains("needs coefficients of"), "{error}");
}

#[test]
fn wrong_shapes() {
    let sandbox = Sandbox::with_ciphertexts();
    for (shape, count) in [("(2, 2)", 4), ("(3,)", 3), ("(1, 1, 3)", 3), ("()", 1)] {
        sandbox.write_npy("bad.npy", "<f4", shape, &floats(&vec![0.0; count]));
        let error = sandbox.fail(&encrypt_arguments("square", "keys", "bad.npy", "out.ct"));
        assert!(
            error.contains("the model takes [batch, 3]"),
            "{shape}: {error}"
        );
    }
    sandbox.write_npy("bad.npy", "<f4", "(0, 3)", &[]);
    let error = sandbox.fail(&encrypt_arguments("square", "keys", "bad.npy", "out.ct"));
    assert!(error.contains("holds no sample"), "{error}");
}

#[test]
fn wrong_dtypes_and_damaged_arrays() {
    let sandbox = Sandbox::with_ciphertexts();
    for descr in ["<c8", "|b1", "<U4", "|O", "<M8[s]"] {
        sandbox.write_npy("bad.npy", descr, "(1, 3)", &[0; 64]);
        let error = sandbox.fail(&encrypt_arguments("square", "keys", "bad.npy", "out.ct"));
        assert!(error.contains("dtype"), "{descr}: {error}");
    }
    sandbox.write_npy("bad.npy", "<f4", "(2, 3)", &[0; 20]);
    let error = sandbox.fail(&encrypt_arguments("square", "keys", "bad.npy", "out.ct"));
    assert!(
        error.contains("fewer elements than its shape says"),
        "{error}"
    );
    for name in ["bad.npy", "bad.npz", "bad.csv"] {
        sandbox.write(name, b"\x00\xff neither \xfe array\nnor,table");
        let error = sandbox.fail(&encrypt_arguments("square", "keys", name, "out.ct"));
        assert!(error.contains(name), "{error}");
    }
    let error = sandbox.fail(&encrypt_arguments("square", "keys", "x.txt", "out.ct"));
    assert!(
        error.contains("hint: use a file name that ends in .npy"),
        "{error}"
    );
}

#[test]
fn keys_for_other_parameters() {
    let sandbox = Sandbox::with_ciphertexts();
    let good = sandbox.read("keys/secret.key");
    // The secret key of another ring: a valid file whose header differs.
    let mut key = Vec::new();
    let (mut header, body) = hush_wire::read_secret_key(&good[..]).unwrap();
    header.parameters.moduli.swap(0, 1);
    hush_wire::write_secret_key(&mut key, &header, &body).unwrap();
    sandbox.write("keys/secret.key", &key);
    let error = sandbox.fail(&encrypt_arguments("square", "keys", "x.npy", "out.ct"));
    assert!(
        error.contains("the secret key has other encryption parameters"),
        "{error}"
    );
    assert!(
        error.contains("hint: make keys with `hush keygen`"),
        "{error}"
    );
}

#[test]
fn unwritable_outputs() {
    let sandbox = Sandbox::with_ciphertexts();
    std::fs::create_dir(sandbox.path("folder")).unwrap();
    for (output, expected) in [
        ("folder", "it is a folder"),
        ("missing/out.ct", "the folder `missing` does not exist"),
        ("x.npy/out.ct", "Not a directory"),
        ("/dev/null", "it is not a regular file"),
    ] {
        let error = sandbox.fail(&run_arguments("square", "keys", "x.ct", output));
        assert!(error.contains(expected), "{output}: {error}");
        let error = sandbox.fail(&encrypt_arguments("square", "keys", "x.npy", output));
        assert!(error.contains(expected), "{output}: {error}");
    }
    let error = sandbox.fail(&["keygen", "square.client", "-o", "x.npy"]);
    assert!(error.contains("cannot create folder `x.npy`"), "{error}");
    let error = sandbox.fail(&decrypt_arguments("square", "keys", "y.ct", "out.txt"));
    assert!(
        error.contains("no extension that names an array format"),
        "{error}"
    );
}

#[test]
fn wrong_usage() {
    let sandbox = Sandbox::with_model();
    let cases: [&[&str]; 8] = [
        &[],
        &["conjure"],
        &["keygen"],
        &["keygen", "square.client"],
        &["encrypt", "square.client", "--input", "x.npy", "-o", "x.ct"],
        &["run", "square.model", "--threads", "0"],
        &["run", "square.model", "--unknown"],
        &[
            "keygen",
            "square.client",
            "-o",
            "k",
            "--passphrase",
            "--passphrase-file",
            "f",
        ],
    ];
    for arguments in cases {
        let said = sandbox.hush(arguments);
        assert_eq!(said.code, Some(2), "{arguments:?}: {}", said.stderr);
        assert!(said.stderr.contains("--help"), "{}", said.stderr);
        assert_eq!(said.stdout, "");
    }
    for arguments in [["--help"], ["--version"]] {
        let said = sandbox.hush(&arguments);
        assert_eq!(said.code, Some(0));
    }
}

#[test]
fn an_unknown_instruction_set_is_wrong_usage() {
    let sandbox = Sandbox::empty();
    let mut command = sandbox.command(&["inspect", "x.npy"]);
    let output = command
        .env("HUSH_ISA", "sse9")
        .output()
        .expect("hush starts");
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("scalar, avx2, avx512"), "{error}");
}
