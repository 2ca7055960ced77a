//! Traces: what an application did for one request, span by span.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

/// Where a trace belongs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "named by MLflow")]
pub struct TraceLocation {
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub mlflow_experiment: TraceLocationExperiment,
}

/// The experiment of a trace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "named by MLflow")]
pub struct TraceLocationExperiment {
    pub experiment_id: String,
}

impl TraceLocation {
    /// In an experiment.
    #[must_use]
    pub fn experiment(id: i64) -> Self {
        Self {
            kind: "MLFLOW_EXPERIMENT",
            mlflow_experiment: TraceLocationExperiment {
                experiment_id: id.to_string(),
            },
        }
    }
}

/// What there is to know about a trace at a glance.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "named by MLflow")]
pub struct TraceInfo {
    pub trace_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_request_id: Option<String>,
    pub trace_location: TraceLocation,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_preview: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_preview: Option<String>,
    /// RFC 3339, as protobuf writes moments.
    pub request_time: String,
    /// Seconds, as protobuf writes durations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execution_duration: Option<String>,
    pub state: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub trace_metadata: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub assessments: Vec<Value>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// Milliseconds; the earlier form of the two fields above.
    #[serde(skip)]
    pub started: i64,
    /// Milliseconds.
    #[serde(skip)]
    pub duration: Option<i64>,
}

/// A trace with its spans, which are kept as they came.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "named by MLflow")]
pub struct Trace {
    pub trace_info: TraceInfo,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub spans: Vec<Value>,
}
