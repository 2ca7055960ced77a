//! Picks packing, ring degree and special primes: the cheapest predicted cost that meets the precision.

use hush_program::cost::CostModel;
use hush_program::count::{Count, count};
use hush_program::{PackingKind, Program};

use crate::approximate::Approximated;
use crate::calibrate::Calibrated;
use crate::error::CompileError;
use crate::noise::{DEVIATIONS, Sensitivity};
use crate::options::Options;
use crate::pack::{Packed, latency, throughput};
use crate::parameters::{Tuned, budget, most_primes, tune};

/// Ring degrees tried.
const LOG_DEGREES: std::ops::RangeInclusive<u32> = 10..=17;

/// Numbers of special primes tried.
const SPECIAL: std::ops::RangeInclusive<usize> = 1..=4;

/// Most elements of a tensor when each takes a ciphertext.
const THROUGHPUT_ELEMENTS: usize = 8192;

/// Modulus bits are given back while the noise stays below this share of the precision.
const SPARE_SHARE: f64 = 0.1;

/// A complete choice.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// Layouts and instructions.
    pub packed: Packed,
    /// Parameters and scales.
    pub tuned: Tuned,
    /// The program that they make.
    pub program: Program,
    /// What it does.
    pub count: Count,
    /// Predicted nanoseconds for the whole batch on one thread.
    pub batch_nanoseconds: f64,
}

/// How far the search came where nothing fits.
#[derive(Clone, Copy, Debug, Default)]
struct Reached {
    primes: usize,
    error: Option<f64>,
}

impl Reached {
    fn merge(&mut self, other: Reached) {
        self.primes = self.primes.max(other.primes);
        self.error = match (self.error, other.error) {
            (Some(left), Some(right)) => Some(left.min(right)),
            (left, right) => left.or(right),
        };
    }
}

/// The best choice for each packing that is allowed, best first.
///
/// # Errors
/// [`CompileError::TooDeep`], [`CompileError::Precision`] or [`CompileError::Layout`] if nothing fits.
pub fn search(
    approximated: &Approximated,
    calibrated: &Calibrated,
    options: &Options,
) -> Result<Vec<Chosen>, CompileError> {
    let batch = options.batch.unwrap_or(1);
    let kinds = match options.packing {
        Some(kind) => vec![kind],
        None if batch == 1 => vec![PackingKind::Latency],
        None => vec![PackingKind::Latency, PackingKind::Throughput],
    };
    let mut found = Vec::new();
    let mut reached = Reached::default();
    for kind in kinds {
        match best_of(kind, approximated, calibrated, options)? {
            Ok(chosen) => found.push(chosen),
            Err(short) => reached.merge(short),
        }
    }
    if found.is_empty() {
        return Err(explain(approximated, options, reached));
    }
    found.sort_by(|a, b| a.batch_nanoseconds.total_cmp(&b.batch_nanoseconds));
    Ok(found)
}

fn depth_of(approximated: &Approximated) -> usize {
    let depths = approximated.network.depths();
    approximated
        .network
        .outputs
        .iter()
        .map(|port| depths[port.value])
        .max()
        .unwrap_or(0)
}

fn explain(approximated: &Approximated, options: &Options, reached: Reached) -> CompileError {
    let needed = depth_of(approximated);
    if reached.primes < needed + 1 {
        return CompileError::TooDeep {
            needed,
            available: reached.primes.saturating_sub(1),
        };
    }
    match reached.error {
        Some(error) => CompileError::Precision { target: options.precision, reached: error },
        None => CompileError::Layout {
            packing: match options.packing {
                Some(PackingKind::Throughput) => "throughput",
                Some(_) => "latency",
                None => "fitting",
            },
            reason: "a tensor has more elements than ciphertexts can hold, or the messages are too large for \
                     every secure modulus"
                .to_owned(),
        },
    }
}

fn best_of(
    kind: PackingKind,
    approximated: &Approximated,
    calibrated: &Calibrated,
    options: &Options,
) -> Result<Result<Chosen, Reached>, CompileError> {
    let mut reached = Reached::default();
    let needed = depth_of(approximated) + 1;
    for log_degree in LOG_DEGREES {
        let mut best: Option<Chosen> = None;
        for special in SPECIAL {
            let most = most_primes(log_degree, options.security_bits, special);
            reached.primes = reached.primes.max(most);
            if most < needed {
                continue;
            }
            for packed in packings(kind, approximated, options, log_degree, special) {
                let outcome = attempt(
                    packed,
                    approximated,
                    calibrated,
                    options,
                    log_degree,
                    special,
                )?;
                match outcome {
                    Ok(chosen) => {
                        if best
                            .as_ref()
                            .is_none_or(|best| chosen.batch_nanoseconds < best.batch_nanoseconds)
                        {
                            best = Some(chosen);
                        }
                        break;
                    }
                    Err(short) => reached.merge(short),
                }
            }
        }
        if let Some(chosen) = best {
            return Ok(Ok(chosen));
        }
    }
    Ok(Err(reached))
}

/// Packings to try in order; the first that works is taken.
fn packings(
    kind: PackingKind,
    approximated: &Approximated,
    options: &Options,
    log_degree: u32,
    special: usize,
) -> Vec<Packed> {
    let network = &approximated.network;
    if kind == PackingKind::Throughput {
        return throughput::pack(network, 1 << (log_degree - 1), THROUGHPUT_ELEMENTS)
            .into_iter()
            .collect();
    }
    let model = CostModel { special };
    let most = options
        .batch
        .unwrap_or(1)
        .next_power_of_two()
        .min(1 << (log_degree - 1));
    let mut found = Vec::new();
    for garbage in [true, false] {
        let mut samples = most;
        while samples > 0 {
            let limits = latency::Limits {
                model,
                log_degree,
                samples,
                garbage,
            };
            if let Some(packed) = latency::pack(network, limits) {
                if !found.contains(&packed) {
                    found.push(packed);
                }
                break;
            }
            samples /= 2;
        }
    }
    found
}

fn attempt(
    packed: Packed,
    approximated: &Approximated,
    calibrated: &Calibrated,
    options: &Options,
    log_degree: u32,
    special: usize,
) -> Result<Result<Chosen, Reached>, CompileError> {
    let primes = packed.depth + 1;
    let mut reached = Reached {
        primes,
        error: None,
    };
    let Some(limit) = budget(log_degree, options.security_bits) else {
        return Ok(Err(reached));
    };
    let sensitivity = Sensitivity::new(&packed, calibrated, log_degree)?;
    let Some(mut tuned) = tune(&sensitivity, log_degree, primes, special, limit)? else {
        return Ok(Err(reached));
    };
    let noise = |tuned: &Tuned| DEVIATIONS * tuned.assessment.deviation;
    if approximated.error + noise(&tuned) > options.precision {
        reached.error = Some(approximated.error + noise(&tuned));
        return Ok(Err(reached));
    }
    let (mut low, mut high) = (0.0, tuned.parameters.log_q_p());
    while noise(&tuned) < SPARE_SHARE * options.precision && high - low > 2.0 {
        let middle = 0.5 * (low + high);
        match tune(&sensitivity, log_degree, primes, special, middle)? {
            Some(smaller) if noise(&smaller) <= SPARE_SHARE * options.precision => {
                high = middle;
                tuned = smaller;
            }
            _ => low = middle,
        }
    }
    let name = &approximated.network.name;
    let program = packed.program(name, tuned.parameters.clone(), &tuned.log_scales);
    let count = count(&program)?;
    let groups = options.batch.unwrap_or(1).div_ceil(packed.samples);
    let batch_nanoseconds = groups as f64 * count.nanoseconds;
    Ok(Ok(Chosen {
        packed,
        tuned,
        program,
        count,
        batch_nanoseconds,
    }))
}
