//! What computes: the player hands it agreed programs, links and shares.

use std::path::Path;

use hush_mpc::MpcError;
use hush_mpc::link::{Link, LinkError};

use crate::job::Job;

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
    ) -> Result<Vec<u64>, String>;

    /// Takes an output that was revealed to this party, at a party that did not propose the session.
    ///
    /// # Errors
    /// Says in words why it could not be kept.
    fn keep_output(&self, job: &Job, output: &str, words: &[u64]) -> Result<(), String>;
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
    pub inputs: Vec<Vec<Vec<u64>>>,
    /// Whom to tell of progress.
    pub observer: &'a mut dyn Observer,
}

/// What a runner gives.
pub struct Computed {
    /// This party's parts of each output, in the job's order.
    pub outputs: Vec<Vec<Vec<u64>>>,
    /// What the computation cost, for whoever proposed it; text that both sides' programs understand.
    pub report: String,
}

/// Is told how far a computation is.
pub trait Observer {
    /// `done` of `total` steps are done; the next one is called `label`.
    fn progress(&mut self, done: u64, total: u64, label: &str);
}

/// A link that remembers the failure that ended it, so that it can be told with the names of parties.
pub(crate) fn link_failure(error: &MpcError) -> Option<&LinkError> {
    match error {
        MpcError::Link(error) => Some(error),
        _ => None,
    }
}
