//! Searches for traces.

use super::search::Seen;
use super::tags::{TRACE_METADATA, TRACE_TAGS};
use super::{Tracking, run_search, traces};
use crate::database::values;
use crate::filter::{self, Comparison, Operand, Operator, Ordered, Query, compare};
use crate::wire::{Page, TraceInfo};
use crate::{Caller, TrackingError};

type Result<T> = std::result::Result<T, TrackingError>;

/// What metadata has the run that a trace belongs to.
const RUN: &str = "mlflow.sourceRun";
/// The tag that names a trace.
const NAME: &str = "mlflow.traceName";

impl Tracking {
    /// Searches traces of experiments, newest first unless told otherwise.
    ///
    /// # Errors
    /// What cannot be read or compared.
    pub async fn search_traces(
        &self,
        caller: &Caller,
        experiments: &[String],
        filter: &str,
        order: &[String],
        size: usize,
        token: Option<&str>,
    ) -> Result<Page<TraceInfo>> {
        let (query, seen) = (
            search(filter, order)?,
            Seen::of_experiments("t.experiment", experiments)?,
        );
        self.found(caller, query, seen, size, token, traces::infos)
            .await
    }
}

fn column(key: &str) -> Option<(&'static str, bool)> {
    match key {
        "request_id" | "trace_id" => Some(("t.trace_id", false)),
        "timestamp" | "timestamp_ms" | "request_time" => Some(("t.started", true)),
        "execution_time" | "execution_time_ms" | "execution_duration" => {
            Some(("coalesce(t.duration, 0)", true))
        }
        "status" | "state" => Some(("t.state", false)),
        "client_request_id" => Some(("coalesce(t.client_request_id, '')", false)),
        "experiment_id" => Some(("t.experiment", true)),
        _ => None,
    }
}

fn search(filter: &str, order: &[String]) -> Result<Query> {
    let mut query = Query::new("t.id", "traces t");
    for comparison in filter::parse(filter)? {
        match comparison.entity.as_deref() {
            None | Some("attribute" | "attributes" | "attr" | "trace") => {
                attribute(&mut query, &comparison)?
            }
            Some("tag" | "tags") => run_search::tag(&mut query, &TRACE_TAGS, "t.id", &comparison)?,
            Some("metadata" | "request_metadata") => {
                run_search::tag(&mut query, &TRACE_METADATA, "t.id", &comparison)?;
            }
            Some("span" | "spans")
                if comparison.key == "name" && comparison.operator.compares_texts() =>
            {
                let (text, values) = compare("s.name", comparison.operator, &comparison.operand);
                query.filter(
                    format!("EXISTS (SELECT 1 FROM spans s WHERE s.trace = t.id AND {text})"),
                    values,
                );
            }
            Some(other) => return Err(run_search::entity(other)),
        }
    }
    for clause in order {
        let by = filter::order(clause)?;
        let column = column(&by.key).ok_or_else(|| unknown(&by.key))?;
        query.order(Ordered::column(column, by.ascending));
    }
    query.order(Ordered::integer("t.started", false));
    query.order(Ordered::text("t.trace_id", true));
    Ok(query)
}

fn unknown(key: &str) -> TrackingError {
    TrackingError::invalid(format!(
        "Invalid attribute key '{key}' specified. Valid keys are '{{'execution_time', 'name', 'request_id', 'run_id', 'status', \
         'timestamp'}}'"
    ))
}

fn attribute(query: &mut Query, comparison: &Comparison) -> Result<()> {
    let renamed = |key: &str| Comparison {
        key: key.to_owned(),
        ..comparison.clone()
    };
    match comparison.key.as_str() {
        "run_id" => {
            let (text, values) = compare("m.value", comparison.operator, &comparison.operand);
            let (linked, more) = compare("r.run_id", comparison.operator, &comparison.operand);
            query.filter(
                format!(
                    "(EXISTS (SELECT 1 FROM trace_metadata m WHERE m.trace = t.id AND m.key = ? AND {text})
                     OR EXISTS (SELECT 1 FROM trace_runs r WHERE r.trace = t.id AND {linked}))"
                ),
                values![RUN].into_iter().chain(values).chain(more),
            );
            return Ok(());
        }
        "name" | "trace_name" => {
            return run_search::tag(query, &TRACE_TAGS, "t.id", &renamed(NAME));
        }
        _ => {}
    }
    let (column, number) = column(&comparison.key).ok_or_else(|| unknown(&comparison.key))?;
    let operator = comparison.operator;
    let fits = match (&comparison.operand, number) {
        (Operand::Number(_), true) => operator.compares_numbers(),
        (Operand::Text(_), false) => operator.compares_texts(),
        (Operand::Texts(_), false) => matches!(operator, Operator::In | Operator::NotIn),
        _ => false,
    };
    if !fits {
        return Err(run_search::comparator(
            comparison,
            "{'=', '!=', '>', '<', '>=', '<=', 'LIKE', 'ILIKE', 'IN', 'NOT IN'}",
        ));
    }
    let (text, values) = compare(column, operator, &comparison.operand);
    query.filter(text, values);
    Ok(())
}
