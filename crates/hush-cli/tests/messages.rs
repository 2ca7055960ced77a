//! What people read, word for word.

mod sandbox;

use insta::assert_snapshot;
use sandbox::{Sandbox, encrypt_arguments, floats, run_arguments};

#[test]
fn help() {
    let said = Sandbox::empty().succeed(&["--help"]);
    assert_snapshot!(said.stdout, @r"
    Run machine-learning models on encrypted data

    Usage: hush [OPTIONS] <COMMAND>

    Commands:
      compile      Compile an ONNX model into a program for encrypted data
      inspect      Say what a file holds, and check that it is whole
      simulate     Run a model on floats as ciphertexts would: same layouts, polynomials and noise, no
                   keys
      keygen       Make a secret key and the evaluation keys that a model needs
      encrypt      Encrypt a batch of inputs for a model
      run          Run a model on encrypted inputs
      decrypt      Decrypt the outputs of a model
      serve        Serve encrypted models (starts hush-server)
      server       Track runs, keep models and their files, for MLflow's clients too (starts
                   hush-server)
      token        Make, list and revoke tokens for a server (starts hush-server)
      predict      Predict with a model on a server: encrypt, send, decrypt
      register     Register a compiled model as a version of a model in an MLflow registry
      run-project  Run an MLproject folder or git repository as a run of a tracking server
      canary       Check what a deployment answers to inputs whose outputs are known, and log it to a
                   run
      top          Watch a server: requests, latencies, queue, keys, memory
      mpc          Compute on secret shares: no party sees another one's data
      party        Run a party of multi-party computations: it waits for sessions and takes part in what
                   its policy allows
      demo         Run an example network on encrypted data, from end to end
      help         Print this message or the help of the given subcommand(s)

    Options:
          --json             Print one JSON object in place of text
      -q, --quiet            Show no progress
          --threads <COUNT>  Threads to compute with [default: all]
      -h, --help             Print help
      -V, --version          Print version
    ");
    let said = Sandbox::empty().succeed(&["encrypt", "--help"]);
    assert_snapshot!(said.stdout, @r"
    Encrypt a batch of inputs for a model

    Usage: hush encrypt [OPTIONS] --key <FILE> --input <FILE> --output <FILE> <CLIENT>

    Arguments:
      <CLIENT>  The model's public file (.client)

    Options:
          --key <FILE>              The secret key
      -i, --input <FILE>            The inputs, shape [batch, ...]: .npy, .npz (one array an input, by
                                    name), .csv or .parquet
          --array <NAME>            Which array of an .npz file is the input
      -o, --output <FILE>           Where the ciphertexts go (.ct)
          --passphrase              Ask for the passphrase of the secret key on the terminal
          --passphrase-file <FILE>  Read the passphrase of the secret key from the first line of a file
                                    (HUSH_PASSPHRASE in the environment does as well)
          --json                    Print one JSON object in place of text
      -q, --quiet                   Show no progress
          --threads <COUNT>         Threads to compute with [default: all]
      -h, --help                    Print help
      -V, --version                 Print version
    ");
}

#[test]
fn failures() {
    let sandbox = Sandbox::with_ciphertexts();
    let bytes = sandbox.read("x.ct");
    sandbox.write("short.ct", &bytes[..1000]);
    let error = sandbox.fail(&run_arguments("square", "keys", "short.ct", "y2.ct"));
    assert_snapshot!(error, @r"
    error: cannot use ciphertext file `short.ct`
      because the file is truncated: it ends inside the body
    hint: copy or create the file again: the last transfer or write did not finish
    ");
    sandbox.write_npy("nan.npy", "<f4", "(1, 3)", &floats(&[0.0, f32::NAN, 1.0]));
    let error = sandbox.fail(&encrypt_arguments("square", "keys", "nan.npy", "x2.ct"));
    assert_snapshot!(error, @r"
    error: input `x` holds NaN (sample 0, element 1, counted from 0)
    hint: remove or fill missing values before encrypting
    ");
    let error = sandbox.fail(&["keygen", "square.client", "-o", "keys"]);
    assert_snapshot!(error, @r"
    error: cannot write to `keys/secret.key`
      because it exists already
    hint: pass --force to replace it; what was encrypted for the old key is lost then
    ");
    let said = sandbox.hush(&["run", "square.model"]);
    assert_snapshot!(said.stderr, @r"
    error: the following required arguments were not provided:
      --evaluation-key <FILE>
      --input <FILE>
      --output <FILE>

    Usage: hush run --evaluation-key <FILE> --input <FILE> --output <FILE> <MODEL>

    For more information, try '--help'.
    ");
}
