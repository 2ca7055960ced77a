//! The few GraphQL operations that MLflow's pages send, answered by their names: there is no GraphQL engine here.

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use serde_json::{Map, Value as Json, json};

use super::experiments::view;
use super::{Answer, Call, Object};
use crate::wire::{Experiment, Fields, Run};
use crate::{Caller, ErrorCode, Tracking, TrackingError};

type Result<T> = std::result::Result<T, TrackingError>;

/// Runs of one search.
const RUNS: i64 = 1000;

pub(super) fn routes() -> Router<Tracking> {
    Router::new()
        .route("/graphql", post(answer))
        .route("/ajax-api/graphql", post(answer))
}

/// Numbers that JavaScript would round are texts.
const LONG: [&str; 10] = [
    "startTime",
    "endTime",
    "timestamp",
    "step",
    "creationTime",
    "lastUpdateTime",
    "creationTimestamp",
    "lastUpdatedTimestamp",
    "fileSize",
    "executionTimeMs",
];

async fn answer(State(tracking): State<Tracking>, call: Call) -> Answer {
    let Call { caller, fields, .. } = call;
    let name = match fields
        .text("operationName")?
        .filter(|name| !name.is_empty())
    {
        Some(name) => name,
        None => operation(&fields.text("query")?.unwrap_or_default()),
    };
    let variables = fields.object("variables")?.unwrap_or_default();
    let input = match variables.object("data")? {
        Some(input) => input,
        None => variables.object("input")?.unwrap_or_default(),
    };
    let (field, kind, found) = match name.as_str() {
        "GetRun" => (
            "mlflowGetRun",
            "MlflowGetRunResponse",
            run(&tracking, &caller, &input).await,
        ),
        "MlflowGetExperimentQuery" | "GetExperiment" => (
            "mlflowGetExperiment",
            "MlflowGetExperimentResponse",
            experiment(&tracking, &caller, &input).await,
        ),
        "SearchRuns" => (
            "mlflowSearchRuns",
            "MlflowSearchRunsResponse",
            runs(&tracking, &caller, &input).await,
        ),
        "GetMetricHistoryBulkInterval" => (
            "mlflowGetMetricHistoryBulkInterval",
            "MlflowGetMetricHistoryBulkIntervalResponse",
            history(&tracking, &caller, &input).await,
        ),
        other => {
            let message = format!("this server does not do the GraphQL operation '{other}'");
            return Err(TrackingError::new(ErrorCode::NotImplemented, message).into());
        }
    };
    let mut body = match found {
        Ok(found) => found,
        Err(error) => json!({"apiError": {
            "code": error.code().name(), "message": error.to_string(), "helpUrl": null, "__typename": "ApiError",
        }}),
    };
    body["__typename"] = kind.into();
    if body.get("apiError").is_none() {
        body["apiError"] = Json::Null;
    }
    Ok(Object::new().with("data", &json!({field: body})))
}

/// The name after `query` or `mutation`.
fn operation(query: &str) -> String {
    let rest = query
        .trim_start()
        .split_once(char::is_whitespace)
        .map_or("", |(_, rest)| rest.trim_start());
    rest.chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect()
}

/// A value as GraphQL has it: names in camel case, every object with its type.
fn camel(value: &Json, kind: &str) -> Json {
    match value {
        Json::Object(object) => {
            let mut out = Map::new();
            for (name, value) in object {
                let name = camel_name(name);
                let value = match value {
                    Json::Number(number) if LONG.contains(&name.as_str()) => {
                        Json::String(number.to_string())
                    }
                    value => camel(value, kind_of(&name)),
                };
                out.insert(name, value);
            }
            out.insert("__typename".into(), kind.into());
            Json::Object(out)
        }
        Json::Array(values) => values.iter().map(|value| camel(value, kind)).collect(),
        other => other.clone(),
    }
}

fn camel_name(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut upper = false;
    for character in name.chars() {
        if character == '_' {
            upper = true;
        } else if std::mem::take(&mut upper) {
            out.extend(character.to_uppercase());
        } else {
            out.push(character);
        }
    }
    out
}

fn kind_of(name: &str) -> &'static str {
    match name {
        "info" => "MlflowRunInfo",
        "data" => "MlflowRunData",
        "metrics" => "MlflowMetric",
        "params" => "MlflowParam",
        "tags" => "MlflowRunTag",
        "inputs" => "MlflowRunInputs",
        "outputs" => "MlflowRunOutputs",
        "datasetInputs" => "MlflowDatasetInput",
        "dataset" => "MlflowDataset",
        "modelInputs" => "MlflowModelInput",
        "modelOutputs" => "MlflowModelOutput",
        "modelVersions" => "MlflowModelVersion",
        "experiment" => "MlflowExperiment",
        _ => "Object",
    }
}

/// What pages ask for is there even if it is empty.
fn fill(object: &mut Json, names: &[(&str, Json)]) {
    for (name, value) in names {
        if object.get(*name).is_none() {
            object[*name] = value.clone();
        }
    }
}

fn whole_experiment(experiment: &Experiment) -> Json {
    let mut body = camel(&json!(experiment), "MlflowExperiment");
    fill(
        &mut body,
        &[
            ("tags", json!([])),
            ("effectiveTraceArchivalRetention", Json::Null),
        ],
    );
    body
}

async fn whole_run(tracking: &Tracking, caller: &Caller, run: &Run) -> Result<Json> {
    let mut body = camel(&json!(run), "MlflowRunExtension");
    fill(&mut body["info"], &[("endTime", Json::Null)]);
    fill(
        &mut body["data"],
        &[
            ("metrics", json!([])),
            ("params", json!([])),
            ("tags", json!([])),
        ],
    );
    fill(
        &mut body["inputs"],
        &[("datasetInputs", json!([])), ("modelInputs", json!([]))],
    );
    fill(&mut body["outputs"], &[("modelOutputs", json!([]))]);
    if let Some(inputs) = body["inputs"]["datasetInputs"].as_array_mut() {
        for input in inputs {
            fill(input, &[("tags", json!([]))]);
            fill(
                &mut input["dataset"],
                &[("schema", Json::Null), ("profile", Json::Null)],
            );
        }
    }
    let experiment = tracking.experiment(caller, &run.info.experiment_id).await?;
    body["experiment"] = whole_experiment(&experiment);
    let filter = format!("run_id = '{}'", run.info.run_id.replace('\'', "''"));
    let versions = tracking
        .search_versions(caller, &filter, &[], 100, None)
        .await?;
    body["modelVersions"] = camel(&json!(versions.items), "MlflowModelVersion");
    Ok(body)
}

async fn run(tracking: &Tracking, caller: &Caller, input: &Fields) -> Result<Json> {
    let run_id = match input.text("runId")? {
        Some(id) if !id.is_empty() => id,
        _ => input.required("runUuid")?,
    };
    let run = tracking.run(caller, &run_id).await?;
    Ok(json!({"run": whole_run(tracking, caller, &run).await?}))
}

async fn experiment(tracking: &Tracking, caller: &Caller, input: &Fields) -> Result<Json> {
    let experiment = tracking
        .experiment(caller, &input.required("experimentId")?)
        .await?;
    Ok(json!({"experiment": whole_experiment(&experiment)}))
}

async fn runs(tracking: &Tracking, caller: &Caller, input: &Fields) -> Result<Json> {
    let (filter, order) = (
        input.text("filter")?.unwrap_or_default(),
        input.texts("orderBy")?,
    );
    let (view, token) = (view(input, "runViewType")?, input.text("pageToken")?);
    let size = input.integer("maxResults")?.unwrap_or(RUNS).clamp(1, RUNS) as usize;
    let experiments = input.texts("experimentIds")?;
    let page = tracking
        .search_runs(
            caller,
            &experiments,
            view,
            &filter,
            &order,
            size,
            token.as_deref(),
        )
        .await?;
    let mut runs = Vec::with_capacity(page.items.len());
    for run in &page.items {
        runs.push(whole_run(tracking, caller, run).await?);
    }
    Ok(json!({"runs": runs, "nextPageToken": page.next}))
}

async fn history(tracking: &Tracking, caller: &Caller, input: &Fields) -> Result<Json> {
    let (runs, key) = (input.texts("runIds")?, input.required("metricKey")?);
    let steps = input.integer("startStep")?.zip(input.integer("endStep")?);
    let size = input.integer("maxResults")?.unwrap_or(2500).clamp(1, 2500) as usize;
    let metrics = tracking
        .metric_history_sampled(caller, &runs, &key, steps, size)
        .await?;
    Ok(json!({"metrics": camel(&json!(metrics), "MlflowMetricWithRunId")}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_those_of_graphql() {
        let body = camel(
            &json!({"start_time": 1, "run_name": "a", "data": {"metrics": [{"value": 0.5, "step": 2}]}}),
            "Run",
        );
        assert_eq!(
            body,
            json!({
                "startTime": "1", "runName": "a", "__typename": "Run",
                "data": {"__typename": "MlflowRunData", "metrics": [{"__typename": "MlflowMetric", "value": 0.5, "step": "2"}]},
            })
        );
    }

    #[test]
    fn operations_are_named() {
        assert_eq!(
            operation("\n query GetRun($data: X!) @component {"),
            "GetRun"
        );
        assert_eq!(operation("{a}"), "");
    }
}
