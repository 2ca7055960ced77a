//! The encrypted program on floats, with the noise that ciphertexts would have.

use hush_program::clear::{ClearMachine, NoiseMode};
use hush_program::{ClientSpec, Program, execute};
use rayon::iter::{IntoParallelIterator, ParallelIterator};

use crate::{ClientError, Tensor, check_inputs, decode_outputs, encode_group};

/// What [`simulate`] gives.
#[derive(Clone, Debug, PartialEq)]
pub struct Simulated {
    /// One tensor an output of the model, before its post operations (see [`crate::finish_outputs`]).
    pub outputs: Vec<Tensor>,
    /// Bits left before any message wraps around its modulus; below zero, encrypted results would be lost.
    pub headroom: f64,
}

/// Runs the program on a batch, one tensor an input of the model, as ciphertexts would go through it: same layouts,
/// polynomials and noise, no keys. Groups run on the current rayon pool; `done` is called after each, and ends the
/// simulation if it says so.
///
/// # Errors
/// As [`check_inputs`]; [`ClientError::Simulate`] if the program breaks its own rules, [`ClientError::Stopped`].
pub fn simulate(
    program: &Program,
    spec: &ClientSpec,
    tensors: &[Tensor],
    seed: u64,
    done: &(impl Fn() -> bool + Sync),
) -> Result<Simulated, ClientError> {
    let samples = check_inputs(spec, tensors)?;
    let groups = samples.div_ceil(spec.packing.samples);
    let simulated = (0..groups).into_par_iter().map(|group| {
        let rows = samples - group * spec.packing.samples;
        let vectors = encode_group(spec, tensors, group);
        let seed = seed.wrapping_add(group as u64);
        let rows = rows.min(spec.packing.samples);
        let simulated = simulate_group(program, spec, vectors, rows, seed)?;
        match done() {
            true => Ok(simulated),
            false => Err(ClientError::Stopped),
        }
    });
    let simulated = simulated.collect::<Result<Vec<_>, _>>()?;
    let headroom = simulated.iter().map(|group| group.headroom);
    Ok(Simulated {
        headroom: headroom.fold(f64::INFINITY, f64::min),
        outputs: join(spec, samples, simulated)?,
    })
}

fn simulate_group(
    program: &Program,
    spec: &ClientSpec,
    vectors: Vec<Vec<f64>>,
    samples: usize,
    seed: u64,
) -> Result<Simulated, ClientError> {
    let mut machine = ClearMachine::new(program, NoiseMode::Sampled(seed));
    let inputs = vectors
        .into_iter()
        .map(|values| machine.encrypt(values, program.input_level, program.input_scale))
        .collect();
    let signals = execute(program, inputs, &mut machine, &mut ())
        .map_err(|error| ClientError::Simulate(Box::new(error)))?;
    let vectors: Vec<_> = signals.into_iter().map(|signal| signal.values).collect();
    Ok(Simulated {
        outputs: decode_outputs(spec, samples, &vectors)?,
        headroom: machine.headroom(),
    })
}

/// The groups' outputs one after another.
fn join(
    spec: &ClientSpec,
    samples: usize,
    groups: Vec<Simulated>,
) -> Result<Vec<Tensor>, ClientError> {
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
            Tensor::new(shape, data)
        })
        .collect()
}
