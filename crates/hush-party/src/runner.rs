//! What computes: the player hands it agreed programs, links and shares.

use std::path::Path;

use hush_mpc::link::{Link, LinkError};
use hush_mpc::{MpcError, Share, Word};

use crate::job::{Job, JobLiteral};
use crate::words::{Words, share_of};

/// Understands programs of some kinds.
pub trait Runner: Send + Sync {
    /// Whether this runner can run `program` as `job` says; called before the party agrees.
    ///
    /// # Errors
    /// Says in words why not.
    fn check(&self, job: &Job, program: &[u8]) -> Result<(), String>;

    /// Computes on shares, at a computing party.
    ///
    /// # Errors
    /// Whatever stops it; a link's failure names party and step.
    fn run(&self, work: Work<'_>) -> Result<Computed, MpcError>;

    /// The words of `input` from the file that this party's policy names, at a party that gives it.
    ///
    /// # Errors
    /// Says in words why not.
    fn read_input(
        &self,
        job: &Job,
        program: &[u8],
        input: &str,
        file: &Path,
    ) -> Result<Words, String>;

    /// Writes an output that was revealed to this party, which did not propose the session, to the file that its policy
    /// names: whole or not at all.
    ///
    /// # Errors
    /// Says in words why it could not be written.
    fn write_output(
        &self,
        job: &Job,
        program: &[u8],
        output: &str,
        words: &Words,
        file: &Path,
    ) -> Result<(), String>;

    /// What is needed to predict with what `program` keeps under `name`, if that is a model: the program's kind and a
    /// description without weights.
    fn describe(&self, job: &Job, program: &[u8], name: &str) -> Option<(String, Vec<u8>)> {
        let _ = (job, program, name);
        None
    }

    /// Whether `program` is nothing but a prediction by the model that is kept under `name` and described so.
    ///
    /// # Errors
    /// Says in words what it is instead.
    fn check_served(
        &self,
        job: &Job,
        program: &[u8],
        name: &str,
        description: &[u8],
    ) -> Result<(), String> {
        let _ = (job, program, description);
        Err(format!("nothing can be predicted with {name}"))
    }
}

/// What a runner gets.
pub struct Work<'a> {
    /// What all agreed on.
    pub job: &'a Job,
    /// The program's bytes, whose hash the job holds.
    pub program: &'a [u8],
    /// To the other computing parties, in the job's order.
    pub link: Box<dyn Link>,
    /// Name of the session, the same at all, never used before.
    pub session: [u8; 32],
    /// This party's parts of each input, in the job's order.
    pub inputs: Vec<Vec<Words>>,
    /// This party's parts of what it kept of earlier sessions, in the job's order.
    pub kept: Vec<Vec<Words>>,
    /// Whom to tell of progress.
    pub observer: &'a mut dyn Observer,
}

impl Work<'_> {
    /// A program that cannot be run, for a reason in words.
    pub(crate) fn refused(&self, reason: String) -> MpcError {
        MpcError::Node {
            node: self.job.name().to_owned(),
            reason,
        }
    }

    /// This party's shares of all inputs, then of all that was kept.
    pub(crate) fn shares<W: Word>(&self) -> Vec<Share<W>> {
        let JobLiteral { inputs, reads, .. } = self.job.literal();
        let inputs = inputs.iter().map(|input| input.elements);
        let elements = inputs.chain(reads.iter().map(|kept| kept.elements));
        let parts = self.inputs.iter().chain(&self.kept);
        elements
            .zip(parts)
            .map(|(elements, parts)| share_of(elements as usize, parts))
            .collect()
    }
}

/// What a runner gives.
pub struct Computed {
    /// This party's parts of each output, in the job's order.
    pub outputs: Vec<Vec<Words>>,
    /// This party's parts of what it is to keep, in the job's order.
    pub kept: Vec<Vec<Words>>,
    /// What the computation cost, for whoever proposed it; text that both sides' programs understand.
    pub report: String,
}

/// Is told how far a computation is.
pub trait Observer {
    /// `done` of `total` steps are done; the next one is called `label`.
    fn progress(&mut self, done: u64, total: u64, label: &str);
}

/// Refuses jobs of other kinds than a runner's own.
pub(crate) fn expect_kind(job: &Job, own: &str) -> Result<(), String> {
    match job.kind() {
        kind if kind == own => Ok(()),
        kind => Err(format!("this party runs no programs of kind {kind}")),
    }
}

/// What is said where a program has no such input or output.
pub(crate) fn missing(what: &str, name: &str) -> String {
    format!("the program has no {what} {name}")
}

/// A link's failure, which is told with the names of parties.
pub(crate) fn link_failure(error: &MpcError) -> Option<&LinkError> {
    match error {
        MpcError::Link(error) => Some(error),
        _ => None,
    }
}
