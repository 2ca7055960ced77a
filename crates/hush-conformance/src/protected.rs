//! A case compiled: simulated with noise, and on true ciphertexts.

use anyhow::{Context, Result};
use hush_ckks::encoder::{decode_real, encode_real};
use hush_ckks::{Level, Scale};
use hush_client::{
    Tensor, decode_outputs, encode_inputs, finish_outputs, generate_secret_key, key_request,
};
use hush_compiler::{Calibration, CompileError, Compiled, Options, compile};
use hush_graph::Graph;
use hush_keys::SecureRng;
use hush_program::clear::{ClearMachine, NoiseMode};
use hush_program::{PackingKind, PostOperation, execute};
use hush_runtime::Runtime;

use crate::case::Case;
use crate::compare::compare_within;

/// Largest absolute error asked for, as a share of the largest expected output or of one if that is larger.
pub const PRECISION: f64 = 1e-2;
/// Calibration rows: the test's own samples, and copies of them with every element changed.
const ROWS: usize = 8;
/// Largest relative change of an element.
const CHANGE: f64 = 0.05;

/// The absolute error that a case may have.
pub(crate) fn precision(case: &Case) -> f64 {
    let values = case.expected.iter().flat_map(|tensor| tensor.data());
    PRECISION * values.fold(1.0, |largest: f64, value| largest.max(value.abs()))
}

/// Compiles a case, calibrated on its own inputs and on changed copies.
pub(crate) fn compile_case(case: &Case, graph: &Graph) -> Result<Compiled, CompileError> {
    let mut random = Random(case.model.len() as u64);
    let inputs = case.inputs.iter().map(|input| {
        let samples = input.shape()[0];
        let rows = ROWS.max(samples + ROWS / 2);
        let size = input.data().len() / samples;
        let mut data = input.data().to_vec();
        for row in samples..rows {
            let from = row % samples * size;
            let changed = input.data()[from..from + size].iter();
            data.extend(changed.map(|value| value * (1.0 + CHANGE * random.next())));
        }
        let shape = [&[rows], &input.shape()[1..]].concat();
        hush_graph::Tensor::new(shape, data).expect("as many rows as the shape says")
    });
    let calibration = Calibration {
        inputs: inputs.collect(),
    };
    let options = Options {
        precision: Some(precision(case)),
        packing: Some(PackingKind::Latency),
        ..Options::default()
    };
    compile(graph, &calibration, &options)
}

/// Runs a compiled case on floats with sampled noise and compares.
pub(crate) fn simulate(case: &Case, compiled: &Compiled) -> Result<()> {
    let program = &compiled.program;
    let mut machine = ClearMachine::new(program, NoiseMode::Sampled(1));
    check(case, compiled, |group| {
        let inputs = group
            .iter()
            .map(|slots| machine.encrypt(slots.clone(), program.input_level, program.input_scale));
        let inputs = inputs.collect();
        let outputs = execute(program, inputs, &mut machine, &mut ())?;
        Ok(outputs.into_iter().map(|signal| signal.values).collect())
    })
}

/// Keys, encryption, a run on ciphertexts and decryption, and compares.
pub(crate) fn run_encrypted(case: &Case, compiled: &Compiled) -> Result<()> {
    let spec = &compiled.client_spec;
    let mut random = SecureRng::from_os()?;
    let key = generate_secret_key(spec, &mut random)?;
    let keys = key.evaluation_keys(&key_request(spec), &mut random)?;
    let runtime = Runtime::new(compiled.program.clone())?;
    let (scale, level) = (Scale::new(spec.input_scale)?, Level(spec.input_level));
    check(case, compiled, |group| {
        let mut inputs = Vec::new();
        for slots in group {
            let message = encode_real(key.parameters(), slots, spec.slots, scale, level)?;
            inputs.push(key.encrypt_symmetric(&message, &mut random)?.expand());
        }
        let outputs = runtime.run(inputs, &keys, &mut ())?;
        outputs
            .iter()
            .map(|output| Ok(decode_real(&key.decrypt(output)?)))
            .collect()
    })
}

/// Encodes the inputs, runs group by group, decodes, and compares.
fn check(
    case: &Case,
    compiled: &Compiled,
    mut run: impl FnMut(&[Vec<f64>]) -> Result<Vec<Vec<f64>>>,
) -> Result<()> {
    let spec = &compiled.client_spec;
    let inputs = case
        .inputs
        .iter()
        .map(to_client)
        .collect::<Result<Vec<_>>>()?;
    let samples = inputs.first().context("there is no input")?.shape()[0];
    let vectors = encode_inputs(spec, &inputs)?;
    let per_group: usize = spec.inputs.iter().map(|input| input.ciphertexts).sum();
    let mut results = Vec::new();
    for group in vectors.chunks(per_group) {
        results.extend(run(group)?);
    }
    let decoded = decode_outputs(spec, samples, &results)?;
    let precision = precision(case);
    if let Some(&PostOperation::ArgMax { axis, .. }) = spec.post.last() {
        return check_positions(case, &decoded, axis, precision);
    }
    let found = finish_outputs(spec, decoded)?;
    let found = found.into_iter().map(|tensor| {
        let shape = tensor.shape().to_vec();
        Ok(hush_graph::Tensor::new(shape, tensor.into_data())?)
    });
    compare_within(
        &found.collect::<Result<Vec<_>>>()?,
        &case.expected,
        precision,
    )
}

/// An arg-max is right if no element is clearly larger than the expected one: equal elements cannot
/// be told apart under noise.
fn check_positions(case: &Case, decoded: &[Tensor], axis: usize, precision: f64) -> Result<()> {
    for (tensor, expected) in decoded.iter().zip(&case.expected) {
        let extent = tensor.shape()[axis];
        let inner: usize = tensor.shape()[axis + 1..].iter().product();
        for (line, &position) in expected.data().iter().enumerate() {
            let first = line / inner * extent * inner + line % inner;
            let at = |index: usize| tensor.data()[first + index * inner];
            let chosen = at(position as usize);
            let largest = (0..extent).map(at).fold(chosen, f64::max);
            anyhow::ensure!(
                largest - chosen <= 2.0 * precision,
                "line {line}: element {position} is {chosen}, the largest is {largest}"
            );
        }
    }
    Ok(())
}

fn to_client(tensor: &hush_graph::Tensor) -> Result<Tensor> {
    Ok(Tensor::new(
        tensor.shape().to_vec(),
        tensor.data().to_vec(),
    )?)
}

/// Numbers from -1 to 1, the same for the same seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as f64 / f64::from(1u32 << 30) - 1.0
    }
}
