//! A run for each deployment, with what happened to it.

use std::collections::{BTreeMap, BTreeSet};

use hush_mlflow::{Metric, MlflowError, Run, RunStatus, Tracking};
use hush_serving::{
    HistogramSnapshot, Identity, ModelState, ModelStatistics, Outcome, Service, Stage,
};

use super::drift::Drift;

/// Logs each deployment's metrics to a run of its own.
pub(super) struct Journal {
    tracking: Tracking,
    service: Service,
    drift: Drift,
    experiment: String,
    deployments: BTreeMap<String, Deployment>,
    said: bool,
}

/// A model in the version that answers requests that name none.
struct Deployment {
    version: String,
    run: Run,
    step: i64,
    /// When it was last logged.
    before: Snapshot,
}

/// Counters at one time.
#[derive(Clone, Default)]
struct Snapshot {
    outcomes: [u64; Outcome::ALL.len()],
    stages: [HistogramSnapshot; Stage::ALL.len()],
    samples: u64,
    bytes_in: u64,
    bytes_out: u64,
}

impl Journal {
    pub(super) fn new(
        tracking: Tracking,
        service: Service,
        drift: Drift,
        experiment: &str,
    ) -> Self {
        Self {
            tracking,
            service,
            drift,
            experiment: experiment.to_owned(),
            deployments: BTreeMap::new(),
            said: false,
        }
    }

    /// Logs what has happened since the last time. A tracking server that is away costs nothing but those figures.
    pub(super) async fn round(&mut self) {
        match self.log().await {
            Ok(()) => self.said = false,
            Err(error) if !self.said => {
                tracing::warn!(%error, "deployments are not logged");
                self.said = true;
            }
            Err(_) => {}
        }
    }

    /// Ends the runs.
    pub(super) async fn end(&mut self) {
        for (_, deployment) in std::mem::take(&mut self.deployments) {
            let _ = self
                .tracking
                .set_run_status(&deployment.run.id, RunStatus::Finished)
                .await;
        }
    }

    async fn log(&mut self) -> Result<(), MlflowError> {
        let ready = self
            .service
            .index()
            .into_iter()
            .filter(|status| status.state == ModelState::Ready);
        let names: BTreeSet<String> = ready.map(|status| status.name).collect();
        for name in &names {
            let Some(version) = self.service.current_version(name) else {
                continue;
            };
            let now = Snapshot::of(&self.service.statistics().model(name));
            self.log_one(name, version, now).await?;
        }
        let gone: Vec<_> = self
            .deployments
            .keys()
            .filter(|name| !names.contains(*name))
            .cloned()
            .collect();
        for name in gone {
            if let Some(deployment) = self.deployments.remove(&name) {
                self.tracking
                    .set_run_status(&deployment.run.id, RunStatus::Finished)
                    .await?;
            }
        }
        Ok(())
    }

    async fn log_one(
        &mut self,
        name: &str,
        version: String,
        now: Snapshot,
    ) -> Result<(), MlflowError> {
        let known = self.deployments.get(name);
        if known.is_none_or(|known| known.version != version) {
            let before = known.map(|known| known.before.clone()).unwrap_or_default();
            if let Some(ended) = self.deployments.remove(name) {
                self.tracking
                    .set_run_status(&ended.run.id, RunStatus::Finished)
                    .await?;
            }
            let run = self.begin(name, &version).await?;
            self.deployments.insert(
                name.to_owned(),
                Deployment {
                    version,
                    run,
                    step: 0,
                    before,
                },
            );
        }
        let Some(deployment) = self.deployments.get_mut(name) else {
            return Ok(());
        };
        let mut values = now.since(&deployment.before);
        if let Some(reported) = self.drift.take(name) {
            values.push(("reported_samples".to_owned(), reported.samples as f64));
            values.push(("reported_outside".to_owned(), reported.outside as f64));
            for (output, range) in reported.outputs {
                values.push((format!("output/{output}/minimum"), range.minimum));
                values.push((format!("output/{output}/maximum"), range.maximum));
                values.push((format!("output/{output}/mean"), range.mean));
            }
        }
        if values.is_empty() {
            return Ok(());
        }
        let step = deployment.step;
        let metrics = values
            .into_iter()
            .map(|(key, value)| Metric { key, value, step });
        let none = BTreeMap::new();
        self.tracking
            .log(
                &deployment.run.id,
                &metrics.collect::<Vec<_>>(),
                &none,
                &none,
            )
            .await?;
        deployment.step += 1;
        deployment.before = now;
        Ok(())
    }

    async fn begin(&self, name: &str, version: &str) -> Result<Run, MlflowError> {
        let experiment = self.tracking.experiment(&self.experiment).await?;
        let mut tags = BTreeMap::from([
            ("mlflow.source.name".to_owned(), "hush-server".to_owned()),
            ("mlflow.source.type".to_owned(), "LOCAL".to_owned()),
            ("hush.deployment".to_owned(), name.to_owned()),
            ("hush.version".to_owned(), version.to_owned()),
        ]);
        if let Ok(metadata) = self
            .service
            .metadata(&Identity::local(), name, Some(version))
        {
            tags.extend(metadata.properties);
        }
        self.tracking
            .create_run(
                &experiment,
                Some(&format!("{name} version {version}")),
                &tags,
            )
            .await
    }
}

impl Snapshot {
    fn of(statistics: &ModelStatistics) -> Self {
        Self {
            outcomes: Outcome::ALL.map(|outcome| statistics.outcome(outcome).value()),
            stages: Stage::ALL.map(|stage| statistics.stage(stage).snapshot()),
            samples: statistics.samples.value(),
            bytes_in: statistics.bytes_in.value(),
            bytes_out: statistics.bytes_out.value(),
        }
    }

    /// Metrics of the time between; none if nothing happened.
    fn since(&self, before: &Self) -> Vec<(String, f64)> {
        let counts: Vec<_> = self
            .outcomes
            .iter()
            .zip(&before.outcomes)
            .map(|(now, then)| now - then)
            .collect();
        if counts.iter().all(|&count| count == 0) {
            return Vec::new();
        }
        let mut values = Vec::new();
        for (outcome, count) in Outcome::ALL.iter().zip(counts) {
            values.push((format!("requests/{}", outcome.name()), count as f64));
        }
        for ((stage, now), then) in Stage::ALL.iter().zip(&self.stages).zip(&before.stages) {
            let between = between(now, then);
            let Some(mean) = between
                .sum
                .checked_div(u32::try_from(between.count()).unwrap_or(u32::MAX))
            else {
                continue;
            };
            values.push((
                format!("milliseconds/{}", stage.name()),
                mean.as_secs_f64() * 1e3,
            ));
            if *stage == Stage::Total {
                for (name, share) in [("p50", 0.5), ("p99", 0.99)] {
                    if let Some(bound) = between.quantile(share) {
                        values.push((
                            format!("milliseconds/total_{name}"),
                            bound.as_secs_f64() * 1e3,
                        ));
                    }
                }
            }
        }
        values.push(("samples".to_owned(), (self.samples - before.samples) as f64));
        values.push((
            "bytes_in".to_owned(),
            (self.bytes_in - before.bytes_in) as f64,
        ));
        values.push((
            "bytes_out".to_owned(),
            (self.bytes_out - before.bytes_out) as f64,
        ));
        values
    }
}

fn between(now: &HistogramSnapshot, then: &HistogramSnapshot) -> HistogramSnapshot {
    let mut between = now.clone();
    for (count, before) in between.counts.iter_mut().zip(&then.counts) {
        *count -= before;
    }
    between.sum = between.sum.saturating_sub(then.sum);
    between
}
