//! The service over HTTP.

mod body;
mod elements;
mod error;
mod extract;
mod keys;
mod models;
mod range;
mod repository;
mod request;
mod response;
mod server;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};

use crate::admission::{BodyMemory, count_body};
use crate::{Limits, Service};

/// Bytes of a body that carries no tensor.
const SMALL: usize = 64 << 10;

/// What every handler works with.
#[derive(Clone)]
struct Rest {
    service: Service,
    limits: Arc<Limits>,
    /// For bodies that carry no tensor.
    small: Arc<Limits>,
}

/// Every route of the protocol and of the service's own, as one router. Requests carry an [`crate::Identity`] among
/// their extensions.
pub fn rest(service: &Service, limits: &Limits) -> Router {
    let rest = Rest {
        service: service.clone(),
        limits: Arc::new(limits.clone()),
        small: Arc::new(Limits {
            message: SMALL,
            decompressed: SMALL,
            ..limits.clone()
        }),
    };
    let memory = BodyMemory::new(limits.body_memory);
    let mut router = Router::new()
        .route("/v2", get(server::metadata))
        .route("/v2/health/live", get(server::live))
        .route("/v2/health/ready", get(server::ready))
        .route("/v2/models", get(models::list))
        .route("/v2/repository/index", post(repository::index))
        .route("/v2/repository/models/{model}/load", post(repository::load))
        .route(
            "/v2/repository/models/{model}/unload",
            post(repository::unload),
        )
        .route("/v1/keys", get(keys::list))
        .route(
            "/v1/keys/{key}",
            get(keys::status).put(keys::upload).delete(keys::delete),
        );
    for version in ["", "/versions/{version}"] {
        let model = |of: &str, what: &str| format!("/{of}/models/{{model}}{version}{what}");
        router = router
            .route(&model("v2", ""), get(models::metadata))
            .route(&model("v2", "/config"), get(models::config))
            .route(&model("v2", "/ready"), get(models::ready))
            .route(&model("v2", "/infer"), post(models::infer))
            .route(&model("v1", "/client"), get(models::client));
    }
    router
        .fallback(error::unknown_route)
        .method_not_allowed_fallback(error::wrong_method)
        // Bodies have their own bounds.
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn_with_state(memory, count_body))
        .with_state(rest)
}
