//! Programs of all kinds, each run by whoever understands it.

use std::path::Path;

use hush_graph::Graph;
use hush_mpc::MpcError;

use crate::calculate::{self, Calculations};
use crate::job::Job;
use crate::predict::Predictions;
use crate::runner::{Computed, Runner, Work};
use crate::words::Words;

/// Runs predictions and calculations.
pub struct Programs<F> {
    predictions: Predictions<F>,
}

impl<F> Programs<F>
where
    F: Fn(&Path) -> Result<Graph, String> + Send + Sync,
{
    /// Weights of predictions are read with `read_model`; see [`Predictions::new`].
    pub fn new(read_model: F) -> Self {
        Self {
            predictions: Predictions::new(read_model),
        }
    }

    /// Who runs a job; of kinds that nobody knows the second refuses.
    fn of(&self, job: &Job) -> &dyn Runner {
        match job.kind() {
            calculate::KIND => &Calculations,
            _ => &self.predictions,
        }
    }
}

impl<F> Runner for Programs<F>
where
    F: Fn(&Path) -> Result<Graph, String> + Send + Sync,
{
    fn check(&self, job: &Job, program: &[u8]) -> Result<(), String> {
        self.of(job).check(job, program)
    }

    fn run(&self, work: Work<'_>) -> Result<Computed, MpcError> {
        self.of(work.job).run(work)
    }

    fn read_input(
        &self,
        job: &Job,
        program: &[u8],
        input: &str,
        file: &Path,
    ) -> Result<Words, String> {
        self.of(job).read_input(job, program, input, file)
    }

    fn write_output(
        &self,
        job: &Job,
        program: &[u8],
        output: &str,
        words: &Words,
        file: &Path,
    ) -> Result<(), String> {
        self.of(job).write_output(job, program, output, words, file)
    }

    fn describe(&self, job: &Job, program: &[u8], name: &str) -> Option<(String, Vec<u8>)> {
        self.of(job).describe(job, program, name)
    }

    fn check_served(
        &self,
        job: &Job,
        program: &[u8],
        name: &str,
        description: &[u8],
    ) -> Result<(), String> {
        self.of(job).check_served(job, program, name, description)
    }
}
