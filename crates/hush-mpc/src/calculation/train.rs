//! Training by one statement: batches, epochs, losses and the early stop.

use hush_simd::words::Word;

use crate::calculation::machine::Steps;
use crate::calculation::{Fit, Resume};
use crate::operations;
use crate::training::{Network, Optimizer, OptimizerSpec};
use crate::{MpcError, Parties, Protocol, Secret};

/// Fewest rows that a loss is computed on at once.
const EVALUATED: usize = 4096;

/// A network and what its optimizer remembers.
pub(super) struct Trainer<W> {
    pub(super) network: Network<W>,
    /// With what it was made of: another optimizer starts anew.
    optimizer: Option<(OptimizerSpec, f64, Optimizer<W>)>,
}

/// All weights and biases as one vector.
pub(super) fn weights<W: Word>(network: &Network<W>) -> Result<Secret<W>, MpcError> {
    let flat = network
        .parameters()
        .into_iter()
        .map(|parameter| {
            let count = parameter.len();
            parameter.clone().reshape(vec![count])
        })
        .collect::<Result<Vec<_>, _>>()?;
    Secret::concatenate(0, &flat.iter().collect::<Vec<_>>())
}

/// Rows of a tensor; all of them without a copy of each word.
fn rows<W: Word>(all: &Secret<W>, range: std::ops::Range<usize>) -> Result<Secret<W>, MpcError> {
    if range.start == 0 && all.shape().first() == Some(&range.end) {
        return Ok(all.clone());
    }
    all.slice(0, range)
}

impl<W: Word> Trainer<W> {
    pub(super) fn new(network: Network<W>) -> Self {
        Self {
            network,
            optimizer: None,
        }
    }

    pub(super) fn set_weights(&mut self, weights: &Secret<W>) -> Result<(), MpcError> {
        let mut start = 0;
        let parameters = self.network.parameters();
        let parameters = parameters.into_iter().map(|parameter| {
            let range = start..start + parameter.len();
            start = range.end;
            weights.slice(0, range)?.reshape(parameter.shape().to_vec())
        });
        let parameters = parameters.collect::<Result<Vec<_>, _>>()?;
        self.optimizer = None;
        self.network.set_parameters(&parameters)
    }

    /// What the optimizer keeps from step to step.
    pub(super) fn state(
        &self,
        protocol: &dyn Protocol<W>,
        wanted: OptimizerSpec,
    ) -> Result<Secret<W>, MpcError> {
        let last = match &self.optimizer {
            Some((spec, _, optimizer)) if *spec == wanted => Some(optimizer),
            _ => None,
        };
        let weights = self.network.trained();
        Optimizer::state(wanted, last, protocol, weights, self.network.fixed())
    }

    pub(super) fn resume(&mut self, resume: &Resume, state: &Secret<W>) -> Result<(), MpcError> {
        let (spec, decay) = (resume.optimizer, resume.weight_decay);
        let optimizer = Optimizer::resume(spec, decay, state, resume.steps)?;
        self.optimizer = Some((spec, decay, optimizer));
        Ok(())
    }

    /// The losses of the epochs, or a single zero.
    pub(super) fn fit(
        &mut self,
        protocol: &mut dyn Protocol<W>,
        fit: &Fit,
        x: &Secret<W>,
        labels: &Secret<W>,
        steps: &mut Steps<'_>,
    ) -> Result<Secret<W>, MpcError> {
        let key = (fit.optimizer, fit.weight_decay);
        let mut optimizer = match self.optimizer.take() {
            Some((spec, decay, optimizer)) if (spec, decay) == key => optimizer,
            _ => Optimizer::new(fit.optimizer, fit.weight_decay),
        };
        let losses = self.epochs(protocol, &mut optimizer, fit, x, labels, steps);
        self.optimizer = Some((key.0, key.1, optimizer));
        let losses = losses?;
        let fixed = self.network.fixed();
        if !fit.losses {
            return Secret::public(&*protocol, &[1], fixed, &[0.0]);
        }
        let rest = fit.epochs - losses.len();
        let rest = Secret::public(&*protocol, &[rest], fixed, &vec![-1.0; rest])?;
        let all: Vec<&Secret<W>> = losses.iter().chain([&rest]).collect();
        Secret::concatenate(0, &all)
    }

    fn epochs(
        &mut self,
        protocol: &mut dyn Protocol<W>,
        optimizer: &mut Optimizer<W>,
        fit: &Fit,
        x: &Secret<W>,
        labels: &Secret<W>,
        steps: &mut Steps<'_>,
    ) -> Result<Vec<Secret<W>>, MpcError> {
        let count = x.shape().first().copied().unwrap_or(0);
        let total = fit.epochs * count.div_ceil(fit.batch);
        let (mut done, mut losses) = (0, Vec::new());
        for _ in 0..fit.epochs {
            for start in (0..count).step_by(fit.batch) {
                let range = start..start.saturating_add(fit.batch).min(count);
                let (x, labels) = (rows(x, range.clone())?, rows(labels, range)?);
                self.network
                    .step(protocol, optimizer, fit.loss, &x, &labels)?;
                done += 1;
                steps(done, total, protocol.spent())?;
            }
            if !fit.losses && fit.stop_below.is_none() {
                continue;
            }
            let loss = self.mean_loss(protocol, fit, x, labels)?;
            let stop = match fit.stop_below {
                Some(bound) => below(protocol, &loss, bound)?,
                None => false,
            };
            if fit.losses {
                losses.push(loss);
            }
            if stop {
                break;
            }
        }
        Ok(losses)
    }

    /// The mean loss of all rows, in parts that fit the memory.
    fn mean_loss(
        &self,
        protocol: &mut dyn Protocol<W>,
        fit: &Fit,
        x: &Secret<W>,
        labels: &Secret<W>,
    ) -> Result<Secret<W>, MpcError> {
        let fixed = self.network.fixed();
        let count = x.shape().first().copied().unwrap_or(0);
        let part = fit.batch.max(EVALUATED);
        let mut sum: Option<Secret<W>> = None;
        for start in (0..count).step_by(part) {
            let range = start..start.saturating_add(part).min(count);
            let share = range.len() as f64 / count as f64;
            let (x, labels) = (rows(x, range.clone())?, rows(labels, range)?);
            let results = self.network.predict(protocol, &x)?;
            let mut mean = fit.loss.mean(protocol, &results, &labels)?;
            if share < 1.0 {
                mean = operations::multiply_public(protocol, &mean, &[share])?;
            }
            sum = Some(match sum {
                Some(sum) => sum.add(&mean)?.declare_at_most(fixed.integer_bits),
                None => mean,
            });
        }
        sum.ok_or(MpcError::Count {
            what: "rows",
            expected: 1,
            found: 0,
        })
    }
}

/// Opens to all parties that compute whether the only element is below a bound, and nothing else.
fn below<W: Word>(
    protocol: &mut dyn Protocol<W>,
    loss: &Secret<W>,
    bound: f64,
) -> Result<bool, MpcError> {
    let excess = loss.add_public(&*protocol, &[-bound])?;
    let bit = operations::is_negative(protocol, &excess)?;
    let opened = protocol.reveal_bits(Parties::all(protocol.parties()), &bit)?;
    Ok(opened.is_some_and(|bits| bits.first().is_some_and(|bit| bit & 1 == 1)))
}
