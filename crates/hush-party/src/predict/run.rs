//! Predictions at one party.

use std::path::Path;

use hush_graph::Graph;
use hush_mpc::execute::{Model, graph_to_bytes};
use hush_mpc::{MpcError, Secret, Share, Word};

use super::{KIND, Prediction, Task, WEIGHTS};
use crate::job::Job;
use crate::npy;
use crate::report::Recorder;
use crate::runner::{Computed, Runner, Work, expect_kind, missing};
use crate::words::{Words, parts_of};

/// Runs predictions. `read_model` gives the graph behind a file, as the model's owner prepared it.
pub struct Predictions<F> {
    read_model: F,
}

impl<F> Predictions<F> {
    /// A runner that reads weights with `read_model`.
    pub fn new(read_model: F) -> Self {
        Self { read_model }
    }
}

impl<F> Runner for Predictions<F>
where
    F: Fn(&Path) -> Result<Graph, String> + Send + Sync,
{
    fn check(&self, job: &Job, program: &[u8]) -> Result<(), String> {
        expect_kind(job, KIND)?;
        Prediction::of_job(job, program)?.task_of(job).map(|_| ())
    }

    fn run(&self, work: Work<'_>) -> Result<Computed, MpcError> {
        let refused = |reason: String| work.refused(reason);
        let prediction = Prediction::of_job(work.job, work.program).map_err(refused)?;
        match prediction.task_of(work.job).map_err(refused)? {
            // The shares of the weights are what is kept.
            Task::Keep => Ok(Computed {
                outputs: Vec::new(),
                kept: work.inputs,
                report: crate::report::Report::default().to_text(),
            }),
            Task::Predict(batch) => match work.job.literal().ring_bits {
                128 => predict::<u128>(&prediction, batch, work),
                _ => predict::<u64>(&prediction, batch, work),
            },
        }
    }

    fn read_input(
        &self,
        job: &Job,
        program: &[u8],
        input: &str,
        file: &Path,
    ) -> Result<Words, String> {
        let own = Prediction::of_job(job, program)?;
        let graph = own.plan.graph();
        let position = (0..graph.inputs().len()).find(|&place| own.input_name(place) == input);
        if let Some(position) = position {
            let Task::Predict(batch) = own.task_of(job)? else {
                return Err("the job takes no samples".to_owned());
            };
            let shape = graph
                .value(graph.inputs()[position])
                .shape
                .with_batch(batch);
            return npy::read_words(file, &shape, |numbers| own.samples(position, numbers));
        }
        if input != WEIGHTS {
            return Err(missing("input", input));
        }
        let graph = (self.read_model)(file)?;
        let prediction = Prediction::new(graph, own.plan.options().clone())
            .map_err(|error| error.to_string())?
            .on(own.protocol, own.ring_bits);
        // The same structure, or weights would go where others belong.
        let theirs = graph_to_bytes(own.plan.graph()).map_err(|error| error.to_string())?;
        let ours = graph_to_bytes(prediction.plan.graph()).map_err(|error| error.to_string())?;
        if ours != theirs {
            return Err(format!(
                "the program is not made of its model {}",
                file.display()
            ));
        }
        prediction.weights().map_err(|error| error.to_string())
    }

    fn write_output(
        &self,
        job: &Job,
        program: &[u8],
        output: &str,
        words: &Words,
        file: &Path,
    ) -> Result<(), String> {
        let prediction = Prediction::of_job(job, program)?;
        let Task::Predict(batch) = prediction.task_of(job)? else {
            return Err("the job has no outputs".to_owned());
        };
        let graph = prediction.plan.graph();
        let found = graph.outputs().iter().find(|found| found.name == output);
        let found = found.ok_or_else(|| missing("output", output))?;
        let shape = graph.value(found.value).shape.with_batch(batch);
        let written = npy::write(file, &shape, &prediction.numbers(words));
        written.map_err(|error| error.to_string())
    }

    fn describe(&self, _: &Job, program: &[u8], _: &str) -> Option<(String, Vec<u8>)> {
        Some((KIND.to_owned(), program.to_vec()))
    }

    fn check_served(
        &self,
        _: &Job,
        program: &[u8],
        name: &str,
        description: &[u8],
    ) -> Result<(), String> {
        match program == description {
            true => Ok(()),
            false => Err(format!("the program is another one than that of {name}")),
        }
    }
}

fn predict<W: Word>(
    prediction: &Prediction,
    batch: usize,
    work: Work<'_>,
) -> Result<Computed, MpcError> {
    let plan = &prediction.plan;
    let mut shares = work.shares::<W>();
    let parts = prediction_parts(&work);
    // The samples, and the weights before them or after, if the parties kept them.
    let weights = match (plan.weight_count(), work.kept.is_empty()) {
        (0, _) => Share::zeros(0, parts),
        (_, true) => shares.remove(0),
        (_, false) => shares.pop().ok_or(MpcError::Count {
            what: "kept shares",
            expected: 1,
            found: 0,
        })?,
    };
    let mut protocol = work
        .job
        .protocol()
        .establish::<W>(work.link, &work.session)?;
    let protocol = &mut *protocol;
    let model: Model<W> = plan.load_shared(weights)?;
    let inputs: Vec<Secret<W>> = plan
        .graph()
        .inputs()
        .iter()
        .zip(shares)
        .enumerate()
        .map(|(position, (&input, share))| {
            let shape = plan.graph().value(input).shape.with_batch(batch);
            Secret::new(shape, plan.input_type(position), share)
        })
        .collect::<Result<_, _>>()?;
    let total = plan.graph().nodes().len() as u64;
    let mut recorder = Recorder::new(protocol.spent());
    let outputs = model.predict_observed(protocol, &inputs, |label, spent| {
        let done = recorder.done(label, spent);
        work.observer.progress(done, total, label);
    })?;
    Ok(Computed {
        outputs: outputs
            .iter()
            .map(|output| parts_of(output.share()))
            .collect(),
        kept: Vec::new(),
        report: recorder.end(protocol.spent()),
    })
}

/// How many parts a share has at the party whose work it is.
fn prediction_parts(work: &Work<'_>) -> usize {
    work.job.protocol().parts(work.link.party())
}
