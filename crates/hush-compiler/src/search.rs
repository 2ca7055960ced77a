//! Picks packing, ring degree and special primes: the cheapest predicted cost that meets the precision.

use hush_program::cost::CostModel;
use hush_program::count::{Count, count, count_unchecked};
use hush_program::{Operation, PackingKind, Program};

use crate::approximate::Approximated;
use crate::arrange::{Strategy, arrange};
use crate::calibrate::Calibrated;
use crate::error::{CompileError, Shortage, TooDeep};
use crate::fuse::fuse;
use crate::network::Network;
use crate::noise::{DEVIATIONS, LEAST_DEVIATIONS, Sensitivity, largest_error};
use crate::options::Options;
use crate::pack::latency::{self, Packer, Plan};
use crate::pack::{Packed, throughput};
use crate::parameters::{Tuned, budget, most_primes, shape, tune};
use crate::report::key_bytes;

/// Ring degrees tried.
const LOG_DEGREES: std::ops::RangeInclusive<u32> = 10..=17;

/// Numbers of special primes tried.
const SPECIAL: std::ops::RangeInclusive<usize> = 1..=7;

/// Most elements of a tensor when each takes a ciphertext.
const THROUGHPUT_ELEMENTS: usize = 8192;

/// With so many candidates no larger ring degree is looked at.
const ENOUGH: usize = 200;

/// Limits on folds per linear stage that are tried: fewer folds cost more and leave less noise.
const FOLDS: [usize; 4] = [usize::MAX, 2, 1, 0];

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
    /// Predicted largest output error on the calibration rows.
    pub predicted: f64,
    /// Predicted nanoseconds for the whole batch on one thread.
    pub batch_nanoseconds: f64,
}

/// How far the search came where nothing fits.
#[derive(Clone, Copy, Debug, Default)]
struct Reached {
    primes: usize,
    error: Option<f64>,
    /// Bytes of the smallest keys that were too large.
    key_bytes: Option<u64>,
    /// Of the cheapest candidate.
    rotations: Option<usize>,
}

impl Reached {
    fn merge(&mut self, other: Reached) {
        self.primes = self.primes.max(other.primes);
        self.error = match (self.error, other.error) {
            (Some(left), Some(right)) => Some(left.min(right)),
            (left, right) => left.or(right),
        };
        self.key_bytes = match (self.key_bytes, other.key_bytes) {
            (Some(left), Some(right)) => Some(left.min(right)),
            (left, right) => left.or(right),
        };
        self.rotations = self.rotations.or(other.rotations);
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

fn depth_of(network: &Network) -> usize {
    let depths = network.depths();
    network
        .outputs
        .iter()
        .map(|port| depths[port.value])
        .max()
        .unwrap_or(0)
}

fn explain(approximated: &Approximated, options: &Options, reached: Reached) -> CompileError {
    let needed = depth_of(&approximated.network);
    let shortage = match (reached.error, reached.key_bytes) {
        _ if reached.primes < needed + 1 => Some(Shortage::Levels {
            available: reached.primes.saturating_sub(1),
        }),
        (None, Some(bytes)) => Some(Shortage::Keys {
            needed: bytes,
            limit: options.max_key_bytes,
        }),
        _ => None,
    };
    if let Some(shortage) = shortage {
        return CompileError::TooDeep(Box::new(TooDeep {
            needed,
            shortage,
            rotations: reached.rotations,
            refreshes: refreshes(&approximated.network),
        }));
    }
    match reached.error {
        Some(error) => CompileError::Precision { target: approximated.precision, reached: error },
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

/// Levels that a bootstrap leaves for the model: of the 1747 bits that N = 2^16 has at 128 bits of security it uses
/// about half itself.
const REFRESHED_LEVELS: usize = 20;

/// The nodes before which levels would be refreshed, each as late as possible.
fn refreshes(network: &Network) -> Vec<String> {
    let depths = network.depths();
    let (mut base, mut found) = (0, Vec::new());
    for stage in &network.stages {
        let before = stage
            .kind
            .reads()
            .into_iter()
            .map(|value| depths[value])
            .max();
        if depths[stage.output] > base + REFRESHED_LEVELS {
            base = before.unwrap_or(base);
            found.push(stage.label.clone());
        }
    }
    found
}

/// One packing under one chain shape, before primes and scales are chosen.
struct Candidate {
    source: Source,
    /// The packing without its weights.
    sketch: Packed,
    log_degree: u32,
    special: usize,
    batch_nanoseconds: f64,
    /// Of one group.
    count: Count,
    key_bytes: u64,
}

/// What the weights of a candidate come from.
enum Source {
    /// One of the packers, and its plan.
    Latency(usize, Plan),
    /// The sketch is the packing.
    Throughput,
}

/// The networks that are packed: as it is, with images arranged, with cubics fused.
fn variants(kind: PackingKind, network: &Network) -> Vec<Network> {
    let mut variants = vec![network.clone()];
    if kind == PackingKind::Latency {
        for strategy in Strategy::ALL {
            variants.extend(arrange(network, strategy).filter(|own| !variants.contains(own)));
        }
        let fused: Vec<Network> = variants.iter().filter_map(fuse).collect();
        variants.extend(fused);
    }
    variants
}

/// The cheapest candidate that is precise enough: candidates are tried in the order of their cost.
fn best_of(
    kind: PackingKind,
    approximated: &Approximated,
    calibrated: &Calibrated,
    options: &Options,
) -> Result<Result<Chosen, Reached>, CompileError> {
    let mut reached = Reached::default();
    let variants = variants(kind, &approximated.network);
    let packers: Vec<Packer<'_>> = variants.iter().map(Packer::new).collect();
    let needed = variants.iter().map(depth_of).min().unwrap_or(0) + 1;
    let mut candidates = Vec::new();
    for log_degree in LOG_DEGREES {
        for special in SPECIAL {
            let most = most_primes(log_degree, options.security_bits, special);
            reached.primes = reached.primes.max(most);
            if most < needed {
                continue;
            }
            for (source, sketch) in packings(kind, &packers, options, log_degree, special) {
                if sketch.depth < most {
                    let parameters = shape(log_degree, sketch.depth + 1, special);
                    let program = sketch.program("", parameters, &vec![30.0; sketch.groups]);
                    let count = count_unchecked(&program)?;
                    let groups = options.batch.unwrap_or(1).div_ceil(sketch.samples);
                    candidates.push(Candidate {
                        source,
                        log_degree,
                        special,
                        batch_nanoseconds: groups as f64 * count.nanoseconds,
                        key_bytes: key_bytes(&program, &count.keys),
                        count,
                        sketch,
                    });
                }
            }
        }
        if candidates.len() >= ENOUGH {
            break;
        }
    }
    candidates.sort_by(|a, b| a.batch_nanoseconds.total_cmp(&b.batch_nanoseconds));
    reached.rotations = candidates.first().map(|first| first.count.rotations);
    candidates.retain(|candidate| {
        let fits = candidate.key_bytes <= options.max_key_bytes;
        if !fits {
            let least = reached.key_bytes.unwrap_or(u64::MAX);
            reached.key_bytes = Some(least.min(candidate.key_bytes));
        }
        fits
    });
    let weighed = |candidate: &Candidate| match &candidate.source {
        Source::Latency(packer, plan) => packers[*packer].emit(plan, true),
        Source::Throughput => candidate.sketch.clone(),
    };
    let mut known: Vec<(Option<usize>, Packed, Sensitivity)> = Vec::new();
    for candidate in candidates {
        let packer = match candidate.source {
            Source::Latency(packer, _) => Some(packer),
            Source::Throughput => None,
        };
        let unsplit = unsplit(&candidate.sketch);
        let found = known
            .iter()
            .position(|(owner, other, _)| *owner == packer && *other == unsplit);
        let index = match found {
            Some(index) => index,
            None => {
                let packed = weighed(&candidate);
                let sensitivity = Sensitivity::new(&packed, calibrated, candidate.log_degree)?;
                known.push((packer, unsplit, sensitivity));
                known.len() - 1
            }
        };
        let outcome = attempt(
            &candidate,
            || weighed(&candidate),
            &known[index].2,
            approximated,
            calibrated,
            options,
        );
        match outcome? {
            Ok(chosen) => return Ok(Ok(chosen)),
            Err(short) => reached.merge(short),
        }
    }
    Ok(Err(reached))
}

/// The packing whatever the split into baby and giant steps, which changes no noise that is modelled.
fn unsplit(sketch: &Packed) -> Packed {
    let mut unsplit = sketch.clone();
    for planned in &mut unsplit.instructions {
        if let Operation::Linear { baby_step, .. } = &mut planned.operation {
            *baby_step = 1;
        }
    }
    unsplit.notes.clear();
    unsplit
}

/// Packings of one kind, without weights.
fn packings(
    kind: PackingKind,
    packers: &[Packer<'_>],
    options: &Options,
    log_degree: u32,
    special: usize,
) -> Vec<(Source, Packed)> {
    if kind == PackingKind::Throughput {
        let slots = 1 << (log_degree - 1);
        return packers
            .iter()
            .filter_map(|packer| throughput::pack(packer.network(), slots, THROUGHPUT_ELEMENTS))
            .map(|packed| (Source::Throughput, packed))
            .collect();
    }
    let model = CostModel { special };
    let most = options
        .batch
        .unwrap_or(1)
        .next_power_of_two()
        .min(1 << (log_degree - 1));
    let variants = FOLDS
        .iter()
        .flat_map(|&folds| [true, false].map(|garbage| (folds, garbage)));
    let mut found = Vec::new();
    for (folds, garbage) in variants {
        for (index, packer) in packers.iter().enumerate() {
            let mut samples = most;
            while samples > 0 {
                let limits = latency::Limits {
                    model,
                    log_degree,
                    samples,
                    garbage,
                    folds,
                };
                let plans = packer.plans(limits);
                samples = if plans.is_empty() { samples / 2 } else { 0 };
                for plan in plans {
                    let sketch = packer.emit(&plan, false);
                    let source = Source::Latency(index, plan);
                    if found.iter().all(|(_, other)| *other != sketch) {
                        found.push((source, sketch));
                    }
                }
            }
        }
    }
    found
}

fn attempt(
    candidate: &Candidate,
    weighed: impl FnOnce() -> Packed,
    sensitivity: &Sensitivity,
    approximated: &Approximated,
    calibrated: &Calibrated,
    options: &Options,
) -> Result<Result<Chosen, Reached>, CompileError> {
    let &Candidate {
        log_degree,
        special,
        batch_nanoseconds,
        ..
    } = candidate;
    let primes = candidate.sketch.depth + 1;
    let mut reached = Reached {
        primes,
        ..Reached::default()
    };
    let Some(limit) = budget(log_degree, options.security_bits) else {
        return Ok(Err(reached));
    };
    let Some(mut tuned) = tune(
        sensitivity,
        log_degree,
        primes,
        special,
        limit,
        options.headroom_bits,
    )?
    else {
        return Ok(Err(reached));
    };
    let noise = |tuned: &Tuned| DEVIATIONS * tuned.assessment.deviation;
    // No prediction is below this, so the longer one can be spared.
    let least = LEAST_DEVIATIONS * tuned.assessment.deviation;
    if approximated.error + least > approximated.precision {
        reached.error = Some(approximated.error + noise(&tuned));
        return Ok(Err(reached));
    }
    let (mut low, mut high) = (0.0, tuned.parameters.log_q_p());
    while noise(&tuned) < SPARE_SHARE * approximated.precision && high - low > 2.0 {
        let middle = 0.5 * (low + high);
        match tune(
            sensitivity,
            log_degree,
            primes,
            special,
            middle,
            options.headroom_bits,
        )? {
            Some(smaller) if noise(&smaller) <= SPARE_SHARE * approximated.precision => {
                high = middle;
                tuned = smaller;
            }
            _ => low = middle,
        }
    }
    let name = &approximated.network.name;
    let packed = weighed();
    let program = packed.program(name, tuned.parameters.clone(), &tuned.log_scales);
    let predicted = approximated.error + largest_error(&packed, &program, calibrated)?;
    if predicted > approximated.precision {
        reached.error = Some(predicted);
        return Ok(Err(reached));
    }
    let count = count(&program)?;
    Ok(Ok(Chosen {
        predicted,
        packed,
        tuned,
        program,
        count,
        batch_nanoseconds,
    }))
}
