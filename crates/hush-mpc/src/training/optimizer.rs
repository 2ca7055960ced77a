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

impl OptimizerSpec {
    /// How many tensors of the size of the trained weights are kept from step to step.
    pub fn slots(self) -> usize {
        match self {
            Self::Sgd { momentum: 0.0, .. } => 0,
            Self::Sgd { .. } => 1,
            Self::Adam { amsgrad, .. } => 2 + usize::from(amsgrad),
        }
    }

    /// The type of what is kept at a place, for numbers of type `fixed`: Adam's means of scaled gradients are below 2^10,
    /// their squares below 2^20.
    fn slot(self, place: usize, fixed: Fixed) -> Fixed {
        let integer_bits = match (self, place) {
            (Self::Sgd { .. }, _) => fixed.integer_bits,
            (Self::Adam { .. }, 0) => 10,
            (Self::Adam { .. }, _) => 20,
        };
        Fixed {
            integer_bits,
            ..fixed
        }
    }
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

    /// With the state that [`Optimizer::state`] gave after so many steps.
    ///
    /// # Errors
    /// If the vector does not divide into the optimizer's tensors.
    pub fn resume(
        spec: OptimizerSpec,
        weight_decay: f64,
        state: &Secret<W>,
        steps: u32,
    ) -> Result<Self, MpcError> {
        let slots = spec.slots();
        if slots == 0 || !state.len().is_multiple_of(slots) {
            return Err(MpcError::Count {
                what: "elements of the optimizer's state",
                expected: slots,
                found: state.len(),
            });
        }
        let weights = state.len() / slots;
        let slot = |place: usize| {
            let words = state.share().slice(place * weights..(place + 1) * weights);
            Secret::new(vec![weights], spec.slot(place, state.fixed()), words)
        };
        Ok(Self {
            spec,
            weight_decay,
            state: (0..slots).map(slot).collect::<Result<_, _>>()?,
            steps: i32::try_from(steps).unwrap_or(i32::MAX),
        })
    }

    /// The shared state as one vector, to be kept with `weights` trained weights of type `fixed`: zeros before the first
    /// step. Its type is theirs, but only [`Optimizer::resume`] knows how large the numbers in it are.
    ///
    /// # Errors
    /// If a share cannot be made of zeros.
    pub fn state(
        spec: OptimizerSpec,
        optimizer: Option<&Self>,
        protocol: &dyn Protocol<W>,
        weights: usize,
        fixed: Fixed,
    ) -> Result<Secret<W>, MpcError> {
        let parts = optimizer.map_or(&[][..], |optimizer| &optimizer.state);
        if parts.is_empty() {
            let count = spec.slots() * weights;
            return Secret::public(protocol, &[count], fixed, &vec![0.0; count]);
        }
        let parts: Vec<&Share<W>> = parts.iter().map(Secret::share).collect();
        let joined = Share::concatenate(&parts);
        Secret::new(vec![joined.len()], fixed, joined)
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
        let [small, wide] = [0, 1].map(|place| self.spec.slot(place, fixed));
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
