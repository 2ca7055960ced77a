//! The service: everything that the protocols call.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::blocking::blocking;
use crate::infer::{Encrypted, program_of};
use crate::keys::{KeyStore, KeyStoreOptions};
use crate::models::{Deployed, Repository, Served, no_model};
use crate::schedule::{Scheduler, deadline_exceeded, shutting_down};
use crate::{
    ErrorKind, Identity, InferRequest, InferResponse, ModelMetadata, ModelStatistics, ModelStatus,
    Outcome, PlainModel, Role, ScheduleOptions, ServingError, Stage, Statistics,
};

/// What a service is opened with.
#[derive(Clone, Default)]
pub struct ServiceOptions {
    /// Model files, and folders of them.
    pub models: Vec<PathBuf>,
    /// Bytes that each model may take with all that a run of it takes: some of its weights are then encoded at each run.
    /// No limit if `None`.
    pub model_memory: Option<u64>,
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
    models: Repository,
    keys: KeyStore,
    scheduler: Scheduler,
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
        let memory = hush_runtime::Options {
            memory: options.model_memory,
        };
        Ok(Self(Arc::new(Inner {
            models: Repository::open(options.models, memory, options.demo_models)?,
            keys,
            scheduler: Scheduler::new(&options.schedule, Arc::clone(&statistics)),
            statistics,
        })))
    }

    /// Whether it takes requests: it is not draining.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        !self.0.scheduler.is_draining()
    }

    /// Every model and version, by name and then version.
    #[must_use]
    pub fn index(&self) -> Vec<ModelStatus> {
        self.0.models.index()
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
        version: Option<&str>,
    ) -> Result<bool, ServingError> {
        identity.require_model(name)?;
        let known = |status: &ModelStatus| {
            let any = version.is_none_or(str::is_empty);
            status.name == name && (any || Some(&*status.version) == version)
        };
        match self.find(identity, name, version) {
            Ok(_) => Ok(self.is_ready()),
            // One that is unloaded is not found, but it is known.
            Err(_) if self.index().iter().any(known) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The version of a model that answers requests that name none.
    #[must_use]
    pub fn current_version(&self, name: &str) -> Option<String> {
        match self.0.models.find(name, None).ok()? {
            Served::Encrypted(model) => Some(model.version.clone()),
            Served::Plain(model) => model.metadata().versions.pop(),
        }
    }

    /// What a model takes and gives.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`]; [`ErrorKind::Unavailable`] if it is not loaded.
    pub fn metadata(
        &self,
        identity: &Identity,
        name: &str,
        version: Option<&str>,
    ) -> Result<ModelMetadata, ServingError> {
        self.find(identity, name, version)?;
        self.0.models.metadata(name, version)
    }

    /// The `.client` file of a model: what a data owner needs, without weights.
    ///
    /// # Errors
    /// As [`Service::metadata`]; [`ErrorKind::NotFound`] also for a model on plain tensors.
    pub fn client_file(
        &self,
        identity: &Identity,
        name: &str,
        version: Option<&str>,
    ) -> Result<Bytes, ServingError> {
        match self.find(identity, name, version)? {
            Served::Encrypted(model) => Ok(model.client_file.clone()),
            Served::Plain(_) => Err(ServingError::new(
                ErrorKind::NotFound,
                format!("model `{name}` takes plain tensors and has no .client file"),
            )),
        }
    }

    /// Loads a model from disk, again if it is loaded; requests that run finish on the old one, which also stays if
    /// the new one cannot be loaded.
    ///
    /// # Errors
    /// [`ErrorKind::PermissionDenied`] unless an administrator asks, [`ErrorKind::NotFound`] if there is no
    /// such file, [`ErrorKind::Unavailable`] with the reason if it cannot be loaded.
    pub async fn load(&self, identity: &Identity, name: &str) -> Result<(), ServingError> {
        identity.require(Role::Administer)?;
        let (service, name) = (self.clone(), name.to_owned());
        blocking(move || service.0.models.load(&name)).await
    }

    /// Stops serving a model; requests that run finish.
    ///
    /// # Errors
    /// [`ErrorKind::PermissionDenied`] unless an administrator asks, [`ErrorKind::NotFound`].
    pub async fn unload(&self, identity: &Identity, name: &str) -> Result<(), ServingError> {
        identity.require(Role::Administer)?;
        let (service, name) = (self.clone(), name.to_owned());
        blocking(move || service.0.models.unload(&name)).await
    }

    /// Serves a file as a version of a model, besides those of the folders. Once it answers, and if it is `preferred`, it
    /// is what answers requests that name no version; ciphertexts for a version that was it before still go to that one,
    /// until it is withdrawn.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for a name that no model has, [`ErrorKind::Unavailable`] with the reason if the file
    /// cannot be loaded; nothing has changed then.
    pub async fn place(
        &self,
        name: &str,
        version: u64,
        file: PathBuf,
        preferred: bool,
    ) -> Result<(), ServingError> {
        let (service, name) = (self.clone(), name.to_owned());
        blocking(move || service.0.models.place(&name, version, file, preferred)).await
    }

    /// Forgets a version that [`Service::place`] brought; requests that run on it finish.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] if the server shuts down.
    pub async fn withdraw(&self, name: &str, version: u64) -> Result<(), ServingError> {
        let (service, name) = (self.clone(), name.to_owned());
        blocking(move || {
            service.0.models.withdraw(&name, version);
            Ok(())
        })
        .await
    }

    /// Names and versions of the models that somebody may use with keys of these parameters (a digest in hexadecimal).
    #[must_use]
    pub fn models_of_parameters(
        &self,
        identity: &Identity,
        parameters: &str,
    ) -> Vec<(String, String)> {
        let mut models = self.0.models.of_parameters(parameters);
        models.retain(|(name, _)| identity.require_model(name).is_ok());
        models
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
        identity.require(Role::Predict)?;
        let served = self.find(identity, &request.model, request.version.as_deref())?;
        let mut recorder = Recorder {
            statistics: self.0.statistics.model(&request.model),
            begun: Instant::now(),
            outcome: Outcome::Cancelled,
        };
        let deadline = request.deadline;
        let answer = self.answer(identity, served, request);
        let answer = match deadline {
            // Whatever it is doing then, the caller hears of it in time.
            Some(deadline) => tokio::time::timeout_at(deadline.into(), answer)
                .await
                .unwrap_or_else(|_| Err(deadline_exceeded())),
            None => answer.await,
        };
        recorder.outcome = match &answer {
            Ok(_) => Outcome::Answered,
            Err(error) => error.kind().into(),
        };
        answer
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
    pub async fn drain(&self, timeout: Duration) -> bool {
        self.0.scheduler.drain(timeout).await
    }

    async fn answer(
        &self,
        identity: &Identity,
        served: Served,
        request: InferRequest,
    ) -> Result<InferResponse, ServingError> {
        let (version, outputs) = match served {
            Served::Plain(model) => {
                if !self.is_ready() {
                    return Err(shutting_down());
                }
                let version = model.metadata().versions.pop().unwrap_or_default();
                (version, model.infer(&request.inputs, &request.outputs)?)
            }
            Served::Encrypted(model) => {
                let model = self.of_program(model, &request).await;
                let version = model.version.clone();
                let encrypted = Encrypted {
                    statistics: self.0.statistics.model(&model.name),
                    model,
                    keys: &self.0.keys,
                    scheduler: &self.0.scheduler,
                };
                let (inputs, outputs) = (request.inputs, &request.outputs);
                let answer = encrypted.infer(identity, inputs, outputs, request.deadline);
                (version, answer.await?)
            }
        };
        Ok(InferResponse {
            model: request.model,
            version,
            id: request.id,
            outputs,
        })
    }

    /// A request that names no version goes to the one that its ciphertexts are for, while that still answers: they were
    /// made before another took its place.
    async fn of_program(&self, model: Arc<Deployed>, request: &InferRequest) -> Arc<Deployed> {
        let named = request
            .version
            .as_deref()
            .is_some_and(|version| !version.is_empty());
        if named || !self.0.models.has_several(&model.name) {
            return model;
        }
        let Some(program) = program_of(&request.inputs).await else {
            return model;
        };
        self.0
            .models
            .of_program(&model.name, &program)
            .unwrap_or(model)
    }

    fn find(
        &self,
        identity: &Identity,
        name: &str,
        version: Option<&str>,
    ) -> Result<Served, ServingError> {
        // The same words, whether it is not there or not for them.
        identity.require_model(name).map_err(|_| no_model(name))?;
        self.0.models.find(name, version)
    }
}

/// Tells the statistics what came of a request, also if its future is dropped.
struct Recorder {
    statistics: Arc<ModelStatistics>,
    begun: Instant,
    outcome: Outcome,
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.statistics.outcome(self.outcome).add(1);
        let total = self.statistics.stage(Stage::Total);
        total.record(self.begun.elapsed());
    }
}
