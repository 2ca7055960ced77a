//! The service: everything that the protocols call.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::keys::{KeyStore, KeyStoreOptions};
use crate::{
    ErrorKind, Identity, InferRequest, InferResponse, ModelMetadata, ModelStatus, PlainModel,
    ScheduleOptions, ServingError, Statistics,
};

/// What a service is opened with.
#[derive(Clone, Default)]
pub struct ServiceOptions {
    /// Model files, and folders of them.
    pub models: Vec<PathBuf>,
    /// Where evaluation keys are kept.
    pub keys: KeyStoreOptions,
    /// How requests share the machine.
    pub schedule: ScheduleOptions,
    /// Models on plain tensors to serve as well.
    pub demo_models: Vec<Arc<dyn PlainModel>>,
}

/// An encrypted inference service. Clones are handles of the same one.
///
/// Its asynchronous functions need a tokio runtime with time enabled.
#[derive(Clone)]
pub struct Service(Arc<Inner>);

struct Inner {
    keys: KeyStore,
    statistics: Arc<Statistics>,
}

impl Service {
    /// Opens the key store and loads the models, several at a time; returns when all are loaded. A model that
    /// cannot be loaded is unavailable and does not stop the others. Blocks.
    ///
    /// # Errors
    /// If the key store cannot be opened, or a path of models does not exist.
    pub fn open(options: ServiceOptions) -> Result<Self, ServingError> {
        let statistics = Arc::new(Statistics::default());
        let keys = KeyStore::open(options.keys, Arc::clone(&statistics.keys))?;
        Ok(Self(Arc::new(Inner { keys, statistics })))
    }

    /// Whether the models have been loaded and the service is not draining.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        true
    }

    /// Every model and version, by name and then version.
    #[must_use]
    pub fn index(&self) -> Vec<ModelStatus> {
        Vec::new()
    }

    /// The part of [`Service::index`] that somebody may see.
    #[must_use]
    pub fn index_for(&self, identity: &Identity) -> Vec<ModelStatus> {
        let mut index = self.index();
        index.retain(|status| identity.require_model(&status.name).is_ok());
        index
    }

    /// Whether a model answers, the latest version if none is named.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`].
    pub fn model_ready(
        &self,
        identity: &Identity,
        name: &str,
        _version: Option<&str>,
    ) -> Result<bool, ServingError> {
        identity.require_model(name)?;
        Err(no_model(name))
    }

    /// What a model takes and gives.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`]; [`ErrorKind::Unavailable`] if it is not loaded.
    pub fn metadata(
        &self,
        identity: &Identity,
        name: &str,
        _version: Option<&str>,
    ) -> Result<ModelMetadata, ServingError> {
        identity.require_model(name)?;
        Err(no_model(name))
    }

    /// The `.client` file of a model: what a data owner needs, without weights.
    ///
    /// # Errors
    /// As [`Service::metadata`]; [`ErrorKind::NotFound`] also for a model on plain tensors.
    pub fn client_file(
        &self,
        identity: &Identity,
        name: &str,
        _version: Option<&str>,
    ) -> Result<Bytes, ServingError> {
        identity.require_model(name)?;
        Err(no_model(name))
    }

    /// Loads a model from disk, again if it is loaded; requests that run finish on the old one, which also stays if
    /// the new one cannot be loaded.
    ///
    /// # Errors
    /// [`ErrorKind::PermissionDenied`] unless an administrator asks, [`ErrorKind::NotFound`] if there is no
    /// such file, [`ErrorKind::Unavailable`] with the reason if it cannot be loaded.
    pub async fn load(&self, identity: &Identity, name: &str) -> Result<(), ServingError> {
        identity.require(crate::Role::Administer)?;
        Err(no_model(name))
    }

    /// Stops serving a model; requests that run finish.
    ///
    /// # Errors
    /// [`ErrorKind::PermissionDenied`] unless an administrator asks, [`ErrorKind::NotFound`].
    pub async fn unload(&self, identity: &Identity, name: &str) -> Result<(), ServingError> {
        identity.require(crate::Role::Administer)?;
        Err(no_model(name))
    }

    /// Answers a request. Dropping the future stops the work at the next step of the program.
    ///
    /// # Errors
    /// Of every [`ErrorKind`]; the message says what is wrong and what to do.
    pub async fn infer(
        &self,
        identity: &Identity,
        request: InferRequest,
    ) -> Result<InferResponse, ServingError> {
        identity.require(crate::Role::Predict)?;
        identity.require_model(&request.model)?;
        Err(no_model(&request.model))
    }

    /// The evaluation keys.
    #[must_use]
    pub fn keys(&self) -> &KeyStore {
        &self.0.keys
    }

    /// What has happened so far.
    #[must_use]
    pub fn statistics(&self) -> &Statistics {
        &self.0.statistics
    }

    /// Takes no more requests and waits for those that run or wait; stops the rest after `timeout`. True if none
    /// had to be stopped.
    pub async fn drain(&self, _timeout: Duration) -> bool {
        true
    }
}

fn no_model(name: &str) -> ServingError {
    ServingError::new(ErrorKind::NotFound, format!("there is no model `{name}`"))
}
