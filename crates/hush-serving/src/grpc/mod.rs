//! The service over gRPC.

mod caller;
mod config;
mod contents;
mod framing;
mod health;
mod inference;
mod keys;
mod messages;
pub mod protocol;
mod repository;
mod stream;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::middleware::from_fn_with_state;
use http::header::HeaderName;
use tonic::codec::CompressionEncoding::Gzip;
use tonic::service::Routes;
use tonic_health::pb::health_server::HealthServer;
use tower::{ServiceExt, service_fn};

use crate::admission::{BodyMemory, count_body};
use crate::{Limits, Service};
use framing::Framed;
use protocol::hush::keys_server::KeysServer;
use protocol::inference::grpc_inference_service_server::GrpcInferenceServiceServer;
use protocol::model_repository::model_repository_service_server::ModelRepositoryServiceServer;

/// How a request's messages may be compressed.
const ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
/// Bytes of a message that carries no tensor, or one part of an upload.
const SMALL: usize = 4 << 20;
/// What a message has besides the data of a part.
const ENVELOPE: usize = 1024;

/// Every gRPC service as one router. Requests carry an [`crate::Identity`] among their extensions.
///
/// # Panics
/// If the definitions that were compiled in are damaged.
pub fn grpc(service: &Service, limits: &Limits) -> Router {
    let memory = BodyMemory::new(limits.body_memory);
    // What decompresses takes one limit for compressed and plain messages, so each kind has services of its own.
    // Answers are compressed where the request was: ciphertexts would only cost time.
    let plain = inference(service, limits.message);
    let plain = services(service, plain, limits.message);
    let smaller = limits.decompressed.min(limits.message);
    let compressed = inference(service, smaller)
        .accept_compressed(Gzip)
        .send_compressed(Gzip);
    let compressed = services(service, compressed, smaller);
    let choose = service_fn(move |request: Request| {
        let router = match request.headers().get(&ENCODING) {
            Some(encoding) if encoding != "identity" => &compressed,
            _ => &plain,
        };
        router.clone().oneshot(request)
    });
    Router::new()
        .fallback_service(choose)
        .layer(from_fn_with_state(memory, count_body))
}

fn inference(service: &Service, limit: usize) -> GrpcInferenceServiceServer<inference::Inference> {
    GrpcInferenceServiceServer::new(inference::Inference(service.clone()))
        .max_decoding_message_size(limit)
        .max_encoding_message_size(usize::MAX)
}

fn services(
    service: &Service,
    inference: GrpcInferenceServiceServer<inference::Inference>,
    limit: usize,
) -> Router {
    let repository = ModelRepositoryServiceServer::new(repository::Repository(service.clone()))
        .max_decoding_message_size(SMALL);
    let keys = KeysServer::new(keys::KeyService(service.clone()))
        .max_decoding_message_size(SMALL + ENVELOPE);
    let health = HealthServer::new(health::HealthService(service.clone()));
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(protocol::DEFINITIONS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let mut routes = Routes::builder();
    routes
        .add_service(inference)
        .add_service(repository)
        .add_service(keys)
        .add_service(health)
        .add_service(reflection().build_v1().expect("own definitions"))
        .add_service(reflection().build_v1alpha().expect("own definitions"));
    routes
        .routes()
        .prepare()
        .into_axum_router()
        .layer(axum::middleware::map_request(
            move |request: Request| async move {
                request.map(|body| Body::new(Framed::new(body, limit)))
            },
        ))
}
