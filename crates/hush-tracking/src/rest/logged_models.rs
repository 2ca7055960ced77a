//! Logged models.

use axum::Router;
use axum::extract::State;
use axum::routing::{delete, get, patch, post};

use super::{Answer, Call, Object};
use crate::wire::{Fields, LoggedModelStatus};
use crate::{LoggedModelOrder, LoggedModelSearch, NewLoggedModel, Tracking, TrackingError, limits};

pub(super) fn routes() -> Router<Tracking> {
    Router::new()
        .route("/mlflow/logged-models", post(create))
        .route("/mlflow/logged-models/search", post(search))
        .route(
            "/mlflow/logged-models/{model_id}",
            get(one).patch(finalize).delete(remove),
        )
        .route("/mlflow/logged-models/{model_id}/tags", patch(set_tags))
        .route(
            "/mlflow/logged-models/{model_id}/tags/{tag_key}",
            delete(delete_tag),
        )
        .route("/mlflow/logged-models/{model_id}/params", post(log_params))
}

async fn create(State(tracking): State<Tracking>, call: Call) -> Answer {
    let Call { caller, fields, .. } = call;
    let new = NewLoggedModel {
        experiment_id: fields.required("experiment_id")?,
        name: fields.text("name")?.filter(|name| !name.is_empty()),
        model_type: fields.text("model_type")?.unwrap_or_default(),
        source_run_id: fields.text("source_run_id")?.unwrap_or_default(),
        params: fields.tags("params")?,
        tags: fields.tags("tags")?,
    };
    let model = tracking.create_logged_model(&caller, new).await?;
    Ok(Object::new().with("model", &model))
}

async fn one(State(tracking): State<Tracking>, call: Call) -> Answer {
    let model = tracking
        .logged_model(&call.caller, &call.fields.required("model_id")?)
        .await?;
    Ok(Object::new().with("model", &model))
}

async fn finalize(State(tracking): State<Tracking>, call: Call) -> Answer {
    let Call { caller, fields, .. } = call;
    let value = fields
        .raw("status")
        .ok_or_else(|| crate::wire::absent("status"))?;
    let status = match value.as_str() {
        Some(name) => LoggedModelStatus::of_name(name),
        None => value
            .as_i64()
            .filter(|number| (1..=3).contains(number))
            .map(LoggedModelStatus::of_number),
    };
    let status =
        status.ok_or_else(|| TrackingError::invalid(format!("Invalid model status: {value}")))?;
    let model = tracking
        .finalize_logged_model(&caller, &fields.required("model_id")?, status)
        .await?;
    Ok(Object::new().with("model", &model))
}

async fn remove(State(tracking): State<Tracking>, call: Call) -> Answer {
    tracking
        .delete_logged_model(&call.caller, &call.fields.required("model_id")?)
        .await?;
    Ok(Object::new())
}

async fn search(State(tracking): State<Tracking>, call: Call) -> Answer {
    let Call { caller, fields, .. } = call;
    let dataset = |dataset: &Fields| {
        let name = dataset
            .text("dataset_name")?
            .filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| {
            TrackingError::invalid("`dataset_name` in the `datasets` clause must be specified.")
        })?;
        Ok((name, dataset.text("dataset_digest")?.unwrap_or_default()))
    };
    let order = |by: &Fields| {
        Ok(LoggedModelOrder {
            field: by.required("field_name")?,
            // Ascending unless told otherwise, as the protocol's default says.
            ascending: !by.has("ascending") || by.truth("ascending")?,
            dataset_name: by.text("dataset_name")?.unwrap_or_default(),
            dataset_digest: by.text("dataset_digest")?.unwrap_or_default(),
        })
    };
    let datasets: Result<Vec<_>, TrackingError> =
        fields.objects("datasets")?.iter().map(dataset).collect();
    let order: Result<Vec<_>, TrackingError> =
        fields.objects("order_by")?.iter().map(order).collect();
    let wanted = LoggedModelSearch {
        experiments: fields.texts("experiment_ids")?,
        filter: fields.text("filter")?.unwrap_or_default(),
        datasets: datasets?,
        order: order?,
    };
    let size = limits::page_size(fields.integer("max_results")?, 50, limits::SEARCH_RESULTS)?;
    let token = fields.text("page_token")?;
    let page = tracking
        .search_logged_models(&caller, wanted, size, token.as_deref())
        .await?;
    Ok(Object::new().with_page("models", &page))
}

async fn set_tags(State(tracking): State<Tracking>, call: Call) -> Answer {
    let (id, tags) = (call.fields.required("model_id")?, call.fields.tags("tags")?);
    let model = tracking.tag_logged_model(&call.caller, &id, tags).await?;
    Ok(Object::new().with("model", &model))
}

async fn delete_tag(State(tracking): State<Tracking>, call: Call) -> Answer {
    let (id, key) = (
        call.fields.required("model_id")?,
        call.fields.required("tag_key")?,
    );
    tracking
        .delete_logged_model_tag(&call.caller, &id, &key)
        .await?;
    Ok(Object::new())
}

async fn log_params(State(tracking): State<Tracking>, call: Call) -> Answer {
    let (id, params) = (
        call.fields.required("model_id")?,
        call.fields.tags("params")?,
    );
    tracking.log_model_params(&call.caller, &id, params).await?;
    Ok(Object::new())
}
