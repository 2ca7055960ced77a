//! Datasets and scorers for evaluations.

use axum::Router;
use axum::extract::State;
use axum::routing::{delete, get, patch, post};
use serde_json::Value as Json;

use super::search::Search;
use super::{Answer, Call, Object};
use crate::store::NewEvaluationDataset;
use crate::wire::{Fields, Tag, absent};
use crate::{Tracking, TrackingError, limits};

type Result<T> = std::result::Result<T, TrackingError>;

pub(super) fn routes() -> Router<Tracking> {
    let records = get(records).post(keep_records).delete(delete_records);
    Router::new()
        .route("/mlflow/datasets/create", post(create))
        .route("/mlflow/datasets/search", get(search).post(search))
        .route("/mlflow/datasets/{dataset_id}", get(one).delete(remove))
        .route("/mlflow/datasets/{dataset_id}/tags", patch(set_tags))
        .route(
            "/mlflow/datasets/{dataset_id}/tags/{key}",
            delete(delete_tag),
        )
        .route("/mlflow/datasets/{dataset_id}/records", records)
        .route(
            "/mlflow/datasets/{dataset_id}/experiment-ids",
            get(experiments),
        )
        .route("/mlflow/datasets/{dataset_id}/add-experiments", post(add))
        .route(
            "/mlflow/datasets/{dataset_id}/remove-experiments",
            post(take_away),
        )
        .route("/mlflow/scorers/register", post(register_scorer))
        .route("/mlflow/scorers/list", get(scorers))
        .route("/mlflow/scorers/versions", get(scorer_versions))
        .route("/mlflow/scorers/get", get(scorer))
        .route("/mlflow/scorers/delete", delete(delete_scorer))
}

/// JSON inside a text, as this part of the API has it.
fn inner(call: &Call, name: &str) -> Result<Json> {
    let text = call.fields.required(name)?;
    serde_json::from_str(&text).map_err(|error| {
        TrackingError::invalid(format!("Invalid JSON for parameter '{name}': {error}"))
    })
}

fn text(value: &Json) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

async fn create(State(tracking): State<Tracking>, call: Call) -> Answer {
    let tags = if call.fields.has("tags") {
        inner(&call, "tags")?
    } else {
        Json::Null
    };
    let tags = tags.as_object().map(|tags| {
        let tag = |(key, value): (&String, &Json)| Tag {
            key: key.clone(),
            value: text(value),
        };
        tags.iter().map(tag).collect()
    });
    let new = NewEvaluationDataset {
        name: call.fields.required("name")?,
        experiments: call.fields.texts("experiment_ids")?,
        schema: call.fields.text("schema")?,
        profile: call.fields.text("profile")?,
        created_by: call.fields.text("created_by")?,
        tags: tags.unwrap_or_default(),
    };
    let dataset = tracking
        .create_evaluation_dataset(&call.caller, new)
        .await?;
    Ok(Object::new().with("dataset", &dataset))
}

async fn one(State(tracking): State<Tracking>, call: Call) -> Answer {
    let dataset = tracking
        .evaluation_dataset(&call.caller, &call.fields.required("dataset_id")?)
        .await?;
    Ok(Object::new().with("dataset", &dataset))
}

async fn remove(State(tracking): State<Tracking>, call: Call) -> Answer {
    tracking
        .delete_evaluation_dataset(&call.caller, &call.fields.required("dataset_id")?)
        .await?;
    Ok(Object::new())
}

async fn search(State(tracking): State<Tracking>, call: Call) -> Answer {
    let Call { caller, fields, .. } = call;
    let size = limits::page_size(fields.integer("max_results")?, 1000, limits::SEARCH_RESULTS)?;
    let search = Search::filtered_by(&fields, "filter_string")?;
    let experiments = fields.texts("experiment_ids")?;
    let page = tracking.search_evaluation_datasets(
        &caller,
        &experiments,
        &search.filter,
        &search.order,
        size,
        search.token(),
    );
    Ok(Object::new().with_page("datasets", &page.await?))
}

async fn set_tags(State(tracking): State<Tracking>, call: Call) -> Answer {
    let tags = inner(&call, "tags")?;
    let tags = tags
        .as_object()
        .ok_or_else(|| TrackingError::invalid("'tags' is no JSON object"))?;
    let tag =
        |(key, value): (&String, &Json)| (key.clone(), (!value.is_null()).then(|| text(value)));
    let tags = tags.iter().map(tag).collect();
    let dataset = tracking
        .tag_evaluation_dataset(&call.caller, &call.fields.required("dataset_id")?, tags)
        .await?;
    Ok(Object::new().with("dataset", &dataset))
}

async fn delete_tag(State(tracking): State<Tracking>, call: Call) -> Answer {
    let tags = vec![(call.fields.required("key")?, None)];
    tracking
        .tag_evaluation_dataset(&call.caller, &call.fields.required("dataset_id")?, tags)
        .await?;
    Ok(Object::new())
}

async fn keep_records(State(tracking): State<Tracking>, call: Call) -> Answer {
    let records = inner(&call, "records")?;
    let records = records
        .as_array()
        .cloned()
        .ok_or_else(|| TrackingError::invalid("'records' is no JSON array"))?;
    let by = call.fields.text("updated_by")?;
    let id = call.fields.required("dataset_id")?;
    let (fresh, changed) = tracking
        .keep_records(&call.caller, &id, records, by)
        .await?;
    Ok(Object::new()
        .with("inserted_count", &fresh)
        .with("updated_count", &changed))
}

async fn records(State(tracking): State<Tracking>, call: Call) -> Answer {
    let size = limits::page_size(
        call.fields.integer("max_results")?,
        1000,
        limits::SEARCH_RESULTS,
    )?;
    let (id, token) = (
        call.fields.required("dataset_id")?,
        call.fields.text("page_token")?,
    );
    let page = tracking
        .records(&call.caller, &id, size, token.as_deref())
        .await?;
    let records = Json::from(page.items).to_string();
    Ok(Object::new()
        .with("records", &records)
        .with_some("next_page_token", page.next.as_ref()))
}

async fn delete_records(State(tracking): State<Tracking>, call: Call) -> Answer {
    let (id, records) = (
        call.fields.required("dataset_id")?,
        call.fields.texts("dataset_record_ids")?,
    );
    let gone = tracking.delete_records(&call.caller, &id, records).await?;
    Ok(Object::new().with("deleted_count", &gone))
}

async fn experiments(State(tracking): State<Tracking>, call: Call) -> Answer {
    let dataset = tracking
        .evaluation_dataset(&call.caller, &call.fields.required("dataset_id")?)
        .await?;
    Ok(Object::new().with_list("experiment_ids", &dataset.experiment_ids))
}

async fn moved(tracking: &Tracking, call: Call, add: bool) -> Answer {
    let (id, experiments) = (
        call.fields.required("dataset_id")?,
        call.fields.texts("experiment_ids")?,
    );
    let dataset = tracking
        .move_evaluation_dataset(&call.caller, &id, experiments, add)
        .await?;
    Ok(Object::new().with("dataset", &dataset))
}

async fn add(State(tracking): State<Tracking>, call: Call) -> Answer {
    moved(&tracking, call, true).await
}

async fn take_away(State(tracking): State<Tracking>, call: Call) -> Answer {
    moved(&tracking, call, false).await
}

/// The experiment and the name of a scorer.
fn scorer_of(fields: &Fields) -> Result<(String, String)> {
    Ok((fields.required("experiment_id")?, fields.required("name")?))
}

/// The version of a scorer, if one is asked for.
fn version_of(fields: &Fields) -> Result<Option<i64>> {
    let version = fields.integer("version")?;
    Ok(version.filter(|version| *version > 0))
}

async fn register_scorer(State(tracking): State<Tracking>, call: Call) -> Answer {
    let (experiment, name) = scorer_of(&call.fields)?;
    let body = call.fields.required("serialized_scorer")?;
    let scorer = tracking
        .register_scorer(&call.caller, &experiment, &name, &body)
        .await?;
    Ok(Object::new()
        .with("version", &scorer.scorer_version)
        .with("scorer_id", &scorer.scorer_id)
        .with("experiment_id", &experiment)
        .with("name", &name)
        .with("serialized_scorer", &body)
        .with("creation_time", &scorer.creation_time))
}

async fn scorers(State(tracking): State<Tracking>, call: Call) -> Answer {
    let mut experiments = call.fields.texts("experiment_ids")?;
    experiments.extend(call.fields.text("experiment_id")?);
    let scorers = tracking.scorers(&call.caller, &experiments, None).await?;
    Ok(Object::new().with_list("scorers", &scorers))
}

async fn scorer_versions(State(tracking): State<Tracking>, call: Call) -> Answer {
    let (experiment, name) = scorer_of(&call.fields)?;
    let scorers = tracking
        .scorers(&call.caller, &[experiment], Some(&name))
        .await?;
    Ok(Object::new().with_list("scorers", &scorers))
}

async fn scorer(State(tracking): State<Tracking>, call: Call) -> Answer {
    let (experiment, name) = scorer_of(&call.fields)?;
    let version = version_of(&call.fields)?;
    let scorers = tracking
        .scorers(&call.caller, std::slice::from_ref(&experiment), Some(&name))
        .await?;
    let wanted = |found: i64| version.is_none_or(|version| version == found);
    let scorer = scorers
        .into_iter()
        .rev()
        .find(|scorer| wanted(scorer.scorer_version));
    let scorer = scorer.ok_or_else(|| {
        let version = version.unwrap_or_default();
        TrackingError::missing(format!(
            "Scorer with name '{name}' and version {version} not found for experiment {experiment}."
        ))
    })?;
    Ok(Object::new().with("scorer", &scorer))
}

async fn delete_scorer(State(tracking): State<Tracking>, call: Call) -> Answer {
    let (experiment, name) = scorer_of(&call.fields)?;
    let version = version_of(&call.fields)?;
    if experiment.is_empty() {
        return Err(absent("experiment_id").into());
    }
    tracking
        .delete_scorer(&call.caller, &experiment, &name, version)
        .await?;
    Ok(Object::new())
}
