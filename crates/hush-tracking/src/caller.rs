//! Who asks, and what they may do with an experiment or a registered model.

use std::sync::Arc;

use crate::database::Session;
use crate::database::values;
use crate::{ErrorCode, TrackingError};

/// Somebody that the server knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Name of the account.
    pub name: Arc<str>,
    /// May do everything.
    pub administrator: bool,
    /// What it may do with what nobody granted to it.
    pub default: Permission,
}

/// What somebody may do with a thing. Each includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Permission {
    /// Nothing: not even learn that it is there.
    None,
    /// See it.
    Read,
    /// See it and use it for inference.
    Use,
    /// Change it.
    Edit,
    /// Change it, delete it, and say who else may.
    Manage,
}

/// What permissions are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resource<'a> {
    /// An experiment with its runs, logged models, traces and artifacts.
    Experiment(i64),
    /// A registered model with its versions.
    Model(&'a str),
}

impl Permission {
    /// MLflow's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "NO_PERMISSIONS",
            Self::Read => "READ",
            Self::Use => "USE",
            Self::Edit => "EDIT",
            Self::Manage => "MANAGE",
        }
    }

    /// The permission of that name.
    ///
    /// # Errors
    /// Which names there are.
    pub fn parse(name: &str) -> Result<Self, TrackingError> {
        let all = [Self::None, Self::Read, Self::Use, Self::Edit, Self::Manage];
        let found = all.into_iter().find(|permission| permission.name() == name);
        found.ok_or_else(|| {
            TrackingError::invalid(format!(
                "Invalid permission '{name}'. Valid permissions are: ('READ', 'USE', 'EDIT', 'MANAGE', 'NO_PERMISSIONS')"
            ))
        })
    }

    pub(crate) fn number(self) -> i64 {
        self as i64
    }

    pub(crate) fn of_number(number: i64) -> Self {
        match number {
            1 => Self::Read,
            2 => Self::Use,
            3 => Self::Edit,
            4 => Self::Manage,
            _ => Self::None,
        }
    }
}

impl Resource<'_> {
    pub(crate) fn kind(self) -> &'static str {
        match self {
            Self::Experiment(_) => "experiment",
            Self::Model(_) => "registered_model",
        }
    }

    pub(crate) fn name(self) -> String {
        match self {
            Self::Experiment(id) => id.to_string(),
            Self::Model(name) => name.to_owned(),
        }
    }
}

impl Caller {
    /// Whoever reaches a server without accounts.
    #[must_use]
    pub fn local() -> Self {
        Self {
            name: "local".into(),
            administrator: true,
            default: Permission::Manage,
        }
    }

    /// What it may do with a thing.
    pub(crate) fn permission(
        &self,
        session: &mut Session<'_>,
        resource: Resource<'_>,
    ) -> Result<Permission, TrackingError> {
        if self.administrator {
            return Ok(Permission::Manage);
        }
        let granted = session.query_first(
            "SELECT level FROM permissions WHERE kind = ? AND resource = ? AND account = ?",
            &values![resource.kind(), resource.name(), &*self.name],
            |row| row.integer(0),
        )?;
        Ok(granted.map_or(self.default, Permission::of_number))
    }

    /// Refuses what it may not do.
    pub(crate) fn require(
        &self,
        session: &mut Session<'_>,
        needed: Permission,
        resource: Resource<'_>,
    ) -> Result<(), TrackingError> {
        if self.administrator || self.permission(session, resource)? >= needed {
            return Ok(());
        }
        Err(TrackingError::new(
            ErrorCode::PermissionDenied,
            "Permission denied",
        ))
    }

    /// Refuses what administrators only may do.
    pub(crate) fn require_administrator(&self) -> Result<(), TrackingError> {
        if self.administrator {
            return Ok(());
        }
        Err(TrackingError::new(
            ErrorCode::PermissionDenied,
            "Permission denied",
        ))
    }

    /// Makes it the owner of what it has made.
    pub(crate) fn own(
        &self,
        session: &mut Session<'_>,
        resource: Resource<'_>,
    ) -> Result<(), TrackingError> {
        session.execute(
            "INSERT INTO permissions (kind, resource, account, level) VALUES (?, ?, ?, ?)
             ON CONFLICT (kind, resource, account) DO UPDATE SET level = excluded.level",
            &values![
                resource.kind(),
                resource.name(),
                &*self.name,
                Permission::Manage.number()
            ],
        )?;
        Ok(())
    }
}
