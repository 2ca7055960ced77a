//! All values of metrics.

use axum::Router;
use axum::extract::State;
use axum::routing::get;

use super::{Answer, Call, Object};
use crate::wire::Fields;
use crate::{Tracking, TrackingError};

/// Runs that one request may ask about, and values that it gets of each.
const RUNS: usize = 100;
const VALUES: i64 = 2500;

pub(super) fn routes() -> Router<Tracking> {
    Router::new()
        .route("/mlflow/metrics/get-history", get(one))
        .route("/mlflow/metrics/get-history-bulk", get(bulk))
        .route("/mlflow/metrics/get-history-bulk-interval", get(interval))
}

async fn one(State(tracking): State<Tracking>, call: Call) -> Answer {
    let Call { caller, fields, .. } = call;
    let (run_id, key) = (fields.run_id()?, fields.required("metric_key")?);
    let size = fields.integer("max_results")?.filter(|size| *size > 0);
    let size = size.and_then(|size| usize::try_from(size).ok());
    let token = fields.text("page_token")?;
    let page = tracking
        .metric_history(&caller, &run_id, &key, size, token.as_deref())
        .await?;
    Ok(Object::new().with_page("metrics", &page))
}

fn runs(fields: &Fields, name: &str, request: &str) -> Result<Vec<String>, TrackingError> {
    let runs = fields.texts(name)?;
    let count = runs.len();
    if count == 0 {
        return Err(TrackingError::invalid(format!(
            "{request} request must specify at least one run_id."
        )));
    }
    if count > RUNS {
        return Err(TrackingError::invalid(format!(
            "{request} request must specify at most {RUNS} run_ids. Received {count} run_ids."
        )));
    }
    Ok(runs)
}

async fn bulk(State(tracking): State<Tracking>, call: Call) -> Answer {
    let Call { caller, fields, .. } = call;
    let runs = runs(&fields, "run_id", "GetMetricHistoryBulk")?;
    let key = fields.required("metric_key")?;
    let most = fields
        .integer("max_results")?
        .unwrap_or(25_000)
        .clamp(1, 25_000) as usize;
    let mut metrics = Vec::new();
    for run in runs {
        let size = most - metrics.len();
        if size == 0 {
            break;
        }
        let page = tracking
            .metric_history(&caller, &run, &key, Some(size), None)
            .await?;
        metrics.extend(page.items.into_iter().map(|mut metric| {
            metric.run_id = Some(run.clone());
            metric
        }));
    }
    Ok(Object::new().with("metrics", &metrics))
}

async fn interval(State(tracking): State<Tracking>, call: Call) -> Answer {
    let Call { caller, fields, .. } = call;
    let runs = runs(&fields, "run_ids", "GetMetricHistoryBulkInterval")?;
    let key = fields.required("metric_key")?;
    let size = fields.integer("max_results")?.unwrap_or(VALUES);
    if !(1..=VALUES).contains(&size) {
        return Err(
            TrackingError::invalid(format!("max_results must be between 1 and {VALUES}.")).into(),
        );
    }
    let steps = match (fields.integer("start_step")?, fields.integer("end_step")?) {
        (None, None) => None,
        (Some(first), Some(last)) if first <= last => Some((first, last)),
        (Some(first), Some(last)) => {
            return Err(TrackingError::invalid(format!(
                "end_step must be greater than start_step. Found start_step={first} and end_step={last}."
            ))
            .into());
        }
        _ => {
            let message = "If either start step or end step are specified, both must be specified.";
            return Err(TrackingError::invalid(message).into());
        }
    };
    let metrics = tracking
        .metric_history_sampled(&caller, &runs, &key, steps, size as usize)
        .await?;
    Ok(Object::new().with_list("metrics", &metrics))
}
