//! What every request passes before the service sees it.

pub(crate) mod authenticate;
pub(crate) mod host;
pub(crate) mod observe;
mod refusal;

pub(crate) use refusal::{is_grpc, refuse};
