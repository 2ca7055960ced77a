//! Batch normalisation on shares against floating point: gradients, running statistics, predictions.

mod common;

use common::{Kind, Random};
use hush_mpc::operations::Convolution2d;
use hush_mpc::training::{LayerSpec, Loss, Network, Optimizer, OptimizerSpec};
use hush_mpc::{Fixed, Parties, Protocol, Secret, Word};

const EPSILON: f64 = 1e-3;
const MOMENTUM: f64 = 0.8;
const SAMPLES: usize = 6;
/// Channels and places of a sample between the two layers with weights.
const CHANNELS: usize = 3;
const RESULTS: usize = 2;

/// Sizes of a network in floating point: a first layer on each place by itself, the normalisation, a last layer.
struct Sizes {
    inputs: usize,
    places: usize,
}

impl Sizes {
    /// The parameters in the library's order: first weight and bias, scale, shift, running mean and variance, last
    /// weight and bias.
    fn split<'a>(&self, parameters: &'a [f64]) -> [&'a [f64]; 8] {
        let lengths = [
            self.inputs * CHANNELS,
            CHANNELS,
            CHANNELS,
            CHANNELS,
            CHANNELS,
            CHANNELS,
            CHANNELS * self.places * RESULTS,
            RESULTS,
        ];
        let mut rest = parameters;
        let parts = lengths.map(|length| {
            let (part, after) = rest.split_at(length);
            rest = after;
            part
        });
        assert!(rest.is_empty());
        parts
    }

    /// Results, and mean and variance of the batch; the normalisation is by them, or by the running ones.
    fn forward(&self, parameters: &[f64], x: &[f64], running: bool) -> (Vec<f64>, Vec<(f64, f64)>) {
        let [first, bias, scale, shift, mean, variance, last, end] = self.split(parameters);
        let convolution = self.places > 1;
        let hidden = |sample: usize, channel: usize, place: usize| {
            let terms = (0..self.inputs).map(|input| {
                let value = x[(sample * self.inputs + input) * self.places + place];
                // A dense weight is [inputs, units], a kernel [filters, channels, 1, 1].
                let weight = if convolution {
                    first[channel * self.inputs + input]
                } else {
                    first[input * CHANNELS + channel]
                };
                value * weight
            });
            terms.sum::<f64>() + bias[channel]
        };
        let count = (SAMPLES * self.places) as f64;
        let statistics: Vec<(f64, f64)> = (0..CHANNELS)
            .map(|channel| {
                let all = || {
                    (0..SAMPLES * self.places)
                        .map(|i| hidden(i / self.places, channel, i % self.places))
                };
                let mean = all().sum::<f64>() / count;
                (mean, all().map(|h| (h - mean).powi(2)).sum::<f64>() / count)
            })
            .collect();
        let mut results = Vec::new();
        for sample in 0..SAMPLES {
            for result in 0..RESULTS {
                let mut sum = end[result];
                for channel in 0..CHANNELS {
                    let (mean, variance) = match running {
                        true => (mean[channel], variance[channel]),
                        false => statistics[channel],
                    };
                    for place in 0..self.places {
                        let normalized =
                            (hidden(sample, channel, place) - mean) / (variance + EPSILON).sqrt();
                        let value = scale[channel] * normalized + shift[channel];
                        sum += value * last[(channel * self.places + place) * RESULTS + result];
                    }
                }
                results.push(sum);
            }
        }
        (results, statistics)
    }

    /// Half the squared differences, by the number of samples: what the optimiser divides by.
    fn loss(&self, parameters: &[f64], x: &[f64], y: &[f64]) -> f64 {
        let results = self.forward(parameters, x, false).0;
        let squares = results.iter().zip(y).map(|(r, y)| (r - y).powi(2) / 2.0);
        squares.sum::<f64>() / SAMPLES as f64
    }
}

fn check<W: Word>(kind: Kind, fixed: Fixed, layers: &[LayerSpec], shape: &[usize], sizes: &Sizes) {
    let mut random = Random::new();
    let size: usize = shape.iter().product();
    let x = random.floats(-1.0, 1.0, SAMPLES * size);
    let y = random.floats(-1.0, 1.0, SAMPLES * RESULTS);
    let results = kind.run::<W, _>(|party| {
        let protocol: &mut dyn Protocol<W> = party;
        let own =
            |owner: usize, values: &[f64], party: usize| (party == owner).then(|| values.to_vec());
        let party = protocol.party();
        let batch = [&[SAMPLES], shape].concat();
        let data = Secret::input(protocol, 0, &batch, fixed, own(0, &x, party).as_deref()).unwrap();
        let labels = own(1, &y, party);
        let labels =
            Secret::input(protocol, 1, &[SAMPLES, RESULTS], fixed, labels.as_deref()).unwrap();
        let mut network = Network::new(protocol, shape, layers, fixed, 11).unwrap();
        let all = |protocol: &mut dyn Protocol<W>, network: &Network<W>| -> Vec<f64> {
            let parameters = network.parameters().into_iter();
            parameters
                .flat_map(|parameter| {
                    let opened = parameter.reveal(protocol, Parties::all(3));
                    opened.unwrap().unwrap()
                })
                .collect()
        };
        let before = all(protocol, &network);
        let spec = OptimizerSpec::Sgd {
            learning_rate: 0.25,
            momentum: 0.0,
        };
        let mut optimizer = Optimizer::new(spec, 0.0);
        network
            .step(protocol, &mut optimizer, Loss::MeanSquare, &data, &labels)
            .unwrap();
        let after = all(protocol, &network);
        let predicted = network.predict(protocol, &data).unwrap();
        let predicted = predicted.reveal(protocol, Parties::all(3)).unwrap();
        (before, after, predicted.unwrap())
    });
    let (before, after, predicted) = &results[0];
    let (_, statistics) = sizes.forward(before, &x, false);
    // A small variance makes every unit of the input many of the gradient.
    let least = statistics
        .iter()
        .map(|statistic| statistic.1)
        .fold(1.0, f64::min);
    let allowed = (fixed.unit() * (10.0 + 1.0 / (least + EPSILON))).max(1e-7);
    let step = 1e-5;
    let running = sizes.inputs * CHANNELS + 3 * CHANNELS;
    for index in 0..before.len() {
        let expected = match index.checked_sub(running) {
            Some(channel) if channel < CHANNELS => (1.0 - MOMENTUM) * statistics[channel].0,
            Some(place) if place < 2 * CHANNELS => {
                MOMENTUM + (1.0 - MOMENTUM) * statistics[place - CHANNELS].1
            }
            _ => {
                let at = |by: f64| {
                    let mut moved = before.clone();
                    moved[index] += by;
                    sizes.loss(&moved, &x, &y)
                };
                before[index] - 0.25 * (at(step) - at(-step)) / (2.0 * step)
            }
        };
        assert!(
            (after[index] - expected).abs() < allowed,
            "{kind:?}, parameter {index}: {}, not {expected}",
            after[index]
        );
    }
    let expected = sizes.forward(after, &x, true).0;
    for (found, expected) in predicted.iter().zip(&expected) {
        assert!(
            (found - expected).abs() < (50.0 * fixed.unit()).max(1e-7),
            "{kind:?}: {found}, not {expected}"
        );
    }
}

#[test]
fn a_step_and_a_prediction_are_those_of_floating_point() {
    let norm = LayerSpec::BatchNorm {
        momentum: MOMENTUM,
        epsilon: EPSILON,
    };
    let last = LayerSpec::Dense { units: RESULTS };
    let flat = [LayerSpec::Dense { units: CHANNELS }, norm, last];
    let convolution = LayerSpec::Convolution {
        filters: CHANNELS,
        kernel: [1, 1],
        options: Convolution2d::default(),
    };
    let planes = [convolution, norm, LayerSpec::Flatten, last];
    let of = |inputs, places| Sizes { inputs, places };
    for kind in Kind::ALL {
        check::<u64>(kind, Fixed::STANDARD, &flat, &[4], &of(4, 1));
        check::<u64>(kind, Fixed::STANDARD, &planes, &[2, 2, 3], &of(2, 6));
    }
    let wide = Fixed::WIDE;
    check::<u128>(Kind::Rep3, wide, &flat, &[4], &of(4, 1));
    check::<u128>(Kind::Rep3, wide, &planes, &[2, 2, 3], &of(2, 6));
}
