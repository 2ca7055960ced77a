//! The steps of encrypted inference, one function each, as the Python package calls them.

use std::io::Cursor;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hush_client::{Tensor, check_inputs, decrypt_flooded, finish_outputs, output_flooding};
use hush_compiler::{Calibration, Options};
use hush_graph::Graph;
use hush_keys::SecureRng;
use hush_program::{Instruction, Observer, PackingKind};
use hush_runtime::Inputs;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;

use crate::arrays::{self, Wanted};
use crate::ciphertexts::{Ciphertexts, CiphertextsSource};
use crate::client_spec::{ClientSource, PyClientSpec, read};
use crate::compiled::Compiled;
use crate::failure::Failure;
use crate::inspect;
use crate::keys::{self, Keys};
use crate::model::{ModelSource, Owned, PyModel};
use crate::task::{self, Task};

/// An ONNX file, or the bytes of one.
#[derive(FromPyObject)]
pub(crate) enum OnnxSource {
    Bytes(PyBackedBytes),
    Path(PathBuf),
}

impl OnnxSource {
    fn import(&self) -> Result<Graph, Failure> {
        Ok(match self {
            Self::Bytes(bytes) => hush_onnx::import_bytes(bytes)?,
            Self::Path(path) => hush_onnx::import(path)?,
        })
    }
}

#[pyfunction]
#[pyo3(signature = (model, calibration, *, precision, batch, packing, security, activation_margin, headroom,
                    min_agreement, max_keys, max_degree, seed, memory))]
pub(crate) fn compile(
    py: Python<'_>,
    model: OnnxSource,
    calibration: &Bound<'_, PyAny>,
    precision: Option<f64>,
    batch: Option<usize>,
    packing: Option<&str>,
    security: u32,
    activation_margin: f64,
    headroom: f64,
    min_agreement: f64,
    max_keys: u64,
    max_degree: usize,
    seed: u64,
    memory: Option<u64>,
) -> PyResult<Compiled> {
    let packing = match packing {
        None => None,
        Some("latency") => Some(PackingKind::Latency),
        Some("throughput") => Some(PackingKind::Throughput),
        Some(other) => {
            let failure = Failure::new(format!("`{other}` is no packing"));
            return Err(failure.hint("pass \"latency\" or \"throughput\"").into());
        }
    };
    let options = Options {
        precision,
        batch,
        packing,
        security_bits: security,
        activation_margin,
        headroom_bits: headroom,
        min_agreement,
        max_key_bytes: max_keys,
        max_degree,
        seed,
    };
    options.check().map_err(Failure::from)?;
    let graph = py.detach(|| model.import())?;
    let calibration = calibration_of(&graph, calibration)?;
    let compiled = task::run(py, None, move |_| {
        Ok(hush_compiler::compile(&graph, &calibration, &options)?)
    })?;
    Compiled::new(py, compiled, memory)
}

fn calibration_of(graph: &Graph, x: &Bound<'_, PyAny>) -> PyResult<Calibration> {
    let values = graph.inputs().iter().map(|&id| graph.value(id));
    let wanted = values.map(|value| Wanted {
        name: &value.name,
        shape: value.shape.dimensions(),
    });
    let tensors = arrays::tensors(wanted, x)?.into_iter().map(|tensor| {
        let shape = tensor.shape().to_vec();
        hush_graph::Tensor::new(shape, tensor.into_data()).map_err(Failure::from)
    });
    Ok(Calibration {
        inputs: tensors.collect::<Result<_, _>>()?,
    })
}

#[pyfunction]
pub(crate) fn load_model(py: Python<'_>, path: PathBuf, memory: Option<u64>) -> PyResult<PyModel> {
    let owned = task::run(py, None, move |_| Owned::read(&path, memory))?;
    Ok(PyModel(Arc::new(owned)))
}

#[pyfunction]
pub(crate) fn load_client(path: PathBuf) -> PyResult<PyClientSpec> {
    Ok(PyClientSpec(read(&path)?))
}

#[pyfunction]
pub(crate) fn keygen(
    py: Python<'_>,
    client: ClientSource,
    folder: PathBuf,
    passphrase: Option<String>,
    force: bool,
    progress: Option<Bound<'_, PyAny>>,
) -> PyResult<Keys> {
    let spec = client.spec(py)?;
    let passphrase = keys::passphrase(passphrase)?;
    task::run(py, progress.as_ref(), move |task| {
        keys::generate(&spec, folder, passphrase.as_ref(), force, task)
    })
}

#[pyfunction]
pub(crate) fn load_keys(
    py: Python<'_>,
    client: ClientSource,
    folder: PathBuf,
    passphrase: Option<String>,
) -> PyResult<Keys> {
    let spec = client.spec(py)?;
    let passphrase = keys::passphrase(passphrase)?;
    task::run(py, None, move |_| {
        keys::load(&spec, folder, passphrase.as_ref())
    })
}

/// The ciphertexts, and what to warn of.
#[pyfunction]
pub(crate) fn encrypt(
    py: Python<'_>,
    client: ClientSource,
    keys: &Bound<'_, Keys>,
    x: &Bound<'_, PyAny>,
    progress: Option<Bound<'_, PyAny>>,
) -> PyResult<(Ciphertexts, Vec<String>)> {
    let spec = client.spec(py)?;
    let tensors = arrays::tensors(&spec.inputs, x)?;
    let key = Arc::clone(&keys.get().secret);
    task::run(py, progress.as_ref(), move |task| {
        let output = task.watch(Vec::new());
        let mut rng = SecureRng::from_os()?;
        let mut progress = |done, total| task.report("encrypt", done as u64, total as u64);
        let (output, _) =
            hush_client::encrypt(&spec, &tensors, &key, &mut rng, output, &mut progress)?;
        let warnings = arrays::outliers(&spec, &tensors);
        Ok((Ciphertexts::new(output.into_inner())?, warnings))
    })
}

/// Keys of a data owner, or the file of their evaluation keys.
#[derive(FromPyObject)]
pub(crate) enum EvaluationSource {
    Keys(Py<Keys>),
    Path(PathBuf),
}

#[pyfunction]
pub(crate) fn run(
    py: Python<'_>,
    model: ModelSource,
    evaluation_keys: EvaluationSource,
    ciphertexts: CiphertextsSource,
    memory: Option<u64>,
    progress: Option<Bound<'_, PyAny>>,
) -> PyResult<Ciphertexts> {
    let model = model.model(py, memory)?;
    let path = match evaluation_keys {
        EvaluationSource::Keys(keys) => keys.get().evaluation_keys(),
        EvaluationSource::Path(path) => path,
    };
    let bytes = ciphertexts.bytes();
    task::run(py, progress.as_ref(), move |task| {
        let spec = model.client_spec();
        let inputs = Inputs::open(spec, task.watch(Cursor::new(&bytes[..])))?;
        let deployment = model.deployment()?;
        let keys = model.evaluation_keys(&path, inputs.key_id(), task)?;
        let groups = spec.groups(inputs.header().samples) as usize;
        let total = groups * deployment.runtime().program().instructions.len();
        let done = AtomicUsize::new(0);
        let watch = |_| Watcher {
            task,
            done: &done,
            total,
        };
        let answer = deployment.answer(inputs, &keys, Vec::new(), watch)?;
        Ciphertexts::new(answer.output)
    })
}

/// Counts instructions and stops between them.
struct Watcher<'a> {
    task: &'a Task,
    done: &'a AtomicUsize,
    total: usize,
}

impl Observer for Watcher<'_> {
    fn before(&mut self, _: usize, _: usize, _: &Instruction) -> ControlFlow<()> {
        match self.task.goes_on() {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        }
    }

    fn after(&mut self, _: usize, _: usize, _: &Instruction) {
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        self.task.report("run", done as u64, self.total as u64);
    }
}

/// `flood` is bits, error and results: see [`output_flooding`].
#[pyfunction]
pub(crate) fn decrypt<'py>(
    py: Python<'py>,
    client: ClientSource,
    keys: &Bound<'_, Keys>,
    ciphertexts: CiphertextsSource,
    raw: bool,
    flood: Option<(u32, f64, u64)>,
    progress: Option<Bound<'_, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let spec = client.spec(py)?;
    let key = Arc::clone(&keys.get().secret);
    let bytes = ciphertexts.bytes();
    let theirs = Arc::clone(&spec);
    let outputs = task::run(py, progress.as_ref(), move |task| {
        let spec = theirs;
        let input = task.watch(Cursor::new(&bytes[..]));
        let mut progress = |done, total| task.report("decrypt", done as u64, total as u64);
        let outputs = match flood {
            None => hush_client::decrypt(&spec, &key, input, &mut progress)?,
            Some((bits, error, results)) => {
                let flooding = output_flooding(&spec, error, bits, results)?;
                let mut rng = SecureRng::from_os()?;
                decrypt_flooded(&spec, &key, input, &flooding, &mut rng, &mut progress)?
            }
        };
        match raw {
            true => Ok(outputs),
            false => Ok(finish_outputs(&spec, outputs)?),
        }
    })?;
    arrays::outputs(py, &spec, outputs, raw)
}

/// The outputs, and what to warn of.
#[pyfunction]
pub(crate) fn simulate<'py>(
    py: Python<'py>,
    model: ModelSource,
    x: &Bound<'_, PyAny>,
    raw: bool,
    seed: u64,
    progress: Option<Bound<'_, PyAny>>,
) -> PyResult<(Bound<'py, PyAny>, Vec<String>)> {
    let model = model.model(py, None)?;
    let spec = Arc::clone(model.client_spec());
    let tensors = arrays::tensors(&spec.inputs, x)?;
    let (outputs, warnings) = task::run(py, progress.as_ref(), move |task| {
        simulate_tensors(&model, &tensors, raw, seed, task)
    })?;
    Ok((arrays::outputs(py, &spec, outputs, raw)?, warnings))
}

fn simulate_tensors(
    model: &Owned,
    tensors: &[Tensor],
    raw: bool,
    seed: u64,
    task: &Task,
) -> Result<(Vec<Tensor>, Vec<String>), Failure> {
    let spec = model.client_spec();
    let samples = check_inputs(spec, tensors)?;
    let groups = samples.div_ceil(spec.packing.samples);
    let ran = AtomicUsize::new(0);
    let done = || {
        let done = ran.fetch_add(1, Ordering::Relaxed) + 1;
        task.report("simulate", done as u64, groups as u64);
        task.goes_on()
    };
    let source = model.source();
    let simulated = hush_client::simulate(source.program(), spec, tensors, seed, &done)?;
    let mut warnings = arrays::outliers(spec, tensors);
    if simulated.headroom < 0.0 {
        warnings.push(format!(
            "values outgrow the room of a ciphertext by {:.1} bits: their encrypted results would be lost; calibrate \
             on samples like these or compile with more headroom",
            -simulated.headroom
        ));
    }
    let outputs = match raw {
        true => simulated.outputs,
        false => finish_outputs(spec, simulated.outputs)?,
    };
    Ok((outputs, warnings))
}

#[pyfunction]
#[pyo3(name = "inspect")]
pub(crate) fn inspect_file(py: Python<'_>, path: PathBuf) -> PyResult<String> {
    task::run(py, None, move |_| inspect::inspect(&path))
}
