//! A folder with a tiny compiled model, and the program to run in it.
#![allow(dead_code)] // Each test file uses its own part.

#[path = "../../../hush-serving/tests/common/square.rs"]
mod square;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use hush_program::{ClientSpec, Program};
use hush_wire::program::{ClientSpecV1, ModelV1};
use hush_wire::{Kind, write_message};
use square::Square;

/// A temporary folder to run `hush` in.
pub(crate) struct Sandbox {
    folder: tempfile::TempDir,
}

/// What a run of `hush` said.
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Sandbox {
    /// An empty folder.
    pub(crate) fn empty() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a temporary folder"),
        }
    }

    /// With `square.model` and `square.client` (y = x^2 + 0.25 on three features, eight samples a
    /// ciphertext) and `x.npy` of two samples.
    pub(crate) fn with_model() -> Self {
        let sandbox = Self::empty();
        write_model(&sandbox.path("square"), 0.25);
        sandbox.write_npy(
            "x.npy",
            "<f4",
            "(2, 3)",
            &floats(&[0.5, -1.0, 0.0, 1.5, 0.25, 1.0]),
        );
        sandbox
    }

    /// Also with keys in `keys/`, `x.ct` and `y.ct`.
    pub(crate) fn with_ciphertexts() -> Self {
        let sandbox = Self::with_model();
        sandbox.succeed(&["keygen", "square.client", "-o", "keys"]);
        sandbox.succeed(&encrypt_arguments("square", "keys", "x.npy", "x.ct"));
        sandbox.succeed(&run_arguments("square", "keys", "x.ct", "y.ct"));
        sandbox
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hush"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_remove("HUSH_PASSPHRASE")
            .env("NO_COLOR", "1");
        command
    }

    pub(crate) fn hush(&self, arguments: &[&str]) -> Said {
        Said::from(self.command(arguments).output().expect("hush starts"))
    }

    /// Runs `hush` and expects success.
    pub(crate) fn succeed(&self, arguments: &[&str]) -> Said {
        let said = self.hush(arguments);
        assert_eq!(said.code, Some(0), "{arguments:?}: {}", said.stderr);
        assert_eq!(said.stderr, "", "{arguments:?}");
        said
    }

    /// Runs `hush`, expects exit code 1, an error on standard error, nothing on standard output and
    /// no file made or changed. Returns standard error.
    pub(crate) fn fail(&self, arguments: &[&str]) -> String {
        let before = self.contents();
        let said = self.hush(arguments);
        assert_eq!(said.code, Some(1), "{arguments:?}: {}", said.stderr);
        assert!(said.stderr.starts_with("error: "), "{}", said.stderr);
        assert!(!said.stderr.contains("panicked"), "{}", said.stderr);
        assert_eq!(said.stdout, "", "{arguments:?}");
        assert_eq!(self.contents(), before, "{arguments:?} left files");
        said.stderr
    }

    /// Every file below the folder with its bytes' digest.
    pub(crate) fn contents(&self) -> Vec<(PathBuf, u64)> {
        let mut files = Vec::new();
        let mut folders = vec![self.folder.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).expect("a readable folder") {
                let path = entry.expect("a readable entry").path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let bytes = fs::read(&path).expect("a readable file");
                    files.push((path, digest(&bytes)));
                }
            }
        }
        files.sort();
        files
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).expect("a readable file")
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).expect("a writable file");
    }

    pub(crate) fn write_npy(&self, name: &str, descr: &str, shape: &str, body: &[u8]) {
        let mut header =
            format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
        while (header.len() + 11) % 64 != 0 {
            header.push(' ');
        }
        header.push('\n');
        let mut file = fs::File::create(self.path(name)).expect("a writable file");
        let length = (header.len() as u16).to_le_bytes();
        for bytes in [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes(), body] {
            file.write_all(bytes).expect("a writable file");
        }
    }

    /// The float32 elements of a C-ordered `.npy` file.
    pub(crate) fn read_npy(&self, name: &str) -> Vec<f32> {
        let bytes = self.read(name);
        let header = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
        let words = bytes[10 + header..].chunks_exact(4);
        words
            .map(|word| f32::from_le_bytes([word[0], word[1], word[2], word[3]]))
            .collect()
    }
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("text"),
            stderr: String::from_utf8(output.stderr).expect("text"),
        }
    }
}

pub(crate) fn floats(values: &[f32]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect()
}

pub(crate) fn encrypt_arguments<'a>(
    model: &'a str,
    keys: &'a str,
    input: &'a str,
    output: &'a str,
) -> [&'a str; 8] {
    let (client, key) = match (model, keys) {
        ("square", "keys") => ("square.client", "keys/secret.key"),
        ("square", "other_keys") => ("square.client", "other_keys/secret.key"),
        ("other", "keys") => ("other.client", "keys/secret.key"),
        names => unreachable!("no such model or keys: {names:?}"),
    };
    [
        "encrypt", client, "--key", key, "--input", input, "-o", output,
    ]
}

pub(crate) fn run_arguments<'a>(
    model: &'a str,
    keys: &'a str,
    input: &'a str,
    output: &'a str,
) -> [&'a str; 8] {
    let (model, key) = match (model, keys) {
        ("square", "keys") => ("square.model", "keys/evaluation.key"),
        ("square", "other_keys") => ("square.model", "other_keys/evaluation.key"),
        ("other", "keys") => ("other.model", "keys/evaluation.key"),
        names => unreachable!("no such model or keys: {names:?}"),
    };
    [
        "run",
        model,
        "--evaluation-key",
        key,
        "--input",
        input,
        "-o",
        output,
    ]
}

pub(crate) fn decrypt_arguments<'a>(
    model: &'a str,
    keys: &'a str,
    input: &'a str,
    output: &'a str,
) -> [&'a str; 8] {
    let mut arguments = encrypt_arguments(model, keys, input, output);
    arguments[0] = "decrypt";
    arguments
}

/// Writes `PATH.model` and `PATH.client` of y = x^2 + `constant`.
pub(crate) fn write_model(path: &Path, constant: f64) {
    let (program, client_spec) = square_model(constant);
    write_compiled(path, &program, &client_spec, "{}");
}

/// The same model under names that its owner did not choose well; `rename` is told the usual ones.
pub(crate) fn write_renamed_model(path: &Path, rename: impl Fn(&str) -> String, report: &str) {
    let (mut program, mut client_spec) = square_model(0.25);
    program.name = rename(&program.name);
    for instruction in &mut program.instructions {
        instruction.label = rename(&instruction.label);
    }
    client_spec.name = program.name.clone();
    for tensor in client_spec
        .inputs
        .iter_mut()
        .chain(&mut client_spec.outputs)
    {
        tensor.name = rename(&tensor.name);
    }
    client_spec.program_id = program.id().expect("an encodable program");
    write_compiled(path, &program, &client_spec, report);
}

fn write_compiled(path: &Path, program: &Program, client_spec: &ClientSpec, report_json: &str) {
    let client_spec = ClientSpecV1::from(client_spec);
    let create = |extension| fs::File::create(path.with_extension(extension)).expect("writable");
    write_message(create("client"), Kind::Client, &client_spec).expect("writable");
    let model = ModelV1 {
        program: program.into(),
        client_spec,
        report_text: "a report".to_owned(),
        report_json: report_json.to_owned(),
    };
    write_message(create("model"), Kind::Model, &model).expect("writable");
}

/// On three features, eight samples a ciphertext.
fn square_model(constant: f64) -> (Program, ClientSpec) {
    let model = Square {
        constant,
        slots: 32,
        range: Some((-3.0, 3.0)),
        ..Square::default()
    };
    model.compiled()
}

fn digest(bytes: &[u8]) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}
