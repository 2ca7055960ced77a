//! Experiments and runs.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::{ArtifactRoot, MlflowError, Tracking};

/// A run.
#[derive(Clone, Debug)]
pub struct Run {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The experiment that it belongs to.
    pub experiment: String,
    /// Where the server keeps its artifacts.
    pub artifact_uri: String,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RunStatus {
    /// It goes on.
    Running,
    /// As it should.
    Finished,
    /// It did not do what it should.
    Failed,
    /// Somebody stopped it.
    Killed,
}

impl RunStatus {
    fn name(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Finished => "FINISHED",
            Self::Failed => "FAILED",
            Self::Killed => "KILLED",
        }
    }
}

/// A number at a time.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    /// Its name.
    pub key: String,
    /// Its value, which is finite.
    pub value: f64,
    /// Which in the row of its values.
    pub step: i64,
}

impl Tracking {
    /// The id of an experiment, made if there is none of that name.
    ///
    /// # Errors
    /// [`MlflowError`].
    pub async fn experiment(&self, name: &str) -> Result<String, MlflowError> {
        let find = async || {
            self.get("experiments/get-by-name", &[("experiment_name", name)])
                .await
        };
        match find().await {
            Ok(found) => {
                return self.text(
                    &found["experiment"]["experiment_id"],
                    "id of the experiment",
                );
            }
            Err(error) if error.is_missing() => {}
            Err(error) => return Err(error),
        }
        match self
            .post("experiments/create", json!({ "name": name }))
            .await
        {
            Ok(made) => self.text(&made["experiment_id"], "id of the experiment"),
            // Somebody else made it meanwhile.
            Err(error) if error.is_there() => self.text(
                &find().await?["experiment"]["experiment_id"],
                "id of the experiment",
            ),
            Err(error) => Err(error),
        }
    }

    /// Begins a run. The server names it if `name` is `None`.
    ///
    /// # Errors
    /// [`MlflowError`].
    pub async fn create_run(
        &self,
        experiment: &str,
        name: Option<&str>,
        tags: &BTreeMap<String, String>,
    ) -> Result<Run, MlflowError> {
        let mut body =
            json!({ "experiment_id": experiment, "start_time": now(), "tags": pairs(tags) });
        if let Some(name) = name {
            body["run_name"] = name.into();
        }
        let made = self.post("runs/create", body).await?;
        self.run_of(&made["run"]["info"])
    }

    /// A run that there is.
    ///
    /// # Errors
    /// [`MlflowError`].
    pub async fn run(&self, id: &str) -> Result<Run, MlflowError> {
        let found = self.get("runs/get", &[("run_id", id)]).await?;
        self.run_of(&found["run"]["info"])
    }

    /// Says how a run goes; one that has ended gets an end time.
    ///
    /// # Errors
    /// [`MlflowError`].
    pub async fn set_run_status(&self, id: &str, status: RunStatus) -> Result<(), MlflowError> {
        let mut body = json!({ "run_id": id, "run_uuid": id, "status": status.name() });
        if status != RunStatus::Running {
            body["end_time"] = now().into();
        }
        self.post("runs/update", body).await.map(|_| ())
    }

    /// Logs to a run; what has more than a request may have goes in several.
    ///
    /// # Errors
    /// [`MlflowError`].
    pub async fn log(
        &self,
        run: &str,
        metrics: &[Metric],
        params: &BTreeMap<String, String>,
        tags: &BTreeMap<String, String>,
    ) -> Result<(), MlflowError> {
        let time = now();
        let metrics: Vec<Value> = metrics
            .iter()
            .map(|metric| json!({ "key": metric.key, "value": metric.value, "timestamp": time, "step": metric.step }))
            .collect();
        let (params, tags) = (pairs(params), pairs(tags));
        let batches = metrics
            .len()
            .div_ceil(900)
            .max(params.len().div_ceil(100))
            .max(tags.len().div_ceil(100));
        let part = |values: &[Value], each: usize, batch: usize| -> Vec<Value> {
            values
                .iter()
                .skip(batch * each)
                .take(each)
                .cloned()
                .collect()
        };
        for batch in 0..batches {
            let body = json!({
                "run_id": run,
                "metrics": part(&metrics, 900, batch),
                "params": part(&params, 100, batch),
                "tags": part(&tags, 100, batch),
            });
            self.post("runs/log-batch", body).await?;
        }
        Ok(())
    }

    /// Where a run's artifacts are.
    ///
    /// # Errors
    /// [`MlflowError::Location`] if the server does not hand them out itself.
    pub fn run_artifacts(&self, run: &Run) -> Result<ArtifactRoot, MlflowError> {
        ArtifactRoot::parse(self, &run.artifact_uri)
    }

    fn run_of(&self, info: &Value) -> Result<Run, MlflowError> {
        Ok(Run {
            id: self.text(&info["run_id"], "id of the run")?,
            name: info["run_name"].as_str().unwrap_or_default().to_owned(),
            experiment: self.text(&info["experiment_id"], "experiment of the run")?,
            artifact_uri: info["artifact_uri"].as_str().unwrap_or_default().to_owned(),
        })
    }
}

/// Milliseconds since 1970.
pub(crate) fn now() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// As the API has tags and parameters.
pub(crate) fn pairs(values: &BTreeMap<String, String>) -> Vec<Value> {
    values
        .iter()
        .map(|(key, value)| json!({ "key": key, "value": value }))
        .collect()
}
