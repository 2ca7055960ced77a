//! `grpc.health.v1.Health`.

use std::pin::Pin;
use std::time::Duration;

use futures_util::stream::unfold;
use tokio_stream::Stream;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::Health;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use crate::Service;

/// How often a watched status is looked at.
const PERIOD: Duration = Duration::from_millis(500);

/// Services that a caller may ask after; the empty name is the server as a whole.
const NAMES: [&str; 4] = [
    "",
    "inference.GRPCInferenceService",
    "inference.model_repository.ModelRepositoryService",
    "hush.v1.Keys",
];

/// The service behind the protocol.
pub(super) struct HealthService(pub(super) Service);

type Watched = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

#[tonic::async_trait]
impl Health for HealthService {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        let name = &request.get_ref().service;
        if !NAMES.contains(&name.as_str()) {
            return Err(Status::not_found(format!("there is no service `{name}`")));
        }
        Ok(Response::new(response(status(&self.0))))
    }

    type WatchStream = Watched;

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Watched>, Status> {
        let known = NAMES.contains(&request.get_ref().service.as_str());
        let service = self.0.clone();
        let changes = unfold(None, move |told| {
            let service = service.clone();
            async move {
                loop {
                    let now = if known {
                        status(&service)
                    } else {
                        ServingStatus::ServiceUnknown
                    };
                    if told != Some(now) {
                        return Some((Ok(response(now)), Some(now)));
                    }
                    tokio::time::sleep(PERIOD).await;
                }
            }
        });
        Ok(Response::new(Box::pin(changes)))
    }
}

fn status(service: &Service) -> ServingStatus {
    if service.is_ready() {
        ServingStatus::Serving
    } else {
        ServingStatus::NotServing
    }
}

fn response(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse {
        status: status.into(),
    }
}
