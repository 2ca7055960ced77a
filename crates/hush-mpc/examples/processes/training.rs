//! One step of stochastic gradient descent on network A (784-128-128-10, ReLU, cross-entropy) with 128 samples.

use hush_mpc::training::{LayerSpec, Loss, Network, Optimizer, OptimizerSpec};
use hush_mpc::{Fixed, Parties, Protocol, Secret};

use crate::work::{Measured, Shared, measure, share, values};

const BATCH: usize = 128;
const SIZES: [usize; 4] = [784, 128, 128, 10];
const RATE: f64 = 0.1;

/// Dense layers in floats: weights `[inputs, outputs]` and bias, by turns.
struct Floats(Vec<Vec<f64>>);

impl Floats {
    fn forward(&self, layer: usize, x: &[f64]) -> Vec<f64> {
        let (inputs, outputs) = (SIZES[layer], SIZES[layer + 1]);
        let (weights, bias) = (&self.0[2 * layer], &self.0[2 * layer + 1]);
        let row = |row: &[f64]| -> Vec<f64> {
            let mut sums = bias.clone();
            for (x, weights) in row.iter().zip(weights.chunks(outputs)) {
                sums.iter_mut()
                    .zip(weights)
                    .for_each(|(sum, w)| *sum += x * w);
            }
            sums
        };
        x.chunks(inputs).flat_map(row).collect()
    }

    /// All parameters after one step.
    fn step(mut self, x: &[f64], labels: &[f64]) -> Vec<f64> {
        let mut inputs = vec![x.to_vec()];
        for layer in 0..2 {
            let sums = self.forward(layer, &inputs[layer]);
            inputs.push(sums.into_iter().map(|sum| sum.max(0.0)).collect());
        }
        let mut gradient = self.forward(2, &inputs[2]);
        for (row, labels) in gradient.chunks_mut(10).zip(labels.chunks(10)) {
            let total: f64 = row.iter().map(|value| value.exp()).sum();
            row.iter_mut()
                .zip(labels)
                .for_each(|(value, label)| *value = value.exp() / total - label);
        }
        for layer in (0..3).rev() {
            let (width, outputs) = (SIZES[layer], SIZES[layer + 1]);
            let old = self.0[2 * layer].clone();
            let mut before = vec![0.0; BATCH * width];
            for sample in 0..BATCH {
                let gradient = &gradient[sample * outputs..(sample + 1) * outputs];
                for input in 0..width {
                    let x = inputs[layer][sample * width + input];
                    let places = input * outputs..(input + 1) * outputs;
                    let weights = &mut self.0[2 * layer][places.clone()];
                    for (weight, gradient) in weights.iter_mut().zip(gradient) {
                        *weight -= RATE / BATCH as f64 * x * gradient;
                    }
                    // ReLU lets through where its result is not zero.
                    if x > 0.0 {
                        let products = old[places].iter().zip(gradient).map(|(w, g)| w * g);
                        before[sample * width + input] = products.sum();
                    }
                }
                for (bias, gradient) in self.0[2 * layer + 1].iter_mut().zip(gradient) {
                    *bias -= RATE / BATCH as f64 * gradient;
                }
            }
            gradient = before;
        }
        self.0.concat()
    }
}

pub(crate) fn step(protocol: &mut dyn Protocol<u64>, runs: usize) -> Measured {
    let fixed = Fixed::new(12, 16);
    let x: Vec<f64> = values(5, BATCH * SIZES[0], 1.0)
        .into_iter()
        .map(f64::abs)
        .collect();
    let digits = values(6, BATCH, 5.0);
    let mut labels = vec![0.0; BATCH * 10];
    for (row, digit) in digits.iter().enumerate() {
        labels[row * 10 + (digit + 5.0).clamp(0.0, 9.0) as usize] = 1.0;
    }
    let layers = [
        LayerSpec::Dense { units: 128 },
        LayerSpec::Relu,
        LayerSpec::Dense { units: 128 },
        LayerSpec::Relu,
        LayerSpec::Dense { units: 10 },
    ];
    let network = |protocol: &dyn Protocol<u64>| {
        Network::new(protocol, &[SIZES[0]], &layers, fixed, 1).expect("a network")
    };
    // Weights before the first step are public.
    let first = network(protocol);
    let known = first.parameters().into_iter().map(|parameter| {
        let opened = parameter.reveal(protocol, Parties::all(3));
        opened.expect("it opens").expect("to this party too")
    });
    let expected = Floats(known.collect()).step(&x, &labels);
    let shared = share(protocol, &[BATCH, SIZES[0]], fixed, &x);
    let labels = share(protocol, &[BATCH, 10], fixed, &labels);
    measure(protocol, runs, &expected, |protocol| {
        let mut network = network(protocol);
        let spec = OptimizerSpec::Sgd {
            learning_rate: RATE,
            momentum: 0.0,
        };
        let mut optimizer = Optimizer::new(spec, 0.0);
        network
            .step(
                protocol,
                &mut optimizer,
                Loss::CrossEntropy,
                &shared,
                &labels,
            )
            .expect("it trains");
        let flat = |one: &Shared| one.clone().reshape(vec![one.len()]).expect("one axis");
        let parts: Vec<Shared> = network.parameters().into_iter().map(flat).collect();
        Secret::concatenate(0, &parts.iter().collect::<Vec<_>>()).expect("one after another")
    })
}
