//! Who may do what with an experiment or a registered model.

use super::{Tracking, registered};
use crate::caller::Resource;
use crate::database::{Session, values};
use crate::{Caller, ErrorCode, Permission, TrackingError, limits};

type Result<T> = std::result::Result<T, TrackingError>;

/// What a permission is about, by the name that callers use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    Experiment(String),
    Model(String),
}

impl Named {
    fn check(&self, session: &mut Session<'_>, caller: &Caller) -> Result<(&'static str, String)> {
        match self {
            Self::Experiment(id) => {
                let id = limits::experiment_id(id)?;
                super::experiments::experiment(session, id)?;
                caller.require(session, Permission::Manage, Resource::Experiment(id))?;
                Ok((Resource::Experiment(id).kind(), id.to_string()))
            }
            Self::Model(name) => {
                registered::stored(session, caller, name, Permission::Manage)?;
                Ok((Resource::Model(name).kind(), name.clone()))
            }
        }
    }
}

impl Tracking {
    /// Grants, changes or revokes what an account may do; `fresh` says whether it must have had no permission before.
    pub(crate) async fn grant(
        &self,
        caller: &Caller,
        what: Named,
        account: &str,
        permission: Option<Permission>,
        fresh: bool,
    ) -> Result<()> {
        let (caller, account) = (caller.clone(), account.to_owned());
        let work = move |session: &mut Session<'_>| {
            let (kind, resource) = what.check(session, &caller)?;
            let known = session.number(
                "SELECT count(*) FROM permissions WHERE kind = ? AND resource = ? AND account = ?",
                &values![kind, &resource, &account],
            )?;
            if fresh && known > 0 {
                let message =
                    format!("Permission (resource={resource}, username={account}) already exists.");
                return Err(TrackingError::new(
                    ErrorCode::ResourceAlreadyExists,
                    message,
                ));
            }
            if !fresh && known == 0 {
                return Err(absent(&resource, &account));
            }
            let Some(permission) = permission else {
                let sql = "DELETE FROM permissions WHERE kind = ? AND resource = ? AND account = ?";
                return session
                    .execute(sql, &values![kind, &resource, &account])
                    .map(drop);
            };
            session
                .execute(
                    "INSERT INTO permissions (kind, resource, account, level) VALUES (?, ?, ?, ?)
                     ON CONFLICT (kind, resource, account) DO UPDATE SET level = excluded.level",
                    &values![kind, &resource, &account, permission.number()],
                )
                .map(drop)
        };
        self.database().write(work).await
    }

    /// What was granted to an account.
    pub(crate) async fn granted(
        &self,
        caller: &Caller,
        what: Named,
        account: &str,
    ) -> Result<Permission> {
        let (caller, account) = (caller.clone(), account.to_owned());
        let work = move |session: &mut Session<'_>| {
            let (kind, resource) = what.check(session, &caller)?;
            let level = session.query_first(
                "SELECT level FROM permissions WHERE kind = ? AND resource = ? AND account = ?",
                &values![kind, &resource, &account],
                |row| row.integer(0),
            )?;
            level
                .map(Permission::of_number)
                .ok_or_else(|| absent(&resource, &account))
        };
        self.database().read(work).await
    }
}

fn absent(resource: &str, account: &str) -> TrackingError {
    TrackingError::missing(format!(
        "Permission with resource={resource} and username={account} not found"
    ))
}
