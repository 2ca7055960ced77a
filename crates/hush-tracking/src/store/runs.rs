//! Runs.

use std::collections::HashMap;

use super::experiments::editable;
use super::tags::{INPUT_TAGS, PARAMS, RUN_TAGS};
use super::{Tracking, datasets, logged_models};
use crate::caller::Resource;
use crate::database::{Row, Session, values};
use crate::wire::{
    Lifecycle, Metric, ModelInput, ModelOutput, Run, RunData, RunInfo, RunInputs, RunOutputs,
    RunStatus, Tag,
};
use crate::{Caller, Permission, TrackingError, limits, time};

type Result<T> = std::result::Result<T, TrackingError>;

/// The tag that has a run's name too.
const NAME_TAG: &str = "mlflow.runName";

/// What a new run begins with.
#[derive(Clone, Debug, Default)]
pub struct NewRun {
    /// Its experiment's number.
    pub experiment_id: String,
    /// Who started it.
    pub user_id: String,
    /// Its name; made up if there is none.
    pub name: String,
    /// When it started; now if not said.
    pub start_time: Option<i64>,
    /// Its first tags.
    pub tags: Vec<Tag>,
}

/// What is to be changed of a run.
#[derive(Clone, Debug, Default)]
pub struct RunChange {
    /// How it goes.
    pub status: Option<RunStatus>,
    /// When it ended.
    pub end_time: Option<i64>,
    /// Its name.
    pub name: Option<String>,
}

/// A run in the store, with its numbers.
pub(super) struct Stored {
    pub(super) id: i64,
    pub(super) experiment: i64,
    pub(super) info: RunInfo,
}

const COLUMNS: &str = "SELECT id, run_id, experiment, name, user_id, status, started, ended, deleted, artifact_uri FROM runs";

fn read(row: &Row<'_>) -> Result<Stored> {
    let (run_id, experiment) = (row.text(1)?, row.integer(2)?);
    Ok(Stored {
        id: row.integer(0)?,
        experiment,
        info: RunInfo {
            run_uuid: run_id.clone(),
            experiment_id: experiment.to_string(),
            run_name: row.text(3)?,
            user_id: row.text(4)?,
            status: RunStatus::of_number(row.integer(5)?).unwrap_or(RunStatus::Running),
            start_time: row.integer(6)?,
            end_time: row.optional_integer(7)?,
            lifecycle_stage: Lifecycle::of(row.truth(8)?),
            artifact_uri: row.text(9)?,
            run_id,
        },
    })
}

/// A run by its name, to read it.
pub(super) fn stored(session: &mut Session<'_>, caller: &Caller, run_id: &str) -> Result<Stored> {
    find(session, caller, run_id, Permission::Read, "")
}

/// A run by its name, which nobody else changes until the transaction ends.
pub(super) fn locked(session: &mut Session<'_>, caller: &Caller, run_id: &str) -> Result<Stored> {
    let lock = session.lock();
    find(session, caller, run_id, Permission::Edit, lock)
}

/// The same, if it was not deleted.
pub(super) fn active(session: &mut Session<'_>, caller: &Caller, run_id: &str) -> Result<Stored> {
    let run = locked(session, caller, run_id)?;
    match run.info.lifecycle_stage {
        Lifecycle::Active => Ok(run),
        Lifecycle::Deleted => Err(TrackingError::invalid(format!(
            "The run {run_id} must be in the 'active' state. Current state is deleted."
        ))),
    }
}

fn find(
    session: &mut Session<'_>,
    caller: &Caller,
    run_id: &str,
    needed: Permission,
    lock: &str,
) -> Result<Stored> {
    let sql = format!("{COLUMNS} WHERE run_id = ?{lock}");
    let found = session.query_first(&sql, &values![run_id], read)?;
    let run =
        found.ok_or_else(|| TrackingError::missing(format!("Run with id={run_id} not found")))?;
    caller.require(session, needed, Resource::Experiment(run.experiment))?;
    Ok(run)
}

/// Whole runs of these numbers, in their order.
pub(super) fn whole(session: &mut Session<'_>, ids: &[i64]) -> Result<Vec<Run>> {
    let mut infos = HashMap::with_capacity(ids.len());
    session.query(
        &format!("{COLUMNS} WHERE id = ANY(?)"),
        &values![ids.to_vec()],
        |row| {
            let run = read(row)?;
            infos.insert(run.id, run.info);
            Ok(())
        },
    )?;
    let mut metrics: HashMap<i64, Vec<Metric>> = HashMap::with_capacity(ids.len());
    session.query(
        "SELECT run, key, value, nan, timestamp, step FROM series WHERE run = ANY(?) ORDER BY run, key",
        &values![ids.to_vec()],
        |row| {
            let value = if row.truth(3)? { f64::NAN } else { row.real(2)? };
            let metric = Metric::new(row.text(1)?, value, row.integer(4)?, row.integer(5)?);
            metrics.entry(row.integer(0)?).or_default().push(metric);
            Ok(())
        },
    )?;
    let mut params = PARAMS.of_all(session, ids)?;
    let mut tags = RUN_TAGS.of_all(session, ids)?;
    let mut inputs = datasets::inputs_of(session, ids)?;
    let mut used: HashMap<i64, Vec<ModelInput>> = HashMap::new();
    session.query(
        "SELECT run, model_id FROM model_inputs WHERE run = ANY(?) ORDER BY run, model_id",
        &values![ids.to_vec()],
        |row| {
            used.entry(row.integer(0)?).or_default().push(ModelInput {
                model_id: row.text(1)?,
            });
            Ok(())
        },
    )?;
    let mut made: HashMap<i64, Vec<ModelOutput>> = HashMap::new();
    session.query(
        "SELECT run, model_id, step FROM model_outputs WHERE run = ANY(?) ORDER BY run, model_id",
        &values![ids.to_vec()],
        |row| {
            let output = ModelOutput {
                model_id: row.text(1)?,
                step: row.integer(2)?,
            };
            made.entry(row.integer(0)?).or_default().push(output);
            Ok(())
        },
    )?;
    let run = |id: &i64| {
        Some(Run {
            info: infos.remove(id)?,
            data: RunData {
                metrics: metrics.remove(id).unwrap_or_default(),
                params: params.remove(id).unwrap_or_default(),
                tags: tags.remove(id).unwrap_or_default(),
            },
            inputs: RunInputs {
                dataset_inputs: inputs.remove(id).unwrap_or_default(),
                model_inputs: used.remove(id).unwrap_or_default(),
            },
            outputs: RunOutputs {
                model_outputs: made.remove(id).unwrap_or_default(),
            },
        })
    };
    Ok(ids.iter().filter_map(run).collect())
}

/// One whole run.
pub(super) fn one(session: &mut Session<'_>, id: i64) -> Result<Run> {
    let run = whole(session, &[id])?.pop();
    run.ok_or_else(|| TrackingError::internal("a run", &"it went away"))
}

impl Tracking {
    /// Makes a run.
    ///
    /// # Errors
    /// There is no such experiment, it was deleted, or the tags name another run name.
    pub async fn create_run(&self, caller: &Caller, new: NewRun) -> Result<Run> {
        let mut new = new;
        let given = new
            .tags
            .iter()
            .find(|tag| tag.key == NAME_TAG)
            .map(|tag| tag.value.clone());
        match given {
            Some(given) if new.name.is_empty() => new.name = given,
            Some(given) if given != new.name => {
                return Err(TrackingError::invalid(format!(
                    "Both 'run_name' argument and 'mlflow.runName' tag are specified, but with different values \
                     (run_name='{}', mlflow.runName='{given}').",
                    new.name
                )));
            }
            Some(_) => {}
            None => {
                if new.name.is_empty() {
                    new.name = time::name()?;
                }
                let (key, value) = (NAME_TAG.into(), new.name.clone());
                new.tags.push(Tag { key, value });
            }
        }
        for (index, tag) in new.tags.iter_mut().enumerate() {
            limits::tag(&format!("tags[{index}]"), tag)?;
        }
        let experiment_id = limits::experiment_id(if new.experiment_id.is_empty() {
            "0"
        } else {
            &new.experiment_id
        })?;
        let (caller, run_id) = (caller.clone(), time::id()?);
        let work = move |session: &mut Session<'_>| {
            let experiment = editable(session, &caller, experiment_id)?;
            let root = experiment.artifact_location.trim_end_matches('/');
            let id = session.number(
                "INSERT INTO runs (run_id, experiment, name, user_id, status, started, artifact_uri)
                 VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id",
                &values![
                    &run_id,
                    experiment_id,
                    &new.name,
                    &new.user_id,
                    RunStatus::Running.number(),
                    new.start_time.unwrap_or_else(time::now),
                    format!("{root}/{run_id}/artifacts"),
                ],
            )?;
            RUN_TAGS.set(session, id, &new.tags)?;
            one(session, id)
        };
        self.database().write(work).await
    }

    /// A run.
    ///
    /// # Errors
    /// There is none.
    pub async fn run(&self, caller: &Caller, run_id: &str) -> Result<Run> {
        let (caller, run_id) = (caller.clone(), run_id.to_owned());
        let work = move |session: &mut Session<'_>| {
            let id = stored(session, &caller, &run_id)?.id;
            one(session, id)
        };
        self.database().read(work).await
    }

    /// Changes a run's state or name.
    ///
    /// # Errors
    /// There is none, or it was deleted.
    pub async fn update_run(
        &self,
        caller: &Caller,
        run_id: &str,
        change: RunChange,
    ) -> Result<RunInfo> {
        let (caller, run_id) = (caller.clone(), run_id.to_owned());
        let work = move |session: &mut Session<'_>| {
            let run = active(session, &caller, &run_id)?;
            session.execute(
                "UPDATE runs SET status = coalesce(?, status), ended = coalesce(?, ended) WHERE id = ?",
                &values![change.status.map(RunStatus::number), change.end_time, run.id],
            )?;
            if let Some(name) = change.name.as_ref().filter(|name| !name.is_empty()) {
                session.execute(
                    "UPDATE runs SET name = ? WHERE id = ?",
                    &values![name, run.id],
                )?;
                let (key, value) = (NAME_TAG.to_owned(), name.clone());
                RUN_TAGS.set(session, run.id, &[Tag { key, value }])?;
            }
            Ok(locked(session, &caller, &run_id)?.info)
        };
        self.database().write(work).await
    }

    /// Deletes a run, which can be brought back, or brings it back.
    ///
    /// # Errors
    /// There is none.
    pub async fn delete_run(&self, caller: &Caller, run_id: &str, deleted: bool) -> Result<()> {
        let (caller, run_id) = (caller.clone(), run_id.to_owned());
        let work = move |session: &mut Session<'_>| {
            let id = locked(session, &caller, &run_id)?.id;
            let sql = "UPDATE runs SET deleted = ? WHERE id = ?";
            session.execute(sql, &values![deleted, id]).map(drop)
        };
        self.database().write(work).await
    }

    /// Removes a tag of a run.
    ///
    /// # Errors
    /// There is no such run or tag.
    pub async fn delete_run_tag(&self, caller: &Caller, run_id: &str, key: &str) -> Result<()> {
        let (caller, run_id, key) = (caller.clone(), run_id.to_owned(), key.to_owned());
        let work = move |session: &mut Session<'_>| {
            let id = active(session, &caller, &run_id)?.id;
            if RUN_TAGS.remove(session, id, &key)? {
                return Ok(());
            }
            Err(TrackingError::missing(format!(
                "No tag with name: {key} in run with id {run_id}"
            )))
        };
        self.database().write(work).await
    }

    /// Notes which datasets and logged models a run used. What is noted already stays.
    ///
    /// # Errors
    /// There is no such run, or a dataset lacks a field or has too long a one.
    pub async fn log_inputs(
        &self,
        caller: &Caller,
        run_id: &str,
        inputs: Vec<crate::wire::DatasetInput>,
        models: Vec<String>,
    ) -> Result<()> {
        for input in &inputs {
            datasets::check(input)?;
        }
        let (caller, run_id) = (caller.clone(), run_id.to_owned());
        let work = move |session: &mut Session<'_>| {
            let run = active(session, &caller, &run_id)?;
            for input in &inputs {
                let dataset = datasets::keep(session, run.experiment, &input.dataset)?;
                let fresh = session.query_first(
                    "INSERT INTO inputs (run, dataset) VALUES (?, ?) ON CONFLICT (run, dataset) DO NOTHING RETURNING id",
                    &values![run.id, dataset],
                    |row| row.integer(0),
                )?;
                if let Some(id) = fresh {
                    INPUT_TAGS.set(session, id, &input.tags)?;
                }
            }
            for model in &models {
                logged_models::stored(session, &caller, model, Permission::Read)?;
                session.execute(
                    "INSERT INTO model_inputs (run, model_id) VALUES (?, ?) ON CONFLICT (run, model_id) DO NOTHING",
                    &values![run.id, model],
                )?;
            }
            Ok(())
        };
        self.database().write(work).await
    }

    /// Notes which logged models a run made.
    ///
    /// # Errors
    /// There is no such run or model.
    pub async fn log_outputs(
        &self,
        caller: &Caller,
        run_id: &str,
        models: Vec<ModelOutput>,
    ) -> Result<()> {
        let (caller, run_id) = (caller.clone(), run_id.to_owned());
        let work = move |session: &mut Session<'_>| {
            let run = active(session, &caller, &run_id)?;
            for model in &models {
                logged_models::stored(session, &caller, &model.model_id, Permission::Read)?;
                session.execute(
                    "INSERT INTO model_outputs (run, model_id, step) VALUES (?, ?, ?)
                     ON CONFLICT (run, model_id) DO UPDATE SET step = excluded.step",
                    &values![run.id, &model.model_id, model.step],
                )?;
            }
            Ok(())
        };
        self.database().write(work).await
    }
}
