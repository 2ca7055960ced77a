//! What has happened so far, for whoever watches.

mod histogram;

pub use histogram::{BOUNDS, Histogram, HistogramSnapshot};

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use crate::ErrorKind;

/// A number that goes up, or a level that goes up and down.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds.
    pub fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    /// Takes away; only for levels.
    pub fn subtract(&self, less: u64) {
        self.0.fetch_sub(less, Ordering::Relaxed);
    }

    /// Replaces; only for levels.
    pub fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// The number.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What a request goes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Waiting for a thread and memory.
    Queue,
    /// Waiting for the evaluation keys: decoded ones take none of it.
    Keys,
    /// Reading the ciphertexts.
    Decode,
    /// Running the program.
    Compute,
    /// Writing the ciphertexts of the answer.
    Encode,
    /// All of it.
    Total,
}

impl Stage {
    /// Every stage.
    pub const ALL: [Self; 6] = [
        Self::Queue,
        Self::Keys,
        Self::Decode,
        Self::Compute,
        Self::Encode,
        Self::Total,
    ];

    /// What it is called in metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Keys => "keys",
            Self::Decode => "decode",
            Self::Compute => "compute",
            Self::Encode => "encode",
            Self::Total => "total",
        }
    }
}

/// What came of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was answered.
    Answered,
    /// Something is wrong with it.
    Refused,
    /// There was no room.
    Busy,
    /// Its deadline passed.
    DeadlineExceeded,
    /// Its caller went away.
    Cancelled,
    /// The server failed.
    Failed,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 6] = [
        Self::Answered,
        Self::Refused,
        Self::Busy,
        Self::DeadlineExceeded,
        Self::Cancelled,
        Self::Failed,
    ];

    /// What it is called in metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Refused => "refused",
            Self::Busy => "busy",
            Self::DeadlineExceeded => "deadline_exceeded",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
        }
    }
}

impl From<ErrorKind> for Outcome {
    fn from(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::Busy { .. } => Self::Busy,
            ErrorKind::DeadlineExceeded => Self::DeadlineExceeded,
            ErrorKind::Cancelled => Self::Cancelled,
            ErrorKind::Unavailable | ErrorKind::Internal => Self::Failed,
            _ => Self::Refused,
        }
    }
}

/// What has happened to one model, all of its versions together.
#[derive(Debug, Default)]
pub struct ModelStatistics {
    outcomes: [Counter; Outcome::ALL.len()],
    stages: [Histogram; Stage::ALL.len()],
    /// Requests that wait.
    pub waiting: Counter,
    /// Requests that run.
    pub running: Counter,
    /// Samples answered.
    pub samples: Counter,
    /// Bytes of ciphertexts that arrived.
    pub bytes_in: Counter,
    /// Bytes of ciphertexts that went out.
    pub bytes_out: Counter,
    /// Rotations executed.
    pub rotations: Counter,
    /// Products of ciphertexts executed.
    pub multiplications: Counter,
    /// Products with plaintexts executed.
    pub plain_multiplications: Counter,
    /// Key switches executed.
    pub key_switches: Counter,
    /// Rescalings executed.
    pub rescales: Counter,
    /// Levels consumed, all runs together.
    pub levels: Counter,
}

impl ModelStatistics {
    /// Requests with this outcome.
    #[must_use]
    pub fn outcome(&self, outcome: Outcome) -> &Counter {
        &self.outcomes[outcome as usize]
    }

    /// How long requests were in a stage.
    #[must_use]
    pub fn stage(&self, stage: Stage) -> &Histogram {
        &self.stages[stage as usize]
    }
}

/// What has happened to the evaluation keys.
#[derive(Debug, Default)]
pub struct KeyStatistics {
    /// Uploads finished.
    pub uploads: Counter,
    /// Uploads refused for what they held.
    pub refused: Counter,
    /// Bytes that arrived.
    pub bytes_in: Counter,
    /// Finished keys in the store.
    pub stored: Counter,
    /// Their bytes.
    pub stored_bytes: Counter,
    /// Decoded keys in memory.
    pub cached: Counter,
    /// Their bytes.
    pub cached_bytes: Counter,
    /// Requests whose key was in memory.
    pub hits: Counter,
    /// Requests whose key was not.
    pub misses: Counter,
    /// Decoded keys that made room for others.
    pub evictions: Counter,
}

/// What has happened so far.
#[derive(Debug, Default)]
pub struct Statistics {
    models: RwLock<BTreeMap<String, Arc<ModelStatistics>>>,
    /// The evaluation keys.
    pub keys: Arc<KeyStatistics>,
    /// Bytes that running requests are counted with.
    pub reserved_bytes: Counter,
}

impl Statistics {
    /// The models that there are or were, by name.
    #[must_use]
    pub fn models(&self) -> Vec<(String, Arc<ModelStatistics>)> {
        let models = self.models.read().unwrap_or_else(PoisonError::into_inner);
        models
            .iter()
            .map(|(name, model)| (name.clone(), Arc::clone(model)))
            .collect()
    }

    /// Those of one model; made if there are none yet, so only ask for models that exist.
    #[must_use]
    pub fn model(&self, name: &str) -> Arc<ModelStatistics> {
        let models = self.models.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(model) = models.get(name) {
            return Arc::clone(model);
        }
        drop(models);
        let mut models = self.models.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(models.entry(name.to_owned()).or_default())
    }
}
