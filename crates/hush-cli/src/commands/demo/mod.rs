//! `hush demo`: an example network on encrypted data, from end to end.
//!
//! The whole workflow on data that the repository carries; the process that runs the network never sees a secret key.
//! Start at [`measure`], which takes the five steps; [`cancer`] and [`mnist`] are the examples.

mod cancer;
mod digits;
mod measure;
mod mnist;
mod patients;
mod score;
mod service;
mod table;

use std::path::{Path, PathBuf};

use clap::builder::RangedU64ValueParser;
use clap::{Args, ValueEnum};
use hush_client::Tensor;

use self::mnist::Network;
use crate::failure::{Failure, Result};
use crate::terminal::{Outcome, Terminal};

/// Run an example network on encrypted data, from end to end
#[derive(Args, Debug)]
pub(crate) struct DemoArguments {
    /// The example
    #[arg(long, value_enum, default_value_t = Example::BreastCancer)]
    model: Example,
    /// How many samples to run: the first of the example's test data [default: all, 16 images of mnist-lenet5]
    #[arg(long, value_name = "COUNT", value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    samples: Option<usize>,
    /// The folder with the example's data and models [default: examples/breast_cancer or examples/mnist]
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
}

/// What can be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Example {
    /// Is a breast mass malignant? Two small networks, packed for latency and for throughput
    BreastCancer,
    /// Which digit is it? A convolution and two dense layers with squares between them
    MnistCryptonets,
    /// Which digit is it? Two convolutions and three dense layers with ReLU
    MnistLenet5,
}

pub(crate) fn run(arguments: &DemoArguments, terminal: Terminal) -> Result<Outcome> {
    let samples = arguments.samples.unwrap_or(match arguments.model {
        Example::MnistLenet5 => 16,
        _ => usize::MAX,
    });
    let folder = |default: &str| arguments.data.clone().unwrap_or_else(|| default.into());
    match arguments.model {
        Example::BreastCancer => cancer::run(&folder("examples/breast_cancer"), samples, terminal),
        Example::MnistCryptonets => mnist::run(
            Network::CryptoNets,
            &folder("examples/mnist"),
            samples,
            terminal,
        ),
        Example::MnistLenet5 => mnist::run(
            Network::LeNet5,
            &folder("examples/mnist"),
            samples,
            terminal,
        ),
    }
}

/// Fails unless the example's data is where it should be.
fn expect_data(folder: &Path, file: &str) -> Result<()> {
    if folder.join(file).exists() {
        return Ok(());
    }
    Err(Failure::new(format!(
        "there is no example data in `{}`",
        folder.display()
    ))
    .hint("run the demo in a clone of the repository, or pass --data FOLDER")
    .into())
}

fn graph_tensor(tensor: &Tensor) -> Result<hush_graph::Tensor> {
    let shape = tensor.shape().to_vec();
    Ok(hush_graph::Tensor::new(shape, tensor.data().to_vec())?)
}

/// Outputs of the float model.
fn float_outputs(graph: &hush_graph::Graph, samples: &Tensor) -> Result<Tensor> {
    let float = hush_graph::evaluate(graph, &[graph_tensor(samples)?])?.swap_remove(0);
    Ok(Tensor::new(float.shape().to_vec(), float.into_data())?)
}

/// The first samples of a batch.
fn first(tensor: Tensor, count: usize) -> Result<Tensor> {
    let mut shape = tensor.shape().to_vec();
    shape[0] = shape[0].min(count);
    let mut cells = tensor.into_data();
    cells.truncate(shape.iter().product());
    Ok(Tensor::new(shape, cells)?)
}
