//! Predictions on shares, with parties that are processes of their own or, for development, threads of this one.

use std::path::{Path, PathBuf};

use hush_graph::Graph;
use hush_mpc::Fixed;
use hush_mpc::execute::{Options, calibrate};
use hush_party::predict::{Prediction, Roles, WEIGHTS};
use hush_party::{Given, Outcome, ProtocolName};
use numpy::{IntoPyArray, PyArrayMethods, PyReadonlyArray1};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use super::session::{Participants, protocol_of, report};
use crate::failure::Failure;
use crate::task::{self, Task};

/// An array by its shape and its elements.
type Array<'py> = (Vec<usize>, PyReadonlyArray1<'py, f64>);

pub(super) fn read_model(path: &Path) -> Result<Graph, Failure> {
    let graph = hush_onnx::import(path)?;
    let graph = hush_graph::rewrite::simplify(&graph)?;
    Ok(hush_mpc::execute::fold(&graph)?)
}

fn tensor(graph: &Graph, shape: &[usize], data: Vec<f64>) -> Result<hush_graph::Tensor, Failure> {
    let [input] = graph.inputs() else {
        return Err(Failure::new(format!(
            "the model has {} inputs; one is supported here",
            graph.inputs().len()
        )));
    };
    let wanted = graph.value(*input).shape.dimensions();
    let size: usize = wanted.iter().product();
    let batch = shape.first().copied().unwrap_or(0);
    if batch == 0 || data.len() != batch * size {
        return Err(Failure::new(format!(
            "input `{}` takes arrays of shape [samples, {}], not {shape:?}",
            graph.value(*input).name,
            wanted
                .iter()
                .map(usize::to_string)
                .collect::<Vec<_>>()
                .join(", "),
        )));
    }
    let shape = graph.value(*input).shape.with_batch(batch);
    Ok(hush_graph::Tensor::new(shape, data)?)
}

/// One array an output, by name and shape, the declared rounds and bytes, and how the session went.
type Predicted = (Vec<(String, Vec<usize>, Vec<f64>)>, (u64, u64), Outcome);

/// How a model is run.
struct How {
    fixed: Fixed,
    protocol: ProtocolName,
    ring_bits: u32,
    /// The party whose weights are used; this process's own without one.
    model_owner: Option<String>,
}

fn predict(
    model: &Path,
    (shape, data): (Vec<usize>, Vec<f64>),
    calibration: Option<(Vec<usize>, Vec<f64>)>,
    how: How,
    who: &Participants,
    task: &Task,
) -> Result<Predicted, Failure> {
    let graph = read_model(model)?;
    let samples = tensor(&graph, &shape, data)?;
    let batch = samples.shape()[0];
    let mut options = Options {
        fixed: how.fixed,
        ..Options::default()
    };
    if let Some((shape, data)) = calibration {
        let samples = tensor(&graph, &shape, data)?;
        options.integer_bits = calibrate(&graph, &[samples], 2)?;
    }
    let prediction = Prediction::new(graph, options)?.on(how.protocol, how.ring_bits);
    let program = prediction.program(&who.program, &who.version)?;
    let mut inputs = Given::new();
    let words = prediction.samples(0, samples.data())?;
    inputs.insert(prediction.input_name(0), words);
    if how.model_owner.is_none() {
        inputs.insert(WEIGHTS.to_owned(), prediction.weights()?);
    }
    let me = who.me();
    let outcome = who.converse(&program, inputs, "predict", task, |servers| {
        let roles = Roles {
            proposer: me.clone(),
            servers,
            model_owner: how.model_owner.unwrap_or_else(|| me.clone()),
            data_owner: me.clone(),
            receiver: me,
        };
        prediction.job(roles, batch)
    })?;
    let total = prediction.cost(batch)?.total();
    let graph = prediction.plan().graph();
    let outputs = graph.outputs().iter().map(|output| {
        let shape = graph.value(output.value).shape.with_batch(batch);
        let words = outcome.outputs.get(&output.name);
        let numbers = words.map(|words| prediction.numbers(words));
        (output.name.clone(), shape, numbers.unwrap_or_default())
    });
    Ok((outputs.collect(), (total.rounds, total.bytes), outcome))
}

/// An ONNX model on shares of its weights and inputs: arrays by output, and what it cost. `how` is the protocol, bits of a
/// word, bits before and behind the point, and the owner of the weights.
#[pyfunction]
#[pyo3(signature = (model, x, calibration, how, participants, progress=None))]
pub(crate) fn predict_on_shares<'py>(
    py: Python<'py>,
    model: PathBuf,
    x: Array<'py>,
    calibration: Option<Array<'py>>,
    how: (String, u32, u32, u32, Option<String>),
    participants: Participants,
    progress: Option<&Bound<'py, PyAny>>,
) -> PyResult<(Bound<'py, PyList>, Bound<'py, PyDict>)> {
    let copy = |(shape, data): Array<'py>| PyResult::Ok((shape, data.to_vec()?));
    let (x, calibration) = (copy(x)?, calibration.map(copy).transpose()?);
    let (protocol, ring_bits, integer_bits, fraction_bits, model_owner) = how;
    let how = How {
        fixed: Fixed::new(integer_bits, fraction_bits),
        protocol: protocol_of(&protocol)?,
        ring_bits,
        model_owner,
    };
    let (found, cost, outcome) = task::run(py, progress, move |task| {
        predict(&model, x, calibration, how, &participants, task)
    })?;
    let outputs = PyList::empty(py);
    for (name, shape, data) in found {
        outputs.append((name, shape, data.into_pyarray(py)))?;
    }
    Ok((outputs, report(py, cost, &outcome)?))
}
