//! Which tracking server a command writes to.

use clap::Args;
use hush_mlflow::{MlflowError, Tracking, TrackingOptions};
use tokio::runtime::{Builder, Runtime};

use crate::failure::{Failure, Result};

/// The arguments of every command that talks to a tracking server.
#[derive(Args, Debug)]
pub(crate) struct TrackingArguments {
    /// The tracking server: http://HOST:PORT or https://HOST [default: MLFLOW_TRACKING_URI]
    #[arg(long, value_name = "URI")]
    tracking_uri: Option<String>,
}

/// A tracking server, asked from code that is not asynchronous.
pub(crate) struct Tracked {
    pub(crate) server: Tracking,
    runtime: Runtime,
}

impl TrackingArguments {
    /// Prepares to ask the server that the arguments or the environment name.
    pub(crate) fn open(&self) -> Result<Tracked> {
        let options =
            TrackingOptions::from_environment(self.tracking_uri.clone()).ok_or_else(|| {
                let hint = "pass --tracking-uri, or set MLFLOW_TRACKING_URI";
                Failure::new("no tracking server is named").hint(hint)
            })?;
        Ok(Tracked {
            server: Tracking::new(&options)?,
            runtime: Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build()?,
        })
    }
}

impl Tracked {
    /// Waits for an answer.
    pub(crate) fn wait<T>(
        &self,
        answer: impl Future<Output = std::result::Result<T, MlflowError>>,
    ) -> Result<T> {
        Ok(self.runtime.block_on(answer)?)
    }
}

/// What MLflow's clients say of whoever makes a run.
pub(crate) fn user() -> Option<(String, String)> {
    let name = std::env::var("USER")
        .or_else(|_| std::env::var("LOGNAME"))
        .ok()?;
    Some(("mlflow.user".to_owned(), name))
}
