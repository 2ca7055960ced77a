//! Finished keys in an object store, which several servers may share.

use std::collections::BTreeSet;
use std::fs::File;
use std::future::Future;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use hush_ckks::KeyId;
use object_store::path::Path as Location;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload, WriteMultipart};
use tokio::runtime::Runtime;

use crate::keys::storage::{Storage, id_of_record, record_name};
use crate::{ErrorKind, ServingError};

/// Bytes of one request, and how many of them are under way at once.
const PART: usize = 8 << 20;
const AT_ONCE: usize = 4;

/// Data files that no record names are another server's that is about to, until they are this old.
const ABANDONED: Duration = Duration::from_secs(24 * 60 * 60);

/// A place in an object store.
pub(crate) struct Remote {
    objects: Arc<Objects>,
}

struct Objects {
    store: Box<dyn ObjectStore>,
    prefix: Location,
    /// Of its own, so that it can be waited for from any thread.
    runtime: Option<Runtime>,
}

impl Remote {
    /// The place that a URL names, with credentials from the environment.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for a URL that this build does not serve.
    pub(crate) fn open(url: &str) -> Result<Self, ServingError> {
        let refused = |error: &dyn std::fmt::Display| {
            ServingError::new(
                ErrorKind::InvalidArgument,
                format!("keys cannot be kept at `{url}`: {error}"),
            )
        };
        let parsed = url::Url::parse(url).map_err(|error| refused(&error))?;
        // Variables that hold no text are none of a store's.
        let environment = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        let environment = environment.map(|(name, value)| (name.to_ascii_lowercase(), value));
        let (store, prefix) =
            object_store::parse_url_opts(&parsed, environment).map_err(|error| refused(&error))?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .map_err(|error| refused(&error))?;
        let objects = Objects {
            store,
            prefix,
            runtime: Some(runtime),
        };
        Ok(Self {
            objects: Arc::new(objects),
        })
    }
}

impl Objects {
    fn location(&self, name: &str) -> Location {
        self.prefix.clone().join(name)
    }

    /// Waits for what the store does, on whatever thread this is.
    fn wait<T: Send>(
        &self,
        work: impl Future<Output = object_store::Result<T>> + Send,
    ) -> object_store::Result<T> {
        let Some(runtime) = &self.runtime else {
            return Err(object_store::Error::NotImplemented {
                operation: "anything".to_owned(),
                implementer: "a closed store".to_owned(),
            });
        };
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| runtime.block_on(work));
            waiting
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }
}

impl Drop for Objects {
    fn drop(&mut self) {
        // Waiting for its threads is not allowed everywhere.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Storage for Remote {
    fn keep(&self, path: &Path, name: &str) -> io::Result<()> {
        let mut file = File::open(path)?;
        let location = self.objects.location(name);
        self.objects.wait(async move {
            let upload = self.objects.store.put_multipart(&location).await?;
            let mut upload = WriteMultipart::new_with_chunk_size(upload, PART);
            let mut piece = vec![0; PART];
            loop {
                let read = file.read(&mut piece);
                let count = match read {
                    Ok(0) => break,
                    Ok(count) => count,
                    Err(source) => {
                        upload.abort().await?;
                        return Err(object_store::Error::Generic {
                            store: "staging",
                            source: Box::new(source),
                        });
                    }
                };
                upload.wait_for_capacity(AT_ONCE).await?;
                upload.write(&piece[..count]);
            }
            upload.finish().await
        })?;
        Ok(())
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn Read + Send>> {
        let location = self.objects.location(name);
        let length = self.objects.wait(self.objects.store.head(&location))?.size;
        Ok(Box::new(RemoteReader {
            objects: Arc::clone(&self.objects),
            location,
            position: 0,
            length,
            piece: bytes::Bytes::new(),
        }))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let location = self.objects.location(name);
        forgiving(self.objects.wait(self.objects.store.delete(&location)))
    }

    fn write_record(&self, id: KeyId, text: &str) -> io::Result<()> {
        let location = self.objects.location(&record_name(id));
        let payload = PutPayload::from(text.to_owned());
        self.objects
            .wait(self.objects.store.put(&location, payload))?;
        Ok(())
    }

    fn read_record(&self, id: KeyId) -> io::Result<Option<Vec<u8>>> {
        let location = self.objects.location(&record_name(id));
        let text = self.objects.wait(async {
            let found = self.objects.store.get(&location).await?;
            found.bytes().await
        });
        match text {
            Ok(text) => Ok(Some(text.to_vec())),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn remove_record(&self, id: KeyId) -> io::Result<()> {
        self.remove(&record_name(id))
    }

    fn records(&self) -> io::Result<Vec<KeyId>> {
        let mut ids: Vec<_> = self
            .listed()?
            .iter()
            .filter_map(|(name, _)| id_of_record(name))
            .collect();
        ids.sort_unstable();
        Ok(ids)
    }

    fn sweep(&self, named: &BTreeSet<String>) -> io::Result<()> {
        let now = SystemTime::now();
        for (name, changed) in self.listed()? {
            let age = now.duration_since(changed).unwrap_or_default();
            if name.ends_with(".key") && !named.contains(&name) && age > ABANDONED {
                self.remove(&name)?;
            }
        }
        Ok(())
    }
}

impl Remote {
    /// Names, and when each was written.
    fn listed(&self) -> io::Result<Vec<(String, SystemTime)>> {
        let store = &self.objects.store;
        let listed = store.list_with_delimiter(Some(&self.objects.prefix));
        let objects = self.objects.wait(listed)?.objects;
        let named = objects.iter().filter_map(|object| {
            let name = object.location.filename()?.to_owned();
            Some((name, object.last_modified.into()))
        });
        Ok(named.collect())
    }
}

fn forgiving(removed: object_store::Result<()>) -> io::Result<()> {
    match removed {
        Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Reads an object piece by piece.
struct RemoteReader {
    objects: Arc<Objects>,
    location: Location,
    position: u64,
    length: u64,
    piece: bytes::Bytes,
}

impl Read for RemoteReader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.piece.is_empty() && self.position < self.length {
            let end = self.length.min(self.position + PART as u64);
            let range = self.position..end;
            let store = &self.objects.store;
            self.piece = self.objects.wait(store.get_range(&self.location, range))?;
            self.position = end;
        }
        let count = out.len().min(self.piece.len());
        out[..count].copy_from_slice(&self.piece.split_to(count));
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::storage::suite;

    #[test]
    fn an_object_store_is_a_storage() {
        suite::keeps_and_forgets(&Remote::open("memory:///keys").unwrap());
    }

    #[tokio::test]
    async fn it_can_be_waited_for_where_blocking_is_not_allowed() {
        let remote = Remote::open("memory:///keys").unwrap();
        assert_eq!(remote.records().unwrap(), []);
    }

    #[test]
    fn what_is_no_store_is_refused() {
        for url in ["", "keys", "teapot://keys"] {
            let error = Remote::open(url).err().unwrap();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{url}");
        }
    }
}
