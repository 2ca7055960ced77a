//! All pages, by their addresses.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use hush_serving::Service;
use hush_tracking::Tracking;

use crate::answer::see;
use crate::deployments::Watch;
use crate::{
    Door, assets, compare, deployments, experiments, files, keys, models, plots, run, runs, sign_in,
};

/// What the pages show, and who knows the accounts. Clones show the same.
#[derive(Clone)]
pub struct Pages(Arc<Inner>);

struct Inner {
    tracking: Tracking,
    service: Option<Service>,
    door: Option<Arc<dyn Door>>,
    secure: bool,
    watch: Watch,
}

impl Pages {
    /// Pages over a store. `service`: the models that this process serves; `door`: the accounts, if callers need one;
    /// `secure`: whether browsers come over TLS.
    #[must_use]
    pub fn new(
        tracking: Tracking,
        service: Option<Service>,
        door: Option<Arc<dyn Door>>,
        secure: bool,
    ) -> Self {
        let watch = Watch::default();
        Self(Arc::new(Inner {
            tracking,
            service,
            door,
            secure,
            watch,
        }))
    }

    pub(crate) fn tracking(&self) -> &Tracking {
        &self.0.tracking
    }

    pub(crate) fn service(&self) -> Option<&Service> {
        self.0.service.as_ref()
    }

    pub(crate) fn door(&self) -> Option<&Arc<dyn Door>> {
        self.0.door.as_ref()
    }

    pub(crate) fn is_secure(&self) -> bool {
        self.0.secure
    }

    pub(crate) fn watch(&self) -> &Watch {
        &self.0.watch
    }
}

/// Whether strangers may see an address: the page to sign in, and what it loads.
#[must_use]
pub fn is_open(path: &str) -> bool {
    matches!(
        path,
        "/login" | "/login/issuer" | "/login/return" | "/logout"
    ) || path.starts_with("/assets/")
}

/// The routes but `/`, which others may want. Requests carry a [`hush_tracking::Caller`] among their extensions, and a
/// [`hush_serving::Identity`] where models are served; pages refuse those without.
pub fn router(pages: Pages) -> Router {
    Router::new()
        .route("/assets/{hash}/{name}", get(assets::serve))
        .route("/login", get(sign_in::form).post(sign_in::submit))
        .route("/login/issuer", post(sign_in::to_issuer))
        .route("/login/return", get(sign_in::from_issuer))
        .route("/logout", post(sign_in::leave))
        .route(
            "/experiments",
            get(experiments::list).post(experiments::create),
        )
        .route("/experiments/{id}", get(runs::table).post(runs::change))
        .route("/runs/{id}", get(run::page).post(run::change))
        .route("/runs/{id}/pulse", get(plots::pulse))
        .route("/runs/{id}/curves", get(plots::of_run))
        .route("/runs/{id}/artifacts", get(files::of_run))
        .route("/runs/{id}/file", get(files::run_file))
        .route("/logged-models/{id}", get(models::logged))
        .route("/logged-models/{id}/artifacts", get(files::of_logged_model))
        .route("/logged-models/{id}/file", get(files::logged_model_file))
        .route("/compare", get(compare::page))
        .route("/compare/curves", get(plots::of_runs))
        .route("/models", get(models::list).post(models::create))
        .route(
            "/models/{name}",
            get(models::model).post(models::change_model),
        )
        .route(
            "/models/{name}/versions/{version}",
            get(models::version).post(models::change_version),
        )
        .route("/deployments", get(deployments::page))
        .route("/keys", get(keys::page).post(keys::delete))
        .layer(DefaultBodyLimit::max(1 << 20))
        .with_state(pages)
}

/// The route `/`, which leads to the experiments. What follows a `#`, as in the addresses that MLflow's clients print, is kept
/// by browsers, and understood there.
pub fn root() -> Router {
    Router::new().route("/", get(|| async { see("/experiments") }))
}
