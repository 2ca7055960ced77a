//! Artifacts in an object store.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use bytes::BytesMut;
use futures_util::{StreamExt, TryStreamExt};
use http_body_util::BodyExt;
use object_store::path::{Path as Location, PathPart};
use object_store::{GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt, PutPayload};
use url::Url;

use super::path::unescaped;
use super::{ArtifactPath, Download, Part, Result, absent, percent_decoded};
use crate::wire::FileInfo;
use crate::{ErrorCode, TrackingError};

/// Bytes of a part of an upload; S3 takes none smaller but the last, and ten thousand of them.
const PART: usize = 16 << 20;

/// An object store, and where in it artifacts are.
#[derive(Clone)]
pub(crate) struct Remote {
    store: Arc<dyn ObjectStore>,
    prefix: Location,
}

impl Remote {
    /// Opens `s3://bucket/prefix` and the like; keys and endpoints come from the environment (`AWS_…`, `GOOGLE_…`,
    /// `AZURE_…`), as the services' own tools have it.
    pub(super) fn open(place: &str) -> Result<Self> {
        let wrong = |error: &dyn std::fmt::Display| {
            TrackingError::invalid(format!("artifacts cannot be kept at `{place}`: {error}"))
        };
        let url = Url::parse(place).map_err(|error| wrong(&error))?;
        let mut options: Vec<(String, String)> = std::env::vars()
            .map(|(name, value)| (name.to_ascii_lowercase(), value))
            .filter(|(name, _)| {
                ["aws_", "google_", "azure_"]
                    .iter()
                    .any(|prefix| name.starts_with(prefix))
            })
            .collect();
        // What MLflow's users set for stores of their own.
        if let Ok(endpoint) = std::env::var("MLFLOW_S3_ENDPOINT_URL") {
            let plain = endpoint.starts_with("http://");
            options.push(("aws_endpoint".into(), endpoint));
            options.push(("aws_allow_http".into(), plain.to_string()));
        }
        let (store, prefix) =
            object_store::parse_url_opts(&url, options).map_err(|error| wrong(&error))?;
        Ok(Self {
            store: Arc::from(store),
            prefix,
        })
    }

    fn location(&self, path: &ArtifactPath) -> Location {
        let names = path
            .names()
            .iter()
            .map(|name| PathPart::from(name.as_str()));
        self.prefix.parts().chain(names).collect()
    }

    pub(super) async fn upload(&self, path: &ArtifactPath, mut body: Body) -> Result<()> {
        if path.is_root() {
            return Err(TrackingError::invalid("Invalid path"));
        }
        let location = self.location(path);
        let mut part = BytesMut::new();
        let mut upload = None;
        loop {
            let frame = match body.frame().await {
                None => break,
                Some(frame) => frame,
            };
            let data = match frame.map(|frame| frame.into_data().unwrap_or_default()) {
                Ok(data) => data,
                Err(error) => {
                    abort(upload).await;
                    return Err(TrackingError::new(
                        ErrorCode::BadRequest,
                        format!("the upload broke off: {error}"),
                    ));
                }
            };
            part.extend_from_slice(&data);
            if part.len() < PART {
                continue;
            }
            let mut current = match upload.take() {
                Some(upload) => upload,
                None => self
                    .store
                    .put_multipart(&location)
                    .await
                    .map_err(|error| failed(path, error))?,
            };
            let full = part.split().freeze();
            let sent = current.put_part(PutPayload::from(full)).await;
            upload = Some(current);
            if let Err(error) = sent {
                abort(upload).await;
                return Err(failed(path, error));
            }
        }
        let last = PutPayload::from(part.freeze());
        let Some(mut upload) = upload else {
            let put = self.store.put(&location, last).await;
            return put.map(drop).map_err(|error| failed(path, error));
        };
        let finished = async {
            if last.content_length() > 0 {
                upload.put_part(last).await?;
            }
            upload.complete().await
        };
        let finished = finished.await;
        if finished.is_err() {
            abort(Some(upload)).await;
        }
        finished.map(drop).map_err(|error| failed(path, error))
    }

    pub(super) async fn download(
        &self,
        path: &ArtifactPath,
        part: Part,
    ) -> Result<Option<Download>> {
        let location = self.location(path);
        let mut options = GetOptions::default();
        if part != Part::All {
            let head = self
                .store
                .head(&location)
                .await
                .map_err(|error| failed(path, error))?;
            let Some(range) = part.of(head.size) else {
                return Ok(None);
            };
            options.range = Some(GetRange::Bounded(range));
        }
        let found = self
            .store
            .get_opts(&location, options)
            .await
            .map_err(|error| failed(path, error))?;
        let (size, range) = (found.meta.size, found.range.clone());
        let body = Body::from_stream(found.into_stream().map_err(std::io::Error::other));
        Ok(Some(Download { size, range, body }))
    }

    pub(super) async fn list(&self, path: &ArtifactPath) -> Result<Vec<FileInfo>> {
        let location = self.location(path);
        let listed = self
            .store
            .list_with_delimiter(Some(&location))
            .await
            .map_err(|error| failed(path, error))?;
        let name = |location: &Location| location.filename().map(decoded);
        let folders = listed.common_prefixes.iter().filter_map(|folder| {
            Some(FileInfo {
                path: name(folder)?,
                is_dir: true,
                file_size: None,
            })
        });
        let files = listed.objects.iter().filter_map(|object| {
            Some(FileInfo {
                path: name(&object.location)?,
                is_dir: false,
                file_size: Some(object.size),
            })
        });
        Ok(folders.chain(files).collect())
    }

    pub(super) async fn delete(&self, path: &ArtifactPath) -> Result<()> {
        if path.is_root() {
            return Err(TrackingError::invalid("Invalid path"));
        }
        let location = self.location(path);
        let below = self
            .store
            .list(Some(&location))
            .map_ok(|object| object.location)
            .boxed();
        let mut gone = self.store.delete_stream(below);
        let mut some = false;
        while let Some(deleted) = gone.next().await {
            deleted.map_err(|error| failed(path, error))?;
            some = true;
        }
        if some {
            return Ok(());
        }
        self.store
            .head(&location)
            .await
            .map_err(|error| failed(path, error))?;
        self.store
            .delete(&location)
            .await
            .map_err(|error| failed(path, error))
    }

    pub(super) async fn sweep(&self, since: i64) -> Result<()> {
        let own = self.location(&ArtifactPath::own(&[]));
        let failed = |error| TrackingError::internal("the object store", &error);
        let parts: Vec<ObjectMeta> = self
            .store
            .list(Some(&own))
            .try_collect()
            .await
            .map_err(failed)?;
        let mut uploads: BTreeMap<String, Vec<ObjectMeta>> = BTreeMap::new();
        for part in parts {
            let upload = part
                .location
                .prefix_match(&own)
                .and_then(|mut rest| rest.next());
            if let Some(upload) = upload {
                let upload = upload.as_ref().to_owned();
                uploads.entry(upload).or_default().push(part);
            }
        }
        for parts in uploads.values() {
            let late = |part: &ObjectMeta| part.last_modified.timestamp_millis() >= since;
            if parts.iter().any(late) {
                continue;
            }
            for part in parts {
                self.store.delete(&part.location).await.map_err(failed)?;
            }
        }
        Ok(())
    }
}

async fn abort(upload: Option<Box<dyn object_store::MultipartUpload>>) {
    if let Some(mut upload) = upload {
        let _ = upload.abort().await;
    }
}

/// Object stores have names with some characters written as `%41`, once.
fn decoded(name: &str) -> String {
    String::from_utf8(unescaped(name)).unwrap_or_else(|_| percent_decoded(name))
}

fn failed(path: &ArtifactPath, error: object_store::Error) -> TrackingError {
    match error {
        object_store::Error::NotFound { .. } => absent(path),
        error => TrackingError::internal("the object store", &error),
    }
}
