//! The Python module `hushml`: arrays in, arrays out, everything between them in Rust.
//!
//! Start at [`steps`] (compile, keygen, encrypt, run, decrypt, simulate), [`mpc`] (tensors on shares) and [`federated`]
//! (secure aggregation), then `task.rs` (how work runs beside
//! Python) and `remote.rs` (a model on a server). The folder `python/` holds the package around it: documentation, progress bars, scikit-learn and torch.
//!
//! Invariants:
//! - Python's lock is not held while anything is computed, read, written or sent;
//! - an interruption ends the work within a fraction of a second, wherever it can be stopped;
//! - whatever goes wrong is a `hushml.HushError` with a message and, where there is one, a hint;
//! - an output file appears whole or not at all.
//!
//! Non-goals: what the crates below do; arguments' defaults and documentation, which the Python package has.
#![forbid(unsafe_code)]

mod arrays;
mod ciphertexts;
mod client_spec;
mod compiled;
mod failure;
mod federated;
mod files;
mod inspect;
mod keys;
mod model;
mod mpc;
mod remote;
mod steps;
mod task;

use pyo3::pymodule;

#[pymodule]
mod _hushml {
    use pyo3::prelude::*;

    #[pymodule_export]
    use crate::ciphertexts::Ciphertexts;
    #[pymodule_export]
    use crate::client_spec::PyClientSpec;
    #[pymodule_export]
    use crate::compiled::Compiled;
    #[pymodule_export]
    use crate::federated::{
        Accountant, Aggregation, FederatedClient, FederatedServer, federated_cohort,
        federated_identity, federated_noise_multiplier,
    };
    #[pymodule_export]
    use crate::keys::Keys;
    #[pymodule_export]
    use crate::model::PyModel;
    #[pymodule_export]
    use crate::mpc::{
        SecretHandle, World, calculate_on_shares, network_fit, network_loss, network_parameters,
        network_predict, network_resume, network_set_weights, network_state, network_state_count,
        network_weight_count, network_weights, new_network, predict_on_shares,
    };
    #[pymodule_export]
    use crate::remote::{Client, connect, connection_warning};
    #[pymodule_export]
    use crate::steps::{
        compile, decrypt, encrypt, inspect_file, keygen, load_client, load_keys, load_model, run,
        simulate,
    };

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        hush_ckks::Isa::from_environment().map_err(crate::failure::Failure::from)?;
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
