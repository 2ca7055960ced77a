//! Files by whose they are: for pages, which list and show them without knowing where they are kept.

use axum::body::Body;

use super::Tracking;
use crate::artifacts::{ArtifactPath, Part};
use crate::wire::FileInfo;
use crate::{Caller, TrackingError};

type Result<T> = std::result::Result<T, TrackingError>;

/// What holds files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// A run, by its id.
    Run(String),
    /// A logged model, by its id.
    LoggedModel(String),
    /// A version of a registered model, by name and number.
    Version(String, String),
}

/// A file that is being read.
pub struct StoredFile {
    /// Bytes of it.
    pub size: u64,
    /// They come as they are read.
    pub body: Body,
}

impl Tracking {
    async fn root_of(&self, caller: &Caller, holder: &Holder) -> Result<ArtifactPath> {
        let root = match holder {
            Holder::Run(id) => self.run(caller, id).await?.info.artifact_uri,
            Holder::LoggedModel(id) => self.logged_model(caller, id).await?.info.artifact_uri,
            Holder::Version(name, version) => self.version_files(caller, name, version).await?,
        };
        let own = self.own_artifact(&root)?;
        own.ok_or_else(|| {
            TrackingError::missing(format!(
                "the artifacts at '{root}' are not kept by this server"
            ))
        })
    }

    /// What is in a folder of the holder's files, by name; nothing if it is none.
    ///
    /// # Errors
    /// There is no such holder, its files are kept elsewhere, or the path leads out of them.
    pub async fn files(
        &self,
        caller: &Caller,
        holder: &Holder,
        folder: &str,
    ) -> Result<Vec<FileInfo>> {
        let root = self.root_of(caller, holder).await?;
        self.artifacts().list(&root.join(folder)?).await
    }

    /// Reads one of the holder's files.
    ///
    /// # Errors
    /// As [`Tracking::files`]; there is no such file.
    pub async fn file(&self, caller: &Caller, holder: &Holder, path: &str) -> Result<StoredFile> {
        let root = self.root_of(caller, holder).await?;
        let found = self
            .artifacts()
            .download(&root.join(path)?, Part::All)
            .await?;
        let found =
            found.ok_or_else(|| TrackingError::missing(format!("No such artifact: '{path}'")))?;
        Ok(StoredFile {
            size: found.size,
            body: found.body,
        })
    }
}
