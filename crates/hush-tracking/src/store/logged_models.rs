//! Logged models.

use super::Tracking;
use super::experiments::editable;
use super::tags::{LOGGED_MODEL_PARAMS, LOGGED_MODEL_TAGS};
use crate::caller::Resource;
use crate::database::{Row, Session, Value, values};
use crate::wire::{
    LoggedModel, LoggedModelData, LoggedModelInfo, LoggedModelMetric, LoggedModelStatus, Metric,
    Tag,
};
use crate::{Caller, Permission, TrackingError, limits, time};

type Result<T> = std::result::Result<T, TrackingError>;

/// What a new logged model begins with.
#[derive(Clone, Debug, Default)]
pub struct NewLoggedModel {
    /// Its experiment's number.
    pub experiment_id: String,
    /// Its name; made up if there is none.
    pub name: Option<String>,
    /// What kind it is, in the caller's words.
    pub model_type: String,
    /// The run that makes it.
    pub source_run_id: String,
    /// Its parameters.
    pub params: Vec<Tag>,
    /// Its tags.
    pub tags: Vec<Tag>,
}

const COLUMNS: &str = "SELECT id, model_id, experiment, name, artifact_uri, created, updated, status, status_message, model_type, \
                       source_run_id FROM logged_models";

fn read(row: &Row<'_>) -> Result<(i64, LoggedModelInfo)> {
    let info = LoggedModelInfo {
        model_id: row.text(1)?,
        experiment_id: row.integer(2)?.to_string(),
        name: row.text(3)?,
        artifact_uri: row.text(4)?,
        creation_timestamp_ms: row.integer(5)?,
        last_updated_timestamp_ms: row.integer(6)?,
        status: LoggedModelStatus::of_number(row.integer(7)?),
        status_message: row.text(8)?,
        model_type: row.text(9)?,
        source_run_id: row.text(10)?,
        tags: Vec::new(),
    };
    Ok((row.integer(0)?, info))
}

/// The number of a logged model and of its experiment.
pub(super) fn stored(
    session: &mut Session<'_>,
    caller: &Caller,
    model_id: &str,
    needed: Permission,
) -> Result<(i64, i64)> {
    let found = session.query_first(
        "SELECT id, experiment FROM logged_models WHERE model_id = ? AND deleted = 0",
        &values![model_id],
        |row| Ok((row.integer(0)?, row.integer(1)?)),
    )?;
    let (id, experiment) = found.ok_or_else(|| {
        TrackingError::missing(format!("Logged model with ID '{model_id}' not found."))
    })?;
    caller.require(session, needed, Resource::Experiment(experiment))?;
    Ok((id, experiment))
}

/// Whole logged models of these numbers, in their order.
pub(super) fn whole(session: &mut Session<'_>, ids: &[i64]) -> Result<Vec<LoggedModel>> {
    let found = session.query(
        &format!("{COLUMNS} WHERE id = ANY(?)"),
        &values![ids.to_vec()],
        read,
    )?;
    let mut infos: std::collections::HashMap<i64, LoggedModelInfo> = found.into_iter().collect();
    let mut tags = LOGGED_MODEL_TAGS.of_all(session, ids)?;
    let mut params = LOGGED_MODEL_PARAMS.of_all(session, ids)?;
    let mut metrics: std::collections::HashMap<i64, Vec<LoggedModelMetric>> =
        std::collections::HashMap::new();
    session.query(
        "SELECT m.model, m.key, m.value, m.nan, m.timestamp, m.step, m.dataset_name, m.dataset_digest, l.model_id, m.run_id
         FROM logged_model_metrics m JOIN logged_models l ON l.id = m.model WHERE m.model = ANY(?) ORDER BY m.id",
        &values![ids.to_vec()],
        |row| {
            let metric = LoggedModelMetric {
                key: row.text(1)?,
                value: if row.truth(3)? { f64::NAN } else { row.real(2)? },
                timestamp: row.integer(4)?,
                step: row.integer(5)?,
                dataset_name: row.text(6)?,
                dataset_digest: row.text(7)?,
                model_id: row.text(8)?,
                run_id: row.text(9)?,
            };
            metrics.entry(row.integer(0)?).or_default().push(metric);
            Ok(())
        },
    )?;
    let model = |id: &i64| {
        let mut info = infos.remove(id)?;
        info.tags = tags.remove(id).unwrap_or_default();
        let data = LoggedModelData {
            params: params.remove(id).unwrap_or_default(),
            metrics: metrics.remove(id).unwrap_or_default(),
        };
        Some(LoggedModel { info, data })
    };
    Ok(ids.iter().filter_map(model).collect())
}

pub(super) fn one(session: &mut Session<'_>, id: i64) -> Result<LoggedModel> {
    let model = whole(session, &[id])?.pop();
    model.ok_or_else(|| TrackingError::internal("a logged model", &"it went away"))
}

/// Keeps those of a run's metrics that are about a logged model.
pub(super) fn write_metrics(
    session: &mut Session<'_>,
    caller: &Caller,
    run_id: &str,
    metrics: &[Metric],
) -> Result<()> {
    for metric in metrics {
        let Some(model_id) = metric.model_id.as_deref().filter(|id| !id.is_empty()) else {
            continue;
        };
        let (model, _) = stored(session, caller, model_id, Permission::Edit)?;
        let nan = metric.value.is_nan();
        let value = if nan {
            0.0
        } else {
            metric.value.clamp(f64::MIN, f64::MAX)
        };
        session.execute(
            "INSERT INTO logged_model_metrics
             (model, run_id, key, timestamp, step, value, nan, dataset_name, dataset_digest)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
             ON CONFLICT (model, key, dataset_name, dataset_digest, run_id, timestamp, step) DO NOTHING",
            &values![
                model,
                run_id,
                &metric.key,
                metric.timestamp,
                metric.step,
                value,
                nan,
                metric.dataset_name.as_deref().unwrap_or_default(),
                metric.dataset_digest.as_deref().unwrap_or_default(),
            ],
        )?;
    }
    Ok(())
}

fn check(params: &mut [Tag], tags: &mut [Tag]) -> Result<()> {
    for (index, param) in params.iter_mut().enumerate() {
        limits::param(&format!("params[{index}]"), param)?;
    }
    for (index, tag) in tags.iter_mut().enumerate() {
        limits::tag(&format!("tags[{index}]"), tag)?;
    }
    Ok(())
}

impl Tracking {
    /// Makes a logged model, which is pending until its files are there.
    ///
    /// # Errors
    /// There is no such experiment, or the name has characters that it may not have.
    pub async fn create_logged_model(
        &self,
        caller: &Caller,
        new: NewLoggedModel,
    ) -> Result<LoggedModel> {
        let mut new = new;
        check(&mut new.params, &mut new.tags)?;
        let name = match new.name.take() {
            Some(name) => name,
            None => time::name()?,
        };
        limits::logged_model_name(&name)?;
        let experiment_id = limits::experiment_id(&new.experiment_id)?;
        let (caller, model_id) = (caller.clone(), format!("m-{}", time::id()?));
        let work = move |session: &mut Session<'_>| {
            let experiment = editable(session, &caller, experiment_id)?;
            let root = experiment.artifact_location.trim_end_matches('/');
            let now = time::now();
            let id = session.number(
                "INSERT INTO logged_models
                 (model_id, experiment, name, artifact_uri, created, updated, status, status_message, model_type, source_run_id)
                 VALUES (?, ?, ?, ?, ?, ?, ?, '', ?, ?) RETURNING id",
                &values![
                    &model_id,
                    experiment_id,
                    &name,
                    format!("{root}/models/{model_id}/artifacts"),
                    now,
                    now,
                    LoggedModelStatus::Pending.number(),
                    &new.model_type,
                    &new.source_run_id,
                ],
            )?;
            LOGGED_MODEL_PARAMS.set(session, id, &new.params)?;
            LOGGED_MODEL_TAGS.set(session, id, &new.tags)?;
            one(session, id)
        };
        self.database().write(work).await
    }

    /// A logged model.
    ///
    /// # Errors
    /// There is none.
    pub async fn logged_model(&self, caller: &Caller, model_id: &str) -> Result<LoggedModel> {
        let (caller, model_id) = (caller.clone(), model_id.to_owned());
        let work = move |session: &mut Session<'_>| {
            let (id, _) = stored(session, &caller, &model_id, Permission::Read)?;
            one(session, id)
        };
        self.database().read(work).await
    }

    /// Says how a logged model ended.
    ///
    /// # Errors
    /// There is none.
    pub async fn finalize_logged_model(
        &self,
        caller: &Caller,
        model_id: &str,
        status: LoggedModelStatus,
    ) -> Result<LoggedModel> {
        let change = move |session: &mut Session<'_>, id: i64| {
            let sql = "UPDATE logged_models SET status = ?, updated = ? WHERE id = ?";
            session
                .execute(sql, &values![status.number(), time::now(), id])
                .map(drop)
        };
        self.change_logged_model(caller, model_id, change).await
    }

    /// Deletes a logged model.
    ///
    /// # Errors
    /// There is none.
    pub async fn delete_logged_model(&self, caller: &Caller, model_id: &str) -> Result<()> {
        let change = |session: &mut Session<'_>, id: i64| {
            let sql = "UPDATE logged_models SET deleted = 1, updated = ? WHERE id = ?";
            session.execute(sql, &values![time::now(), id]).map(drop)
        };
        self.change_logged_model(caller, model_id, change)
            .await
            .map(drop)
    }

    /// Sets tags of a logged model.
    ///
    /// # Errors
    /// There is none.
    pub async fn tag_logged_model(
        &self,
        caller: &Caller,
        model_id: &str,
        tags: Vec<Tag>,
    ) -> Result<LoggedModel> {
        let mut tags = tags;
        check(&mut [], &mut tags)?;
        let change =
            move |session: &mut Session<'_>, id: i64| LOGGED_MODEL_TAGS.set(session, id, &tags);
        self.change_logged_model(caller, model_id, change).await
    }

    /// Removes a tag of a logged model.
    ///
    /// # Errors
    /// There is no such model or tag.
    pub async fn delete_logged_model_tag(
        &self,
        caller: &Caller,
        model_id: &str,
        key: &str,
    ) -> Result<()> {
        let (key, name) = (key.to_owned(), model_id.to_owned());
        let change = move |session: &mut Session<'_>, id: i64| {
            if LOGGED_MODEL_TAGS.remove(session, id, &key)? {
                return Ok(());
            }
            Err(TrackingError::missing(format!(
                "No tag with key '{key}' found for model with ID '{name}'."
            )))
        };
        self.change_logged_model(caller, model_id, change)
            .await
            .map(drop)
    }

    /// Adds parameters to a logged model.
    ///
    /// # Errors
    /// There is none.
    pub async fn log_model_params(
        &self,
        caller: &Caller,
        model_id: &str,
        params: Vec<Tag>,
    ) -> Result<()> {
        let mut params = params;
        check(&mut params, &mut [])?;
        let change =
            move |session: &mut Session<'_>, id: i64| LOGGED_MODEL_PARAMS.set(session, id, &params);
        self.change_logged_model(caller, model_id, change)
            .await
            .map(drop)
    }

    async fn change_logged_model(
        &self,
        caller: &Caller,
        model_id: &str,
        change: impl Fn(&mut Session<'_>, i64) -> Result<()> + Send + 'static,
    ) -> Result<LoggedModel> {
        let (caller, model_id) = (caller.clone(), model_id.to_owned());
        let work = move |session: &mut Session<'_>| {
            let (id, _) = stored(session, &caller, &model_id, Permission::Edit)?;
            change(session, id)?;
            let sql = "UPDATE logged_models SET updated = ? WHERE id = ?";
            session.execute(sql, &[Value::Integer(time::now()), Value::Integer(id)])?;
            one(session, id)
        };
        self.database().write(work).await
    }
}
