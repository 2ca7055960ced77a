//! Metrics, parameters and tags of a run, written together.

use std::collections::HashMap;

use super::tags::{PARAMS, RUN_TAGS};
use super::{Tracking, logged_models, runs};
use crate::database::{Session, Value, values};
use crate::wire::{Metric, Tag};
use crate::{Caller, TrackingError, limits};

type Result<T> = std::result::Result<T, TrackingError>;

/// What is written at once: all of it, or nothing.
#[derive(Clone, Debug, Default)]
pub struct LogBatch {
    /// Values of metrics; one that is there already is not written again.
    pub metrics: Vec<Metric>,
    /// Parameters, which never change.
    pub params: Vec<Tag>,
    /// Tags, the last of which wins.
    pub tags: Vec<Tag>,
}

/// The newest value of a metric.
struct Newest {
    series: i64,
    place: Place,
}

/// A value as it is stored: the greatest in step, then time, then value is the newest.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
struct Place {
    step: i64,
    timestamp: i64,
    value: f64,
    nan: bool,
}

impl Place {
    fn of(metric: &Metric) -> Self {
        let nan = metric.value.is_nan();
        Self {
            step: metric.step,
            timestamp: metric.timestamp,
            // As MLflow stores them.
            value: if nan {
                0.0
            } else {
                metric.value.clamp(f64::MIN, f64::MAX)
            },
            nan,
        }
    }
}

impl Tracking {
    /// Writes metrics, parameters and tags of a run: all, or nothing.
    ///
    /// # Errors
    /// There is no such run, it was deleted, a parameter has another value already, or a limit is exceeded.
    pub async fn log_batch(&self, caller: &Caller, run_id: &str, batch: LogBatch) -> Result<()> {
        let mut batch = batch;
        limits::batch(&batch.metrics, &mut batch.params, &mut batch.tags)?;
        no_duplicates(&batch.params)?;
        let (caller, run_id) = (caller.clone(), run_id.to_owned());
        let work = move |session: &mut Session<'_>| {
            let run = runs::active(session, &caller, &run_id)?;
            write_params(session, run.id, &run_id, &batch.params)?;
            RUN_TAGS.set(session, run.id, &batch.tags)?;
            write_metrics(session, run.id, &batch.metrics)?;
            logged_models::write_metrics(session, &caller, &run_id, &batch.metrics)
        };
        self.database().write(work).await
    }
}

fn no_duplicates(params: &[Tag]) -> Result<()> {
    let mut seen = std::collections::HashSet::new();
    let twice: Vec<String> = params
        .iter()
        .filter(|param| !seen.insert(&param.key))
        .map(|param| format!("'{}'", param.key))
        .collect();
    if twice.is_empty() {
        return Ok(());
    }
    Err(TrackingError::invalid(format!(
        "Duplicate parameter keys have been submitted: [{}]. Please ensure the request contains only one param value per \
         param key.",
        twice.join(", ")
    )))
}

fn write_params(session: &mut Session<'_>, run: i64, run_id: &str, params: &[Tag]) -> Result<()> {
    if params.is_empty() {
        return Ok(());
    }
    let keys: Vec<String> = params.iter().map(|param| param.key.clone()).collect();
    let mut known: HashMap<String, String> = HashMap::new();
    session.query(
        "SELECT key, value FROM params WHERE run = ? AND key = ANY(?)",
        &values![run, keys],
        |row| {
            known.insert(row.text(0)?, row.text(1)?);
            Ok(())
        },
    )?;
    let mut fresh = Vec::with_capacity(params.len());
    let mut changed = Vec::new();
    for param in params {
        match known.get(&param.key) {
            None => fresh.push(param.clone()),
            Some(value) if *value == param.value => {}
            Some(value) => changed.push((param, value)),
        }
    }
    match changed.as_slice() {
        [] => PARAMS.set(session, run, &fresh),
        [(param, old)] if params.len() == 1 => Err(TrackingError::invalid(format!(
            "Changing param values is not allowed. Param with key='{}' was already logged with value='{old}' for run \
             ID='{run_id}'. Attempted logging new value '{}'.",
            param.key, param.value
        ))),
        changed => {
            let list: Vec<String> = changed
                .iter()
                .map(|(param, old)| {
                    format!(
                        "{{'key': '{}', 'old_value': '{old}', 'new_value': '{}'}}",
                        param.key, param.value
                    )
                })
                .collect();
            Err(TrackingError::invalid(format!(
                "Changing param values is not allowed. Params were already logged='[{}]' for run ID='{run_id}'.",
                list.join(", ")
            )))
        }
    }
}

fn write_metrics(session: &mut Session<'_>, run: i64, metrics: &[Metric]) -> Result<()> {
    if metrics.is_empty() {
        return Ok(());
    }
    let mut known = newest(session, run, metrics)?;
    let mut history: Vec<Vec<Value>> = Vec::with_capacity(metrics.len());
    // Each metric's newest value is written once, however many values it gets.
    let mut updated: Vec<String> = Vec::new();
    for metric in metrics {
        let place = Place::of(metric);
        let series = match known.get_mut(&metric.key) {
            Some(newest) => {
                if place > newest.place {
                    newest.place = place;
                    updated.push(metric.key.clone());
                }
                newest.series
            }
            None => {
                let series = session.number(
                    "INSERT INTO series (run, key, timestamp, step, value, nan) VALUES (?, ?, ?, ?, ?, ?) RETURNING id",
                    &values![run, &metric.key, place.timestamp, place.step, place.value, place.nan],
                )?;
                known.insert(metric.key.clone(), Newest { series, place });
                series
            }
        };
        history.push(values![series, place.timestamp, place.step, place.value, place.nan].to_vec());
    }
    updated.sort_unstable();
    updated.dedup();
    let rows: Vec<Vec<Value>> = updated
        .iter()
        .filter_map(|key| known.get(key))
        .map(|Newest { series, place }| {
            values![place.timestamp, place.step, place.value, place.nan, *series].to_vec()
        })
        .collect();
    session.execute_each(
        "UPDATE series SET timestamp = ?, step = ?, value = ?, nan = ? WHERE id = ?",
        &rows,
    )?;
    session.execute_each(
        "INSERT INTO history (series, timestamp, step, value, nan) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (series, timestamp, step, value, nan) DO NOTHING",
        &history,
    )
}

fn newest(
    session: &mut Session<'_>,
    run: i64,
    metrics: &[Metric],
) -> Result<HashMap<String, Newest>> {
    const COLUMNS: &str = "SELECT key, id, step, timestamp, value, nan FROM series WHERE run = ?";
    let mut known = HashMap::with_capacity(metrics.len());
    let read = |row: &crate::database::Row<'_>| {
        let place = Place {
            step: row.integer(2)?,
            timestamp: row.integer(3)?,
            value: row.real(4)?,
            nan: row.truth(5)?,
        };
        let newest = Newest {
            series: row.integer(1)?,
            place,
        };
        known.insert(row.text(0)?, newest);
        Ok(())
    };
    match metrics {
        [one] => session.query(
            &format!("{COLUMNS} AND key = ?"),
            &values![run, &one.key],
            read,
        )?,
        many => {
            let mut keys: Vec<String> = many.iter().map(|metric| metric.key.clone()).collect();
            keys.sort_unstable();
            keys.dedup();
            session.query(
                &format!("{COLUMNS} AND key = ANY(?)"),
                &values![run, keys],
                read,
            )?
        }
    };
    Ok(known)
}
