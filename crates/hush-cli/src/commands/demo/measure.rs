//! The five steps with one model and one packing, as two parties would take them.
//!
//! Where standard error is a terminal, the process that runs the model shows its layers on it.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::Context;
use hush_client::describe::security_of;
use hush_client::{
    Tensor, decrypt, encrypt, finish_outputs, generate_secret_key, write_evaluation_keys,
    write_secret_key,
};
use hush_compiler::{Calibration, Options};
use hush_graph::Graph;
use hush_keys::SecureRng;
use hush_wire::ParametersV1;
use serde_json::{Value, json};

use crate::commands::compile::Outputs;
use crate::failure::{Failure, Result};
use crate::files;
use crate::output::{Access, Existing, Output, WorkFolder};
use crate::terminal::{Terminal, milliseconds};

/// What one model in one packing gave and cost.
pub(super) struct Measurement {
    /// Decrypted outputs, finished.
    pub(super) outputs: Tensor,
    /// Samples that one group of ciphertexts can hold.
    pub(super) capacity: usize,
    /// Groups that the samples took.
    pub(super) groups: usize,
    /// Milliseconds for one group, one thread.
    pub(super) group_milliseconds: f64,
    /// Milliseconds of each of the other steps.
    pub(super) steps: Steps,
    /// Bytes of each file.
    pub(super) sizes: Sizes,
    /// log2 of the ring degree.
    pub(super) log_degree: u32,
    /// Chain moduli and special moduli.
    pub(super) moduli: (usize, usize),
    /// log2 of the product of all moduli.
    pub(super) log_q_p: f64,
    /// Security level in bits.
    pub(super) security_bits: u32,
    /// Most memory that the process that ran the model held, where the system tells.
    pub(super) memory: Option<u64>,
}

impl Measurement {
    /// What it cost, for machines.
    pub(super) fn to_json(&self) -> Value {
        json!({
            "samples_per_group": self.capacity,
            "groups": self.groups,
            "milliseconds": {
                "per_group": self.group_milliseconds,
                "compile": self.steps.compile,
                "keygen": self.steps.keygen,
                "encrypt": self.steps.encrypt,
                "decrypt": self.steps.decrypt,
            },
            "bytes": {
                "secret_key": self.sizes.secret_key,
                "evaluation_key": self.sizes.evaluation_key,
                "group_input": self.sizes.group_input,
                "group_output": self.sizes.group_output,
                "peak_memory": self.memory,
            },
            "log_degree": self.log_degree,
            "log2_q_p": self.log_q_p,
            "security_bits": self.security_bits,
        })
    }
}

/// Milliseconds of the steps around the run.
pub(super) struct Steps {
    pub(super) compile: f64,
    pub(super) keygen: f64,
    pub(super) encrypt: f64,
    pub(super) decrypt: f64,
}

/// Bytes on disk and on the wire.
pub(super) struct Sizes {
    pub(super) secret_key: u64,
    pub(super) evaluation_key: u64,
    /// The encrypted inputs of one group.
    pub(super) group_input: u64,
    /// The encrypted outputs of one group.
    pub(super) group_output: u64,
}

/// Everything that the steps need.
pub(super) struct Setting<'a> {
    /// Name of the model's files.
    pub(super) name: &'a str,
    /// What the bars call it.
    pub(super) title: String,
    pub(super) graph: &'a Graph,
    pub(super) calibration: &'a Calibration,
    pub(super) options: &'a Options,
    pub(super) samples: &'a Tensor,
}

/// Compiles, makes keys, encrypts, runs in a process of its own, and decrypts.
///
/// The process that runs the model is started in a folder that holds the model, the evaluation
/// keys and the encrypted inputs, with no environment; the secret key lies elsewhere.
pub(super) fn measure(
    setting: &Setting<'_>,
    folder: &WorkFolder,
    terminal: Terminal,
) -> Result<Measurement> {
    let step = |what: &'static str| {
        let spinner = terminal.progress.spinner(what);
        spinner.set_message(setting.title.clone());
        spinner
    };
    let (owner, server) = (folder.join("data-owner"), folder.join("server"));
    for folder in [&owner, &server] {
        fs::create_dir_all(folder)?;
    }
    let spinner = step("compile");
    let begun = Instant::now();
    let compiled = hush_compiler::compile(setting.graph, setting.calibration, setting.options)?;
    let compile = milliseconds(begun.elapsed());
    spinner.finish_and_clear();
    let written = Outputs::create(&server.join(setting.name))?.write(compiled)?;
    let client = owner.join(format!("{}.client", setting.name));
    fs::rename(&written.client.0, &client)?;
    let spec = files::read_client(&client)?;

    let create = |path: &Path, access| Output::create(path, access, Existing::Replace);
    let mut rng = SecureRng::from_os()?;
    let silent = &mut |_: usize, _: usize| ();
    let spinner = step("keygen");
    let begun = Instant::now();
    let key = generate_secret_key(&spec, &mut rng)?;
    let mut secret = create(&owner.join("secret.key"), Access::Owner)?;
    write_secret_key(&key, None, &mut rng, &mut secret)?;
    let mut evaluation = create(&server.join("evaluation.key"), Access::Shared)?;
    write_evaluation_keys(&spec, &key, &mut rng, &mut evaluation, silent)?;
    let keygen = milliseconds(begun.elapsed());
    let (secret_key, evaluation_key) = (secret.commit()?, evaluation.commit()?);
    spinner.finish_and_clear();

    let spinner = step("encrypt");
    let begun = Instant::now();
    let mut inputs = create(&server.join("x.ct"), Access::Shared)?;
    let samples = std::slice::from_ref(setting.samples);
    encrypt(&spec, samples, &key, &mut rng, &mut inputs, silent)?;
    let input_bytes = inputs.commit()?;
    let encrypt = milliseconds(begun.elapsed());
    spinner.finish_and_clear();

    let report = serve(&server, setting.name, terminal)?;
    let group_milliseconds = report["milliseconds"]["per_group"].as_f64();
    let groups = report["groups"].as_u64();
    let (Some(group_milliseconds), Some(groups)) = (group_milliseconds, groups) else {
        return Err(Failure::new("`hush run` reported no times").into());
    };

    let spinner = step("decrypt");
    let begun = Instant::now();
    let results = server.join("y.ct");
    let output_bytes = fs::metadata(&results)?.len();
    let outputs = decrypt(&spec, &key, files::open(&results)?, silent)?;
    let decrypt = milliseconds(begun.elapsed());
    spinner.finish_and_clear();
    let mut outputs = finish_outputs(&spec, outputs)?;

    let parameters = ParametersV1 {
        log_degree: spec.parameters.log_degree,
        moduli: spec.parameters.moduli.clone(),
        special_moduli: spec.parameters.special_moduli.clone(),
    };
    let (log_q_p, security_bits) = security_of(&parameters);
    Ok(Measurement {
        outputs: outputs.swap_remove(0),
        capacity: spec.packing.samples,
        groups: groups as usize,
        group_milliseconds,
        steps: Steps {
            compile,
            keygen,
            encrypt,
            decrypt,
        },
        sizes: Sizes {
            secret_key,
            evaluation_key,
            group_input: input_bytes / groups,
            group_output: output_bytes / groups,
        },
        log_degree: parameters.log_degree,
        moduli: (parameters.moduli.len(), parameters.special_moduli.len()),
        log_q_p,
        security_bits,
        memory: report["peak_memory_bytes"].as_u64(),
    })
}

/// Variables that tell how to draw on the terminal and which instructions to use; none tells where a key is.
const ENVIRONMENT: [&str; 4] = ["HUSH_ISA", "NO_COLOR", "TERM", "COLUMNS"];

/// Starts `hush run` in the server's folder and returns the times that it wrote.
fn serve(server: &Path, name: &str, terminal: Terminal) -> Result<Value> {
    let program = std::env::current_exe().context("cannot find this program")?;
    let mut command = Command::new(program);
    command
        .args([
            "run",
            &format!("{name}.model"),
            "--evaluation-key",
            "evaluation.key",
        ])
        .args([
            "--input",
            "x.ct",
            "--output",
            "y.ct",
            "--timings",
            "times.json",
        ])
        .args(["--threads", "1"])
        .current_dir(server)
        .env_clear()
        .stdin(Stdio::null());
    if terminal.progress.is_visible() {
        command.stderr(Stdio::inherit());
    }
    for name in ENVIRONMENT {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    let output = command.output().context("cannot start `hush run`")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(Failure::new(format!("`hush run` failed: {}", said.trim())).into());
    }
    Ok(serde_json::from_reader(files::open(
        &server.join("times.json"),
    )?)?)
}
