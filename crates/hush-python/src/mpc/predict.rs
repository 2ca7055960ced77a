//! Predictions on shares, with parties that are processes of their own or, for development, threads of this one.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hush_graph::Graph;
use hush_mpc::Fixed;
use hush_mpc::execute::{Options, calibrate};
use hush_party::local::{self, PROPOSER};
use hush_party::predict::{Prediction, Predictions, Report, Roles, WEIGHTS};
use hush_party::{
    Configuration, Given, Identity, Outcome, PlayerOptions, Program, Proposal, Role, Runner,
    propose,
};
use numpy::{IntoPyArray, PyArrayMethods, PyReadonlyArray1};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use crate::failure::Failure;
use crate::task::{self, Task};

/// An array by its shape and its elements.
type Array<'py> = (Vec<usize>, PyReadonlyArray1<'py, f64>);

/// Who takes part, as Python says it.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Participants {
    /// The file of all parties; none for parties on this machine.
    parties: Option<PathBuf>,
    name: Option<String>,
    identity: Option<PathBuf>,
    model_owner: Option<String>,
    servers: Option<Vec<String>>,
    program: String,
    version: String,
}

fn read_model(path: &Path) -> Result<Graph, Failure> {
    let graph = hush_onnx::import(path)?;
    let graph = hush_graph::rewrite::simplify(&graph)?;
    Ok(hush_mpc::execute::fold(&graph)?)
}

fn runner() -> Arc<dyn Runner> {
    Arc::new(Predictions::new(|path: &Path| {
        read_model(path).map_err(|failure| failure.to_string())
    }))
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

/// One array an output, by name and shape, and the computing party's report.
struct Predicted {
    outputs: Vec<(String, Vec<usize>, Vec<f64>)>,
    report: Report,
    rounds: u64,
    bytes: u64,
    outcome: Outcome,
}

fn predict(
    model: &Path,
    (shape, data): (Vec<usize>, Vec<f64>),
    calibration: Option<(Vec<usize>, Vec<f64>)>,
    fixed: Fixed,
    who: &Participants,
    task: &Task,
) -> Result<Predicted, Failure> {
    let graph = read_model(model)?;
    let samples = tensor(&graph, &shape, data)?;
    let batch = samples.shape()[0];
    let mut options = Options {
        fixed,
        ..Options::default()
    };
    if let Some((shape, data)) = calibration {
        let samples = tensor(&graph, &shape, data)?;
        options.integer_bits = calibrate(&graph, &[samples], 2)?;
    }
    let prediction = Prediction::new(graph, options)?;
    let program = prediction.program(&who.program, &who.version)?;
    let mut inputs = Given::new();
    let input = prediction.plan().graph().inputs()[0];
    let name = format!("input {}", prediction.plan().graph().value(input).name);
    inputs.insert(name, prediction.samples(0, samples.data())?);
    if who.model_owner.is_none() {
        inputs.insert(WEIGHTS.to_owned(), prediction.weights()?);
    }
    let outcome = converse(&prediction, &program, inputs, batch, who, task)?;
    let report = Report::parse(&outcome.report)
        .ok_or_else(|| Failure::new("the first computing party sent no report"))?;
    let total = prediction.cost(batch)?.total();
    let graph = prediction.plan().graph();
    let outputs = graph.outputs().iter().map(|output| {
        let shape = graph.value(output.value).shape.with_batch(batch);
        let words = outcome.outputs.get(&output.name);
        let numbers = words.map(|words| prediction.numbers(words));
        (output.name.clone(), shape, numbers.unwrap_or_default())
    });
    Ok(Predicted {
        outputs: outputs.collect(),
        report,
        rounds: total.rounds,
        bytes: total.bytes,
        outcome,
    })
}

fn converse(
    prediction: &Prediction,
    program: &Program,
    inputs: Given,
    batch: usize,
    who: &Participants,
    task: &Task,
) -> Result<Outcome, Failure> {
    let options = PlayerOptions::default();
    let me = who.name.clone().unwrap_or_else(|| PROPOSER.to_owned());
    let (local, configuration, identity);
    let identity = match &who.parties {
        None => {
            local = local::start(&runner(), options, |_, _| {})?;
            configuration = local.configuration.clone();
            &local.identity
        }
        Some(file) => {
            configuration = Configuration::load(file)?;
            let folder = who.identity.clone();
            identity = Identity::load(&folder.unwrap_or_else(|| file.with_file_name(&me)))?;
            &identity
        }
    };
    let servers = who.servers.clone().unwrap_or_else(|| {
        let mut servers = configuration.with_role(Role::ComputeServer);
        servers.truncate(3);
        servers
    });
    let roles = Roles {
        proposer: me.clone(),
        servers,
        model_owner: who.model_owner.clone().unwrap_or_else(|| me.clone()),
        data_owner: me.clone(),
        receiver: me,
    };
    let proposal = Proposal {
        configuration: &configuration,
        identity,
        program,
        job: prediction.job(roles, batch),
        inputs,
        options,
    };
    Ok(propose(proposal, |done, total, _| {
        task.report("predict", done, total);
    })?)
}

/// An ONNX model on shares of its weights and inputs: arrays by output, and what it cost.
#[pyfunction]
#[pyo3(signature = (model, x, calibration, integer_bits, fraction_bits, participants, progress=None))]
pub(crate) fn predict_on_shares<'py>(
    py: Python<'py>,
    model: PathBuf,
    x: Array<'py>,
    calibration: Option<Array<'py>>,
    integer_bits: u32,
    fraction_bits: u32,
    participants: Participants,
    progress: Option<&Bound<'py, PyAny>>,
) -> PyResult<(Bound<'py, PyList>, Bound<'py, PyDict>)> {
    let copy = |(shape, data): Array<'py>| PyResult::Ok((shape, data.to_vec()?));
    let (x, calibration) = (copy(x)?, calibration.map(copy).transpose()?);
    let fixed = Fixed::new(integer_bits, fraction_bits);
    let predicted = task::run(py, progress, move |task| {
        predict(&model, x, calibration, fixed, &participants, task)
    })?;
    let outputs = PyList::empty(py);
    for (name, shape, data) in predicted.outputs {
        outputs.append((name, shape, data.into_pyarray(py)))?;
    }
    let report = PyDict::new(py);
    report.set_item("rounds", predicted.rounds)?;
    report.set_item("bytes", predicted.bytes)?;
    report.set_item("compute_seconds", predicted.report.seconds)?;
    report.set_item("set_up_seconds", predicted.outcome.set_up.as_secs_f64())?;
    report.set_item("seconds", predicted.outcome.elapsed.as_secs_f64())?;
    let operations = PyList::empty(py);
    let mut began = 0.0;
    for operation in predicted.report.operations {
        let row = PyDict::new(py);
        row.set_item("label", operation.label)?;
        row.set_item("seconds", operation.ended - began)?;
        row.set_item("rounds", operation.rounds)?;
        row.set_item("bytes_sent_by_first", operation.bytes)?;
        began = operation.ended;
        operations.append(row)?;
    }
    report.set_item("operations", operations)?;
    Ok((outputs, report))
}
