//! Who may use which file.

use super::{ARTIFACTS_SCHEME, Tracking};
use crate::artifacts::ArtifactPath;
use crate::caller::Resource;
use crate::database::{Session, values};
use crate::{Caller, ErrorCode, Permission, TrackingError};

type Result<T> = std::result::Result<T, TrackingError>;

impl Tracking {
    /// Refuses a file that the caller may not use so: its experiment's number begins its path, or its experiment keeps its
    /// artifacts at a place above it. What belongs to no experiment is the administrators'.
    pub(crate) async fn may_use_artifact(
        &self,
        caller: &Caller,
        path: &ArtifactPath,
        needed: Permission,
    ) -> Result<()> {
        if caller.administrator {
            return Ok(());
        }
        let (caller, names) = (caller.clone(), path.names().to_vec());
        let work = move |session: &mut Session<'_>| {
            let mut places = Vec::new();
            for count in (1..=names.len()).rev() {
                places.push(format!("{ARTIFACTS_SCHEME}{}", names[..count].join("/")));
            }
            let sql = "SELECT id FROM experiments WHERE artifact_location = ANY(?)";
            let found = session.query(sql, &values![places], |row| row.integer(0))?;
            if found.is_empty() {
                return Err(TrackingError::new(
                    ErrorCode::PermissionDenied,
                    "Permission denied",
                ));
            }
            for id in found {
                caller.require(session, needed, Resource::Experiment(id))?;
            }
            Ok(())
        };
        self.database().read(work).await
    }

    /// The path of an address whose files this server keeps; `None` for one elsewhere.
    pub(crate) fn own_artifact(&self, address: &str) -> Result<Option<ArtifactPath>> {
        let Some(path) = address.strip_prefix("mlflow-artifacts:") else {
            return Ok(None);
        };
        // `mlflow-artifacts://host/path` names a server, which is this one.
        let path = match path.strip_prefix("//") {
            Some(rest) if !rest.starts_with('/') => {
                rest.split_once('/').map_or("", |(_, path)| path)
            }
            _ => path,
        };
        ArtifactPath::parse(path).map(Some)
    }
}
