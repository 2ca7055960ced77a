//! The web pages, and the accounts as they ask for them.

use std::sync::Arc;

use axum::Router;
use hush_pages::{Door, Known, Later, Pages, SignIn, root, router};
use hush_serving::{Role, Service};
use hush_tracking::Tracking;

use crate::accounts::Accounts;
use crate::settings::Settings;

/// The routes of the pages. `/` is theirs unless the pages of MLflow are served there.
pub(crate) fn routes(
    tracking: &Tracking,
    service: &Service,
    accounts: Option<&Accounts>,
    settings: &Settings,
) -> Router {
    let secure = settings.tls.is_some();
    let door = accounts.map(|accounts| Arc::new(AccountsDoor(accounts.clone())) as Arc<dyn Door>);
    let pages = Pages::new(tracking.clone(), Some(service.clone()), door, secure);
    let others = settings.tracking.as_ref();
    match others.and_then(|tracking| tracking.pages.as_ref()) {
        None => router(pages).merge(root()),
        Some(_) => router(pages),
    }
}

struct AccountsDoor(Accounts);

impl Door for AccountsDoor {
    fn known<'a>(&'a self, token: &'a str) -> Later<'a, Result<Known, String>> {
        Box::pin(async move {
            let identity = self
                .0
                .by_token(token)
                .await
                .map_err(|error| error.to_string())?;
            identity
                .require(Role::Track)
                .map_err(|error| error.to_string())?;
            Ok(Known {
                name: identity.name.to_string(),
            })
        })
    }

    fn issuer(&self) -> Option<SignIn> {
        let (name, client) = self.0.issuer()?;
        Some(SignIn { name, client })
    }

    fn authorization(&self) -> Later<'_, Result<String, String>> {
        Box::pin(self.0.authorization())
    }

    fn redeem(&self, form: String) -> Later<'_, Result<String, String>> {
        Box::pin(self.0.redeem(form))
    }
}
