//! The server from outside, over loopback. One program, since each would take its time to build.

#[path = "../../../hush-serving/tests/common/mod.rs"]
mod common;
mod support;

mod accounts;
mod authority;
mod encrypted;
mod grpc;
mod hostile;
mod issuer;
mod process;
mod rest;
mod sign_in;
mod tracking;
