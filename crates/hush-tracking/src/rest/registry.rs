//! Registered models and their versions.

use axum::Router;
use axum::extract::State;
use axum::routing::{delete, get, patch, post};

use super::search::Search;
use super::{Answer, Call, Object};
use crate::{NewVersion, Tracking, TrackingError, limits};

pub(super) fn routes() -> Router<Tracking> {
    let alias = get(by_alias).post(set_alias).delete(delete_alias);
    Router::new()
        .route("/mlflow/registered-models/create", post(create))
        .route("/mlflow/registered-models/get", get(one))
        .route("/mlflow/registered-models/rename", post(rename))
        .route("/mlflow/registered-models/update", patch(update))
        .route("/mlflow/registered-models/delete", delete(remove))
        .route("/mlflow/registered-models/search", get(search))
        .route(
            "/mlflow/registered-models/get-latest-versions",
            get(latest).post(latest),
        )
        .route("/mlflow/registered-models/set-tag", post(set_tag))
        .route("/mlflow/registered-models/delete-tag", delete(delete_tag))
        .route("/mlflow/registered-models/alias", alias)
        .route("/mlflow/model-versions/create", post(create_version))
        .route("/mlflow/model-versions/get", get(version))
        .route("/mlflow/model-versions/update", patch(update_version))
        .route(
            "/mlflow/model-versions/transition-stage",
            post(move_version),
        )
        .route("/mlflow/model-versions/delete", delete(delete_version))
        .route("/mlflow/model-versions/search", get(search_versions))
        .route("/mlflow/model-versions/get-download-uri", get(files))
        .route("/mlflow/model-versions/set-tag", post(set_version_tag))
        .route(
            "/mlflow/model-versions/delete-tag",
            delete(delete_version_tag),
        )
}

async fn create(State(tracking): State<Tracking>, call: Call) -> Answer {
    let Call { caller, fields, .. } = call;
    let (name, description) = (
        fields.required("name")?,
        fields.text("description")?.unwrap_or_default(),
    );
    let model = tracking
        .create_registered_model(&caller, &name, &description, fields.tags("tags")?)
        .await?;
    Ok(Object::new().with("registered_model", &model))
}

async fn one(State(tracking): State<Tracking>, call: Call) -> Answer {
    let model = tracking
        .registered_model(&call.caller, &call.fields.required("name")?)
        .await?;
    Ok(Object::new().with("registered_model", &model))
}

async fn rename(State(tracking): State<Tracking>, call: Call) -> Answer {
    let (name, new) = (
        call.fields.required("name")?,
        call.fields.text("new_name")?.unwrap_or_default(),
    );
    let model = tracking
        .rename_registered_model(&call.caller, &name, &new)
        .await?;
    Ok(Object::new().with("registered_model", &model))
}

async fn update(State(tracking): State<Tracking>, call: Call) -> Answer {
    let (name, description) = (
        call.fields.required("name")?,
        call.fields.text("description")?.unwrap_or_default(),
    );
    let model = tracking
        .describe_registered_model(&call.caller, &name, &description)
        .await?;
    Ok(Object::new().with("registered_model", &model))
}

async fn remove(State(tracking): State<Tracking>, call: Call) -> Answer {
    tracking
        .delete_registered_model(&call.caller, &call.fields.required("name")?)
        .await?;
    Ok(Object::new())
}

/// How many results a search gives, in the words of the registry.
fn page_size(given: Option<i64>, usual: i64, limit: i64) -> Result<usize, TrackingError> {
    let size = given.unwrap_or(usual);
    limits::page_size(Some(size), usual, limit).map_err(|_| {
        if size < 1 {
            TrackingError::invalid(format!("Invalid value for max_results. It must be a positive integer, but got {size}"))
        } else {
            TrackingError::invalid(format!(
                "Invalid value for request parameter max_results. It must be at most {limit}, but got value {size}"
            ))
        }
    })
}

async fn search(State(tracking): State<Tracking>, call: Call) -> Answer {
    let Call { caller, fields, .. } = call;
    let size = page_size(fields.integer("max_results")?, 100, 1000)?;
    let search = Search::of(&fields)?;
    let page = tracking
        .search_registered_models(&caller, &search.filter, &search.order, size, search.token())
        .await?;
    Ok(Object::new().with_page("registered_models", &page))
}

async fn latest(State(tracking): State<Tracking>, call: Call) -> Answer {
    let (name, stages) = (call.fields.required("name")?, call.fields.texts("stages")?);
    let versions = tracking
        .latest_versions(&call.caller, &name, &stages)
        .await?;
    Ok(Object::new().with_list("model_versions", &versions))
}

async fn set_tag(State(tracking): State<Tracking>, call: Call) -> Answer {
    let (name, key) = (call.fields.required("name")?, call.fields.required("key")?);
    let value = call.fields.text("value")?.unwrap_or_default();
    tracking
        .tag_registered_model(&call.caller, &name, &key, Some(&value))
        .await?;
    Ok(Object::new())
}

async fn delete_tag(State(tracking): State<Tracking>, call: Call) -> Answer {
    let (name, key) = (call.fields.required("name")?, call.fields.required("key")?);
    tracking
        .tag_registered_model(&call.caller, &name, &key, None)
        .await?;
    Ok(Object::new())
}

async fn set_alias(State(tracking): State<Tracking>, call: Call) -> Answer {
    let Call { caller, fields, .. } = call;
    let (name, alias) = (fields.required("name")?, fields.required("alias")?);
    tracking
        .set_alias(&caller, &name, &alias, &version_of(&fields)?)
        .await?;
    Ok(Object::new())
}

async fn delete_alias(State(tracking): State<Tracking>, call: Call) -> Answer {
    let (name, alias) = (
        call.fields.required("name")?,
        call.fields.required("alias")?,
    );
    tracking.delete_alias(&call.caller, &name, &alias).await?;
    Ok(Object::new())
}

async fn by_alias(State(tracking): State<Tracking>, call: Call) -> Answer {
    let (name, alias) = (
        call.fields.required("name")?,
        call.fields.required("alias")?,
    );
    let version = tracking
        .version_by_alias(&call.caller, &name, &alias)
        .await?;
    Ok(Object::new().with("model_version", &version))
}

/// A version's number, which some clients send as a number.
fn version_of(fields: &crate::wire::Fields) -> Result<String, TrackingError> {
    match fields.raw("version").and_then(serde_json::Value::as_i64) {
        Some(number) => Ok(number.to_string()),
        None => fields.required("version"),
    }
}

async fn create_version(State(tracking): State<Tracking>, call: Call) -> Answer {
    let Call { caller, fields, .. } = call;
    let text = |name: &str| Ok::<_, TrackingError>(fields.text(name)?.unwrap_or_default());
    let new = NewVersion {
        name: fields.required("name")?,
        source: fields.required("source")?,
        run_id: text("run_id")?,
        run_link: text("run_link")?,
        description: text("description")?,
        model_id: text("model_id")?,
        tags: fields.tags("tags")?,
    };
    let version = tracking.create_version(&caller, new).await?;
    Ok(Object::new().with("model_version", &version))
}

async fn version(State(tracking): State<Tracking>, call: Call) -> Answer {
    let name = call.fields.required("name")?;
    let version = tracking
        .version(&call.caller, &name, &version_of(&call.fields)?)
        .await?;
    Ok(Object::new().with("model_version", &version))
}

async fn update_version(State(tracking): State<Tracking>, call: Call) -> Answer {
    let Call { caller, fields, .. } = call;
    let (name, description) = (
        fields.required("name")?,
        fields.text("description")?.unwrap_or_default(),
    );
    let version = tracking
        .describe_version(&caller, &name, &version_of(&fields)?, &description)
        .await?;
    Ok(Object::new().with("model_version", &version))
}

async fn move_version(State(tracking): State<Tracking>, call: Call) -> Answer {
    let Call { caller, fields, .. } = call;
    let (name, stage) = (fields.required("name")?, fields.required("stage")?);
    let archive = fields.truth("archive_existing_versions")?;
    let version = tracking
        .move_version(&caller, &name, &version_of(&fields)?, &stage, archive)
        .await?;
    Ok(Object::new().with("model_version", &version))
}

async fn delete_version(State(tracking): State<Tracking>, call: Call) -> Answer {
    let name = call.fields.required("name")?;
    tracking
        .delete_version(&call.caller, &name, &version_of(&call.fields)?)
        .await?;
    Ok(Object::new())
}

async fn search_versions(State(tracking): State<Tracking>, call: Call) -> Answer {
    let Call { caller, fields, .. } = call;
    let size = page_size(fields.integer("max_results")?, 10_000, 200_000)?;
    let search = Search::of(&fields)?;
    let page = tracking
        .search_versions(&caller, &search.filter, &search.order, size, search.token())
        .await?;
    Ok(Object::new().with_page("model_versions", &page))
}

async fn files(State(tracking): State<Tracking>, call: Call) -> Answer {
    let name = call.fields.required("name")?;
    let address = tracking
        .version_files(&call.caller, &name, &version_of(&call.fields)?)
        .await?;
    Ok(Object::new().with("artifact_uri", &address))
}

async fn set_version_tag(State(tracking): State<Tracking>, call: Call) -> Answer {
    let Call { caller, fields, .. } = call;
    let (name, key) = (fields.required("name")?, fields.required("key")?);
    let value = fields.text("value")?.unwrap_or_default();
    tracking
        .tag_version(&caller, &name, &version_of(&fields)?, &key, Some(&value))
        .await?;
    Ok(Object::new())
}

async fn delete_version_tag(State(tracking): State<Tracking>, call: Call) -> Answer {
    let Call { caller, fields, .. } = call;
    let (name, key) = (fields.required("name")?, fields.required("key")?);
    tracking
        .tag_version(&caller, &name, &version_of(&fields)?, &key, None)
        .await?;
    Ok(Object::new())
}
