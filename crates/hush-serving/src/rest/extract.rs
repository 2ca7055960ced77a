//! What handlers take from a request besides its body.

use std::collections::BTreeMap;

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;

use super::error::RestError;
use crate::raw::invalid;
use crate::{ErrorKind, Identity, ServingError};

/// Who asks.
pub(super) struct Caller(pub(super) Identity);

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = RestError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, RestError> {
        let identity = parts.extensions.get::<Identity>().cloned();
        let identity = identity.ok_or_else(|| {
            ServingError::new(
                ErrorKind::Unauthenticated,
                "the request carries no identity",
            )
        })?;
        Ok(Self(identity))
    }
}

/// The model in the path, and its version if there is one.
pub(super) struct ModelPath {
    pub(super) model: String,
    pub(super) version: Option<String>,
}

impl ModelPath {
    pub(super) fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for ModelPath {
    type Rejection = RestError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, RestError> {
        let mut names = names(parts, state).await?;
        Ok(Self {
            model: names.remove("model").unwrap_or_default(),
            version: names.remove("version"),
        })
    }
}

/// The key in the path.
pub(super) struct KeyPath(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for KeyPath {
    type Rejection = RestError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, RestError> {
        let mut names = names(parts, state).await?;
        Ok(Self(names.remove("key").unwrap_or_default()))
    }
}

async fn names<S: Send + Sync>(
    parts: &mut Parts,
    state: &S,
) -> Result<BTreeMap<String, String>, RestError> {
    let path = Path::<BTreeMap<String, String>>::from_request_parts(parts, state).await;
    let Path(names) = path.map_err(|_| invalid("the path is not UTF-8"))?;
    Ok(names)
}
