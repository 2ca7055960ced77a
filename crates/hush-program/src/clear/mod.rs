//! Runs a program on floats, slot by slot, garbage slots included, with the modelled noise if asked.

mod linear;
mod polynomial;

use std::convert::Infallible;

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

pub use self::linear::Known;
use crate::machine::{LinearPlan, Machine, Step};
use crate::noise::NoiseModel;
use crate::program::{ParameterSpec, Plain, Polynomial, Program};

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
    mask: Option<Vec<bool>>,
    unit: bool,
    site: Site,
    sources: Vec<Source>,
    records: Vec<Record>,
    known: Option<Known>,
}

/// Where in a program something happens: what is equal for all results of one instruction has equal sites.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Site {
    /// Instruction, or `None` for an input.
    pub instruction: Option<usize>,
    /// Counted from zero for each result.
    pub position: usize,
}

/// One addition of noise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Source {
    /// Where.
    pub site: Site,
    /// Its deviation in message units.
    pub deviation: f64,
}

/// One value as it was produced: a result, or an intermediate value of a polynomial.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Record {
    /// Where it was produced.
    pub site: Site,
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
            mask: None,
            known: None,
            unit: true,
            site: Site::default(),
            sources: Vec::new(),
            records: Vec::new(),
        }
    }

    /// A machine that tracks variance, but lets only the noise sources with a true entry in `mask` (by their order)
    /// add noise, each of deviation one. What comes out is the gain of those sources, which depends on neither
    /// scales nor primes.
    pub fn impulse(program: &Program, slots: usize, mask: Vec<bool>) -> Self {
        let mut machine = Self::new(program, NoiseMode::Tracked).with_slots(slots);
        machine.mask = Some(mask);
        machine
    }

    /// As [`ClearMachine::impulse`], each of those sources with its own deviation: how much of the noise is theirs.
    pub fn share(program: &Program, slots: usize, mask: Vec<bool>) -> Self {
        let mut machine = Self::impulse(program, slots, mask);
        machine.unit = false;
        machine
    }

    /// A machine that computes no slots at all and only lists its noise sources and records: their deviations,
    /// levels and scales, in the order in which every other machine meets them on the same program.
    pub fn outline(program: &Program) -> Self {
        Self::new(program, NoiseMode::None).with_slots(0)
    }

    /// The same machine, which takes the values of linear instructions from runs on the same inputs, and adds its own.
    pub fn with_known(mut self, known: Known) -> Self {
        self.known = Some(known);
        self
    }

    /// What [`ClearMachine::with_known`] gave and this machine found out.
    pub fn into_known(self) -> Known {
        self.known.unwrap_or_default()
    }

    /// The same machine on another number of slots than the program has: fewer do where slots never mix.
    pub fn with_slots(mut self, slots: usize) -> Self {
        self.slots = slots;
        self
    }

    /// Forgets sources and records, so that another sample can run.
    pub fn restart(&mut self) {
        self.sources.clear();
        self.records.clear();
    }

    /// What a fresh encryption of `values` (one per slot) stands for.
    pub fn encrypt(&mut self, values: Vec<f64>, level: usize, scale: f64) -> Signal {
        self.start(None);
        let variance = self.variance_of(values.len());
        let mut signal = Signal {
            values,
            variance,
            level,
            scale,
        };
        let deviation = self.model.fresh().hypot(self.model.encoding()) / scale;
        self.disturb(&mut signal, deviation, None);
        self.record(&signal);
        signal
    }

    /// All noise sources met so far.
    pub fn sources(&self) -> &[Source] {
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

    fn start(&mut self, instruction: Option<usize>) {
        self.site = Site {
            instruction,
            position: 0,
        };
    }

    fn next_site(&mut self) -> Site {
        let site = self.site;
        self.site.position += 1;
        site
    }

    fn record(&mut self, signal: &Signal) {
        let largest = signal
            .values
            .iter()
            .fold(0.0f64, |most, value| most.max(value.abs()));
        let site = self.next_site();
        self.records.push(Record {
            site,
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

    /// Whether the noise source with this place in the order adds anything.
    fn is_noisy(&self, index: usize) -> bool {
        match &self.mask {
            Some(mask) => mask.get(index) == Some(&true),
            None => self.mode != NoiseMode::None,
        }
    }

    /// One noise source: adds noise of one deviation to every slot, or `profile` (variances) times it.
    fn disturb(&mut self, signal: &mut Signal, deviation: f64, profile: Option<&[f64]>) {
        let index = self.sources.len();
        let site = self.next_site();
        self.sources.push(Source { site, deviation });
        if !self.is_noisy(index) {
            return;
        }
        let variance = match self.mask {
            Some(_) if self.unit => 1.0,
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
        self.mode == NoiseMode::Tracked
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

    /// The exact product of values, and of first-order noise. The factors' noise is taken to be in step, which it
    /// is where both come from one value (a square, t times t² + a), and at most half too much variance elsewhere.
    fn exact_product(&self, left: &Signal, right: &Signal, level: usize, scale: f64) -> Signal {
        let variance = left.variance.iter().zip(&right.variance).enumerate();
        let variance = variance
            .map(|(slot, (a, b))| {
                (right.values[slot].abs() * a.sqrt() + left.values[slot].abs() * b.sqrt()).powi(2)
            })
            .collect();
        let values = left
            .values
            .iter()
            .zip(&right.values)
            .map(|(a, b)| a * b)
            .collect();
        Signal {
            values,
            variance,
            level,
            scale,
        }
    }

    fn fold_steps(&mut self, signal: &mut Signal, steps: &[usize]) {
        for &step in steps {
            let rotate = |list: &[f64]| {
                let count = list.len();
                (0..count)
                    .map(|slot| list[slot] + list[(slot + step) % count])
                    .collect()
            };
            signal.values = rotate(&signal.values);
            signal.variance = rotate(&signal.variance);
            let deviation = self.model.switch(signal.level) / signal.scale;
            self.disturb(signal, deviation, None);
        }
    }

    /// What relinearising and rescaling to the signal's level and scale adds.
    fn settle(&mut self, signal: &mut Signal, relinearized: bool) {
        let mut deviation = self.model.rescale() / signal.scale;
        if relinearized {
            let before = signal.scale * self.model.log_prime(signal.level + 1).exp2();
            deviation = deviation.hypot(self.model.switch(signal.level + 1) / before);
        }
        self.disturb(signal, deviation, None);
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
        Ok(self.transform(step, inputs, plan))
    }

    fn polynomial(
        &mut self,
        step: Step<'_>,
        input: &Signal,
        polynomial: &Polynomial,
    ) -> Result<Signal, Infallible> {
        self.start(Some(step.index));
        let result = self.climb(step.level, step.scale, input, polynomial);
        self.record(&result);
        Ok(result)
    }

    fn add(&mut self, step: Step<'_>, left: &Signal, right: &Signal) -> Result<Signal, Infallible> {
        self.start(Some(step.index));
        let result = self.combine(step, left, right, 1.0);
        self.record(&result);
        Ok(result)
    }

    fn subtract(
        &mut self,
        step: Step<'_>,
        left: &Signal,
        right: &Signal,
    ) -> Result<Signal, Infallible> {
        self.start(Some(step.index));
        let result = self.combine(step, left, right, -1.0);
        self.record(&result);
        Ok(result)
    }

    fn multiply(
        &mut self,
        step: Step<'_>,
        left: &Signal,
        right: &Signal,
    ) -> Result<Signal, Infallible> {
        self.start(Some(step.index));
        let mut result = self.exact_product(left, right, step.level, step.scale);
        self.settle(&mut result, true);
        self.record(&result);
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
        self.record(&result);
        Ok(result)
    }

    fn fold(
        &mut self,
        step: Step<'_>,
        input: &Signal,
        steps: &[usize],
    ) -> Result<Signal, Infallible> {
        self.start(Some(step.index));
        let mut result = Signal {
            level: step.level,
            scale: step.scale,
            ..input.clone()
        };
        self.fold_steps(&mut result, steps);
        self.record(&result);
        Ok(result)
    }

    fn align(&mut self, step: Step<'_>, input: &Signal) -> Result<Signal, Infallible> {
        self.start(Some(step.index));
        let mut result = Signal {
            level: step.level,
            scale: step.scale,
            ..input.clone()
        };
        if !crate::validate::scales_match(step.scale, input.scale) {
            self.settle(&mut result, false);
        }
        self.record(&result);
        Ok(result)
    }
}
