//! What people and programs think of traces: kept as it comes.

use serde_json::{Value as Json, json};

use super::Tracking;
use super::traces::{parsed, stored};
use crate::database::{Session, values};
use crate::{Caller, Permission, TrackingError, time};

type Result<T> = std::result::Result<T, TrackingError>;

/// Keeps an assessment; what it lacks of a number and times is added.
pub(super) fn keep_assessment(
    session: &mut Session<'_>,
    trace: i64,
    trace_id: &str,
    given: &Json,
) -> Result<Json> {
    let mut body = given.clone();
    let now = time::now();
    let text = |body: &Json, name: &str| {
        body[name]
            .as_str()
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
    };
    let id = match text(&body, "assessment_id") {
        Some(id) => id,
        None => format!("a-{}", time::id()?),
    };
    body["assessment_id"] = id.clone().into();
    body["trace_id"] = trace_id.into();
    for name in ["create_time", "last_update_time"] {
        if text(&body, name).is_none() {
            body[name] = time::write_moment(now).into();
        }
    }
    let created = text(&body, "create_time")
        .and_then(|text| time::parse_moment(&text))
        .unwrap_or(now);
    session.execute(
        "INSERT INTO assessments (trace, assessment_id, name, created, body) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (trace, assessment_id) DO UPDATE SET name = excluded.name, body = excluded.body",
        &values![trace, id, text(&body, "assessment_name").unwrap_or_default(), created, body.to_string()],
    )?;
    Ok(body)
}

impl Tracking {
    /// Keeps a new assessment of a trace, or what an old one has become.
    pub(crate) async fn keep_assessment(
        &self,
        caller: &Caller,
        trace_id: &str,
        assessment_id: Option<&str>,
        change: Json,
    ) -> Result<Json> {
        let (caller, trace_id) = (caller.clone(), trace_id.to_owned());
        let assessment_id = assessment_id.map(str::to_owned);
        let work = move |session: &mut Session<'_>| {
            let trace = stored(session, &caller, &trace_id, Permission::Edit)?;
            let mut body = match &assessment_id {
                None => json!({}),
                Some(id) => find_assessment(session, trace, &trace_id, id)?,
            };
            if let (Some(body), Some(change)) = (body.as_object_mut(), change.as_object()) {
                for (name, value) in change {
                    body.insert(name.clone(), value.clone());
                }
                body.remove("last_update_time");
            }
            keep_assessment(session, trace, &trace_id, &body)
        };
        self.database().write(work).await
    }

    /// An assessment of a trace.
    pub(crate) async fn assessment(
        &self,
        caller: &Caller,
        trace_id: &str,
        id: &str,
    ) -> Result<Json> {
        let (caller, trace_id, id) = (caller.clone(), trace_id.to_owned(), id.to_owned());
        let work = move |session: &mut Session<'_>| {
            let trace = stored(session, &caller, &trace_id, Permission::Read)?;
            find_assessment(session, trace, &trace_id, &id)
        };
        self.database().read(work).await
    }

    /// Deletes an assessment of a trace.
    pub(crate) async fn delete_assessment(
        &self,
        caller: &Caller,
        trace_id: &str,
        id: &str,
    ) -> Result<()> {
        let (caller, trace_id, id) = (caller.clone(), trace_id.to_owned(), id.to_owned());
        let work = move |session: &mut Session<'_>| {
            let trace = stored(session, &caller, &trace_id, Permission::Edit)?;
            let sql = "DELETE FROM assessments WHERE trace = ? AND assessment_id = ?";
            session.execute(sql, &values![trace, &id]).map(drop)
        };
        self.database().write(work).await
    }
}

fn find_assessment(
    session: &mut Session<'_>,
    trace: i64,
    trace_id: &str,
    id: &str,
) -> Result<Json> {
    let sql = "SELECT body FROM assessments WHERE trace = ? AND assessment_id = ?";
    let found = session.query_first(sql, &values![trace, id], |row| Ok(parsed(row.str(0)?)))?;
    found.ok_or_else(|| {
        TrackingError::missing(format!(
            "Assessment with ID '{id}' not found for trace '{trace_id}'"
        ))
    })
}
