//! Runs a program on floats, slot by slot, garbage slots included, with the modelled noise if asked.

use std::convert::Infallible;

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

use crate::ladder::Ladder;
use crate::machine::{LinearPlan, Machine, Step};
use crate::noise::NoiseModel;
use crate::program::{Basis, ParameterSpec, Plain, Polynomial, Program};

/// What the clear machine does about noise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NoiseMode {
    /// Exact floats.
    None,
    /// Gaussian noise of the modelled size is added after every operation; the same seed gives the same noise.
    Sampled(u64),
    /// Values stay exact; the variance that noise would have is carried along, slot by slot.
    Tracked,
    /// As `Tracked`, but only the noise source of this index adds noise, and its deviation is one. What comes out
    /// is the gain of that source, which depends on neither scales nor primes.
    Impulse(usize),
}

/// The slots of one register.
#[derive(Clone, Debug, PartialEq)]
pub struct Signal {
    /// One value per cyclic slot.
    pub values: Vec<f64>,
    /// Variance of the noise per slot; empty unless [`NoiseMode::Tracked`].
    pub variance: Vec<f64>,
    /// Level.
    pub level: usize,
    /// Scale.
    pub scale: f64,
}

/// Floats in place of ciphertexts.
#[derive(Clone, Debug)]
pub struct ClearMachine {
    slots: usize,
    model: NoiseModel,
    mode: NoiseMode,
    random: ChaCha20Rng,
    spare: Option<f64>,
    sources: Vec<f64>,
    records: Vec<Record>,
}

/// One value as it was produced: a result, or an intermediate value of a polynomial.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Record {
    /// Instruction, or `None` for an input.
    pub instruction: Option<usize>,
    /// Level.
    pub level: usize,
    /// Scale.
    pub scale: f64,
    /// Largest absolute slot, garbage included.
    pub largest: f64,
}

impl ClearMachine {
    /// A machine for a program's parameters and slots.
    pub fn new(program: &Program, mode: NoiseMode) -> Self {
        Self::with_parameters(&program.parameters, program.slots, mode)
    }

    /// A machine for parameters and slots.
    pub fn with_parameters(parameters: &ParameterSpec, slots: usize, mode: NoiseMode) -> Self {
        let seed = if let NoiseMode::Sampled(seed) = mode {
            seed
        } else {
            0
        };
        Self {
            slots,
            model: NoiseModel::new(parameters, slots),
            mode,
            random: ChaCha20Rng::seed_from_u64(seed),
            spare: None,
            sources: Vec::new(),
            records: Vec::new(),
        }
    }

    /// A machine that computes no slots at all and only lists its noise sources and records: their deviations,
    /// levels and scales, in the order in which every other machine meets them on the same program.
    pub fn outline(program: &Program) -> Self {
        let mut machine = Self::new(program, NoiseMode::None);
        machine.slots = 0;
        machine
    }

    /// Forgets sources and records, so that another sample can run.
    pub fn restart(&mut self) {
        self.sources.clear();
        self.records.clear();
    }

    /// What a fresh encryption of `values` (one per slot) stands for.
    pub fn encrypt(&mut self, values: Vec<f64>, level: usize, scale: f64) -> Signal {
        let variance = self.variance_of(values.len());
        let mut signal = Signal {
            values,
            variance,
            level,
            scale,
        };
        let deviation = self.model.fresh().hypot(self.model.encoding()) / scale;
        self.disturb(&mut signal, deviation, None);
        self.record(None, &signal);
        signal
    }

    /// Deviations of all noise sources met so far, in message units.
    pub fn sources(&self) -> &[f64] {
        &self.sources
    }

    /// All values produced so far.
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// The least of log2(Q_level / (2 · scale · largest)) so far: bits left before a message wraps.
    pub fn headroom(&self) -> f64 {
        self.records
            .iter()
            .map(|record| self.headroom_of(record, record.largest))
            .fold(f64::INFINITY, f64::min)
    }

    /// The headroom of one record if its largest slot were `largest`.
    pub fn headroom_of(&self, record: &Record, largest: f64) -> f64 {
        self.model.log_modulus(record.level) - 1.0 - record.scale.log2() - largest.log2()
    }

    fn record(&mut self, instruction: Option<usize>, signal: &Signal) {
        let largest = signal
            .values
            .iter()
            .fold(0.0f64, |most, value| most.max(value.abs()));
        self.records.push(Record {
            instruction,
            level: signal.level,
            scale: signal.scale,
            largest,
        });
    }

    /// Standard normal, Box and Muller's method.
    fn gaussian(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        let uniform = |bits: u64| ((bits >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
        let radius = (-2.0 * uniform(self.random.next_u64()).ln()).sqrt();
        let angle = std::f64::consts::TAU * uniform(self.random.next_u64());
        self.spare = Some(radius * angle.sin());
        radius * angle.cos()
    }

    /// One noise source: adds noise of one deviation to every slot, or `profile` (variances) times it.
    fn disturb(&mut self, signal: &mut Signal, deviation: f64, profile: Option<&[f64]>) {
        let source = self.sources.len();
        self.sources.push(deviation);
        let variance = match self.mode {
            NoiseMode::Impulse(chosen) if chosen == source => 1.0,
            NoiseMode::Impulse(_) | NoiseMode::None => return,
            _ => deviation * deviation,
        };
        for slot in 0..signal.values.len() {
            let variance = variance * profile.map_or(1.0, |profile| profile[slot]);
            if let NoiseMode::Sampled(_) = self.mode {
                signal.values[slot] += variance.sqrt() * self.gaussian();
            } else {
                signal.variance[slot] += variance;
            }
        }
    }

    fn tracks(&self) -> bool {
        matches!(self.mode, NoiseMode::Tracked | NoiseMode::Impulse(_))
    }

    fn variance_of(&self, slots: usize) -> Vec<f64> {
        if self.tracks() {
            vec![0.0; slots]
        } else {
            Vec::new()
        }
    }

    fn combine(&self, step: Step<'_>, left: &Signal, right: &Signal, sign: f64) -> Signal {
        Signal {
            values: left
                .values
                .iter()
                .zip(&right.values)
                .map(|(a, b)| a + sign * b)
                .collect(),
            variance: left
                .variance
                .iter()
                .zip(&right.variance)
                .map(|(a, b)| a + b)
                .collect(),
            level: step.level,
            scale: step.scale,
        }
    }

    /// A product after relinearisation and rescaling to (level, scale).
    fn product(&mut self, left: &Signal, right: &Signal, level: usize, scale: f64) -> Signal {
        let variance = left.variance.iter().zip(&right.variance).enumerate();
        let variance = variance
            .map(|(slot, (a, b))| right.values[slot].powi(2) * a + left.values[slot].powi(2) * b)
            .collect();
        let values = left
            .values
            .iter()
            .zip(&right.values)
            .map(|(a, b)| a * b)
            .collect();
        let mut result = Signal {
            values,
            variance,
            level,
            scale,
        };
        let before = scale * self.model.log_prime(level + 1).exp2();
        let deviation = (self.model.switch(level + 1) / before).hypot(self.model.rescale() / scale);
        self.disturb(&mut result, deviation, None);
        result
    }

    /// `slope * x + constant` by a plaintext constant, rescaled.
    fn affine(
        &mut self,
        x: &Signal,
        slope: f64,
        constant: f64,
        level: usize,
        scale: f64,
    ) -> Signal {
        let mut result = Signal {
            values: x
                .values
                .iter()
                .map(|value| slope * value + constant)
                .collect(),
            variance: x
                .variance
                .iter()
                .map(|variance| slope * slope * variance)
                .collect(),
            level,
            scale,
        };
        if slope != 0.0 {
            let plain_scale = scale * self.model.log_prime(level + 1).exp2() / x.scale;
            let profile: Vec<f64> = x.values.iter().map(|value| value * value / 12.0).collect();
            self.disturb(&mut result, 1.0 / plain_scale, Some(&profile));
            let deviation = self.model.rescale() / scale;
            self.disturb(&mut result, deviation, None);
        }
        result
    }

    fn climb(
        &mut self,
        index: usize,
        node: &Ladder,
        powers: &[Signal],
        level: usize,
        scale: f64,
    ) -> Signal {
        match node {
            Ladder::Leaf { constant, slope } => {
                self.affine(&powers[0], *slope, *constant, level, scale)
            }
            Ladder::Product {
                log_power,
                high,
                low,
            } => {
                let power = &powers[*log_power];
                let product = if let Some(constant) = high.constant() {
                    self.affine(power, constant, 0.0, level, scale)
                } else {
                    let inner = scale * self.model.log_prime(level + 1).exp2() / power.scale;
                    let high = self.climb(index, high, powers, level + 1, inner);
                    self.record(Some(index), &high);
                    self.product(&high, power, level, scale)
                };
                let low = self.climb(index, low, powers, level, scale);
                let step = Step {
                    index,
                    label: "",
                    level,
                    scale,
                };
                let sum = self.combine(step, &product, &low, 1.0);
                self.record(Some(index), &sum);
                sum
            }
        }
    }
}

impl Machine for ClearMachine {
    type Value = Signal;
    type Error = Infallible;

    fn linear(
        &mut self,
        step: Step<'_>,
        inputs: &[&Signal],
        plan: LinearPlan<'_>,
    ) -> Result<Vec<Signal>, Infallible> {
        let slots = self.slots;
        let noisy = self.mode != NoiseMode::None;
        let top = step.level + 1;
        let input_scale = inputs.first().map_or(1.0, |input| input.scale);
        let plain_scale = step.scale * self.model.log_prime(top).exp2() / input_scale;
        let mut results = Vec::with_capacity(plan.bias.len());
        for (output, bias) in plan.bias.iter().enumerate() {
            let mut values = vec![0.0; slots];
            let mut variance = self.variance_of(slots);
            let mut switched = vec![0.0; if noisy { slots } else { 0 }];
            let mut rounded = switched.clone();
            for block in plan.blocks.iter().filter(|block| block.output == output) {
                let x = inputs[block.input];
                for (&rotation, plain) in &block.diagonals {
                    let rounding = match plain {
                        Plain::Constant(_) => 1.0 / 12.0,
                        Plain::Slots(_) => self.model.encoding().powi(2),
                    };
                    for slot in 0..slots {
                        let source = slot + rotation;
                        let source = if source < slots {
                            source
                        } else {
                            source - slots
                        };
                        let (weight, value) = (plain.at(slot), x.values[source]);
                        values[slot] += weight * value;
                        if noisy {
                            rounded[slot] += rounding * value * value;
                            if rotation != 0 {
                                switched[slot] += weight * weight;
                            }
                        }
                        if let Some(carried) = x.variance.get(source) {
                            variance[slot] += weight * weight * carried;
                        }
                    }
                }
            }
            let mut result = Signal {
                values,
                variance,
                level: step.level,
                scale: step.scale,
            };
            let deviation = self.model.switch_error(top) / input_scale;
            self.disturb(&mut result, deviation, Some(&switched));
            self.disturb(&mut result, 1.0 / plain_scale, Some(&rounded));
            let deviation = self.model.rescale() / step.scale;
            self.disturb(&mut result, deviation, None);
            for &fold in plan.folds {
                let rotate = |list: &[f64]| {
                    (0..list.len())
                        .map(|slot| list[slot] + list[(slot + fold) % slots])
                        .collect()
                };
                result.values = rotate(&result.values);
                result.variance = rotate(&result.variance);
                let deviation = self.model.switch(step.level) / step.scale;
                self.disturb(&mut result, deviation, None);
            }
            if let Some(plain) = bias {
                result
                    .values
                    .iter_mut()
                    .enumerate()
                    .for_each(|(slot, value)| *value += plain.at(slot));
            }
            self.record(Some(step.index), &result);
            results.push(result);
        }
        Ok(results)
    }

    fn polynomial(
        &mut self,
        step: Step<'_>,
        input: &Signal,
        polynomial: &Polynomial,
    ) -> Result<Signal, Infallible> {
        let chebyshev = matches!(polynomial.basis, Basis::Chebyshev { .. });
        let mut first = input.clone();
        let carried = std::mem::replace(&mut first.variance, self.variance_of(self.slots));
        if let Basis::Chebyshev { lo, hi } = polynomial.basis {
            // The change of variable is exact: it only reads the same integers at another scale.
            first
                .values
                .iter_mut()
                .for_each(|x| *x = (2.0 * *x - lo - hi) / (hi - lo));
            first.scale *= (hi - lo) / 2.0;
        }
        let tree = Ladder::new(polynomial);
        let mut powers = vec![first];
        for step_index in 0..tree.squarings() {
            let last = powers[step_index].clone();
            let scale = last.scale * last.scale / self.model.log_prime(last.level).exp2();
            let mut square = self.product(&last, &last, last.level - 1, scale);
            if self.tracks() {
                // Both factors carry the same noise.
                square
                    .variance
                    .iter_mut()
                    .enumerate()
                    .for_each(|(slot, variance)| {
                        *variance += 2.0 * last.values[slot].powi(2) * last.variance[slot];
                    });
            }
            if chebyshev {
                square
                    .values
                    .iter_mut()
                    .for_each(|value| *value = 2.0 * *value - 1.0);
                square
                    .variance
                    .iter_mut()
                    .for_each(|variance| *variance *= 4.0);
            }
            self.record(Some(step.index), &square);
            powers.push(square);
        }
        let mut result = self.climb(step.index, &tree, &powers, step.level, step.scale);
        for (slot, carried) in carried.iter().enumerate() {
            result.variance[slot] += polynomial.slope(input.values[slot]).powi(2) * carried;
        }
        self.record(Some(step.index), &result);
        Ok(result)
    }

    fn add(&mut self, step: Step<'_>, left: &Signal, right: &Signal) -> Result<Signal, Infallible> {
        let result = self.combine(step, left, right, 1.0);
        self.record(Some(step.index), &result);
        Ok(result)
    }

    fn subtract(
        &mut self,
        step: Step<'_>,
        left: &Signal,
        right: &Signal,
    ) -> Result<Signal, Infallible> {
        let result = self.combine(step, left, right, -1.0);
        self.record(Some(step.index), &result);
        Ok(result)
    }

    fn multiply(
        &mut self,
        step: Step<'_>,
        left: &Signal,
        right: &Signal,
    ) -> Result<Signal, Infallible> {
        let result = self.product(left, right, step.level, step.scale);
        self.record(Some(step.index), &result);
        Ok(result)
    }

    fn add_plain(
        &mut self,
        step: Step<'_>,
        input: &Signal,
        plain: &Plain,
    ) -> Result<Signal, Infallible> {
        let mut result = Signal {
            level: step.level,
            scale: step.scale,
            ..input.clone()
        };
        result
            .values
            .iter_mut()
            .enumerate()
            .for_each(|(slot, value)| *value += plain.at(slot));
        self.record(Some(step.index), &result);
        Ok(result)
    }

    fn align(&mut self, step: Step<'_>, input: &Signal) -> Result<Signal, Infallible> {
        let result = if crate::validate::scales_match(step.scale, input.scale) {
            Signal {
                level: step.level,
                scale: step.scale,
                ..input.clone()
            }
        } else {
            self.affine(input, 1.0, 0.0, step.level, step.scale)
        };
        self.record(Some(step.index), &result);
        Ok(result)
    }
}
