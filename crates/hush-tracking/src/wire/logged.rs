//! Logged models: what `log_model` makes, before and apart from any registry.

use serde::Serialize;

use super::{Metric, Tag, number};

/// How far a logged model is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "named by MLflow")]
pub enum LoggedModelStatus {
    #[serde(rename = "LOGGED_MODEL_PENDING")]
    Pending,
    #[serde(rename = "LOGGED_MODEL_READY")]
    Ready,
    #[serde(rename = "LOGGED_MODEL_UPLOAD_FAILED")]
    UploadFailed,
}

impl LoggedModelStatus {
    pub(crate) fn of_number(number: i64) -> Self {
        match number {
            2 => Self::Ready,
            3 => Self::UploadFailed,
            _ => Self::Pending,
        }
    }

    pub(crate) fn number(self) -> i64 {
        match self {
            Self::Pending => 1,
            Self::Ready => 2,
            Self::UploadFailed => 3,
        }
    }

    pub(crate) fn of_name(name: &str) -> Option<Self> {
        match name {
            "LOGGED_MODEL_PENDING" => Some(Self::Pending),
            "LOGGED_MODEL_READY" => Some(Self::Ready),
            "LOGGED_MODEL_UPLOAD_FAILED" => Some(Self::UploadFailed),
            _ => None,
        }
    }
}

/// What there is to know about a logged model at a glance.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "named by MLflow")]
pub struct LoggedModelInfo {
    pub model_id: String,
    pub experiment_id: String,
    pub name: String,
    pub creation_timestamp_ms: i64,
    pub last_updated_timestamp_ms: i64,
    pub artifact_uri: String,
    pub status: LoggedModelStatus,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub status_message: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub model_type: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub source_run_id: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<Tag>,
}

/// A value of a metric of a logged model.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "named by MLflow")]
pub struct LoggedModelMetric {
    pub key: String,
    #[serde(serialize_with = "number")]
    pub value: f64,
    pub timestamp: i64,
    pub step: i64,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub dataset_name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub dataset_digest: String,
    pub model_id: String,
    pub run_id: String,
}

/// Parameters and metrics of a logged model.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[allow(missing_docs, reason = "named by MLflow")]
pub struct LoggedModelData {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub params: Vec<Tag>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<LoggedModelMetric>,
}

/// A logged model.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "named by MLflow")]
pub struct LoggedModel {
    pub info: LoggedModelInfo,
    pub data: LoggedModelData,
}

impl LoggedModelMetric {
    /// As a metric of a run has it.
    #[must_use]
    pub fn into_metric(self) -> Metric {
        let some = |text: String| (!text.is_empty()).then_some(text);
        Metric {
            key: self.key,
            value: self.value,
            timestamp: self.timestamp,
            step: self.step,
            dataset_name: some(self.dataset_name),
            dataset_digest: some(self.dataset_digest),
            model_id: some(self.model_id),
            run_id: some(self.run_id),
        }
    }
}
