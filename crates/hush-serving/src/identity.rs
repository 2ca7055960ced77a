//! Who asks, and what they may do. `hush-server` finds out who it is and hands it over with the request.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::{ErrorKind, ServingError};

/// What somebody may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Ask for predictions.
    Predict,
    /// Upload, list and delete evaluation keys of one's own.
    UploadKeys,
    /// Use the tracking server: experiments, runs, registered models, artifacts.
    Track,
    /// Load and unload models, see and delete everybody's keys. Implies the others.
    Administer,
}

/// A set of roles.
pub type Roles = BTreeSet<Role>;

/// Which models somebody may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelPermission {
    /// All of them.
    All,
    /// Those of these names.
    Named(BTreeSet<String>),
}

/// Somebody that the server knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Name of the account: owner of keys, unit of fair sharing.
    pub name: Arc<str>,
    /// What it may do.
    pub roles: Roles,
    /// With which models.
    pub models: ModelPermission,
}

impl Identity {
    /// The one identity of a server without accounts, which listens on loopback only.
    #[must_use]
    pub fn local() -> Self {
        Self {
            name: "local".into(),
            roles: [
                Role::Predict,
                Role::UploadKeys,
                Role::Track,
                Role::Administer,
            ]
            .into(),
            models: ModelPermission::All,
        }
    }

    /// Whether it has the role.
    #[must_use]
    pub fn has(&self, role: Role) -> bool {
        self.roles.contains(&role) || self.roles.contains(&Role::Administer)
    }

    /// Refuses what the identity may not do.
    ///
    /// # Errors
    /// [`ErrorKind::PermissionDenied`].
    pub fn require(&self, role: Role) -> Result<(), ServingError> {
        if self.has(role) {
            return Ok(());
        }
        let needed = match role {
            Role::Predict => "predict",
            Role::UploadKeys => "upload keys",
            Role::Track => "track",
            Role::Administer => "administer",
        };
        Err(ServingError::new(
            ErrorKind::PermissionDenied,
            format!("`{}` may not {needed}", self.name),
        ))
    }

    /// Refuses a model that the identity may not use, in the words for one that does not exist.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`].
    pub fn require_model(&self, model: &str) -> Result<(), ServingError> {
        match &self.models {
            ModelPermission::Named(names)
                if !names.contains(model) && !self.has(Role::Administer) =>
            {
                Err(ServingError::new(
                    ErrorKind::NotFound,
                    format!("there is no model `{model}`"),
                ))
            }
            _ => Ok(()),
        }
    }
}
