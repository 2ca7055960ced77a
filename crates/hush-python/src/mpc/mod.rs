//! Computing on secret shares: tensors and training among parties on this machine or real ones.
//!
//! `world.rs` takes statements, `inner.rs` hands them on; `party.rs` is a party on a thread that executes them;
//! `network.rs` training; `session.rs` asks real parties to run what was written down, `predict.rs` to run a model.

mod inner;
mod network;
mod party;
mod predict;
mod session;
mod world;

pub(crate) use network::{
    network_fit, network_loss, network_parameters, network_predict, network_resume,
    network_set_weights, network_state, network_state_count, network_weight_count, network_weights,
    new_network,
};
pub(crate) use predict::predict_on_shares;
pub(crate) use session::calculate_on_shares;
pub(crate) use world::{SecretHandle, World};
