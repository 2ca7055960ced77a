//! `hush simulate`: the encrypted program on floats, with the noise that ciphertexts would have.
//! Needs no keys, and says what `run` between `encrypt` and `decrypt` would give.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use hush_client::{check_inputs, finish_outputs, simulate};
use serde_json::json;

use crate::arrays::{self, Format};
use crate::failure::Result;
use crate::files;
use crate::inputs::{self, Wanted};
use crate::output::{Access, Existing, Output};
use crate::terminal::{Outcome, Terminal, counted, duration, milliseconds};

/// Run a model on floats as ciphertexts would: same layouts, polynomials and noise, no keys
#[derive(Args, Debug)]
pub(crate) struct SimulateArguments {
    /// The model owner's file (.model)
    model: PathBuf,
    /// The inputs, shape [batch, ...]: .npy, .npz (one array an input, by name), .csv or .parquet
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
    let format = Format::of_output(&arguments.output)?;
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
    let done = || {
        bar.inc(1);
        true
    };
    let simulated = simulate(&model.program, spec, &tensors, arguments.seed, &done)?;
    bar.finish_and_clear();
    let elapsed = milliseconds(begun.elapsed());
    let headroom = simulated.headroom;
    if headroom < 0.0 {
        terminal.warn(&format!(
            "values outgrow the room of a ciphertext by {:.1} bits: their encrypted results would be lost; \
             calibrate on samples like these or compile with more --headroom",
            -headroom
        ));
    }
    let mut outputs = simulated.outputs;
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
