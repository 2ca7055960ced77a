//! Files of versions on this machine.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use hush_mlflow::{MlflowError, Tracking, Version};
use serde_json::Value;

/// Name of the program with the weights among a version's files, as `hush register` and `hushml.mlflow` write it.
const MODEL: &str = "encrypted.model";
/// What was served last, for a start while the registry is away.
const NOTE: &str = "served.json";

/// A folder for the files of one registry.
pub(super) struct Cache(PathBuf);

impl Cache {
    pub(super) fn new(folder: &Path, tracking: &Tracking) -> Self {
        let digest = blake3::hash(tracking.address().as_bytes()).to_hex();
        Self(folder.join(&digest[..16]))
    }

    /// Where a version's file is, or will be.
    pub(super) fn path(&self, name: &str, number: u64) -> PathBuf {
        self.0.join(name).join(format!("{number}.model"))
    }

    /// Downloads a version's file.
    pub(super) async fn fetch(
        &self,
        tracking: &Tracking,
        version: &Version,
        largest: u64,
    ) -> Result<PathBuf, MlflowError> {
        let path = self.path(&version.name, version.number);
        if let Some(folder) = path.parent() {
            let made = tokio::fs::create_dir_all(folder).await;
            made.map_err(|source| MlflowError::File {
                path: folder.to_owned(),
                source,
            })?;
        }
        let files = tracking.version_artifacts(version).await?;
        match tracking.download(&files.join(MODEL), &path, largest).await {
            Ok(_) => Ok(path),
            Err(error) if error.is_missing() => Err(MlflowError::Answer {
                server: tracking.address().to_owned(),
                reason: format!(
                    "version {} of `{}` holds no `{MODEL}`: it was not registered with `hush register` or hushml.mlflow",
                    version.number, version.name
                ),
            }),
            Err(error) => Err(error),
        }
    }

    /// Deletes a version's file, which nobody needs any more.
    pub(super) async fn remove(&self, name: &str, number: u64) {
        let _ = tokio::fs::remove_file(self.path(name, number)).await;
    }

    /// Notes which version each address stands for.
    pub(super) async fn note(&self, served: &BTreeMap<String, (String, u64)>) {
        let value: Value = served
            .iter()
            .map(|(uri, (name, number))| (uri.clone(), serde_json::json!([name, number])))
            .collect::<serde_json::Map<_, _>>()
            .into();
        let (path, partial) = (self.0.join(NOTE), self.0.join(format!("{NOTE}.part")));
        let write = async {
            tokio::fs::create_dir_all(&self.0).await?;
            tokio::fs::write(&partial, format!("{value:#}\n")).await?;
            tokio::fs::rename(&partial, &path).await
        };
        let written: io::Result<()> = write.await;
        if let Err(error) = written {
            tracing::warn!(path = %path.display(), %error, "cannot note what is served");
        }
    }

    /// What an address stood for last, if its file is still here.
    pub(super) async fn noted(&self, uri: &str) -> Option<(String, u64)> {
        let text = tokio::fs::read(self.0.join(NOTE)).await.ok()?;
        let value: Value = serde_json::from_slice(&text).ok()?;
        let (name, number) = (value[uri][0].as_str()?.to_owned(), value[uri][1].as_u64()?);
        tokio::fs::try_exists(self.path(&name, number))
            .await
            .ok()?
            .then_some((name, number))
    }
}
