//! A connection to a server.

use std::future::Future;
use std::io::{Read, Seek};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::runtime::{Builder, Runtime};

use crate::address::Address;
use crate::retry::{Backoff, retrying};
use crate::transport::{Transport, transport};
use crate::upload::{Source, upload};
use crate::{
    ConnectOptions, KeyStatus, ModelMetadata, ModelName, ModelStatus, RemoteError, RemoteModel,
    ServerStatus, Watcher,
};

/// How much longer than its deadline a prediction is awaited: the server says more about it than a clock.
const GRACE: Duration = Duration::from_secs(5);

/// A connection to a server. Its functions block, so they are not for asynchronous code. Clones are handles of the same
/// connection, which may be used from several threads at once.
#[derive(Clone)]
pub struct Connection(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) server: String,
    pub(crate) options: ConnectOptions,
    pub(crate) transport: Arc<dyn Transport>,
    runtime: Background,
}

impl Connection {
    /// Connects to `grpc://HOST:PORT`, `grpcs://…`, `http://…` or `https://…`, and asks whether a server is there.
    ///
    /// # Errors
    /// [`RemoteError`]; a server that is not there is not waited for.
    pub fn open(url: &str, options: ConnectOptions) -> Result<Self, RemoteError> {
        let address = Address::parse(url)?;
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("hush-remote")
            .enable_all()
            .build()?;
        let runtime = Background(Some(runtime));
        let _entered = runtime.enter();
        let connection = Self(Arc::new(Inner {
            transport: transport(&address, &options)?,
            server: address.shown,
            options,
            runtime,
        }));
        let inner = &connection.0;
        let asked = inner.within(inner.transport.server());
        match inner.runtime.block_on(asked) {
            // Whoever may not ask that may still predict.
            Err(error) if error.refusal() == Some(crate::Refusal::PermissionDenied) => {}
            asked => {
                asked?;
            }
        }
        Ok(connection)
    }

    /// What the server says of itself.
    ///
    /// # Errors
    /// [`RemoteError`].
    pub fn server(&self) -> Result<ServerStatus, RemoteError> {
        self.ask(async || self.0.transport.server().await)
    }

    /// Every model and version that the caller may see.
    ///
    /// # Errors
    /// [`RemoteError`].
    pub fn models(&self) -> Result<Vec<ModelStatus>, RemoteError> {
        self.ask(async || self.0.transport.index().await)
    }

    /// What a model takes and gives.
    ///
    /// # Errors
    /// [`RemoteError`].
    pub fn metadata(&self, model: &ModelName) -> Result<ModelMetadata, RemoteError> {
        self.ask(async || self.0.transport.metadata(model).await)
    }

    /// The `.client` file of a model: parameters, layouts, which keys it needs.
    ///
    /// # Errors
    /// [`RemoteError`].
    pub fn client_file(&self, model: &ModelName) -> Result<Bytes, RemoteError> {
        self.ask(async || self.0.transport.client_file(model).await)
    }

    /// Fetches what it takes to use a model, in its latest version.
    ///
    /// # Errors
    /// [`RemoteError`], also for a model that is not encrypted.
    pub fn model(&self, name: &str) -> Result<RemoteModel, RemoteError> {
        self.model_version(name, None)
    }

    /// As [`Connection::model`], in a version.
    ///
    /// # Errors
    /// As [`Connection::model`].
    pub fn model_version(
        &self,
        name: &str,
        version: Option<&str>,
    ) -> Result<RemoteModel, RemoteError> {
        let name = ModelName {
            name: name.to_owned(),
            version: version.map(str::to_owned),
        };
        RemoteModel::fetch(self.clone(), name)
    }

    /// How much of a key the server has; `None` if nothing.
    ///
    /// # Errors
    /// [`RemoteError`].
    pub fn key_status(&self, id: &str) -> Result<Option<KeyStatus>, RemoteError> {
        self.ask(async || self.0.transport.key_status(id).await)
    }

    /// Uploads a file of evaluation keys, unless the server has it. What the server has of it is not sent again, and an
    /// upload that breaks off goes on by itself. The watcher is told bytes.
    ///
    /// # Errors
    /// [`RemoteError`]; the same call goes on from where it stood.
    pub fn upload_key(
        &self,
        id: &str,
        file: &mut (impl Read + Seek),
        watcher: Watcher<'_>,
    ) -> Result<KeyStatus, RemoteError> {
        let file: &mut dyn Source = file;
        self.block_on(upload(&self.0, id, file, watcher))
    }

    /// Deletes a key from the server.
    ///
    /// # Errors
    /// [`RemoteError`].
    pub fn delete_key(&self, id: &str) -> Result<(), RemoteError> {
        self.ask(async || self.0.transport.delete_key(id).await)
    }

    /// A file of ciphertexts in, one out; `deadline` in place of the one of the options. Tries again when the server is
    /// busy.
    ///
    /// # Errors
    /// [`RemoteError`].
    pub fn infer(
        &self,
        model: &ModelName,
        file: Bytes,
        deadline: Option<Duration>,
    ) -> Result<Bytes, RemoteError> {
        self.block_on(self.0.infer(model, file, deadline))
    }

    /// What has happened on the server so far, in the text format of Prometheus; over HTTP only.
    ///
    /// # Errors
    /// [`RemoteError`].
    pub fn metrics(&self) -> Result<String, RemoteError> {
        self.ask(async || self.0.transport.metrics().await)
    }

    /// The address as it was given.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.0.server
    }

    pub(crate) fn inner(&self) -> &Arc<Inner> {
        &self.0
    }

    /// Waits for something that is not sent to another thread.
    pub(crate) fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.0.runtime.block_on(future)
    }

    fn ask<T>(
        &self,
        mut attempt: impl AsyncFnMut() -> Result<T, RemoteError>,
    ) -> Result<T, RemoteError> {
        let inner = &self.0;
        let patience = inner.options.patience;
        self.block_on(retrying(patience, async || inner.within(attempt()).await))
    }
}

impl Inner {
    /// Waits for an answer as long as a request may take.
    ///
    /// # Errors
    /// Of the answer; [`RemoteError::Timeout`].
    pub(crate) async fn within<T>(
        &self,
        answer: impl Future<Output = Result<T, RemoteError>>,
    ) -> Result<T, RemoteError> {
        let limit = self.options.request_timeout;
        let answer = tokio::time::timeout(limit, answer).await;
        answer.unwrap_or_else(|_| Err(self.late(limit)))
    }

    /// The error for an answer that did not come.
    pub(crate) fn late(&self, limit: Duration) -> RemoteError {
        RemoteError::Timeout {
            server: self.server.clone(),
            limit,
        }
    }

    /// As [`Connection::infer`].
    pub(crate) async fn infer(
        &self,
        model: &ModelName,
        file: Bytes,
        deadline: Option<Duration>,
    ) -> Result<Bytes, RemoteError> {
        let deadline = deadline.unwrap_or(self.options.deadline);
        let mut backoff = Backoff::new(self.options.patience);
        loop {
            let answer = self.transport.infer(model, file.clone(), deadline);
            let answer = tokio::time::timeout(deadline + GRACE, answer).await;
            match answer.unwrap_or_else(|_| Err(self.late(deadline))) {
                Ok(answer) => return Ok(answer),
                Err(error) => backoff.wait(error).await?,
            }
        }
    }

    /// Starts something that goes on while nobody waits for it.
    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> tokio::task::JoinHandle<T> {
        self.runtime.spawn(future)
    }
}

/// Threads that go without being waited for.
struct Background(Option<Runtime>);

impl std::ops::Deref for Background {
    type Target = Runtime;

    fn deref(&self) -> &Runtime {
        self.0.as_ref().expect("taken when dropped only")
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
