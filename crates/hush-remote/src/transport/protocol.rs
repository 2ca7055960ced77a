//! Messages and clients made from the protocol's definitions.
#![allow(missing_docs, unreachable_pub, dead_code, clippy::all)]

pub(super) mod inference {
    tonic::include_proto!("inference");
}

pub(super) mod hush {
    tonic::include_proto!("hush.v1");
}
