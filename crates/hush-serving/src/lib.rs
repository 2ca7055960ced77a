//! Serves encrypted models by the Open Inference Protocol.
//!
//! Start reading at [`Service`], which the protocols call and which knows none of them.
//!
//! Invariants:
//! - no secret key: this crate links neither `hush-keys` nor `hush-client`;
//! - nothing from the network is trusted: every length is checked before memory is taken for it;
//! - a key that was not checked to its last byte is never used, whenever the process died.
//!
//! Non-goals: who may connect, TLS, configuration files and logs (`hush-server`).
#![forbid(unsafe_code)]

// The name that generated code expects; the importer of models has another version under it.
extern crate prost_grpc as prost;

mod about;
mod admission;
mod blocking;
mod codes;
mod demo;
mod error;
mod grpc;
mod identity;
mod infer;
mod keys;
mod limits;
mod models;
mod raw;
mod rest;
mod schedule;
mod service;
mod statistics;
mod tensor;

pub use demo::demo_models;
pub use error::{ErrorKind, ServingError};
pub use grpc::{grpc, protocol};
pub use identity::{Identity, ModelPermission, Role, Roles};
pub use infer::{CIPHERTEXTS, InferRequest, InferResponse};
pub use keys::{KeyState, KeyStatus, KeyStore, KeyStoreOptions, Upload};
pub use limits::Limits;
pub use models::{ModelMetadata, ModelState, ModelStatus, PlainModel, TensorMetadata};
pub use rest::rest;
pub use schedule::ScheduleOptions;
pub use service::{Service, ServiceOptions};
pub use statistics::{
    BOUNDS, Counter, Histogram, HistogramSnapshot, KeyStatistics, ModelStatistics, Outcome, Stage,
    Statistics,
};
pub use tensor::{DataType, Tensor, TensorData};
