//! All values of a metric.

use super::{Tracking, runs};
use crate::database::{Row, Session, Value, values};
use crate::filter::{Ordered, Query};
use crate::wire::{Metric, Page};
use crate::{Caller, TrackingError};

type Result<T> = std::result::Result<T, TrackingError>;

/// Values that a page has if nobody says how many: all.
const ALL: usize = 10_000_000;

fn series(session: &mut Session<'_>, run: i64, key: &str) -> Result<Option<i64>> {
    let sql = "SELECT id FROM series WHERE run = ? AND key = ?";
    session.query_first(sql, &values![run, key], |row| row.integer(0))
}

fn read(row: &Row<'_>, key: &str) -> Result<Metric> {
    let value = if row.truth(3)? {
        f64::NAN
    } else {
        row.real(2)?
    };
    Ok(Metric::new(key, value, row.integer(0)?, row.integer(1)?))
}

impl Tracking {
    /// Values of a metric by time, step and value.
    ///
    /// # Errors
    /// There is no such run.
    pub async fn metric_history(
        &self,
        caller: &Caller,
        run_id: &str,
        key: &str,
        size: Option<usize>,
        token: Option<&str>,
    ) -> Result<Page<Metric>> {
        let (caller, run_id, key) = (caller.clone(), run_id.to_owned(), key.to_owned());
        let (size, token) = (size.unwrap_or(ALL), token.map(str::to_owned));
        let work = move |session: &mut Session<'_>| {
            let run = runs::stored(session, &caller, &run_id)?.id;
            let Some(series) = series(session, run, &key)? else {
                let items = Vec::new();
                return Ok(Page { items, next: None });
            };
            let mut query = Query::new("h.timestamp, h.step, h.value, h.nan", "history h");
            query.filter("h.series = ?", values![series]);
            query.order(Ordered::integer("h.timestamp", true));
            query.order(Ordered::integer("h.step", true));
            query.order(Ordered::real("h.value", true));
            query.order(Ordered::integer("h.nan", true));
            let (items, next) =
                query.rows(session, 4, size, token.as_deref(), |row| read(row, &key))?;
            Ok(Page { items, next })
        };
        self.database().read(work).await
    }

    /// Values of a metric of several runs between two steps, thinned to `size` steps each: enough to draw them.
    ///
    /// # Errors
    /// There is no such run.
    pub async fn metric_history_sampled(
        &self,
        caller: &Caller,
        run_ids: &[String],
        key: &str,
        steps: Option<(i64, i64)>,
        size: usize,
    ) -> Result<Vec<Metric>> {
        let (caller, run_ids, key) = (caller.clone(), run_ids.to_vec(), key.to_owned());
        let work = move |session: &mut Session<'_>| {
            let mut found: Vec<(String, i64)> = Vec::new();
            for run_id in &run_ids {
                let run = runs::stored(session, &caller, run_id)?.id;
                if let Some(series) = series(session, run, &key)? {
                    found.push((run_id.clone(), series));
                }
            }
            let chosen = chosen_steps(session, &found, steps, size)?;
            let mut metrics = Vec::new();
            found.sort();
            for (run_id, series) in found {
                let (text, value) = match &chosen {
                    Some(steps) => (" AND step = ANY(?)", Value::Integers(steps.clone())),
                    None => (
                        " AND step >= ?",
                        Value::Integer(steps.map_or(i64::MIN, |(first, _)| first)),
                    ),
                };
                let last = steps.map_or(i64::MAX, |(_, last)| last);
                let sql = format!(
                    "SELECT timestamp, step, value, nan FROM history WHERE series = ?{text} AND step <= ?
                     ORDER BY step, timestamp"
                );
                metrics.extend(session.query(&sql, &values![series, value, last], |row| {
                    let mut metric = read(row, &key)?;
                    metric.run_id = Some(run_id.clone());
                    Ok(metric)
                })?);
            }
            Ok(metrics)
        };
        self.database().read(work).await
    }
}

/// Steps that are shown of all runs: evenly many, and each run's first and last. `None` if there are few enough.
fn chosen_steps(
    session: &mut Session<'_>,
    runs: &[(String, i64)],
    steps: Option<(i64, i64)>,
    size: usize,
) -> Result<Option<Vec<i64>>> {
    let (first, last) = steps.unwrap_or((i64::MIN, i64::MAX));
    let mut all = Vec::new();
    let mut ends = Vec::new();
    for (_, series) in runs {
        let own = session.query(
            "SELECT DISTINCT step FROM history WHERE series = ? AND step >= ? AND step <= ? ORDER BY step",
            &values![*series, first, last],
            |row| row.integer(0),
        )?;
        ends.extend(own.first().copied());
        ends.extend(own.last().copied());
        all.extend(own);
    }
    all.sort_unstable();
    all.dedup();
    if all.len() <= size {
        return Ok(None);
    }
    let mut chosen: Vec<i64> = (0..size)
        .map(|index| all[index * all.len() / size])
        .collect();
    chosen.append(&mut ends);
    chosen.sort_unstable();
    chosen.dedup();
    Ok(Some(chosen))
}
