//! Versions that come and go one at a time, besides those in folders: whoever follows a registry brings them.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError};

use super::{Repository, Served};
use crate::models::Deployed;
use crate::models::name::{Version, is_model_name};
use crate::{ErrorKind, ServingError};

impl Repository {
    /// Serves a file as a version of a model, besides those below the paths; once it answers, and if it is `preferred`,
    /// it is what answers requests that name no version. Nothing is read again that answers already. Blocks.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for a name that no model has; [`ErrorKind::Unavailable`] if the file cannot be
    /// loaded: nothing has changed then.
    pub(crate) fn place(
        &self,
        name: &str,
        version: u64,
        path: PathBuf,
        preferred: bool,
    ) -> Result<(), ServingError> {
        if !is_model_name(name) {
            let message =
                format!("`{name}` is no name for a model: letters, digits, `_`, `.` and `-`");
            return Err(ServingError::new(ErrorKind::InvalidArgument, message));
        }
        let _one = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (name.to_owned(), Version::number(version));
        let answering = self.models().get(name).and_then(|versions| {
            let entry = versions.get(&key.1)?;
            entry.served.clone()
        });
        let known = self
            .placed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&key)
            == Some(&path);
        let served = match answering.filter(|_| known) {
            Some(served) => served,
            None => self
                .load_file(name, &key.1, std::slice::from_ref(&path))
                .map_err(|reason| {
                    let message =
                        format!("cannot load version {version} of model `{name}`: {reason}");
                    ServingError::new(ErrorKind::Unavailable, message)
                })?,
        };
        let mut placed = self.placed.lock().unwrap_or_else(PoisonError::into_inner);
        placed.insert(key.clone(), path);
        drop(placed);
        self.change(|models| {
            let versions = models.entry(key.0).or_default();
            if preferred {
                versions
                    .values_mut()
                    .for_each(|entry| entry.preferred = false);
            }
            let entry = versions.entry(key.1).or_default();
            entry.update(Ok(served));
            entry.preferred |= preferred;
        });
        Ok(())
    }

    /// Forgets a version that [`Repository::place`] brought; requests that run on it finish.
    pub(crate) fn withdraw(&self, name: &str, version: u64) {
        let _one = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (name.to_owned(), Version::number(version));
        let mut placed = self.placed.lock().unwrap_or_else(PoisonError::into_inner);
        if placed.remove(&key).is_none() {
            return;
        }
        drop(placed);
        self.change(|models| {
            let Some(versions) = models.get_mut(name) else {
                return;
            };
            versions.remove(&key.1);
            if versions.is_empty() {
                models.remove(name);
            }
        });
    }

    /// The version that runs a program.
    pub(crate) fn of_program(&self, name: &str, program: &[u8; 32]) -> Option<Arc<Deployed>> {
        let models = self.models();
        models
            .get(name)?
            .values()
            .rev()
            .find_map(|entry| match &entry.served {
                Some(Served::Encrypted(model))
                    if model.deployment.client_spec().program_id == *program =>
                {
                    Some(Arc::clone(model))
                }
                _ => None,
            })
    }

    /// Whether a model has several versions that answer.
    pub(crate) fn has_several(&self, name: &str) -> bool {
        let models = self.models();
        let versions = models.get(name).into_iter().flatten();
        versions
            .filter(|(_, entry)| entry.served.is_some())
            .nth(1)
            .is_some()
    }

    /// Names and versions of the encrypted models that keys of these parameters may fit.
    pub(crate) fn of_parameters(&self, parameters: &str) -> Vec<(String, String)> {
        let models = self.models();
        let entries = models.values().flat_map(|versions| versions.values());
        let fitting = entries.filter_map(|entry| match &entry.served {
            Some(Served::Encrypted(model)) if model.parameters() == parameters => {
                Some((model.name.clone(), model.version.clone()))
            }
            _ => None,
        });
        fitting.collect()
    }
}
