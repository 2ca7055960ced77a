//! Settings of what is served from a registry, and logged to one.

use std::path::PathBuf;
use std::time::Duration;

use hush_mlflow::ModelUri;

use super::{Values, value};
use crate::ServerError;
use crate::deployments::Policy;

/// What addresses of a registry begin with, among the paths of models.
const ADDRESS: &str = "models:/";

/// What is served from a registry, and logged to one.
#[derive(Clone, Debug)]
pub(crate) struct DeploymentSettings {
    pub(crate) models: Vec<ModelUri>,
    pub(crate) tracking_uri: Option<String>,
    pub(crate) policy: Policy,
    pub(crate) cache: PathBuf,
    pub(crate) interval: Duration,
    pub(crate) retire_after: Duration,
    pub(crate) largest: u64,
    pub(crate) log_to: Option<String>,
    pub(crate) log_interval: Duration,
}

impl Values<'_> {
    /// Paths of models, without the addresses of a registry.
    pub(super) fn model_paths(&self) -> Vec<PathBuf> {
        let mut paths = self.texts("models");
        paths.retain(|text| !text.starts_with(ADDRESS));
        paths.into_iter().map(PathBuf::from).collect()
    }

    pub(super) fn deployments(&self) -> Result<DeploymentSettings, ServerError> {
        let addresses = self
            .texts("models")
            .into_iter()
            .filter(|text| text.starts_with(ADDRESS));
        let models = addresses.map(|text| {
            let parsed: Result<ModelUri, _> = text.parse();
            parsed.map_err(|error| {
                self.wrong(
                    "models",
                    &format!("{error}; write models:/NAME@ALIAS or models:/NAME/VERSION"),
                )
            })
        });
        let tags = self
            .texts("require-tag")
            .into_iter()
            .map(|text| match text.split_once('=') {
                Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
                _ => Err(self.wrong(
                    "require-tag",
                    &format!("`{text}` is no tag; write KEY=VALUE"),
                )),
            });
        let interval = |key: &str| {
            self.required(key, |text| match value::duration(text)? {
                Duration::ZERO => Err("it must be more than nothing".to_owned()),
                interval => Ok(interval),
            })
        };
        let text = |text: &str| Ok(text.to_owned());
        Ok(DeploymentSettings {
            models: models.collect::<Result<_, _>>()?,
            tracking_uri: self.optional("tracking-uri", text)?,
            policy: Policy {
                tags: tags.collect::<Result<_, _>>()?,
                stages: self.texts("require-stage"),
            },
            cache: self.required("registry-cache", |text| Ok(PathBuf::from(text)))?,
            interval: interval("registry-interval")?,
            retire_after: self.required("retire-after", value::duration)?,
            largest: self.required("max-model", value::bytes)?,
            log_to: self.optional("log-to", text)?,
            log_interval: interval("log-interval")?,
        })
    }
}
