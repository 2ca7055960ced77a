//! Runs: made, changed, searched, and what is logged to them.

use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};

use super::experiments::view;
use super::search::Search;
use super::{Answer, Call, Object};
use crate::wire::{Dataset, DatasetInput, Fields, Metric, ModelOutput, RunStatus, Tag, absent};
use crate::{LogBatch, NewRun, RunChange, Tracking, TrackingError, limits};

pub(super) fn routes() -> Router<Tracking> {
    Router::new()
        .route("/mlflow/runs/create", post(create))
        .route("/mlflow/runs/get", get(one))
        .route("/mlflow/runs/update", post(update))
        .route("/mlflow/runs/delete", post(delete))
        .route("/mlflow/runs/restore", post(restore))
        .route("/mlflow/runs/search", post(search))
        .route("/mlflow/runs/log-metric", post(log_metric))
        .route("/mlflow/runs/log-parameter", post(log_parameter))
        .route("/mlflow/runs/log-batch", post(log_batch))
        .route("/mlflow/runs/log-model", post(log_model))
        .route("/mlflow/runs/log-inputs", post(log_inputs))
        .route("/mlflow/runs/outputs", post(log_outputs))
        .route("/mlflow/runs/set-tag", post(set_tag))
        .route("/mlflow/runs/delete-tag", post(delete_tag))
}

async fn create(State(tracking): State<Tracking>, call: Call) -> Answer {
    let Call { caller, fields, .. } = call;
    let new = NewRun {
        experiment_id: fields.text("experiment_id")?.unwrap_or_default(),
        user_id: fields.text("user_id")?.unwrap_or_default(),
        name: fields.text("run_name")?.unwrap_or_default(),
        start_time: fields.integer("start_time")?,
        tags: fields.tags("tags")?,
    };
    let run = tracking.create_run(&caller, new).await?;
    Ok(Object::new().with("run", &run))
}

async fn one(State(tracking): State<Tracking>, call: Call) -> Answer {
    let run = tracking.run(&call.caller, &call.fields.run_id()?).await?;
    Ok(Object::new().with("run", &run))
}

async fn update(State(tracking): State<Tracking>, call: Call) -> Answer {
    let Call { caller, fields, .. } = call;
    let status = match fields.raw("status") {
        None => None,
        Some(value) => {
            let found = match value.as_str() {
                Some(name) => RunStatus::of_name(name),
                None => value.as_i64().and_then(RunStatus::of_number),
            };
            let refused = || {
                TrackingError::invalid(format!(
                    "Invalid value {value} for parameter 'status' supplied."
                ))
            };
            Some(found.ok_or_else(refused)?)
        }
    };
    let change = RunChange {
        status,
        end_time: fields.integer("end_time")?,
        name: fields.text("run_name")?,
    };
    let info = tracking
        .update_run(&caller, &fields.run_id()?, change)
        .await?;
    Ok(Object::new().with("run_info", &info))
}

async fn delete(State(tracking): State<Tracking>, call: Call) -> Answer {
    tracking
        .delete_run(&call.caller, &call.fields.required("run_id")?, true)
        .await?;
    Ok(Object::new())
}

async fn restore(State(tracking): State<Tracking>, call: Call) -> Answer {
    tracking
        .delete_run(&call.caller, &call.fields.required("run_id")?, false)
        .await?;
    Ok(Object::new())
}

async fn search(State(tracking): State<Tracking>, call: Call) -> Answer {
    let Call { caller, fields, .. } = call;
    let size = limits::page_size(fields.integer("max_results")?, 1000, limits::SEARCH_RESULTS)?;
    let search = Search::of(&fields)?;
    let view = view(&fields, "run_view_type")?;
    let experiments = fields.texts("experiment_ids")?;
    let page = tracking.search_runs(
        &caller,
        &experiments,
        view,
        &search.filter,
        &search.order,
        size,
        search.token(),
    );
    Ok(Object::new().with_page("runs", &page.await?))
}

/// Reads a metric; `path` names it in refusals.
fn metric(fields: &Fields, path: &str) -> Result<Metric, TrackingError> {
    let within = |name: &str| {
        if path.is_empty() {
            name.to_owned()
        } else {
            format!("{path}.{name}")
        }
    };
    let required = |name: &str| {
        if fields.has(name) {
            Ok(())
        } else {
            Err(absent(&within(name)))
        }
    };
    required("key")?;
    required("value")?;
    required("timestamp")?;
    let some =
        |name: &str| Ok::<_, TrackingError>(fields.text(name)?.filter(|text| !text.is_empty()));
    Ok(Metric {
        key: fields.required("key")?,
        value: fields.required_number("value")?,
        timestamp: fields.required_integer("timestamp")?,
        step: fields.integer("step")?.unwrap_or(0),
        dataset_name: some("dataset_name")?,
        dataset_digest: some("dataset_digest")?,
        model_id: some("model_id")?,
        run_id: None,
    })
}

async fn log_metric(State(tracking): State<Tracking>, call: Call) -> Answer {
    let metrics = vec![metric(&call.fields, "")?];
    let batch = LogBatch {
        metrics,
        ..LogBatch::default()
    };
    tracking
        .log_batch(&call.caller, &call.fields.run_id()?, batch)
        .await?;
    Ok(Object::new())
}

async fn log_parameter(State(tracking): State<Tracking>, call: Call) -> Answer {
    let (key, value) = (
        call.fields.required("key")?,
        call.fields.text("value")?.unwrap_or_default(),
    );
    let batch = LogBatch {
        params: vec![Tag { key, value }],
        ..LogBatch::default()
    };
    tracking
        .log_batch(&call.caller, &call.fields.run_id()?, batch)
        .await?;
    Ok(Object::new())
}

async fn set_tag(State(tracking): State<Tracking>, call: Call) -> Answer {
    let (key, value) = (
        call.fields.required("key")?,
        call.fields.text("value")?.unwrap_or_default(),
    );
    let batch = LogBatch {
        tags: vec![Tag { key, value }],
        ..LogBatch::default()
    };
    tracking
        .log_batch(&call.caller, &call.fields.run_id()?, batch)
        .await?;
    Ok(Object::new())
}

async fn log_batch(State(tracking): State<Tracking>, call: Call) -> Answer {
    if call.size > limits::BATCH_BYTES {
        return Err(TrackingError::invalid(format!(
            "Batched logging API requests must be at most {} bytes, got a request of size {}.",
            limits::BATCH_BYTES,
            call.size
        ))
        .into());
    }
    let Call { caller, fields, .. } = call;
    let read = |(index, fields): (usize, &Fields)| {
        metric(fields, "").or_else(|_| metric(fields, &format!("metrics[{index}]")))
    };
    let metrics: Result<Vec<Metric>, TrackingError> = fields
        .objects("metrics")?
        .iter()
        .enumerate()
        .map(read)
        .collect();
    let batch = LogBatch {
        metrics: metrics?,
        params: fields.tags("params")?,
        tags: fields.tags("tags")?,
    };
    tracking
        .log_batch(&caller, &fields.required("run_id")?, batch)
        .await?;
    Ok(Object::new())
}

/// What clients before MLflow 3 say about a model: a tag has the list of them.
async fn log_model(State(tracking): State<Tracking>, call: Call) -> Answer {
    const TAG: &str = "mlflow.log-model.history";
    let (run_id, text) = (call.fields.run_id()?, call.fields.required("model_json")?);
    let model: serde_json::Value = serde_json::from_str(&text).map_err(|error| {
        TrackingError::invalid(format!(
            "Malformed model info. \n {text} \n not a valid JSON: {error}"
        ))
    })?;
    for name in ["artifact_path", "flavors", "utc_time_created", "run_id"] {
        if model.get(name).is_none() {
            return Err(TrackingError::invalid(format!(
                "Model json is missing mandatory fields: {{'{name}'}}"
            ))
            .into());
        }
    }
    let run = tracking.run(&call.caller, &run_id).await?;
    let known = run.data.tags.iter().find(|tag| tag.key == TAG);
    let mut models: Vec<serde_json::Value> = known
        .and_then(|tag| serde_json::from_str(&tag.value).ok())
        .unwrap_or_default();
    models.push(model);
    let (key, value) = (TAG.to_owned(), serde_json::Value::from(models).to_string());
    let batch = LogBatch {
        tags: vec![Tag { key, value }],
        ..LogBatch::default()
    };
    tracking.log_batch(&call.caller, &run_id, batch).await?;
    Ok(Object::new())
}

fn input(fields: &Fields) -> Result<DatasetInput, TrackingError> {
    let dataset = fields.object("dataset")?.ok_or_else(|| absent("dataset"))?;
    let text = |name: &str| Ok::<_, TrackingError>(dataset.text(name)?.unwrap_or_default());
    Ok(DatasetInput {
        tags: fields.tags("tags")?,
        dataset: Dataset {
            name: text("name")?,
            digest: text("digest")?,
            source_type: text("source_type")?,
            source: text("source")?,
            schema: dataset.text("schema")?,
            profile: dataset.text("profile")?,
        },
    })
}

async fn log_inputs(State(tracking): State<Tracking>, call: Call) -> Answer {
    let Call { caller, fields, .. } = call;
    let inputs: Result<Vec<DatasetInput>, TrackingError> =
        fields.objects("datasets")?.iter().map(input).collect();
    let models: Result<Vec<String>, TrackingError> = fields
        .objects("models")?
        .iter()
        .map(|model| model.required("model_id"))
        .collect();
    tracking
        .log_inputs(&caller, &fields.required("run_id")?, inputs?, models?)
        .await?;
    Ok(Object::new())
}

async fn log_outputs(State(tracking): State<Tracking>, call: Call) -> Answer {
    let Call { caller, fields, .. } = call;
    let output = |model: &Fields| {
        Ok::<_, TrackingError>(ModelOutput {
            model_id: model.required("model_id")?,
            step: model.integer("step")?.unwrap_or(0),
        })
    };
    let models: Result<Vec<ModelOutput>, TrackingError> =
        fields.objects("models")?.iter().map(output).collect();
    tracking
        .log_outputs(&caller, &fields.required("run_id")?, models?)
        .await?;
    Ok(Object::new())
}

async fn delete_tag(State(tracking): State<Tracking>, call: Call) -> Answer {
    let (run_id, key) = (
        call.fields.required("run_id")?,
        call.fields.required("key")?,
    );
    tracking.delete_run_tag(&call.caller, &run_id, &key).await?;
    Ok(Object::new())
}
