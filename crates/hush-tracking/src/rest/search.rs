//! What searches have in common.

use crate::TrackingError;
use crate::wire::Fields;

/// What is searched for, and after which page.
pub(super) struct Search {
    pub(super) filter: String,
    pub(super) order: Vec<String>,
    pub(super) token: Option<String>,
}

impl Search {
    pub(super) fn of(fields: &Fields) -> Result<Self, TrackingError> {
        Self::filtered_by(fields, "filter")
    }

    /// A search whose filter stands in a field of another name.
    pub(super) fn filtered_by(fields: &Fields, filter: &str) -> Result<Self, TrackingError> {
        Ok(Self {
            filter: fields.text(filter)?.unwrap_or_default(),
            order: fields.texts("order_by")?,
            token: fields.text("page_token")?,
        })
    }

    pub(super) fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }
}
