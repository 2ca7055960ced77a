//! `hush run`: the model on ciphertexts. Needs no secret key, and reads none.

use std::io::Write;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use clap::Args;
use hush_ckks::KeyId;
use hush_client::ClientError;
use hush_program::{ClientSpec, Instruction, Observer};
use hush_runtime::{Deployment, Held, Inputs, Memory, Options, RuntimeError};
use hush_wire::{DirectionV1, EvaluationKeysHeaderV1};
use serde_json::{Value, json};

use crate::failure::Result;
use crate::files;
use crate::layer_bar::{self, LayerBar};
use crate::memory;
use crate::output::{Access, Existing, Output};
use crate::terminal::{Outcome, Terminal, bytes, counted, duration, milliseconds};
use crate::timings::Timings;

/// Run a model on encrypted inputs
#[derive(Args, Debug)]
pub(crate) struct RunArguments {
    /// The model owner's file (.model)
    model: PathBuf,
    /// The data owner's evaluation keys
    #[arg(long, value_name = "FILE")]
    evaluation_key: PathBuf,
    /// The encrypted inputs, from `hush encrypt`
    #[arg(short, long, value_name = "FILE")]
    input: PathBuf,
    /// Where the encrypted outputs go (.ct)
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Write how long each layer took (.json), for `hush inspect --html`
    #[arg(long, value_name = "FILE")]
    timings: Option<PathBuf>,
    /// Memory that the run plans with, like 512MiB or 2GB: weights that do not fit are encoded anew
    /// for each group, which is slower [default: a quarter of the machine's]
    #[arg(long, value_name = "SIZE", value_parser = memory::parse)]
    memory: Option<u64>,
}

pub(crate) fn run(arguments: &RunArguments, terminal: Terminal) -> Result<Outcome> {
    let started = Instant::now();
    let model = files::read_model(&arguments.model)?;
    let report = files::report(&model);
    let input = files::open(&arguments.input)
        .and_then(|input| Inputs::open(&model.client_spec, input).map_err(of_a_file));
    let inputs = files::about("ciphertext file", &arguments.input, input)?;
    let samples = inputs.header().samples;
    let keys = files::open_evaluation_keys(&arguments.evaluation_key)?;
    let checked = check_keys(&model.client_spec, keys.header(), inputs.key_id());
    files::about("evaluation keys", &arguments.evaluation_key, checked)?;
    let mut output = Output::create(&arguments.output, Access::Shared, Existing::Replace)?;
    let timings_file = arguments.timings.as_deref();
    let timings_file = timings_file
        .map(|path| Output::create(path, Access::Owner, Existing::Replace))
        .transpose()?;

    let memory = arguments.memory.or_else(memory::quarter);
    let deployment = Deployment::new(model, Options { memory })?;
    let (runtime, spec) = (deployment.runtime(), deployment.client_spec());
    let bar = terminal
        .progress
        .bar("keys", keys.header().keys.len() as u64);
    let keys = deployment.read_keys(keys, &mut || bar.inc(1));
    let keys = files::about(
        "evaluation keys",
        &arguments.evaluation_key,
        keys.map_err(of_a_file),
    )?;
    bar.finish_and_clear();
    let loaded = started.elapsed();

    let groups = spec.groups(samples);
    let bar = LayerBar::new(terminal.progress, runtime.program(), &report, groups)?;
    let timings = Mutex::new(Timings::new(spec, rayon::current_num_threads()));
    let begun = Instant::now();
    let answer = deployment.answer(inputs, &keys, &mut output, |group| Watcher {
        bar: bar.group(group),
        timings: &timings,
        begun,
    });
    let answer = match answer {
        Err(error @ RuntimeError::Ciphertexts(_)) => {
            files::about("ciphertext file", &arguments.input, Err(of_a_file(error)))?
        }
        answer => answer?,
    };
    let lots = answer.lots;
    // Side by side each takes as long as all of them.
    let times: Vec<f64> = lots
        .iter()
        .flat_map(|&(count, time)| std::iter::repeat_n(milliseconds(time), count))
        .collect();
    let running: f64 = lots.iter().map(|&(_, time)| milliseconds(time)).sum();
    let (groups, at_once) = (answer.groups, runtime.groups_at_once(answer.groups));
    let mut timings = timings.into_inner().unwrap_or_else(PoisonError::into_inner);
    drop(bar);
    timings.add_groups(groups);
    let size = output.commit()?;
    let ciphertexts = groups * spec.ciphertexts_per_group(DirectionV1::Output) as u64;

    let samples = samples as usize;
    let loaded = milliseconds(loaded);
    let (group, sample) = (running / groups as f64, running / samples as f64);
    let mut json = json!({
        "output": { "path": arguments.output, "bytes": size, "ciphertexts": ciphertexts },
        "samples": samples,
        "groups": groups,
        "samples_per_group": spec.packing.samples,
        "threads": rayon::current_num_threads(),
        "peak_memory_bytes": memory::peak(),
        "groups_at_once": at_once,
        "memory": memory_json(runtime.memory()),
        "milliseconds": {
            "load": loaded, "run": running, "per_group": group, "per_sample": sample,
            "groups": times,
        },
    });
    let mut text = format!(
        "ran {} in {} ({} a sample, {} a group of up to {}); {} in `{}`",
        counted(samples, "sample"),
        duration(running),
        duration(sample),
        duration(group),
        spec.packing.samples,
        bytes(size),
        arguments.output.display()
    );
    if let (Some(mut file), Some(path)) = (timings_file, &arguments.timings) {
        let mut times = timings.to_json();
        if let (Value::Object(times), Value::Object(outcome)) = (&mut times, &json) {
            let whole = [
                "samples",
                "samples_per_group",
                "peak_memory_bytes",
                "milliseconds",
            ];
            times.extend(whole.map(|name| (name.to_owned(), outcome[name].clone())));
        }
        writeln!(file, "{times:#}")?;
        file.commit()?;
        text.push_str(&format!("\ntimes of the layers in `{}`", path.display()));
        json["timings"] = json!({ "path": path });
    }
    if let Some(held) = memory_text(runtime.memory()) {
        text.push_str(&format!("\n{held}"));
    }
    Ok(Outcome { text, json })
}

/// The error without the layer that says which file it was: the caller says so with its name.
fn of_a_file(error: RuntimeError) -> anyhow::Error {
    match error {
        RuntimeError::Ciphertexts(error) | RuntimeError::Keys(error) => error.into(),
        error => error.into(),
    }
}

fn check_keys(spec: &ClientSpec, keys: &EvaluationKeysHeaderV1, expected: KeyId) -> Result<()> {
    spec.check_parameters("the evaluation key file", &keys.parameters)?;
    let found = KeyId(keys.key_id);
    if found != expected {
        return Err(ClientError::OtherKey { expected, found }.into());
    }
    Ok(())
}

fn memory_json(memory: &Memory) -> Value {
    let held = |held: Held| json!({ "instructions": held.instructions, "bytes": held.bytes });
    json!({
        "limit": memory.limit,
        "total": memory.total(),
        "weights": {
            "kept": held(memory.kept),
            "compact": held(memory.compact),
            "streamed": held(memory.streamed),
        },
        "biases": memory.biases,
        "program": memory.program,
        "keys": memory.keys,
        "tables": memory.tables,
        "ciphertexts": memory.working,
    })
}

/// How the weights are held, if not all of them are kept.
fn memory_text(memory: &Memory) -> Option<String> {
    let (compact, streamed) = (memory.compact, memory.streamed);
    if compact.instructions + streamed.instructions == 0 {
        return None;
    }
    let mut text = format!(
        "weights of {} kept, of {} held as integers, of {} encoded for each group: about {} in all",
        counted(memory.kept.instructions, "layer"),
        counted(compact.instructions, "layer"),
        counted(streamed.instructions, "layer"),
        bytes(memory.total()),
    );
    if let (false, Some(limit)) = (memory.within_limit(), memory.limit) {
        text.push_str(&format!(
            ", more than {}; keys and ciphertexts alone exceed it",
            bytes(limit)
        ));
    }
    Some(text)
}

/// Moves the bar and keeps times.
struct Watcher<'a> {
    bar: layer_bar::Watcher<'a>,
    timings: &'a Mutex<Timings>,
    begun: Instant,
}

impl Observer for Watcher<'_> {
    fn before(&mut self, index: usize, total: usize, instruction: &Instruction) -> ControlFlow<()> {
        self.begun = Instant::now();
        self.bar.before(index, total, instruction)
    }

    fn after(&mut self, index: usize, total: usize, instruction: &Instruction) {
        let time = self.begun.elapsed();
        let mut timings = self.timings.lock().unwrap_or_else(PoisonError::into_inner);
        timings.add(&instruction.label, time);
        self.bar.after(index, total, instruction);
    }
}
