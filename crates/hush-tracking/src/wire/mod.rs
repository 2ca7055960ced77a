//! What MLflow's clients see, field by field: experiments, runs, metrics, models …
//!
//! These types are both what the store's methods return and what the REST API writes. Fields that are empty are left out, as
//! protobuf's JSON has it. Requests are read field by field (see `rest/fields.rs`), since their refusals name fields.

mod evaluation;
mod fields;
mod logged;
mod registry;
mod traces;

pub use evaluation::{EvaluationDataset, Scorer};
pub(crate) use fields::{Fields, absent};
pub use logged::{
    LoggedModel, LoggedModelData, LoggedModelInfo, LoggedModelMetric, LoggedModelStatus,
};
pub use registry::{Alias, ModelVersion, RegisteredModel, Webhook, WebhookEvent, WebhookResult};
pub use traces::{Trace, TraceInfo, TraceLocation, TraceLocationExperiment};

use serde::{Serialize, Serializer};

/// A name with a value: tags, parameters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Tag {
    /// Its name.
    pub key: String,
    /// Its value.
    pub value: String,
}

/// Whether a thing was deleted, which it can be brought back from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Lifecycle {
    /// In use.
    Active,
    /// Deleted, and kept.
    Deleted,
}

impl Lifecycle {
    pub(crate) fn of(deleted: bool) -> Self {
        if deleted { Self::Deleted } else { Self::Active }
    }
}

/// Which of them a search shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum View {
    /// Those in use.
    #[default]
    Active,
    /// Those that were deleted.
    Deleted,
    /// Both.
    All,
}

/// A page of a search.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// What was found.
    pub items: Vec<T>,
    /// Asks for the next page; none on the last.
    pub next: Option<String>,
}

/// A group of runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "named by MLflow")]
pub struct Experiment {
    pub experiment_id: String,
    pub name: String,
    pub artifact_location: String,
    pub lifecycle_stage: Lifecycle,
    /// Milliseconds since 1970, as all times here.
    pub last_update_time: i64,
    pub creation_time: i64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<Tag>,
}

/// How a run goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
#[allow(missing_docs, reason = "named by MLflow")]
pub enum RunStatus {
    Running,
    Scheduled,
    Finished,
    Failed,
    Killed,
}

impl RunStatus {
    const ALL: [(Self, i64, &'static str); 5] = [
        (Self::Running, 1, "RUNNING"),
        (Self::Scheduled, 2, "SCHEDULED"),
        (Self::Finished, 3, "FINISHED"),
        (Self::Failed, 4, "FAILED"),
        (Self::Killed, 5, "KILLED"),
    ];

    pub(crate) fn of_number(number: i64) -> Option<Self> {
        let found = Self::ALL.iter().find(|(_, own, _)| *own == number);
        found.map(|(status, _, _)| *status)
    }

    pub(crate) fn of_name(name: &str) -> Option<Self> {
        let found = Self::ALL.iter().find(|(_, _, own)| *own == name);
        found.map(|(status, _, _)| *status)
    }

    pub(crate) fn number(self) -> i64 {
        let found = Self::ALL.iter().find(|(own, _, _)| *own == self);
        found.map_or(1, |(_, number, _)| *number)
    }
}

/// What there is to know about a run at a glance.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "named by MLflow")]
pub struct RunInfo {
    pub run_uuid: String,
    pub experiment_id: String,
    pub run_name: String,
    pub user_id: String,
    pub status: RunStatus,
    pub start_time: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_time: Option<i64>,
    pub artifact_uri: String,
    pub lifecycle_stage: Lifecycle,
    pub run_id: String,
}

/// A value of a metric.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "named by MLflow")]
pub struct Metric {
    pub key: String,
    #[serde(serialize_with = "number")]
    pub value: f64,
    pub timestamp: i64,
    pub step: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dataset_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dataset_digest: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
}

impl Metric {
    /// A value that belongs to no model.
    #[must_use]
    pub fn new(key: impl Into<String>, value: f64, timestamp: i64, step: i64) -> Self {
        Self {
            key: key.into(),
            value,
            timestamp,
            step,
            dataset_name: None,
            dataset_digest: None,
            model_id: None,
            run_id: None,
        }
    }
}

/// The newest value of each metric, the parameters and the tags of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[allow(missing_docs, reason = "named by MLflow")]
pub struct RunData {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<Metric>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub params: Vec<Tag>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<Tag>,
}

/// A dataset that runs used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "named by MLflow")]
pub struct Dataset {
    pub name: String,
    pub digest: String,
    pub source_type: String,
    pub source: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
}

/// That a run used a dataset, and for what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "named by MLflow")]
pub struct DatasetInput {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<Tag>,
    pub dataset: Dataset,
}

/// That a run used a logged model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "named by MLflow")]
pub struct ModelInput {
    pub model_id: String,
}

/// That a run made a logged model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "named by MLflow")]
pub struct ModelOutput {
    pub model_id: String,
    pub step: i64,
}

/// What a run used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "named by MLflow")]
pub struct RunInputs {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dataset_inputs: Vec<DatasetInput>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub model_inputs: Vec<ModelInput>,
}

/// What a run made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "named by MLflow")]
pub struct RunOutputs {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub model_outputs: Vec<ModelOutput>,
}

/// A run.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "named by MLflow")]
pub struct Run {
    pub info: RunInfo,
    pub data: RunData,
    pub inputs: RunInputs,
    pub outputs: RunOutputs,
}

/// A file or folder among artifacts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "named by MLflow")]
pub struct FileInfo {
    pub path: String,
    pub is_dir: bool,
    /// Left out of what is empty, as MLflow has it.
    #[serde(skip_serializing_if = "is_nothing")]
    pub file_size: Option<u64>,
}

/// A dataset as the runs of an experiment used it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "named by MLflow")]
pub struct DatasetSummary {
    pub experiment_id: String,
    pub name: String,
    pub digest: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
}

fn is_nothing(size: &Option<u64>) -> bool {
    size.is_none_or(|size| size == 0)
}

/// Protobuf's JSON has strings for what JSON has no numbers for.
fn number<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    if value.is_nan() {
        serializer.serialize_str("NaN")
    } else {
        serializer.serialize_f64(*value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_number_is_a_string() {
        let json = |value| serde_json::to_string(&Metric::new("a", value, 1, 2)).unwrap();
        assert_eq!(
            json(0.5),
            r#"{"key":"a","value":0.5,"timestamp":1,"step":2}"#
        );
        assert_eq!(
            json(f64::NAN),
            r#"{"key":"a","value":"NaN","timestamp":1,"step":2}"#
        );
    }
}
