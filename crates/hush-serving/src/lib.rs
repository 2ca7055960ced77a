//! Serves encrypted models by the Open Inference Protocol.
//!
//! Invariants:
//! - no secret key: this crate links neither `hush-keys` nor `hush-client`;
//! - nothing from the network is trusted: every length is checked before memory is taken for it.
//!
//! Non-goals: who may connect, TLS, configuration files and logs (`hush-server`).
#![forbid(unsafe_code)]

mod error;
mod identity;
mod tensor;

pub use error::{ErrorKind, ServingError};
pub use identity::{Identity, ModelPermission, Role, Roles};
pub use tensor::{DataType, Tensor, TensorData};
