//! Traces: stored as they come, and given back.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Value as Json, json};

use super::Tracking;
use super::assessments::keep_assessment;
use super::experiments::experiment;
use super::tags::{TRACE_METADATA, TRACE_TAGS, changed};
use crate::caller::Resource;
use crate::database::{Row, Session, Value, values};
use crate::wire::{Tag, Trace, TraceInfo, TraceLocation};
use crate::{Caller, Permission, TrackingError, limits, time};

type Result<T> = std::result::Result<T, TrackingError>;

/// Traces that one request may delete or link.
const MOST: usize = 100;

/// What is known of a trace so far; what is `None` stays as it was.
#[derive(Clone, Debug, Default)]
pub(crate) struct NewTrace {
    pub(crate) trace_id: String,
    pub(crate) experiment_id: String,
    pub(crate) started: Option<i64>,
    pub(crate) duration: Option<i64>,
    pub(crate) state: Option<String>,
    pub(crate) client_request_id: Option<String>,
    pub(crate) request_preview: Option<String>,
    pub(crate) response_preview: Option<String>,
    pub(crate) tags: Vec<Tag>,
    pub(crate) metadata: Vec<Tag>,
    pub(crate) assessments: Vec<Json>,
}

/// A span in protobuf's JSON.
#[derive(Clone, Debug)]
pub(crate) struct NewSpan {
    pub(crate) trace_id: String,
    pub(crate) span_id: String,
    pub(crate) name: String,
    pub(crate) root: bool,
    /// Milliseconds.
    pub(crate) started: i64,
    pub(crate) ended: i64,
    pub(crate) failed: bool,
    pub(crate) body: Json,
}

fn read(row: &Row<'_>) -> Result<(i64, TraceInfo)> {
    let (started, duration) = (row.integer(3)?, row.optional_integer(4)?);
    let info = TraceInfo {
        trace_id: row.text(1)?,
        trace_location: TraceLocation::experiment(row.integer(2)?),
        request_time: time::write_moment(started),
        execution_duration: duration.map(time::write_duration),
        state: row.text(5)?,
        client_request_id: row.optional_text(6)?,
        request_preview: row.optional_text(7)?,
        response_preview: row.optional_text(8)?,
        trace_metadata: BTreeMap::new(),
        assessments: Vec::new(),
        tags: BTreeMap::new(),
        started,
        duration,
    };
    Ok((row.integer(0)?, info))
}

/// The number of a trace.
pub(super) fn stored(
    session: &mut Session<'_>,
    caller: &Caller,
    trace_id: &str,
    needed: Permission,
) -> Result<i64> {
    let sql = "SELECT id, experiment FROM traces WHERE trace_id = ?";
    let found = session.query_first(sql, &values![trace_id], |row| {
        Ok((row.integer(0)?, row.integer(1)?))
    })?;
    let (id, experiment) = found
        .ok_or_else(|| TrackingError::missing(format!("Trace with ID '{trace_id}' not found.")))?;
    caller.require(session, needed, Resource::Experiment(experiment))?;
    Ok(id)
}

/// Traces of these numbers, in their order, without spans.
pub(super) fn infos(session: &mut Session<'_>, ids: &[i64]) -> Result<Vec<TraceInfo>> {
    let found = session.query(
        "SELECT id, trace_id, experiment, started, duration, state, client_request_id, request_preview, response_preview
         FROM traces WHERE id = ANY(?)",
        &values![ids.to_vec()],
        read,
    )?;
    let mut infos: HashMap<i64, TraceInfo> = found.into_iter().collect();
    let mut tags = TRACE_TAGS.of_all(session, ids)?;
    let mut metadata = TRACE_METADATA.of_all(session, ids)?;
    session.query(
        "SELECT trace, body FROM assessments WHERE trace = ANY(?) ORDER BY trace, created, assessment_id",
        &values![ids.to_vec()],
        |row| {
            if let Some(info) = infos.get_mut(&row.integer(0)?) {
                info.assessments.push(parsed(row.str(1)?));
            }
            Ok(())
        },
    )?;
    let map = |tags: Option<Vec<Tag>>| {
        tags.unwrap_or_default()
            .into_iter()
            .map(|tag| (tag.key, tag.value))
            .collect()
    };
    let info = |id: &i64| {
        let mut info = infos.remove(id)?;
        info.tags = map(tags.remove(id));
        info.trace_metadata = map(metadata.remove(id));
        Some(info)
    };
    Ok(ids.iter().filter_map(info).collect())
}

fn one(session: &mut Session<'_>, id: i64) -> Result<TraceInfo> {
    let info = infos(session, &[id])?.pop();
    info.ok_or_else(|| TrackingError::internal("a trace", &"it went away"))
}

pub(super) fn parsed(text: &str) -> Json {
    serde_json::from_str(text).unwrap_or(Json::Null)
}

/// Makes a trace, or adds to it what is known now.
fn keep(session: &mut Session<'_>, new: &NewTrace) -> Result<i64> {
    let experiment_id = limits::experiment_id(&new.experiment_id)?;
    let root = experiment(session, experiment_id)?.artifact_location;
    let id = session.number(
        "INSERT INTO traces
         (trace_id, experiment, name, started, duration, state, client_request_id, request_preview, response_preview)
         VALUES (?, ?, '', ?, ?, ?, ?, ?, ?)
         ON CONFLICT (trace_id) DO UPDATE SET started = excluded.started,
         duration = coalesce(excluded.duration, traces.duration),
         state = CASE WHEN excluded.state = 'STATE_UNSPECIFIED' THEN traces.state ELSE excluded.state END,
         client_request_id = coalesce(excluded.client_request_id, traces.client_request_id),
         request_preview = coalesce(excluded.request_preview, traces.request_preview),
         response_preview = coalesce(excluded.response_preview, traces.response_preview)
         RETURNING id",
        &values![
            &new.trace_id,
            experiment_id,
            new.started.unwrap_or_else(time::now),
            new.duration,
            new.state.as_deref().unwrap_or("STATE_UNSPECIFIED"),
            new.client_request_id.as_ref(),
            new.request_preview.as_ref(),
            new.response_preview.as_ref(),
        ],
    )?;
    let location = format!(
        "{}/traces/{}/artifacts",
        root.trim_end_matches('/'),
        new.trace_id
    );
    let place = Tag {
        key: "mlflow.artifactLocation".into(),
        value: location,
    };
    TRACE_TAGS.set(session, id, &[place])?;
    TRACE_TAGS.set(session, id, &new.tags)?;
    TRACE_METADATA.set(session, id, &new.metadata)?;
    for assessment in &new.assessments {
        keep_assessment(session, id, &new.trace_id, assessment)?;
    }
    Ok(id)
}

impl Tracking {
    /// Begins or ends a trace: makes it, or adds what is known now.
    pub(crate) async fn keep_trace(&self, caller: &Caller, new: NewTrace) -> Result<TraceInfo> {
        let caller = caller.clone();
        for tag in new.tags.iter().chain(&new.metadata) {
            limits::length("key", limits::KEY, &tag.key)?;
        }
        let work = move |session: &mut Session<'_>| {
            let experiment = limits::experiment_id(&new.experiment_id)?;
            caller.require(session, Permission::Edit, Resource::Experiment(experiment))?;
            let id = keep(session, &new)?;
            one(session, id)
        };
        self.database().write(work).await
    }

    /// Keeps spans, and makes the traces that they belong to.
    pub(crate) async fn keep_spans(
        &self,
        caller: &Caller,
        experiment_id: &str,
        spans: Vec<NewSpan>,
    ) -> Result<()> {
        let (caller, experiment_id) = (caller.clone(), experiment_id.to_owned());
        let work = move |session: &mut Session<'_>| {
            let number = limits::experiment_id(&experiment_id)?;
            caller.require(session, Permission::Edit, Resource::Experiment(number))?;
            let mut traces: HashMap<&str, i64> = HashMap::new();
            for span in &spans {
                let sql = "SELECT id, experiment FROM traces WHERE trace_id = ?";
                let read = |row: &Row<'_>| Ok((row.integer(0)?, row.integer(1)?));
                let known = session.query_first(sql, &values![&span.trace_id], read)?;
                let id = match (traces.get(span.trace_id.as_str()), known) {
                    (Some(id), _) => *id,
                    (None, Some((id, experiment))) => {
                        caller.require(
                            session,
                            Permission::Edit,
                            Resource::Experiment(experiment),
                        )?;
                        id
                    }
                    (None, None) => keep(
                        session,
                        &NewTrace {
                            trace_id: span.trace_id.clone(),
                            experiment_id: experiment_id.clone(),
                            started: Some(span.started),
                            state: Some("IN_PROGRESS".into()),
                            ..NewTrace::default()
                        },
                    )?,
                };
                traces.insert(&span.trace_id, id);
                if span.root {
                    let state = if span.failed { "ERROR" } else { "OK" };
                    session.execute(
                        "UPDATE traces SET started = ?, duration = ?, name = ?,
                         state = CASE WHEN state = 'IN_PROGRESS' THEN ? ELSE state END WHERE id = ?",
                        &values![span.started, span.ended - span.started, &span.name, state, id],
                    )?;
                }
                session.execute(
                    "INSERT INTO spans (trace, span_id, name, started, body) VALUES (?, ?, ?, ?, ?)
                     ON CONFLICT (trace, span_id) DO UPDATE SET name = excluded.name, started = excluded.started,
                     body = excluded.body",
                    &values![id, &span.span_id, &span.name, span.started, span.body.to_string()],
                )?;
            }
            let place = Tag {
                key: "mlflow.trace.spansLocation".into(),
                value: "TRACKING_STORE".into(),
            };
            for id in traces.values() {
                TRACE_TAGS.set(session, *id, std::slice::from_ref(&place))?;
            }
            Ok(())
        };
        self.database().write(work).await
    }

    /// What there is to know of a trace without its spans.
    ///
    /// # Errors
    /// There is none.
    pub async fn trace_info(&self, caller: &Caller, trace_id: &str) -> Result<TraceInfo> {
        let (caller, trace_id) = (caller.clone(), trace_id.to_owned());
        let work = move |session: &mut Session<'_>| {
            let id = stored(session, &caller, &trace_id, Permission::Read)?;
            one(session, id)
        };
        self.database().read(work).await
    }

    /// Traces with their spans; those that are not there are left out.
    ///
    /// # Errors
    /// The caller may not see one.
    pub async fn traces(&self, caller: &Caller, trace_ids: &[String]) -> Result<Vec<Trace>> {
        let (caller, trace_ids) = (caller.clone(), trace_ids.to_vec());
        let work = move |session: &mut Session<'_>| {
            let mut traces = Vec::new();
            for trace_id in &trace_ids {
                let id = match stored(session, &caller, trace_id, Permission::Read) {
                    Ok(id) => id,
                    Err(error) if error.code() == crate::ErrorCode::ResourceDoesNotExist => {
                        continue;
                    }
                    Err(error) => return Err(error),
                };
                let sql = "SELECT body FROM spans WHERE trace = ? ORDER BY started, span_id";
                let spans = session.query(sql, &values![id], |row| Ok(parsed(row.str(0)?)))?;
                let trace_info = one(session, id)?;
                traces.push(Trace { trace_info, spans });
            }
            Ok(traces)
        };
        self.database().read(work).await
    }

    /// Sets a tag of a trace, or removes it if it gets no value.
    ///
    /// # Errors
    /// There is no such trace or tag.
    pub async fn tag_trace(
        &self,
        caller: &Caller,
        trace_id: &str,
        key: &str,
        value: Option<&str>,
    ) -> Result<()> {
        let (tag, set) = changed(key, value, limits::TAG_VALUE)?;
        let (caller, trace_id) = (caller.clone(), trace_id.to_owned());
        let work = move |session: &mut Session<'_>| {
            let id = stored(session, &caller, &trace_id, Permission::Edit)?;
            if set {
                return TRACE_TAGS.set(session, id, std::slice::from_ref(&tag));
            }
            if TRACE_TAGS.remove(session, id, &tag.key)? {
                return Ok(());
            }
            let key = &tag.key;
            Err(TrackingError::missing(format!(
                "No trace tag with key '{key}' for trace with ID '{trace_id}'"
            )))
        };
        self.database().write(work).await
    }

    /// Deletes traces of an experiment, by name or the oldest up to a moment; how many.
    ///
    /// # Errors
    /// Neither or both are given.
    pub async fn delete_traces(
        &self,
        caller: &Caller,
        experiment_id: &str,
        until: Option<i64>,
        most: Option<i64>,
        trace_ids: Vec<String>,
    ) -> Result<u64> {
        if until.is_none() == trace_ids.is_empty() {
            return Err(TrackingError::invalid(
                "Either `max_timestamp_millis` or `trace_ids` must be specified, but not both.",
            ));
        }
        let (caller, experiment) = (caller.clone(), limits::experiment_id(experiment_id)?);
        let work = move |session: &mut Session<'_>| {
            caller.require(session, Permission::Edit, Resource::Experiment(experiment))?;
            let read = |row: &Row<'_>| row.integer(0);
            let ids = match until {
                Some(until) => {
                    let sql = "SELECT id FROM traces WHERE experiment = ? AND started <= ? ORDER BY started LIMIT ?";
                    session.query(
                        sql,
                        &values![experiment, until, most.unwrap_or(i64::MAX)],
                        read,
                    )?
                }
                None => {
                    let sql = "SELECT id FROM traces WHERE experiment = ? AND trace_id = ANY(?)";
                    session.query(sql, &values![experiment, trace_ids.clone()], read)?
                }
            };
            for table in [
                "spans",
                "assessments",
                "trace_tags",
                "trace_metadata",
                "trace_runs",
            ] {
                session.execute(
                    &format!("DELETE FROM {table} WHERE trace = ANY(?)"),
                    &values![ids.clone()],
                )?;
            }
            session.execute(
                "DELETE FROM traces WHERE id = ANY(?)",
                &[Value::Integers(ids)],
            )
        };
        self.database().write(work).await
    }

    /// Says that traces belong to a run.
    pub(crate) async fn link_traces(
        &self,
        caller: &Caller,
        run_id: &str,
        trace_ids: Vec<String>,
    ) -> Result<()> {
        if trace_ids.len() > MOST {
            return Err(TrackingError::invalid(format!(
                "Cannot link more than {MOST} traces to a run in a single request. Provided {} traces.",
                trace_ids.len()
            )));
        }
        let (caller, run_id) = (caller.clone(), run_id.to_owned());
        let work = move |session: &mut Session<'_>| {
            super::runs::locked(session, &caller, &run_id)?;
            for trace_id in &trace_ids {
                let id = stored(session, &caller, trace_id, Permission::Edit)?;
                session.execute(
                    "INSERT INTO trace_runs (run_id, trace) VALUES (?, ?) ON CONFLICT (run_id, trace) DO NOTHING",
                    &values![&run_id, id],
                )?;
            }
            Ok(())
        };
        self.database().write(work).await
    }

    /// Notes which prompts a trace used.
    pub(crate) async fn link_prompts(
        &self,
        caller: &Caller,
        trace_id: &str,
        prompts: Vec<Json>,
    ) -> Result<()> {
        let (caller, trace_id) = (caller.clone(), trace_id.to_owned());
        let work = move |session: &mut Session<'_>| {
            let id = stored(session, &caller, &trace_id, Permission::Edit)?;
            let tag = Tag {
                key: "mlflow.linkedPrompts".into(),
                value: json!(prompts).to_string(),
            };
            TRACE_TAGS.set(session, id, &[tag])
        };
        self.database().write(work).await
    }
}
