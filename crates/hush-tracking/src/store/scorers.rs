//! Scorers: how answers of language models are judged. They are kept, and run elsewhere.

use super::Tracking;
use super::experiments::{self, experiment};
use crate::caller::Resource;
use crate::database::{Row, Session, values};
use crate::wire::Scorer;
use crate::{Caller, Permission, TrackingError, limits, time};

type Result<T> = std::result::Result<T, TrackingError>;

const COLUMNS: &str = "SELECT experiment, name, version, body, created, scorer_id FROM scorers";

fn read(row: &Row<'_>) -> Result<Scorer> {
    Ok(Scorer {
        experiment_id: row.integer(0)?,
        scorer_name: row.text(1)?,
        scorer_version: row.integer(2)?,
        serialized_scorer: row.text(3)?,
        creation_time: row.integer(4)?,
        scorer_id: row.text(5)?,
    })
}

impl Tracking {
    /// Keeps a scorer, or a further version of it.
    ///
    /// # Errors
    /// There is no such experiment.
    pub async fn register_scorer(
        &self,
        caller: &Caller,
        experiment_id: &str,
        name: &str,
        body: &str,
    ) -> Result<Scorer> {
        let (caller, id, name, body) = (
            caller.clone(),
            limits::experiment_id(experiment_id)?,
            name.to_owned(),
            body.to_owned(),
        );
        let fresh = time::id()?;
        let work = move |session: &mut Session<'_>| {
            caller.require(session, Permission::Edit, Resource::Experiment(id))?;
            experiment(session, id)?;
            let known = session.query_first(
                "SELECT scorer_id, version FROM scorers WHERE experiment = ? AND name = ? ORDER BY version DESC LIMIT 1",
                &values![id, &name],
                |row| Ok((row.text(0)?, row.integer(1)?)),
            )?;
            let (scorer_id, newest) = known.unwrap_or_else(|| (fresh.clone(), 0));
            session.execute(
                "INSERT INTO scorers (scorer_id, experiment, name, version, body, created) VALUES (?, ?, ?, ?, ?, ?)",
                &values![scorer_id, id, &name, newest + 1, &body, time::now()],
            )?;
            let sql = format!("{COLUMNS} WHERE experiment = ? AND name = ? AND version = ?");
            let kept = session.query_first(&sql, &values![id, &name, newest + 1], read)?;
            kept.ok_or_else(|| TrackingError::internal("a scorer", &"it went away"))
        };
        self.database().write(work).await
    }

    /// The newest version of each scorer of the experiments, or every version of one.
    ///
    /// # Errors
    /// There is no such scorer.
    pub async fn scorers(
        &self,
        caller: &Caller,
        experiments: &[String],
        name: Option<&str>,
    ) -> Result<Vec<Scorer>> {
        let ids: Result<Vec<i64>> = experiments
            .iter()
            .map(|id| limits::experiment_id(id))
            .collect();
        let (caller, ids, name) = (caller.clone(), ids?, name.map(str::to_owned));
        let work = move |session: &mut Session<'_>| {
            let ids = experiments::visible(session, &caller, ids.clone())?;
            let Some(name) = &name else {
                let sql = format!(
                    "{COLUMNS} s WHERE experiment = ANY(?) AND version = (SELECT max(n.version) FROM scorers n
                     WHERE n.experiment = s.experiment AND n.name = s.name) ORDER BY name"
                );
                return session.query(&sql, &values![ids], read);
            };
            let sql = format!("{COLUMNS} WHERE experiment = ANY(?) AND name = ? ORDER BY version");
            let found = session.query(&sql, &values![ids.clone(), name], read)?;
            if found.is_empty() {
                Err(absent(name, &ids))
            } else {
                Ok(found)
            }
        };
        self.database().read(work).await
    }

    /// Forgets a scorer, or one version of it.
    ///
    /// # Errors
    /// There is none.
    pub async fn delete_scorer(
        &self,
        caller: &Caller,
        experiment_id: &str,
        name: &str,
        version: Option<i64>,
    ) -> Result<()> {
        let (caller, id, name) = (
            caller.clone(),
            limits::experiment_id(experiment_id)?,
            name.to_owned(),
        );
        let work = move |session: &mut Session<'_>| {
            caller.require(session, Permission::Edit, Resource::Experiment(id))?;
            let sql = "DELETE FROM scorers WHERE experiment = ? AND name = ? AND version = coalesce(?, version)";
            let gone = session.execute(sql, &values![id, &name, version])?;
            if gone == 0 {
                Err(absent(&name, &[id]))
            } else {
                Ok(())
            }
        };
        self.database().write(work).await
    }
}

fn absent(name: &str, experiments: &[i64]) -> TrackingError {
    let experiment = experiments.first().copied().unwrap_or_default();
    TrackingError::missing(format!(
        "Scorer with name '{name}' not found for experiment {experiment}."
    ))
}
