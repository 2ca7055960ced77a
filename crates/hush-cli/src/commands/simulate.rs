//! `hush simulate`: the encrypted program on floats, with the noise that ciphertexts would have.
//! Needs no keys, and says what `run` between `encrypt` and `decrypt` would give.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use hush_client::{Tensor, check_inputs, decode_outputs, encode_group, finish_outputs};
use hush_program::clear::{ClearMachine, NoiseMode};
use hush_program::{ClientSpec, Program, execute};
use rayon::prelude::*;
use serde_json::json;

use crate::arrays::{self, Format};
use crate::failure::{Failure, Result};
use crate::files;
use crate::inputs::{self, Wanted};
use crate::output::{Access, Existing, Output};
use crate::terminal::{Outcome, Terminal, counted, duration, milliseconds};

/// Run a model on floats as ciphertexts would: same layouts, polynomials and noise, no keys
#[derive(Args, Debug)]
pub(crate) struct SimulateArguments {
    /// The model owner's file (.model)
    model: PathBuf,
    /// The inputs, shape [batch, ...]: .npy, .npz (one array an input, by name) or .csv
    #[arg(short, long, value_name = "FILE")]
    input: PathBuf,
    /// Which array of an .npz file is the input
    #[arg(long, value_name = "NAME")]
    array: Option<String>,
    /// Where the outputs go: .npy, .npz or .csv
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Leave out what the model does after decryption (Softmax, Sigmoid, ArgMax)
    #[arg(long)]
    raw: bool,
    /// Seed of the noise
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    seed: u64,
}

pub(crate) fn run(arguments: &SimulateArguments, terminal: Terminal) -> Result<Outcome> {
    let format = Format::of(&arguments.output)?;
    let model = files::read_model(&arguments.model)?;
    let spec = &model.client_spec;
    let wanted: Vec<_> = spec.inputs.iter().map(Wanted::from).collect();
    let tensors = inputs::read(&arguments.input, &wanted, arguments.array.as_deref())?;
    let samples = check_inputs(spec, &tensors)?;
    let outside = inputs::warn_of_outliers(spec, &tensors, terminal);
    let mut output = Output::create(&arguments.output, Access::Shared, Existing::Replace)?;

    let begun = Instant::now();
    let groups = samples.div_ceil(spec.packing.samples);
    let bar = terminal.progress.bar("simulate", groups as u64);
    let simulated = (0..groups).into_par_iter().map(|group| {
        let rows = spec
            .packing
            .samples
            .min(samples - group * spec.packing.samples);
        let vectors = encode_group(spec, &tensors, group);
        let seed = arguments.seed.wrapping_add(group as u64);
        let simulated = simulate(&model.program, spec, vectors, rows, seed)?;
        bar.inc(1);
        Ok(simulated)
    });
    let simulated = simulated.collect::<Result<Vec<_>>>()?;
    bar.finish_and_clear();
    let elapsed = milliseconds(begun.elapsed());
    let headroom = simulated.iter().map(|group| group.headroom);
    let headroom = headroom.fold(f64::INFINITY, f64::min);
    if headroom < 0.0 {
        terminal.warn(&format!(
            "values outgrow the room of a ciphertext by {:.1} bits: their encrypted results would be lost; \
             calibrate on samples like these or compile with more --headroom",
            -headroom
        ));
    }
    let mut outputs = join(spec, samples, simulated)?;
    if !arguments.raw {
        outputs = finish_outputs(spec, outputs)?;
    }
    let (arrays, elements) = arrays::outputs(spec, outputs, arguments.raw);
    arrays::write(&mut output, format, &arrays, elements)?;
    output.commit()?;
    Ok(Outcome {
        text: format!(
            "simulated {} in {}, {headroom:.1} bits of headroom left, to `{}`",
            counted(samples, "sample"),
            duration(elapsed),
            arguments.output.display()
        ),
        json: json!({
            "output": { "path": arguments.output },
            "samples": samples,
            "outside_calibrated_range": outside,
            "headroom_bits": headroom,
            "milliseconds": elapsed,
        }),
    })
}

/// What one group of samples gave.
struct Simulated {
    outputs: Vec<Tensor>,
    headroom: f64,
}

fn simulate(
    program: &Program,
    spec: &ClientSpec,
    vectors: Vec<Vec<f64>>,
    samples: usize,
    seed: u64,
) -> Result<Simulated> {
    let mut machine = ClearMachine::new(program, NoiseMode::Sampled(seed));
    let inputs = vectors
        .into_iter()
        .map(|values| machine.encrypt(values, program.input_level, program.input_scale))
        .collect();
    let signals = execute(program, inputs, &mut machine, &mut ())
        .map_err(|error| Failure::new(error.to_string()))?;
    let vectors: Vec<_> = signals.into_iter().map(|signal| signal.values).collect();
    Ok(Simulated {
        outputs: decode_outputs(spec, samples, &vectors)?,
        headroom: machine.headroom(),
    })
}

/// The groups' outputs one after another, a tensor an output of the model.
fn join(spec: &ClientSpec, samples: usize, groups: Vec<Simulated>) -> Result<Vec<Tensor>> {
    let mut data = vec![Vec::new(); spec.outputs.len()];
    for group in groups {
        for (all, tensor) in data.iter_mut().zip(group.outputs) {
            all.extend(tensor.into_data());
        }
    }
    let pairs = spec.outputs.iter().zip(data);
    pairs
        .map(|(wanted, data)| {
            let mut shape = vec![samples];
            shape.extend(&wanted.shape);
            Ok(Tensor::new(shape, data)?)
        })
        .collect()
}
