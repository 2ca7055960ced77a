//! The models by name and version, replaced while requests run.

mod placed;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use hush_runtime::Options;

use crate::models::deployed::Deployed;
use crate::models::name::{Version, is_model_name};
use crate::models::scan::{Files, Scan, scan};
use crate::models::{ModelMetadata, ModelState, ModelStatus, PlainModel};
use crate::{ErrorKind, ServingError};

/// Why a model is not available that somebody unloaded.
const UNLOADED: &str = "unloaded";

/// What answers for a version. A request keeps its own handle, so that it finishes on what it began with.
#[derive(Clone)]
pub(crate) enum Served {
    Encrypted(Arc<Deployed>),
    Plain(Arc<dyn PlainModel>),
}

/// A version: what answers, if anything does, and what went wrong last.
#[derive(Clone, Default)]
struct Entry {
    served: Option<Served>,
    loading: bool,
    reason: String,
    /// It answers requests that name no version.
    preferred: bool,
}

type Versions = BTreeMap<Version, Entry>;
type Models = BTreeMap<String, Versions>;

/// Every model. Whoever looks sees one state of all of them.
pub(crate) struct Repository {
    paths: Vec<PathBuf>,
    /// Files besides those below `paths`.
    placed: Mutex<BTreeMap<(String, Version), PathBuf>>,
    options: Options,
    plain: Vec<(String, Version, Arc<dyn PlainModel>)>,
    models: RwLock<Arc<Models>>,
    /// Files with names that cannot be served.
    misnamed: Mutex<Vec<PathBuf>>,
    /// Held while models are loaded, which are changed by one at a time.
    changing: Mutex<()>,
}

/// What loading a version gave.
type Loaded = ((String, Version), Result<Served, String>);

impl Repository {
    /// Loads every model below `paths`.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] for a path that cannot be read, [`ErrorKind::Internal`] for a misnamed plain model.
    pub(crate) fn open(
        paths: Vec<PathBuf>,
        options: Options,
        plain: Vec<Arc<dyn PlainModel>>,
    ) -> Result<Self, ServingError> {
        let plain = plain.into_iter().map(|model| {
            let metadata = model.metadata();
            let version = metadata
                .versions
                .last()
                .and_then(|text| Version::parse(text));
            match version.filter(|_| is_model_name(&metadata.name)) {
                Some(version) => Ok((metadata.name, version, model)),
                None => Err(ServingError::new(
                    ErrorKind::Internal,
                    format!(
                        "`{}` is no name for a model, or has no version",
                        metadata.name
                    ),
                )),
            }
        });
        let repository = Self {
            paths,
            placed: Mutex::default(),
            options,
            plain: plain.collect::<Result<_, _>>()?,
            models: RwLock::default(),
            misnamed: Mutex::default(),
            changing: Mutex::default(),
        };
        let files = repository.scan()?.files;
        let loaded = repository.load_files(files);
        repository.change(|models| {
            for ((name, version), result) in loaded {
                models
                    .entry(name)
                    .or_default()
                    .entry(version)
                    .or_default()
                    .update(result);
            }
            for (name, version, model) in &repository.plain {
                let entry = models.entry(name.clone()).or_default();
                let entry = entry.entry(version.clone()).or_default();
                entry.update(Ok(Served::Plain(Arc::clone(model))));
            }
        });
        Ok(repository)
    }

    /// What answers for a version; if none is named, the preferred one, else the latest one that answers.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], [`ErrorKind::Unavailable`] with the reason.
    pub(crate) fn find(&self, name: &str, version: Option<&str>) -> Result<Served, ServingError> {
        let models = self.models();
        let versions = models.get(name).ok_or_else(|| no_model(name))?;
        let (version, entry) = match version.filter(|version| !version.is_empty()) {
            Some(asked) => {
                let found = Version::parse(asked).and_then(|asked| versions.get_key_value(&asked));
                found.ok_or_else(|| no_version(name, asked, versions))?
            }
            None => {
                let answering = || {
                    versions
                        .iter()
                        .rev()
                        .filter(|(_, entry)| entry.served.is_some())
                };
                let preferred = answering().find(|(_, entry)| entry.preferred);
                let latest = preferred.or_else(|| answering().next());
                let latest = latest.or(versions.last_key_value());
                latest.ok_or_else(|| no_model(name))?
            }
        };
        entry.served.clone().ok_or_else(|| {
            let reason = if entry.loading {
                "it is being loaded"
            } else {
                &entry.reason
            };
            // Trying again does not help: somebody has to load it.
            let kind = match reason {
                UNLOADED => ErrorKind::NotFound,
                _ => ErrorKind::Unavailable,
            };
            ServingError::new(
                kind,
                format!("version {version} of model `{name}` is not available: {reason}"),
            )
        })
    }

    /// Name, versions that answer, and tensors of one of them.
    ///
    /// # Errors
    /// As [`Repository::find`].
    pub(crate) fn metadata(
        &self,
        name: &str,
        version: Option<&str>,
    ) -> Result<ModelMetadata, ServingError> {
        let served = self.find(name, version)?;
        let models = self.models();
        let versions = models.get(name).into_iter().flatten();
        let answering = versions.filter(|(_, entry)| entry.served.is_some());
        let versions = answering.map(|(version, _)| version.to_string()).collect();
        Ok(match served {
            Served::Plain(model) => ModelMetadata {
                versions,
                ..model.metadata()
            },
            Served::Encrypted(model) => ModelMetadata {
                name: name.to_owned(),
                versions,
                platform: "hush".to_owned(),
                inputs: vec![Deployed::tensor()],
                outputs: vec![Deployed::tensor()],
                properties: model.properties(),
            },
        })
    }

    /// Every version, and then files that cannot be served under their names.
    pub(crate) fn index(&self) -> Vec<ModelStatus> {
        let models = self.models();
        let versions = models.iter().flat_map(|(name, versions)| {
            versions.iter().map(move |(version, entry)| ModelStatus {
                name: name.clone(),
                version: version.to_string(),
                state: entry.state(),
                reason: entry.reason.clone(),
            })
        });
        let misnamed = self.misnamed.lock().unwrap_or_else(PoisonError::into_inner);
        let misnamed = misnamed.iter().map(|path| ModelStatus {
            name: path.display().to_string(),
            version: String::new(),
            state: ModelState::Unavailable,
            reason:
                "a model is named with letters, digits, `_`, `.` and `-`, and a version by a number"
                    .to_owned(),
        });
        versions.chain(misnamed).collect()
    }

    /// Loads every version of a model anew. Blocks.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is no file of it; [`ErrorKind::Unavailable`] if one cannot be loaded: what
    /// answered for it before still does.
    pub(crate) fn load(&self, name: &str) -> Result<(), ServingError> {
        let _one = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut files = self.scan()?.files;
        files.retain(|(found, _), _| found == name);
        let plain = self.plain.iter().filter(|(plain, ..)| plain == name);
        let plain: Vec<_> = plain
            .map(|(_, version, model)| (version, Served::Plain(Arc::clone(model))))
            .collect();
        if files.is_empty() && plain.is_empty() {
            self.change(|models| models.remove(name));
            return Err(no_model(name));
        }
        self.change(|models| {
            let versions = models.entry(name.to_owned()).or_default();
            versions.retain(|version, _| {
                files.contains_key(&(name.to_owned(), version.clone()))
                    || plain.iter().any(|(plain, _)| *plain == version)
            });
            for (_, version) in files.keys() {
                versions.entry(version.clone()).or_default().loading = true;
            }
            for (version, model) in &plain {
                let entry = versions.entry((*version).clone()).or_default();
                entry.update(Ok(model.clone()));
            }
        });
        let loaded = self.load_files(files);
        let failed: Vec<_> = loaded
            .iter()
            .filter_map(|((_, version), result)| {
                let reason = result.as_ref().err()?;
                Some(format!("version {version}: {reason}"))
            })
            .collect();
        self.change(|models| {
            let versions = models.entry(name.to_owned()).or_default();
            for ((_, version), result) in loaded {
                versions.entry(version).or_default().update(result);
            }
        });
        if failed.is_empty() {
            return Ok(());
        }
        Err(ServingError::new(
            ErrorKind::Unavailable,
            format!("cannot load model `{name}`: {}", failed.join("; ")),
        ))
    }

    /// Stops serving a model. Blocks while another is being loaded.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`].
    pub(crate) fn unload(&self, name: &str) -> Result<(), ServingError> {
        let _one = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        self.change(|models| {
            let versions = models.get_mut(name).ok_or_else(|| no_model(name))?;
            for entry in versions.values_mut() {
                *entry = Entry {
                    reason: UNLOADED.to_owned(),
                    preferred: entry.preferred,
                    ..Entry::default()
                };
            }
            Ok(())
        })
    }

    fn scan(&self) -> Result<Scan, ServingError> {
        let mut found = scan(&self.paths).map_err(|(path, error)| {
            ServingError::new(
                ErrorKind::NotFound,
                format!("there are no models at `{}`: {error}", path.display()),
            )
        })?;
        let mut misnamed = self.misnamed.lock().unwrap_or_else(PoisonError::into_inner);
        misnamed.clone_from(&found.misnamed);
        let placed = self.placed.lock().unwrap_or_else(PoisonError::into_inner);
        for (version, path) in placed.iter() {
            found
                .files
                .entry(version.clone())
                .or_default()
                .push(path.clone());
        }
        Ok(found)
    }

    /// Loads files, several at a time.
    fn load_files(&self, files: Files) -> Vec<Loaded> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = threads.min(files.len());
        let waiting = Mutex::new(files.into_iter());
        let loaded = Mutex::new(Vec::new());
        let work = || {
            loop {
                let next = waiting
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .next();
                let Some((named, paths)) = next else { break };
                let served = self.load_file(&named.0, &named.1, &paths);
                let mut loaded = loaded.lock().unwrap_or_else(PoisonError::into_inner);
                loaded.push((named, served));
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(work);
            }
        });
        loaded.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn load_file(
        &self,
        name: &str,
        version: &Version,
        paths: &[PathBuf],
    ) -> Result<Served, String> {
        let [path] = paths else {
            let paths: Vec<_> = paths
                .iter()
                .map(|path| path.display().to_string())
                .collect();
            return Err(format!("several files want to be it: {}", paths.join(", ")));
        };
        let load = || Deployed::load(path, name, version, self.options);
        // One bad model must not take the others down.
        let loaded = catch_unwind(AssertUnwindSafe(load));
        let loaded = loaded
            .unwrap_or_else(|_| Err("the server failed on it; its log says where".to_owned()));
        loaded.map(|deployed| Served::Encrypted(Arc::new(deployed)))
    }

    fn models(&self) -> Arc<Models> {
        Arc::clone(&self.models.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts a changed copy in place; only under `changing`, or before anybody else has the repository.
    fn change<T>(&self, change: impl FnOnce(&mut Models) -> T) -> T {
        let mut models = Models::clone(&self.models());
        let result = change(&mut models);
        *self.models.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(models);
        result
    }
}

impl Entry {
    fn state(&self) -> ModelState {
        match (&self.served, self.loading) {
            (Some(_), _) => ModelState::Ready,
            (None, true) => ModelState::Loading,
            (None, false) => ModelState::Unavailable,
        }
    }

    fn update(&mut self, result: Result<Served, String>) {
        self.loading = false;
        match result {
            Ok(served) => {
                self.served = Some(served);
                self.reason.clear();
            }
            Err(reason) => self.reason = reason,
        }
    }
}

/// The words for a model that is not there.
pub(crate) fn no_model(name: &str) -> ServingError {
    let shown: String = name
        .chars()
        .take(128)
        .flat_map(char::escape_debug)
        .collect();
    ServingError::new(ErrorKind::NotFound, format!("there is no model `{shown}`"))
}

fn no_version(name: &str, asked: &str, versions: &Versions) -> ServingError {
    let shown: String = asked
        .chars()
        .take(40)
        .flat_map(char::escape_debug)
        .collect();
    let there: Vec<_> = versions.keys().map(Version::to_string).collect();
    ServingError::new(
        ErrorKind::NotFound,
        format!(
            "model `{name}` has no version `{shown}`; it has {}",
            there.join(", ")
        ),
    )
}
