//! `hush run`: the model on ciphertexts. Needs no secret key, and reads none.

use std::io::Write;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use clap::Args;
use hush_ckks::{Ciphertext, KeyId, Level, Parameters, Scale};
use hush_client::ClientError;
use hush_program::{ClientSpec, Instruction, Observer};
use hush_runtime::{Held, Memory, Options, Runtime};
use hush_wire::{CiphertextShapeV1, CiphertextsHeaderV1, CiphertextsWriter, DirectionV1, FormV1};
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
    /// for each group, which is slower [default: half of the machine's]
    #[arg(long, value_name = "SIZE", value_parser = memory::parse)]
    memory: Option<u64>,
}

pub(crate) fn run(arguments: &RunArguments, terminal: Terminal) -> Result<Outcome> {
    let started = Instant::now();
    let model = files::read_model(&arguments.model)?;
    let spec = &model.client_spec;
    let mut reader = files::open_ciphertexts(&arguments.input)?;
    let header = reader.header().clone();
    let checked = spec.check_ciphertexts(&header, DirectionV1::Input);
    files::about(
        "ciphertext file",
        &arguments.input,
        checked.map_err(Into::into),
    )?;
    let keys = files::open_evaluation_keys(&arguments.evaluation_key)?;
    let checked = check_keys(spec, keys.header(), &header);
    files::about("evaluation keys", &arguments.evaluation_key, checked)?;
    let mut output = Output::create(&arguments.output, Access::Shared, Existing::Replace)?;
    let timings_file = arguments.timings.as_deref();
    let timings_file = timings_file
        .map(|path| Output::create(path, Access::Owner, Existing::Replace))
        .transpose()?;

    let memory = arguments.memory.or_else(memory::half);
    let runtime = Runtime::with_options(model.program, Options { memory })?;
    let parameters = runtime.parameters();
    let bar = terminal
        .progress
        .bar("keys", keys.header().keys.len() as u64);
    let keys = files::read_evaluation_keys(keys, parameters, &bar);
    let keys = files::about("evaluation keys", &arguments.evaluation_key, keys)?;
    runtime.check_keys(&keys)?;
    bar.finish_and_clear();
    let loaded = started.elapsed();

    let groups = spec.groups(header.samples);
    let bar = LayerBar::new(terminal.progress, runtime.program(), &model.report, groups)?;
    let timings = Mutex::new(Timings::new(spec, rayon::current_num_threads()));
    let per_group = spec.ciphertexts_per_group(DirectionV1::Input);
    let scale = Scale::new(spec.output_scale)?;
    let out_header = output_header(spec, parameters, &header);
    let ciphertexts = out_header.shapes.len();
    let mut writer = CiphertextsWriter::new(&mut output, out_header)?;
    let mut times = Vec::new();
    let begun = Instant::now();
    let at_once = runtime.groups_at_once(groups);
    let mut running = 0.0;
    for first in (0..groups).step_by(at_once) {
        let mut together = Vec::with_capacity(at_once);
        for group in first..groups.min(first + at_once as u64) {
            let mut inputs = Vec::with_capacity(per_group);
            while inputs.len() < per_group {
                let stored = reader.next_ciphertext().map_err(Into::into);
                let stored = files::about("ciphertext file", &arguments.input, stored)?;
                let Some(stored) = stored else { break };
                inputs.push(Ciphertext::from_wire(parameters, keys.key_id(), &stored)?);
            }
            let watcher = Watcher {
                bar: bar.group(group),
                timings: &timings,
                begun,
            };
            together.push((inputs, watcher));
        }
        let begun = Instant::now();
        let count = together.len();
        let outputs = runtime.run_groups(together, &keys)?;
        let time = milliseconds(begun.elapsed());
        running += time;
        // Side by side each takes as long as all of them.
        times.extend(std::iter::repeat_n(time, count));
        for ciphertext in outputs.into_iter().flatten() {
            writer.write(&ciphertext.restated(scale)?.to_wire())?;
        }
    }
    let mut timings = timings.into_inner().unwrap_or_else(PoisonError::into_inner);
    files::about(
        "ciphertext file",
        &arguments.input,
        reader.finish().map_err(Into::into),
    )?;
    writer.finish()?;
    drop(bar);
    timings.add_groups(groups);
    let size = output.commit()?;

    let samples = header.samples as usize;
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

fn check_keys(
    spec: &ClientSpec,
    keys: &hush_wire::EvaluationKeysHeaderV1,
    ciphertexts: &CiphertextsHeaderV1,
) -> Result<()> {
    spec.check_parameters("the evaluation key file", &keys.parameters)?;
    if keys.key_id != ciphertexts.key_id {
        return Err(ClientError::OtherKey {
            expected: KeyId(keys.key_id),
            found: KeyId(ciphertexts.key_id),
        }
        .into());
    }
    Ok(())
}

fn output_header(
    spec: &ClientSpec,
    parameters: &Parameters,
    inputs: &CiphertextsHeaderV1,
) -> CiphertextsHeaderV1 {
    let shape = CiphertextShapeV1 {
        limbs: Level(spec.output_level).limbs() as u32,
        log_slots: spec.slots.trailing_zeros(),
        scale: spec.output_scale,
        form: FormV1::Full { parts: 2 },
    };
    let groups = spec.groups(inputs.samples) as usize;
    let count = groups * spec.ciphertexts_per_group(DirectionV1::Output);
    CiphertextsHeaderV1 {
        parameters: parameters.to_wire(),
        direction: DirectionV1::Output,
        shapes: vec![shape; count],
        ..inputs.clone()
    }
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
