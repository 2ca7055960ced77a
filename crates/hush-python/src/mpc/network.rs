//! Networks and their training, as statements.

use hush_mpc::calculation::{Fit, NetworkSpec, Resume, Statement, layer_of, loss_of, optimizer_of};
use hush_mpc::training::{LayerSpec, OptimizerSpec};
use pyo3::prelude::*;

use super::world::{SecretHandle, World};
use crate::failure::Failure;

/// How to train, as Python says it: the loss and its sigmoid, the optimizer and its numbers with the weight decay behind
/// them, rows of a batch, epochs, whether losses are wanted, the loss that ends it.
type Training = (
    String,
    String,
    String,
    Vec<f64>,
    usize,
    usize,
    bool,
    Option<f64>,
);

/// A network with public initial weights.
#[pyfunction]
pub(crate) fn new_network(
    world: &World,
    py: Python<'_>,
    input: Vec<usize>,
    layers: Vec<(String, String, Vec<usize>, Vec<f64>)>,
    seed: u64,
) -> PyResult<SecretHandle> {
    let layers: Result<Vec<LayerSpec>, _> = layers
        .iter()
        .map(|(kind, word, counts, numbers)| layer_of(kind, word, counts, numbers))
        .collect();
    let spec = NetworkSpec {
        input,
        layers: layers.map_err(Failure::from)?,
        seed,
    };
    Ok(world.inner.state(py, Statement::Network(spec), None)?.0)
}

/// An optimizer by its name and its numbers, the weight decay behind them.
fn optimizer_and_decay(name: &str, numbers: &[f64]) -> PyResult<(OptimizerSpec, f64)> {
    let Some((&weight_decay, numbers)) = numbers.split_last() else {
        return Err(Failure::new("the optimizer has no numbers").into());
    };
    let optimizer = optimizer_of(name, numbers).map_err(Failure::from)?;
    Ok((optimizer, weight_decay))
}

/// Trains; gives the losses, and how many steps were taken, if that is known.
#[pyfunction]
#[pyo3(signature = (world, network, x, labels, training, progress=None))]
pub(crate) fn network_fit(
    world: &World,
    py: Python<'_>,
    network: &SecretHandle,
    x: &SecretHandle,
    labels: &SecretHandle,
    training: Training,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<(SecretHandle, usize)> {
    let (loss, sigmoid, optimizer, numbers, batch, epochs, losses, stop_below) = training;
    let (optimizer, weight_decay) = optimizer_and_decay(&optimizer, &numbers)?;
    let values = world.inner.values(&[network, x, labels])?;
    let fit = Fit {
        network: values[0],
        x: values[1],
        labels: values[2],
        loss: loss_of(&loss, &sigmoid).map_err(Failure::from)?,
        optimizer,
        weight_decay,
        batch,
        epochs,
        losses,
        stop_below,
    };
    world.inner.state(py, Statement::Fit(fit), progress)
}

/// The last layer's result.
#[pyfunction]
pub(crate) fn network_predict(
    world: &World,
    py: Python<'_>,
    network: &SecretHandle,
    x: &SecretHandle,
) -> PyResult<SecretHandle> {
    let values = world.inner.values(&[network, x])?;
    let statement = Statement::Predict {
        network: values[0],
        x: values[1],
    };
    Ok(world.inner.state(py, statement, None)?.0)
}

/// The mean loss of results, still shared.
#[pyfunction]
pub(crate) fn network_loss(
    world: &World,
    py: Python<'_>,
    results: &SecretHandle,
    labels: &SecretHandle,
    name: &str,
    sigmoid: &str,
) -> PyResult<SecretHandle> {
    let values = world.inner.values(&[results, labels])?;
    let statement = Statement::Loss {
        results: values[0],
        labels: values[1],
        loss: loss_of(name, sigmoid).map_err(Failure::from)?,
    };
    Ok(world.inner.state(py, statement, None)?.0)
}

/// Weights and biases in their order, still shared.
#[pyfunction]
pub(crate) fn network_parameters(
    world: &World,
    py: Python<'_>,
    network: &SecretHandle,
) -> PyResult<Vec<SecretHandle>> {
    let network = world.inner.values(&[network])?[0];
    let count = world.inner.parameters(network)?.len();
    let one = |index| {
        let statement = Statement::Parameter { network, index };
        Ok(world.inner.state(py, statement, None)?.0)
    };
    (0..count).map(one).collect()
}

/// Weights and biases as one vector.
#[pyfunction]
pub(crate) fn network_weights(
    world: &World,
    py: Python<'_>,
    network: &SecretHandle,
) -> PyResult<SecretHandle> {
    let network = world.inner.values(&[network])?[0];
    Ok(world
        .inner
        .state(py, Statement::Weights { network }, None)?
        .0)
}

/// Elements of all weights and biases.
#[pyfunction]
pub(crate) fn network_weight_count(world: &World, network: &SecretHandle) -> PyResult<usize> {
    let network = world.inner.values(&[network])?[0];
    let shapes = world.inner.parameters(network)?;
    Ok(shapes
        .iter()
        .map(|shape| shape.iter().product::<usize>())
        .sum())
}

/// Replaces weights and biases by those of one vector.
#[pyfunction]
pub(crate) fn network_set_weights(
    world: &World,
    py: Python<'_>,
    network: &SecretHandle,
    weights: &SecretHandle,
) -> PyResult<()> {
    let values = world.inner.values(&[network, weights])?;
    let statement = Statement::SetWeights {
        network: values[0],
        weights: values[1],
    };
    world.inner.state(py, statement, None)?;
    Ok(())
}

/// What the optimizer keeps from step to step, as one vector.
#[pyfunction]
pub(crate) fn network_state(
    world: &World,
    py: Python<'_>,
    network: &SecretHandle,
    optimizer: &str,
    numbers: Vec<f64>,
) -> PyResult<SecretHandle> {
    let statement = Statement::OptimizerState {
        network: world.inner.values(&[network])?[0],
        optimizer: optimizer_and_decay(optimizer, &numbers)?.0,
    };
    Ok(world.inner.state(py, statement, None)?.0)
}

/// Elements of what an optimizer keeps from step to step.
#[pyfunction]
pub(crate) fn network_state_count(
    world: &World,
    network: &SecretHandle,
    optimizer: &str,
    numbers: Vec<f64>,
) -> PyResult<usize> {
    let network = world.inner.values(&[network])?[0];
    let (optimizer, _) = optimizer_and_decay(optimizer, &numbers)?;
    Ok(optimizer.slots() * world.inner.trained(network)?)
}

/// The next training goes on from such a vector, after so many steps.
#[pyfunction]
pub(crate) fn network_resume(
    world: &World,
    py: Python<'_>,
    network: &SecretHandle,
    state: &SecretHandle,
    optimizer: &str,
    numbers: Vec<f64>,
    steps: u32,
) -> PyResult<()> {
    let values = world.inner.values(&[network, state])?;
    let (optimizer, weight_decay) = optimizer_and_decay(optimizer, &numbers)?;
    let statement = Statement::Resume(Resume {
        network: values[0],
        state: values[1],
        optimizer,
        weight_decay,
        steps,
    });
    world.inner.state(py, statement, None)?;
    Ok(())
}
