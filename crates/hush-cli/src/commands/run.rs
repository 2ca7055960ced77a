//! `hush run`: the model on ciphertexts. Needs no secret key, and reads none.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use hush_ckks::{Ciphertext, KeyId, Level, Parameters, Scale};
use hush_client::ClientError;
use hush_program::{ClientSpec, Instruction, Observer};
use hush_runtime::Runtime;
use hush_wire::{CiphertextShapeV1, CiphertextsHeaderV1, CiphertextsWriter, DirectionV1, FormV1};
use indicatif::ProgressBar;
use serde_json::json;

use crate::failure::Result;
use crate::files;
use crate::output::{Access, Existing, Output};
use crate::terminal::{Outcome, Terminal, bytes, counted, duration, milliseconds};

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

    let runtime = Runtime::new(model.program)?;
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
    let steps = runtime.program().instructions.len() as u64 * groups;
    let bar = terminal.progress.bar("run", steps);
    let per_group = spec.ciphertexts_per_group(DirectionV1::Input);
    let scale = Scale::new(spec.output_scale)?;
    let out_header = output_header(spec, parameters, &header);
    let ciphertexts = out_header.shapes.len();
    let mut writer = CiphertextsWriter::new(&mut output, out_header)?;
    let mut running = Duration::ZERO;
    for _ in 0..groups {
        let mut inputs = Vec::with_capacity(per_group);
        while inputs.len() < per_group {
            let stored = reader.next_ciphertext().map_err(Into::into);
            let stored = files::about("ciphertext file", &arguments.input, stored)?;
            let Some(stored) = stored else { break };
            inputs.push(Ciphertext::from_wire(parameters, keys.key_id(), &stored)?);
        }
        let begun = Instant::now();
        let outputs = runtime.run(inputs, &keys, &mut Watcher(&bar))?;
        running += begun.elapsed();
        for ciphertext in outputs {
            writer.write(&ciphertext.restated(scale)?.to_wire())?;
        }
    }
    files::about(
        "ciphertext file",
        &arguments.input,
        reader.finish().map_err(Into::into),
    )?;
    writer.finish()?;
    bar.finish_and_clear();
    let size = output.commit()?;

    let samples = header.samples as usize;
    let (running, loaded) = (milliseconds(running), milliseconds(loaded));
    let (group, sample) = (running / groups as f64, running / samples as f64);
    Ok(Outcome {
        text: format!(
            "ran {} in {} ({} a sample, {} a group of up to {}); {} in `{}`",
            counted(samples, "sample"),
            duration(running),
            duration(sample),
            duration(group),
            spec.packing.samples,
            bytes(size),
            arguments.output.display()
        ),
        json: json!({
            "output": { "path": arguments.output, "bytes": size, "ciphertexts": ciphertexts },
            "samples": samples,
            "groups": groups,
            "samples_per_group": spec.packing.samples,
            "threads": rayon::current_num_threads(),
            "milliseconds": {
                "load": loaded, "run": running, "per_group": group, "per_sample": sample,
            },
        }),
    })
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

/// Moves the bar and names the layer at work.
struct Watcher<'a>(&'a ProgressBar);

impl Observer for Watcher<'_> {
    fn before(&mut self, _: usize, _: usize, instruction: &Instruction) -> ControlFlow<()> {
        self.0.set_message(instruction.label.clone());
        ControlFlow::Continue(())
    }

    fn after(&mut self, _: usize, _: usize, _: &Instruction) {
        self.0.inc(1);
    }
}
