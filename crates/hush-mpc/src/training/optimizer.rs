//! How gradients change weights.
//!
//! All parameters are worked on as one vector, so rounds do not grow with the number of layers.

use hush_simd::words::Word;

use crate::operations;
use crate::{Fixed, MpcError, Protocol, Secret, Share};

/// Gradients are this much larger in Adam, so that their squares keep their bits; the steps do not
/// depend on it.
const ADAM_SCALE: i64 = 1 << 7;

/// Which optimiser, with its public constants.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum OptimizerSpec {
    /// Steps against the gradient, or against its running sum if `momentum` is not zero.
    Sgd {
        /// Factor of the mean gradient.
        learning_rate: f64,
        /// What is kept of the sum at each step.
        momentum: f64,
    },
    /// Kingma and Ba, ICLR 2015.
    Adam {
        /// The size of a step.
        learning_rate: f64,
        /// Decay of the mean and of the mean square.
        betas: (f64, f64),
        /// Use the largest mean square so far (Reddi, Kale and Kumar, ICLR 2018).
        amsgrad: bool,
    },
}

/// An optimiser with its shared state.
pub struct Optimizer<W> {
    spec: OptimizerSpec,
    weight_decay: f64,
    /// Running sum or mean; mean square; largest mean square.
    state: Vec<Secret<W>>,
    steps: i32,
}

impl<W: Word> Optimizer<W> {
    /// Without state. `weight_decay` times the weights is added to the gradient, or taken off the
    /// weights directly in Adam.
    pub fn new(spec: OptimizerSpec, weight_decay: f64) -> Self {
        Self {
            spec,
            weight_decay,
            state: Vec::new(),
            steps: 0,
        }
    }

    /// The shared state, to be saved with the weights.
    pub fn state(&self) -> &[Secret<W>] {
        &self.state
    }

    /// Goes on from a saved state after so many steps.
    pub fn resume(&mut self, state: Vec<Secret<W>>, steps: i32) {
        (self.state, self.steps) = (state, steps);
    }

    /// Steps taken so far.
    pub fn steps(&self) -> i32 {
        self.steps
    }

    /// Changes the parameters by gradients that are sums over a batch.
    pub(super) fn update(
        &mut self,
        protocol: &mut dyn Protocol<W>,
        parameters: Vec<&mut Secret<W>>,
        gradients: &[Secret<W>],
        batch: usize,
    ) -> Result<(), MpcError> {
        let Some(first) = gradients.first() else {
            return Ok(());
        };
        self.steps += 1;
        let fixed = first.fixed();
        let join = |tensors: &mut dyn Iterator<Item = &Secret<W>>| {
            let shares: Vec<&Share<W>> = tensors.map(Secret::share).collect();
            let share = Share::concatenate(&shares);
            Secret::new(vec![share.len()], fixed, share)
        };
        let gradient = join(&mut gradients.iter())?;
        let weights = join(&mut parameters.iter().map(|parameter| &**parameter))?;
        let change = match self.spec {
            OptimizerSpec::Sgd {
                learning_rate,
                momentum,
            } => self.sgd(protocol, &gradient, batch, learning_rate, momentum)?,
            OptimizerSpec::Adam {
                learning_rate,
                betas,
                amsgrad,
            } => self.adam(protocol, &gradient, batch, learning_rate, betas, amsgrad)?,
        };
        let mut changed = weights.share().clone().sub(change.share());
        if self.weight_decay != 0.0 {
            let rate = match self.spec {
                OptimizerSpec::Sgd { learning_rate, .. }
                | OptimizerSpec::Adam { learning_rate, .. } => learning_rate,
            };
            let decay =
                operations::multiply_public(protocol, &weights, &[rate * self.weight_decay])?;
            changed.sub_assign(decay.share());
        }
        let mut start = 0;
        for parameter in parameters {
            let range = start..start + parameter.len();
            start = range.end;
            *parameter = Secret::new(
                parameter.shape().to_vec(),
                parameter.fixed(),
                changed.slice(range),
            )?;
        }
        Ok(())
    }

    fn sgd(
        &mut self,
        protocol: &mut dyn Protocol<W>,
        gradient: &Secret<W>,
        batch: usize,
        learning_rate: f64,
        momentum: f64,
    ) -> Result<Secret<W>, MpcError> {
        if momentum == 0.0 {
            return operations::multiply_public(
                protocol,
                gradient,
                &[learning_rate / batch as f64],
            );
        }
        // The sum is kept with the step size in it, which makes one product of two.
        let step =
            operations::multiply_public(protocol, gradient, &[learning_rate / batch as f64])?;
        let step = step.declare(gradient.fixed().integer_bits);
        let sum = match self.state.pop() {
            None => step,
            Some(last) => {
                let kept = operations::multiply_public(protocol, &last, &[momentum])?
                    .declare(step.fixed().integer_bits);
                kept.with_share(step.fixed(), kept.share().clone().add(step.share()))
            }
        };
        self.state = vec![sum.clone()];
        Ok(sum)
    }

    fn adam(
        &mut self,
        protocol: &mut dyn Protocol<W>,
        gradient: &Secret<W>,
        batch: usize,
        learning_rate: f64,
        (first, second): (f64, f64),
        amsgrad: bool,
    ) -> Result<Secret<W>, MpcError> {
        let fixed = gradient.fixed();
        // Means of scaled gradients below 2^10, squares below 2^20.
        let small = Fixed {
            integer_bits: 10,
            ..fixed
        };
        let wide = Fixed {
            integer_bits: 20,
            ..fixed
        };
        let mean =
            operations::multiply_public(protocol, gradient, &[ADAM_SCALE as f64 / batch as f64])?;
        let mean = mean.with_share(small, mean.share().clone());
        let square = operations::multiply_to(protocol, &mean, &mean, wide)?;
        let blend = |protocol: &mut dyn Protocol<W>,
                     old: Option<&Secret<W>>,
                     new: &Secret<W>,
                     beta: f64| {
            // new + beta (old - new), or (1 - beta) new at the start.
            let change = match old {
                Some(old) => old.with_share(old.fixed(), old.share().clone().sub(new.share())),
                None => new.negate(),
            };
            let part = operations::multiply_public(protocol, &change, &[beta])?;
            Ok::<_, MpcError>(new.with_share(new.fixed(), new.share().clone().add(part.share())))
        };
        let momentum = blend(protocol, self.state.first(), &mean, first)?;
        let squares = blend(protocol, self.state.get(1), &square, second)?;
        let mut state = vec![momentum.clone(), squares.clone()];
        let largest = if amsgrad {
            let largest = match self.state.get(2) {
                Some(last) => {
                    operations::maximum(protocol, last, &squares)?.declare(wide.integer_bits)
                }
                None => squares,
            };
            state.push(largest.clone());
            largest
        } else {
            squares
        };
        self.state = state;
        let inverse = operations::inverse_square_root(protocol, &largest)?;
        let direction = operations::multiply_to(protocol, &inverse, &momentum, small)?;
        let power = |beta: f64| 1.0 - libm::pow(beta, f64::from(self.steps));
        let rate = learning_rate * libm::sqrt(power(second)) / power(first);
        operations::multiply_public(protocol, &direction, &[rate])
    }
}
