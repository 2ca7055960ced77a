//! Private training: layers with their gradients, losses, optimisers.
//!
//! Everything stays shared: data, labels, weights, gradients and losses. What is opened, and to whom, is
//! for the caller to decide; nothing here opens anything.
//!
//! All numbers have the type that [`Network::new`] is given; whoever trains promises that activations,
//! gradients and weights stay within it. Which rows form a batch is public.

mod gradient;
mod layer;
mod loss;
mod normalize;
mod optimizer;
mod pool;

pub use layer::{LayerSpec, SigmoidKind};
pub use loss::Loss;
pub use optimizer::{Optimizer, OptimizerSpec};

use hush_simd::words::Word;

use crate::{Fixed, MpcError, Protocol, Secret};
use layer::{Layer, Trace};

/// Of a layer's parameters, how many come before running statistics, which no gradient changes.
pub(crate) const TRAINED: usize = 2;

/// Layers one after the other, with shared weights.
pub struct Network<W> {
    layers: Vec<Layer<W>>,
    fixed: Fixed,
}

impl<W: Word> Network<W> {
    /// Builds layers for samples of the shape `input`. Initial weights are public: they come from
    /// `seed`, uniform after Glorot, and cost nothing to share.
    pub fn new(
        protocol: &dyn Protocol<W>,
        input: &[usize],
        layers: &[LayerSpec],
        fixed: Fixed,
        seed: u64,
    ) -> Result<Self, MpcError> {
        // A product of two values of the network must fit before it is truncated.
        Fixed::new(fixed.integer_bits, 2 * fixed.fraction_bits).check_truncation::<W>("network")?;
        let mut shape = input.to_vec();
        let mut draw = Draw::new(seed);
        let mut built = Vec::new();
        for spec in layers {
            let (layer, next) = Layer::build(protocol, *spec, &shape, fixed, &mut draw)?;
            built.push(layer);
            shape = next;
        }
        Ok(Self {
            layers: built,
            fixed,
        })
    }

    /// The type of all numbers.
    pub fn fixed(&self) -> Fixed {
        self.fixed
    }

    /// The weights and biases of all layers, in order; running statistics of a normalisation behind its weights.
    pub fn parameters(&self) -> Vec<&Secret<W>> {
        self.layers.iter().flat_map(Layer::parameters).collect()
    }

    /// Elements of what gradients change: parameters without running statistics.
    pub fn trained(&self) -> usize {
        let tensors = self.layers.iter().flat_map(Layer::trained);
        tensors.map(Secret::len).sum()
    }

    /// Replaces all weights and biases by others of the same shapes, such as loaded ones.
    pub fn set_parameters(&mut self, parameters: &[Secret<W>]) -> Result<(), MpcError> {
        let mut own: Vec<&mut Secret<W>> = self
            .layers
            .iter_mut()
            .flat_map(Layer::parameters_mut)
            .collect();
        if own.len() != parameters.len() {
            let (expected, found) = (own.len(), parameters.len());
            return Err(MpcError::Count {
                what: "parameters of the network",
                expected,
                found,
            });
        }
        for (own, new) in own.iter_mut().zip(parameters) {
            if own.shape() != new.shape() {
                let (left, right) = (own.shape().to_vec(), new.shape().to_vec());
                return Err(MpcError::Shapes {
                    operation: "parameters",
                    left,
                    right,
                });
            }
            **own = new.clone();
        }
        Ok(())
    }

    /// The result of the last layer for a batch `[batch, …]`: logits, if the loss is on logits.
    pub fn predict(
        &self,
        protocol: &mut dyn Protocol<W>,
        x: &Secret<W>,
    ) -> Result<Secret<W>, MpcError> {
        let mut value = x.clone();
        for layer in &self.layers {
            value = layer.predict(protocol, &value, self.fixed)?;
        }
        Ok(value)
    }

    /// One step on a batch `[batch, …]` with labels of the shape of the result.
    pub fn step(
        &mut self,
        protocol: &mut dyn Protocol<W>,
        optimizer: &mut Optimizer<W>,
        loss: Loss,
        x: &Secret<W>,
        labels: &Secret<W>,
    ) -> Result<(), MpcError> {
        let mut value = x.clone();
        let mut traces: Vec<Trace<W>> = Vec::with_capacity(self.layers.len());
        for layer in &self.layers {
            let (next, trace) = layer.forward(protocol, &value, self.fixed)?;
            traces.push(trace);
            value = next;
        }
        let batch = x.shape()[0];
        let mut gradient = loss.gradient(protocol, &value, labels, self.fixed)?;
        let mut gradients = Vec::new();
        for (position, (layer, trace)) in self.layers.iter().zip(&traces).enumerate().rev() {
            let (of_parameters, of_input) =
                layer.backward(protocol, trace, &gradient, self.fixed, position > 0)?;
            gradients.extend(of_parameters.into_iter().rev());
            if let Some(of_input) = of_input {
                gradient = of_input;
            }
        }
        gradients.reverse();
        for (layer, trace) in self.layers.iter_mut().zip(&traces) {
            layer.absorb(protocol, trace)?;
        }
        let parameters: Vec<&mut Secret<W>> = self
            .layers
            .iter_mut()
            .flat_map(Layer::trained_mut)
            .collect();
        optimizer.update(protocol, parameters, &gradients, batch)
    }

    /// Steps on all batches of `batch` consecutive rows, `epochs` times; the last rows that do not
    /// fill a batch form a smaller one. `observe` is called after each step.
    pub fn fit(
        &mut self,
        protocol: &mut dyn Protocol<W>,
        optimizer: &mut Optimizer<W>,
        loss: Loss,
        (x, labels): (&Secret<W>, &Secret<W>),
        (batch, epochs): (usize, usize),
        mut observe: impl FnMut(usize),
    ) -> Result<(), MpcError> {
        let rows = x.shape().first().copied().unwrap_or(0);
        let mut steps = 0;
        for _ in 0..epochs {
            for start in (0..rows).step_by(batch.max(1)) {
                let range = start..(start + batch).min(rows);
                let whole = range.len() == rows;
                let slice = |all: &Secret<W>| {
                    if whole {
                        Ok(all.clone())
                    } else {
                        all.slice(0, range.clone())
                    }
                };
                self.step(protocol, optimizer, loss, &slice(x)?, &slice(labels)?)?;
                steps += 1;
                observe(steps);
            }
        }
        Ok(())
    }
}

/// Public numbers for initial weights.
struct Draw(blake3::OutputReader);

impl Draw {
    fn new(seed: u64) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("hushml mpc initial weights v1");
        hasher.update(&seed.to_le_bytes());
        Self(hasher.finalize_xof())
    }

    /// Uniform between minus and plus `limit`.
    fn uniform(&mut self, limit: f64, count: usize) -> Vec<f64> {
        let mut next = || {
            let mut bytes = [0; 8];
            self.0.fill(&mut bytes);
            (u64::from_le_bytes(bytes) >> 11) as f64 / (1u64 << 53) as f64
        };
        (0..count).map(|_| limit * (2.0 * next() - 1.0)).collect()
    }
}
