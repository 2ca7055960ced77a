//! Training on shares, one step at a time.

use std::sync::Arc;

use hush_mpc::operations::Convolution2d;
use hush_mpc::training::{LayerSpec, Loss, Network, Optimizer, OptimizerSpec, SigmoidKind};
use hush_mpc::{MpcError, Secret};
use pyo3::prelude::*;

use super::world::{Player, SecretHandle, World};
use crate::failure::Failure;

fn sigmoid_kind(name: &str) -> Option<SigmoidKind> {
    Some(match name {
        "three" => SigmoidKind::Three,
        "five" => SigmoidKind::Five,
        "accurate" => SigmoidKind::Accurate,
        _ => return None,
    })
}

/// A layer by its name, its words and its numbers.
fn layer(kind: &str, word: &str, numbers: &[usize]) -> Result<LayerSpec, Failure> {
    let unknown = || {
        Failure::new(format!(
            "there is no layer `{kind}` with {numbers:?} `{word}`"
        ))
    };
    Ok(match (kind, numbers) {
        ("dense", &[units]) => LayerSpec::Dense { units },
        ("convolution", &[filters, height, width, down, right, top, bottom, left, far]) => {
            LayerSpec::Convolution {
                filters,
                kernel: [height, width],
                options: Convolution2d {
                    strides: [down, right],
                    padding: [(top, bottom), (left, far)],
                    ..Convolution2d::default()
                },
            }
        }
        ("max_pool", &[height, width]) => LayerSpec::MaxPool([height, width]),
        ("average_pool", &[height, width]) => LayerSpec::AveragePool([height, width]),
        ("flatten", []) => LayerSpec::Flatten,
        ("relu", []) => LayerSpec::Relu,
        ("sigmoid", []) => LayerSpec::Sigmoid(sigmoid_kind(word).ok_or_else(unknown)?),
        _ => return Err(unknown()),
    })
}

fn loss(name: &str, sigmoid: &str) -> Result<Loss, Failure> {
    let unknown = || {
        Failure::new(format!(
            "there is no loss `{name}` with sigmoid `{sigmoid}`"
        ))
    };
    Ok(match name {
        "mean_squared_error" => Loss::MeanSquare,
        "binary_crossentropy" => {
            Loss::BinaryCrossEntropy(sigmoid_kind(sigmoid).ok_or_else(unknown)?)
        }
        "categorical_crossentropy" => Loss::CrossEntropy,
        _ => return Err(unknown()),
    })
}

fn optimizer(name: &str, numbers: &[f64]) -> Result<(OptimizerSpec, f64), Failure> {
    Ok(match (name, numbers) {
        ("sgd", &[learning_rate, momentum, decay]) => {
            let spec = OptimizerSpec::Sgd {
                learning_rate,
                momentum,
            };
            (spec, decay)
        }
        ("adam" | "amsgrad", &[learning_rate, first, second, decay]) => {
            let spec = OptimizerSpec::Adam {
                learning_rate,
                betas: (first, second),
                amsgrad: name == "amsgrad",
            };
            (spec, decay)
        }
        _ => return Err(Failure::new(format!("there is no optimizer `{name}`"))),
    })
}

/// The network of a number, taken out while it works.
fn with<T>(
    player: &mut Player,
    id: u64,
    work: impl FnOnce(&mut Player, &mut Network<u64>, &mut Optimizer<u64>) -> Result<T, MpcError>,
) -> Result<T, MpcError> {
    let Some((mut network, mut optimizer)) = player.networks.remove(&id) else {
        return Err(MpcError::Count {
            what: "networks of that number",
            expected: 1,
            found: 0,
        });
    };
    let result = work(player, &mut network, &mut optimizer);
    player.networks.insert(id, (network, optimizer));
    result
}

/// A network with public initial weights.
#[pyfunction]
pub(crate) fn new_network(
    world: &World,
    py: Python<'_>,
    input: Vec<usize>,
    layers: Vec<(String, String, Vec<usize>)>,
    seed: u64,
    optimizer_name: &str,
    optimizer_numbers: Vec<f64>,
) -> PyResult<SecretHandle> {
    let layers: Vec<LayerSpec> = layers
        .iter()
        .map(|(kind, word, numbers)| layer(kind, word, numbers))
        .collect::<Result<_, _>>()?;
    let (spec, decay) = optimizer(optimizer_name, &optimizer_numbers)?;
    let id = world.inner.number();
    let handle = SecretHandle {
        inner: Arc::clone(&world.inner),
        id,
        shape: input.clone(),
    };
    world.inner.everywhere(py, move |player| {
        let network = Network::new(&player.protocol, &input, &layers, player.fixed, seed)?;
        let optimizer = Optimizer::new(spec, decay);
        player.networks.insert(id, (network, optimizer));
        Ok(())
    })?;
    Ok(handle)
}

/// One step on the rows `start..end` of data and labels.
#[pyfunction]
#[allow(clippy::too_many_arguments)]
pub(crate) fn network_step(
    world: &World,
    py: Python<'_>,
    network: &SecretHandle,
    x: &SecretHandle,
    labels: &SecretHandle,
    start: usize,
    end: usize,
    loss_name: &str,
    sigmoid: &str,
) -> PyResult<()> {
    let loss = loss(loss_name, sigmoid)?;
    let (id, x, labels) = (network.id, x.id, labels.id);
    world.inner.everywhere(py, move |player| {
        let rows = |secret: Secret<u64>| match start == 0 && secret.shape()[0] == end {
            true => Ok(secret),
            false => secret.slice(0, start..end),
        };
        let (x, labels) = (rows(player.secret(x)?)?, rows(player.secret(labels)?)?);
        with(player, id, |player, network, optimizer| {
            network.step(&mut player.protocol, optimizer, loss, &x, &labels)
        })
    })?;
    Ok(())
}

/// The last layer's result.
#[pyfunction]
pub(crate) fn network_predict(
    world: &World,
    py: Python<'_>,
    network: &SecretHandle,
    x: &SecretHandle,
) -> PyResult<SecretHandle> {
    let (id, x) = (network.id, x.id);
    world.inner.keep(py, move |player| {
        let x = player.secret(x)?;
        with(player, id, |player, network, _| {
            network.predict(&mut player.protocol, &x)
        })
    })
}

/// The mean loss of results, still shared.
#[pyfunction]
pub(crate) fn network_loss(
    world: &World,
    py: Python<'_>,
    results: &SecretHandle,
    labels: &SecretHandle,
    loss_name: &str,
    sigmoid: &str,
) -> PyResult<SecretHandle> {
    let loss = loss(loss_name, sigmoid)?;
    let (results, labels) = (results.id, labels.id);
    world.inner.keep(py, move |player| {
        let (results, labels) = (player.secret(results)?, player.secret(labels)?);
        loss.mean(&mut player.protocol, &results, &labels)
    })
}

/// Weights and biases in their order, still shared.
#[pyfunction]
pub(crate) fn network_parameters(
    world: &World,
    py: Python<'_>,
    network: &SecretHandle,
) -> PyResult<Vec<SecretHandle>> {
    let id = network.id;
    let counts = world.inner.everywhere(py, move |player| {
        with(player, id, |_, network, _| Ok(network.parameters().len()))
    })?;
    let count = counts.first().copied().unwrap_or(0);
    let one = |index: usize| {
        world.inner.keep(py, move |player| {
            with(player, id, |_, network, _| {
                Ok(network.parameters()[index].clone())
            })
        })
    };
    (0..count).map(one).collect()
}

/// Replaces weights and biases.
#[pyfunction]
pub(crate) fn network_set_parameters(
    world: &World,
    py: Python<'_>,
    network: &SecretHandle,
    parameters: Vec<PyRef<'_, SecretHandle>>,
) -> PyResult<()> {
    let id = network.id;
    let ids: Vec<u64> = parameters.iter().map(|handle| handle.id).collect();
    drop(parameters);
    world.inner.everywhere(py, move |player| {
        let parameters: Vec<Secret<u64>> = ids
            .iter()
            .map(|&id| player.secret(id))
            .collect::<Result<_, _>>()?;
        with(player, id, |_, network, _| {
            network.set_parameters(&parameters)
        })
    })?;
    Ok(())
}
