//! A data owner against a server in the same process, by both protocols.

#[path = "../../../hush-server/tests/server/authority.rs"]
mod authority;
#[path = "../../../hush-serving/tests/common/mod.rs"]
mod common;
mod keys;
mod predict;
mod refused;
mod server;
mod tls;
mod tunnel;
mod upload;
