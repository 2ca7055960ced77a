//! Files that the server keeps.

use std::path::Path;

use bytes::Bytes;
use futures_util::stream;
use http::Method;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http_body::Frame;
use http_body_util::{BodyExt, Empty, StreamBody};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::tracking::{Body, encoded};
use crate::{MlflowError, Tracking};

/// Bytes of one read.
const PIECE: usize = 1 << 20;
const ARTIFACTS: &str = "/api/2.0/mlflow-artifacts/artifacts";

/// A folder of artifacts that the server hands out itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArtifactRoot(Vec<String>);

impl ArtifactRoot {
    /// Reads what servers answer: `mlflow-artifacts:/1/ab/artifacts`, or the address of the server's own artifacts.
    ///
    /// # Errors
    /// [`MlflowError::Location`] for a place anywhere else: it would have to be asked there.
    pub fn parse(server: &Tracking, location: &str) -> Result<Self, MlflowError> {
        let elsewhere = || MlflowError::Location {
            location: location.to_owned(),
        };
        let own = format!("{}{ARTIFACTS}", server.address());
        let path = match location.strip_prefix("mlflow-artifacts:") {
            Some(rest) => match rest.strip_prefix("//") {
                // With a host: fine if it is this one.
                Some(rest) => {
                    let (host, path) = rest.split_once('/').ok_or_else(elsewhere)?;
                    let (_, address) = server.address().split_once("://").ok_or_else(elsewhere)?;
                    if address != host {
                        return Err(elsewhere());
                    }
                    path
                }
                None => rest,
            },
            None => location.strip_prefix(&own).ok_or_else(elsewhere)?,
        };
        let parts: Vec<_> = path
            .split('/')
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect();
        if parts.iter().any(|part| part == "." || part == "..") {
            return Err(elsewhere());
        }
        Ok(Self(parts))
    }

    /// A folder or file in it.
    #[must_use]
    pub fn join(&self, path: &str) -> Self {
        let more = path
            .split('/')
            .filter(|part| !part.is_empty())
            .map(str::to_owned);
        Self(self.0.iter().cloned().chain(more).collect())
    }

    fn route(&self) -> String {
        let parts: Vec<_> = self.0.iter().map(|part| encoded(part)).collect();
        format!("{ARTIFACTS}/{}", parts.join("/"))
    }
}

impl Tracking {
    /// Uploads bytes as the file `at`.
    ///
    /// # Errors
    /// [`MlflowError`].
    pub async fn upload_bytes(&self, at: &ArtifactRoot, bytes: Vec<u8>) -> Result<(), MlflowError> {
        let length = bytes.len() as u64;
        let body = http_body_util::Full::new(Bytes::from(bytes))
            .map_err(|never| match never {})
            .boxed_unsync();
        self.within(self.put(at, length, body)).await
    }

    /// Uploads a file as the file `at`, a piece at a time.
    ///
    /// # Errors
    /// [`MlflowError`].
    pub async fn upload_file(&self, at: &ArtifactRoot, path: &Path) -> Result<(), MlflowError> {
        let about = |source| MlflowError::File {
            path: path.to_owned(),
            source,
        };
        let file = File::open(path).await.map_err(about)?;
        let length = file.metadata().await.map_err(about)?.len();
        let pieces = stream::try_unfold(file, |mut file| async move {
            let mut piece = vec![0; PIECE];
            let count = file.read(&mut piece).await?;
            piece.truncate(count);
            Ok((count > 0).then(|| (Frame::data(Bytes::from(piece)), file)))
        });
        self.put(at, length, StreamBody::new(pieces).boxed_unsync())
            .await
    }

    async fn put(&self, at: &ArtifactRoot, length: u64, body: Body) -> Result<(), MlflowError> {
        let request = self.request(Method::PUT, &at.route());
        let request = request
            .header(CONTENT_TYPE, "application/octet-stream")
            .header(CONTENT_LENGTH, length);
        self.send(request, body).await.map(|_| ())
    }

    /// Downloads the file `at` to `path`, which is there whole or not at all. Refuses more than `largest` bytes.
    ///
    /// # Errors
    /// [`MlflowError`].
    pub async fn download(
        &self,
        at: &ArtifactRoot,
        path: &Path,
        largest: u64,
    ) -> Result<u64, MlflowError> {
        let about = |source| MlflowError::File {
            path: path.to_owned(),
            source,
        };
        let body = Empty::new().map_err(|never| match never {}).boxed_unsync();
        let answer = self
            .within(self.send(self.request(Method::GET, &at.route()), body))
            .await?;
        let mut body = answer.into_body();
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".part");
        let partial = path.with_file_name(name);
        let written = async {
            let mut file = File::create(&partial).await.map_err(about)?;
            let mut length = 0;
            loop {
                let frame = self.within(async { Ok(body.frame().await) }).await?;
                let Some(frame) = frame else { break };
                let frame =
                    frame.map_err(|error| MlflowError::unreachable(self.address(), &error))?;
                let Ok(data) = frame.into_data() else {
                    continue;
                };
                length += data.len() as u64;
                if length > largest {
                    return Err(self.unexpected(format!(
                        "`{}` has more than {largest} bytes",
                        at.0.join("/")
                    )));
                }
                file.write_all(&data).await.map_err(about)?;
            }
            file.sync_all().await.map_err(about)?;
            tokio::fs::rename(&partial, path).await.map_err(about)?;
            Ok(length)
        };
        let written = written.await;
        if written.is_err() {
            let _ = tokio::fs::remove_file(&partial).await;
        }
        written
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TrackingOptions;

    #[test]
    fn only_the_servers_own_artifacts() {
        let server = Tracking::new(&TrackingOptions::new("http://here:5000")).unwrap();
        let route = |location: &str| {
            ArtifactRoot::parse(&server, location).map(|root| root.join("a b").route())
        };
        let expected = format!("{ARTIFACTS}/1/models/m-7/artifacts/a%20b");
        for location in [
            "mlflow-artifacts:/1/models/m-7/artifacts",
            "mlflow-artifacts://here:5000/1/models/m-7/artifacts/",
            "http://here:5000/api/2.0/mlflow-artifacts/artifacts/1/models/m-7/artifacts",
        ] {
            assert_eq!(route(location).unwrap(), expected);
        }
        for location in [
            "s3://bucket/1",
            "file:///etc",
            "/etc",
            "mlflow-artifacts://there/1",
            "http://there/api/2.0/mlflow-artifacts/artifacts/1",
            "mlflow-artifacts:/1/../../secret",
        ] {
            assert!(
                matches!(route(location), Err(MlflowError::Location { .. })),
                "{location}"
            );
        }
    }
}
