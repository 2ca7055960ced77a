//! Experiments.

use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};

use super::search::Search;
use super::{Answer, Call, Object};
use crate::wire::{Fields, View};
use crate::{Tracking, TrackingError, limits};

pub(super) fn routes() -> Router<Tracking> {
    Router::new()
        .route("/mlflow/experiments/create", post(create))
        .route("/mlflow/experiments/get", get(one))
        .route("/mlflow/experiments/get-by-name", get(by_name))
        .route("/mlflow/experiments/search", get(search).post(search))
        .route("/mlflow/experiments/update", post(update))
        .route("/mlflow/experiments/delete", post(delete))
        .route("/mlflow/experiments/restore", post(restore))
        .route("/mlflow/experiments/set-experiment-tag", post(set_tag))
        .route(
            "/mlflow/experiments/delete-experiment-tag",
            post(delete_tag),
        )
        .route("/mlflow/experiments/search-datasets", post(datasets))
}

/// Which of them a search shows.
pub(super) fn view(fields: &Fields, name: &str) -> Result<View, TrackingError> {
    match fields
        .raw(name)
        .map(ToString::to_string)
        .as_deref()
        .map(|text| text.trim_matches('"'))
    {
        None | Some("ACTIVE_ONLY" | "1") => Ok(View::Active),
        Some("DELETED_ONLY" | "2") => Ok(View::Deleted),
        Some("ALL" | "3") => Ok(View::All),
        Some(other) => Err(TrackingError::invalid(format!(
            "Invalid value {other} for parameter '{name}' supplied."
        ))),
    }
}

async fn create(State(tracking): State<Tracking>, call: Call) -> Answer {
    let (name, location) = (
        call.fields.required("name")?,
        call.fields.text("artifact_location")?,
    );
    let tags = call.fields.tags("tags")?;
    let id = tracking
        .create_experiment(&call.caller, &name, location.as_deref(), tags)
        .await?;
    Ok(Object::new().with("experiment_id", &id))
}

async fn one(State(tracking): State<Tracking>, call: Call) -> Answer {
    let id = call.fields.required("experiment_id")?;
    let experiment = tracking.experiment(&call.caller, &id).await?;
    Ok(Object::new().with("experiment", &experiment))
}

async fn by_name(State(tracking): State<Tracking>, call: Call) -> Answer {
    let name = call.fields.required("experiment_name")?;
    let experiment = tracking.experiment_by_name(&call.caller, &name).await?;
    Ok(Object::new().with("experiment", &experiment))
}

async fn search(State(tracking): State<Tracking>, call: Call) -> Answer {
    let Call { caller, fields, .. } = call;
    let size = limits::page_size(fields.integer("max_results")?, 1000, limits::SEARCH_RESULTS)?;
    let search = Search::of(&fields)?;
    let page = tracking.search_experiments(
        &caller,
        view(&fields, "view_type")?,
        &search.filter,
        &search.order,
        size,
        search.token(),
    );
    Ok(Object::new().with_page("experiments", &page.await?))
}

async fn update(State(tracking): State<Tracking>, call: Call) -> Answer {
    let (id, name) = (
        call.fields.required("experiment_id")?,
        call.fields.text("new_name")?,
    );
    if let Some(name) = name.filter(|name| !name.is_empty()) {
        tracking.rename_experiment(&call.caller, &id, &name).await?;
    }
    Ok(Object::new())
}

async fn delete(State(tracking): State<Tracking>, call: Call) -> Answer {
    let id = call.fields.required("experiment_id")?;
    tracking.delete_experiment(&call.caller, &id, true).await?;
    Ok(Object::new())
}

async fn restore(State(tracking): State<Tracking>, call: Call) -> Answer {
    let id = call.fields.required("experiment_id")?;
    tracking.delete_experiment(&call.caller, &id, false).await?;
    Ok(Object::new())
}

async fn set_tag(State(tracking): State<Tracking>, call: Call) -> Answer {
    let (id, key) = (
        call.fields.required("experiment_id")?,
        call.fields.required("key")?,
    );
    let value = call.fields.text("value")?.unwrap_or_default();
    tracking
        .tag_experiment(&call.caller, &id, &key, Some(&value))
        .await?;
    Ok(Object::new())
}

async fn delete_tag(State(tracking): State<Tracking>, call: Call) -> Answer {
    let (id, key) = (
        call.fields.required("experiment_id")?,
        call.fields.required("key")?,
    );
    tracking
        .tag_experiment(&call.caller, &id, &key, None)
        .await?;
    Ok(Object::new())
}

async fn datasets(State(tracking): State<Tracking>, call: Call) -> Answer {
    let summaries = tracking
        .search_datasets(&call.caller, &call.fields.texts("experiment_ids")?)
        .await?;
    Ok(Object::new().with_list("dataset_summaries", &summaries))
}
