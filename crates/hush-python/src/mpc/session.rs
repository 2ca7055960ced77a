//! Sessions with real parties: what was written down, run by them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hush_mpc::calculation::Calculation;
use hush_party::calculate::Computation;
use hush_party::local::{self, PROPOSER};
use hush_party::predict::Report;
use hush_party::{
    Configuration, Given, Identity, JobLiteral, Outcome, PlayerOptions, Program, Programs,
    Proposal, ProtocolName, Role, Runner, propose,
};
use numpy::IntoPyArray;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use super::inner::Recorded;
use super::predict::read_model;
use super::world::World;
use crate::failure::Failure;
use crate::task::{self, Task};

/// Who takes part, as Python says it.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Participants {
    /// The file of all parties; none for parties on this machine.
    parties: Option<PathBuf>,
    pub(super) name: Option<String>,
    identity: Option<PathBuf>,
    servers: Option<Vec<String>>,
    pub(super) program: String,
    pub(super) version: String,
}

/// The protocol of a name.
pub(super) fn protocol_of(name: &str) -> Result<ProtocolName, Failure> {
    ProtocolName::parse(name).ok_or_else(|| {
        Failure::new(format!("there is no protocol `{name}`")).hint("use aby3, pond or securenn")
    })
}

impl Participants {
    /// The name of this process.
    pub(super) fn me(&self) -> String {
        self.name.clone().unwrap_or_else(|| PROPOSER.to_owned())
    }

    /// Asks all parties for one session; `job` is told who computes.
    pub(super) fn converse(
        &self,
        program: &Program,
        inputs: Given,
        stage: &'static str,
        task: &Task,
        job: impl FnOnce(Vec<String>) -> JobLiteral,
    ) -> Result<Outcome, Failure> {
        let options = PlayerOptions::default();
        let (local, configuration, identity);
        let identity = match &self.parties {
            None => {
                local = local::start(&runner(), options, |_, _| {})?;
                configuration = local.configuration.clone();
                &local.identity
            }
            Some(file) => {
                configuration = Configuration::load(file)?;
                let folder = self.identity.clone();
                let folder = folder.unwrap_or_else(|| file.with_file_name(self.me()));
                identity = Identity::load(&folder)?;
                &identity
            }
        };
        let servers = self.servers.clone().unwrap_or_else(|| {
            let mut servers = configuration.with_role(Role::ComputeServer);
            servers.truncate(3);
            servers
        });
        let proposal = Proposal {
            configuration: &configuration,
            identity,
            program,
            job: job(servers),
            inputs,
            options,
        };
        Ok(propose(proposal, |done, total, _| {
            task.report(stage, done, total);
        })?)
    }
}

/// What parties on this machine run.
fn runner() -> Arc<dyn Runner> {
    Arc::new(Programs::new(|path: &Path| {
        read_model(path).map_err(|failure| failure.to_string())
    }))
}

/// A session's costs for Python.
pub(super) fn report<'py>(
    py: Python<'py>,
    (rounds, bytes): (u64, u64),
    outcome: &Outcome,
) -> PyResult<Bound<'py, PyDict>> {
    let told = Report::parse(&outcome.report)
        .ok_or_else(|| Failure::new("the first computing party sent no report"))?;
    let report = PyDict::new(py);
    report.set_item("rounds", rounds)?;
    report.set_item("bytes", bytes)?;
    report.set_item("compute_seconds", told.seconds)?;
    report.set_item("set_up_seconds", outcome.set_up.as_secs_f64())?;
    report.set_item("seconds", outcome.elapsed.as_secs_f64())?;
    let operations = PyList::empty(py);
    let mut began = 0.0;
    for operation in told.operations {
        let row = PyDict::new(py);
        row.set_item("label", operation.label)?;
        row.set_item("seconds", operation.ended - began)?;
        row.set_item("rounds", operation.rounds)?;
        row.set_item("bytes_sent_by_first", operation.bytes)?;
        began = operation.ended;
        operations.append(row)?;
    }
    report.set_item("operations", operations)?;
    Ok(report)
}

/// Numbers by output, the declared rounds and bytes, and how the session went.
type Calculated = (Vec<(String, Vec<f64>)>, (u64, u64), Outcome);

fn calculate(
    recorded: Recorded,
    computation: impl FnOnce(Calculation) -> Computation,
    who: &Participants,
    task: &Task,
) -> Result<Calculated, Failure> {
    let computation = computation(Calculation::new(recorded.literal)?);
    let program = computation.program(&who.program, &who.version);
    let mut inputs = Given::new();
    for (name, values) in recorded.given {
        let words = computation.words(&values)?;
        inputs.insert(name, words);
    }
    let me = who.me();
    let outcome = who.converse(&program, inputs, "calculate", task, |servers| {
        computation.job(&me, &servers)
    })?;
    let cost = computation.cost()?;
    let outputs = computation.calculation().outputs().iter();
    let outputs = outputs.filter_map(|output| {
        let words = outcome.outputs.get(&output.name)?;
        Some((output.name.clone(), computation.numbers(words)))
    });
    Ok((outputs.collect(), (cost.rounds, cost.bytes), outcome))
}

/// Runs what was written down: arrays by output that this process is shown, and what it cost.
#[pyfunction]
#[pyo3(signature = (world, participants, progress=None))]
pub(crate) fn calculate_on_shares<'py>(
    world: &World,
    py: Python<'py>,
    participants: Participants,
    progress: Option<&Bound<'py, PyAny>>,
) -> PyResult<(Bound<'py, PyDict>, Bound<'py, PyDict>)> {
    let (fixed, ring_bits) = (world.inner.fixed, world.inner.ring_bits);
    let protocol = protocol_of(&world.inner.protocol)?;
    let recorded = world.inner.take()?;
    let (outputs, cost, outcome) = task::run(py, progress, move |task| {
        let of = |calculation| Computation::new(calculation, fixed).on(protocol, ring_bits);
        calculate(recorded, of, &participants, task)
    })?;
    let arrays = PyDict::new(py);
    for (name, values) in outputs {
        arrays.set_item(name, values.into_pyarray(py))?;
    }
    Ok((arrays, report(py, cost, &outcome)?))
}
