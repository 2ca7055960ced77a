//! [`Tracking`]: everything that can be done, each as a method that takes who asks.

mod assessments;
mod batch;
mod datasets;
mod delivery;
mod evaluation;
mod experiments;
mod files;
mod history;
mod holders;
mod import;
mod import_registry;
mod logged_models;
mod logged_search;
mod permissions;
mod registered;
mod registry_search;
mod run_search;
mod runs;
mod scorers;
mod search;
mod signing;
mod tags;
mod trace_search;
mod traces;
mod versions;
mod webhooks;

use std::sync::{Arc, Weak};
use std::time::Duration;

pub use batch::LogBatch;
pub(crate) use evaluation::NewEvaluationDataset;
pub use holders::{Holder, StoredFile};
pub use import::Imported;
pub use logged_models::NewLoggedModel;
pub use logged_search::{LoggedModelOrder, LoggedModelSearch};
pub(crate) use permissions::Named;
pub use runs::{NewRun, RunChange};
pub(crate) use signing::Grant;
pub(crate) use traces::{NewSpan, NewTrace};
pub use versions::NewVersion;
pub use webhooks::NewWebhook;
pub(crate) use webhooks::webhook_page;

use crate::artifacts::Artifacts;
use crate::database::{Database, Location};
use crate::{TrackingError, time};

/// Where a store is, and what it allows.
#[derive(Clone, Debug)]
pub struct TrackingOptions {
    /// `sqlite:///FILE` or `postgresql://…`.
    pub store: String,
    /// Where artifacts are kept: a folder, `s3://…`, `gs://…` or `az://…`.
    pub artifacts: String,
    /// Hosts that webhooks may tell, such as `hooks.example.com`, or `.example.com` for all below it; none if empty.
    pub webhook_hosts: Vec<String>,
    /// Bring an older schema forward.
    pub upgrade: bool,
}

impl TrackingOptions {
    /// Where everything is, without the password that an address may have.
    #[must_use]
    pub fn place(&self) -> String {
        let store = match (self.store.split_once("://"), self.store.rsplit_once('@')) {
            (Some((scheme, _)), Some((_, host))) => format!("{scheme}://…@{host}"),
            _ => self.store.clone(),
        };
        format!("{store}, files in {}", self.artifacts)
    }
}

/// A store of experiments, models and artifacts. Clones share it.
#[derive(Clone)]
pub struct Tracking(Arc<Inner>);

struct Inner {
    database: Database,
    artifacts: Artifacts,
    webhooks: delivery::Sender,
}

impl Tracking {
    /// Opens a store; a new one gets its tables and the experiment `Default`.
    ///
    /// # Errors
    /// What of the options is wrong, or that the database cannot be reached or has another schema.
    pub async fn open(options: TrackingOptions) -> Result<Self, TrackingError> {
        let location = Location::parse(&options.store)?;
        let database = Database::open(&location, options.upgrade).await?;
        let artifacts = Artifacts::open(&options.artifacts)?;
        let tracking = Self(Arc::new(Inner {
            database,
            artifacts,
            webhooks: delivery::Sender::new(&options.webhook_hosts)?,
        }));
        tracking.make_default_experiment().await?;
        tokio::spawn(forget_uploads(Arc::downgrade(&tracking.0)));
        Ok(tracking)
    }

    pub(crate) fn database(&self) -> &Database {
        &self.0.database
    }

    pub(crate) fn artifacts(&self) -> &Artifacts {
        &self.0.artifacts
    }
}

/// How long uploads wait for somebody to go on with them, and how often that is looked at.
const UPLOADS: Duration = Duration::from_secs(86_400);
const ROUND: Duration = Duration::from_secs(3600);

/// Deletes uploads that nobody finished, for as long as there is a store.
async fn forget_uploads(store: Weak<Inner>) {
    while let Some(inner) = store.upgrade() {
        let since = time::now() - UPLOADS.as_millis() as i64;
        if let Err(error) = inner.artifacts.sweep(since).await {
            tracing::warn!(%error, "uploads that nobody finished are still there");
        }
        drop(inner);
        tokio::time::sleep(ROUND).await;
    }
}

/// The address of an experiment's artifacts, which clients resolve to the server they talk to.
pub(crate) const ARTIFACTS_SCHEME: &str = "mlflow-artifacts:/";
