//! Messages, services and clients made from the definitions in `proto/`.
#![allow(missing_docs, unreachable_pub, clippy::all)]

/// The Open Inference Protocol.
pub mod inference {
    tonic::include_proto!("inference");
}

/// MLServer's repository service.
pub mod model_repository {
    tonic::include_proto!("inference.model_repository");
}

/// The service for clients of encrypted models.
pub mod hush {
    tonic::include_proto!("hush.v1");
}

/// All definitions, for reflection.
pub(super) const DEFINITIONS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/definitions.bin"));
