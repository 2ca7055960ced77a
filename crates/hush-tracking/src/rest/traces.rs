//! Traces, in their earlier and their present form.

use axum::Router;
use axum::extract::State;
use axum::routing::{get, patch, post};
use serde_json::{Value as Json, json};

use super::search::Search;
use super::{Answer, Call, Object};
use crate::store::NewTrace;
use crate::wire::{Fields, Page, TraceInfo, absent};
use crate::{Caller, Tracking, TrackingError, limits, time};

type Result<T> = std::result::Result<T, TrackingError>;

pub(super) fn routes() -> Router<Tracking> {
    let assessment = get(assessment)
        .patch(update_assessment)
        .delete(delete_assessment);
    Router::new()
        .route("/mlflow/traces", post(start).get(search_earlier))
        .route("/mlflow/traces/search", post(search))
        .route("/mlflow/traces/get", get(whole))
        .route("/mlflow/traces/batchGet", get(batch))
        .route("/mlflow/traces/batchGetInfos", post(batch_infos))
        .route("/mlflow/traces/metrics", post(metrics))
        .route("/mlflow/traces/delete-traces", post(delete_traces))
        .route("/mlflow/traces/link-to-run", post(link_to_run))
        .route("/mlflow/traces/link-prompts", post(link_prompts))
        .route("/mlflow/traces/{trace_id}", get(info).patch(end))
        .route("/mlflow/traces/{trace_id}/info", get(info_earlier))
        .route(
            "/mlflow/traces/{trace_id}/tags",
            patch(set_tag).delete(delete_tag),
        )
        .route(
            "/mlflow/traces/{trace_id}/assessments",
            post(create_assessment),
        )
        .route(
            "/mlflow/traces/{trace_id}/assessments/{assessment_id}",
            assessment,
        )
}

/// A trace as protobuf's JSON has it.
fn read(info: &Fields) -> Result<NewTrace> {
    let experiment = info
        .object("trace_location")?
        .and_then(|location| location.object("mlflow_experiment").ok().flatten());
    let moment = info.text("request_time")?.map(|text| {
        time::parse_moment(&text).ok_or_else(|| {
            TrackingError::invalid(format!("Invalid value {text} for 'request_time'."))
        })
    });
    let duration = info.text("execution_duration")?.map(|text| {
        time::parse_duration(&text).ok_or_else(|| {
            TrackingError::invalid(format!("Invalid value {text} for 'execution_duration'."))
        })
    });
    let experiment = experiment.ok_or_else(|| absent("trace_location.mlflow_experiment"))?;
    Ok(NewTrace {
        trace_id: info.required("trace_id")?,
        experiment_id: experiment.required("experiment_id")?,
        started: moment.transpose()?,
        duration: duration.transpose()?,
        state: info.text("state")?,
        client_request_id: info.text("client_request_id")?,
        request_preview: info.text("request_preview")?,
        response_preview: info.text("response_preview")?,
        tags: info.tags("tags")?,
        metadata: info.tags("trace_metadata")?,
        assessments: info
            .raw("assessments")
            .and_then(Json::as_array)
            .cloned()
            .unwrap_or_default(),
    })
}

/// The earlier form of what there is to know about a trace.
fn earlier(info: &TraceInfo) -> Json {
    let list = |map: &std::collections::BTreeMap<String, String>| -> Vec<Json> {
        map.iter()
            .map(|(key, value)| json!({"key": key, "value": value}))
            .collect()
    };
    let mut body = json!({
        "request_id": info.trace_id,
        "experiment_id": info.trace_location.mlflow_experiment.experiment_id,
        "timestamp_ms": info.started,
        "status": match info.state.as_str() { "STATE_UNSPECIFIED" => "TRACE_STATUS_UNSPECIFIED", state => state },
        "request_metadata": list(&info.trace_metadata),
        "tags": list(&info.tags),
    });
    if let Some(duration) = info.duration {
        body["execution_time_ms"] = duration.into();
    }
    body
}

async fn start(State(tracking): State<Tracking>, call: Call) -> Answer {
    let Call { caller, fields, .. } = call;
    let Some(trace) = fields.object("trace")? else {
        let new = NewTrace {
            trace_id: time::id()?,
            experiment_id: fields.required("experiment_id")?,
            started: fields.integer("timestamp_ms")?,
            state: Some("IN_PROGRESS".into()),
            tags: fields.tags("tags")?,
            metadata: fields.tags("request_metadata")?,
            ..NewTrace::default()
        };
        let info = tracking.keep_trace(&caller, new).await?;
        return Ok(Object::new().with("trace_info", &earlier(&info)));
    };
    let info = trace
        .object("trace_info")?
        .ok_or_else(|| absent("trace.trace_info"))?;
    let info = tracking.keep_trace(&caller, read(&info)?).await?;
    Ok(Object::new().with("trace", &json!({"trace_info": info})))
}

async fn end(State(tracking): State<Tracking>, call: Call) -> Answer {
    let Call { caller, fields, .. } = call;
    let known = tracking
        .trace_info(&caller, &fields.required("trace_id")?)
        .await?;
    let ended = fields.integer("timestamp_ms")?;
    let new = NewTrace {
        trace_id: known.trace_id,
        experiment_id: known.trace_location.mlflow_experiment.experiment_id,
        started: Some(known.started),
        duration: ended.map(|ended| ended - known.started),
        state: fields.text("status")?,
        tags: fields.tags("tags")?,
        metadata: fields.tags("request_metadata")?,
        ..NewTrace::default()
    };
    let info = tracking.keep_trace(&caller, new).await?;
    Ok(Object::new().with("trace_info", &earlier(&info)))
}

async fn info(State(tracking): State<Tracking>, call: Call) -> Answer {
    let info = tracking
        .trace_info(&call.caller, &call.fields.required("trace_id")?)
        .await?;
    Ok(Object::new().with("trace", &json!({"trace_info": info})))
}

async fn info_earlier(State(tracking): State<Tracking>, call: Call) -> Answer {
    let info = tracking
        .trace_info(&call.caller, &call.fields.required("trace_id")?)
        .await?;
    Ok(Object::new().with("trace_info", &earlier(&info)))
}

async fn whole(State(tracking): State<Tracking>, call: Call) -> Answer {
    let id = call.fields.required("trace_id")?;
    let trace = tracking
        .traces(&call.caller, std::slice::from_ref(&id))
        .await?
        .pop();
    let trace =
        trace.ok_or_else(|| TrackingError::missing(format!("Trace with ID {id} is not found.")))?;
    Ok(Object::new().with("trace", &trace))
}

async fn batch(State(tracking): State<Tracking>, call: Call) -> Answer {
    let traces = tracking
        .traces(&call.caller, &call.fields.texts("trace_ids")?)
        .await?;
    Ok(Object::new().with_list("traces", &traces))
}

async fn batch_infos(State(tracking): State<Tracking>, call: Call) -> Answer {
    let traces = tracking
        .traces(&call.caller, &call.fields.texts("trace_ids")?)
        .await?;
    let infos: Vec<TraceInfo> = traces.into_iter().map(|trace| trace.trace_info).collect();
    Ok(Object::new().with_list("trace_infos", &infos))
}

async fn search(State(tracking): State<Tracking>, call: Call) -> Answer {
    let Call { caller, fields, .. } = call;
    let mut experiments = fields.texts("experiment_ids")?;
    for location in fields.objects("locations")? {
        if let Some(experiment) = location.object("mlflow_experiment")? {
            experiments.push(experiment.required("experiment_id")?);
        }
    }
    let page = found(&tracking, &caller, &fields, &experiments).await?;
    Ok(Object::new().with_page("traces", &page))
}

async fn search_earlier(State(tracking): State<Tracking>, call: Call) -> Answer {
    let Call { caller, fields, .. } = call;
    let experiments = fields.texts("experiment_ids")?;
    let page = found(&tracking, &caller, &fields, &experiments).await?;
    let traces: Vec<Json> = page.items.iter().map(earlier).collect();
    Ok(Object::new()
        .with_list("traces", &traces)
        .with_some("next_page_token", page.next.as_ref()))
}

async fn found(
    tracking: &Tracking,
    caller: &Caller,
    fields: &Fields,
    experiments: &[String],
) -> Result<Page<TraceInfo>> {
    let size = limits::page_size(fields.integer("max_results")?, 100, 500)?;
    let search = Search::of(fields)?;
    tracking
        .search_traces(
            caller,
            experiments,
            &search.filter,
            &search.order,
            size,
            search.token(),
        )
        .await
}

/// Charts of traces are not drawn here; none is an answer that pages understand.
async fn metrics(_: State<Tracking>, _: Call) -> Answer {
    Ok(Object::new())
}

async fn delete_traces(State(tracking): State<Tracking>, call: Call) -> Answer {
    let Call { caller, fields, .. } = call;
    let mut ids = fields.texts("request_ids")?;
    ids.extend(fields.texts("trace_ids")?);
    let (until, most) = (
        fields.integer("max_timestamp_millis")?,
        fields.integer("max_traces")?,
    );
    let gone = tracking
        .delete_traces(
            &caller,
            &fields.required("experiment_id")?,
            until,
            most,
            ids,
        )
        .await?;
    Ok(Object::new().with("traces_deleted", &gone))
}

async fn link_to_run(State(tracking): State<Tracking>, call: Call) -> Answer {
    let (run_id, ids) = (
        call.fields.required("run_id")?,
        call.fields.texts("trace_ids")?,
    );
    tracking.link_traces(&call.caller, &run_id, ids).await?;
    Ok(Object::new())
}

async fn link_prompts(State(tracking): State<Tracking>, call: Call) -> Answer {
    let prompts = call
        .fields
        .raw("prompt_versions")
        .and_then(Json::as_array)
        .cloned()
        .unwrap_or_default();
    tracking
        .link_prompts(&call.caller, &call.fields.required("trace_id")?, prompts)
        .await?;
    Ok(Object::new())
}

async fn set_tag(State(tracking): State<Tracking>, call: Call) -> Answer {
    let (id, key) = (
        call.fields.required("trace_id")?,
        call.fields.required("key")?,
    );
    let value = call.fields.text("value")?.unwrap_or_default();
    tracking
        .tag_trace(&call.caller, &id, &key, Some(&value))
        .await?;
    Ok(Object::new())
}

async fn delete_tag(State(tracking): State<Tracking>, call: Call) -> Answer {
    let (id, key) = (
        call.fields.required("trace_id")?,
        call.fields.required("key")?,
    );
    tracking.tag_trace(&call.caller, &id, &key, None).await?;
    Ok(Object::new())
}

async fn create_assessment(State(tracking): State<Tracking>, call: Call) -> Answer {
    let body = call
        .fields
        .raw("assessment")
        .cloned()
        .ok_or_else(|| absent("assessment"))?;
    let kept = tracking
        .keep_assessment(&call.caller, &call.fields.required("trace_id")?, None, body)
        .await?;
    Ok(Object::new().with("assessment", &kept))
}

async fn update_assessment(State(tracking): State<Tracking>, call: Call) -> Answer {
    let body = call
        .fields
        .raw("assessment")
        .cloned()
        .ok_or_else(|| absent("assessment"))?;
    let (trace, id) = (
        call.fields.required("trace_id")?,
        call.fields.required("assessment_id")?,
    );
    let kept = tracking
        .keep_assessment(&call.caller, &trace, Some(&id), body)
        .await?;
    Ok(Object::new().with("assessment", &kept))
}

async fn assessment(State(tracking): State<Tracking>, call: Call) -> Answer {
    let (trace, id) = (
        call.fields.required("trace_id")?,
        call.fields.required("assessment_id")?,
    );
    let assessment = tracking.assessment(&call.caller, &trace, &id).await?;
    Ok(Object::new().with("assessment", &assessment))
}

async fn delete_assessment(State(tracking): State<Tracking>, call: Call) -> Answer {
    let (trace, id) = (
        call.fields.required("trace_id")?,
        call.fields.required("assessment_id")?,
    );
    tracking
        .delete_assessment(&call.caller, &trace, &id)
        .await?;
    Ok(Object::new())
}
