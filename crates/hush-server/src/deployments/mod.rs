//! Versions of a registry as deployments: followed while aliases move, kept to a policy, and logged to runs.
//!
//! Start reading at [`Deployments`]; `follow.rs` decides what is served, `journal.rs` what is logged.

mod cache;
mod drift;
mod follow;
mod here;
mod journal;
mod policy;

use std::time::Duration;

use hush_mlflow::{MlflowError, Tracking, TrackingOptions};
use hush_serving::Service;
use tokio::task::JoinHandle;

use crate::{ServerError, Settings};

pub(crate) use drift::{Drift, reports};
pub(crate) use policy::Policy;

use follow::Follower;
use journal::Journal;

/// What the server does with a registry.
pub(crate) struct Deployments {
    follower: Option<(Follower, Duration)>,
    journal: Option<(Journal, Duration)>,
}

impl Deployments {
    /// Brings the versions that the settings name; returns when they answer. One that the policy keeps out is not waited
    /// for.
    ///
    /// # Errors
    /// [`ServerError::Registry`] if the registry cannot be asked and nothing of it is here from before, or if what it has
    /// cannot be served.
    pub(crate) async fn open(
        settings: &Settings,
        service: &Service,
        own: Option<&hush_tracking::Tracking>,
        drift: &Drift,
    ) -> Result<Self, ServerError> {
        let set = &settings.deployments;
        let tracking = || tracking(settings, own);
        let follower = match set.models.is_empty() {
            true => None,
            false => {
                let mut follower = Follower::new(set, tracking()?, service.clone());
                follower.begin().await?;
                Some((follower, set.interval))
            }
        };
        let journal = match &set.log_to {
            None => None,
            Some(experiment) => {
                let journal = Journal::new(tracking()?, service.clone(), drift.clone(), experiment);
                Some((journal, set.log_interval))
            }
        };
        Ok(Self { follower, journal })
    }

    /// Does its work until it is stopped.
    pub(crate) fn start(self) -> Running {
        let mut tasks = Vec::new();
        if let Some((mut follower, interval)) = self.follower {
            tasks.push(tokio::spawn(async move {
                loop {
                    tokio::time::sleep(interval).await;
                    follower.round().await;
                }
            }));
        }
        let journal = self.journal.map(|(mut journal, interval)| {
            let (end, mut ended) = tokio::sync::oneshot::channel();
            let task = tokio::spawn(async move {
                loop {
                    tokio::select! {
                        () = tokio::time::sleep(interval) => journal.round().await,
                        _ = &mut ended => break,
                    }
                }
                journal.round().await;
                journal.end().await;
            });
            (end, task)
        });
        Running { tasks, journal }
    }
}

/// What goes on beside the listeners.
pub(crate) struct Running {
    tasks: Vec<JoinHandle<()>>,
    journal: Option<(tokio::sync::oneshot::Sender<()>, JoinHandle<()>)>,
}

impl Running {
    /// Ends it; runs get their last figures.
    pub(crate) async fn stop(self) {
        for task in self.tasks {
            task.abort();
        }
        if let Some((end, task)) = self.journal {
            let _ = end.send(());
            // A registry that does not answer holds nobody up.
            let _ = tokio::time::timeout(Duration::from_secs(5), task).await;
        }
    }
}

/// The registry that is named, or the server's own.
fn tracking(
    settings: &Settings,
    own: Option<&hush_tracking::Tracking>,
) -> Result<Tracking, ServerError> {
    let set = &settings.deployments;
    if let Some(options) =
        TrackingOptions::from_environment(set.tracking_uri.clone()).filter(|_| {
            // What this process keeps itself goes before what its environment names.
            set.tracking_uri.is_some() || own.is_none()
        })
    {
        return Ok(Tracking::new(&options)?);
    }
    match own {
        Some(own) => Ok(here::here(own)),
        None => Err(ServerError::Registry(MlflowError::Setting {
            name: "tracking-uri".to_owned(),
            reason: "no registry is named; pass --tracking-uri, or set MLFLOW_TRACKING_URI"
                .to_owned(),
        })),
    }
}
