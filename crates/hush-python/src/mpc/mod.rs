//! Computing on secret shares: tensors and training among parties on this machine, predictions with parties anywhere.
//!
//! `world.rs` holds the three parties, each with a thread and shares of its own; `operation.rs` what tensors can do;
//! `network.rs` training; `predict.rs` sessions with real parties.

mod network;
mod operation;
mod predict;
mod world;

pub(crate) use network::{
    network_loss, network_parameters, network_predict, network_set_parameters, network_step,
    new_network,
};
pub(crate) use predict::predict_on_shares;
pub(crate) use world::{SecretHandle, World};
