//! Replaces functions by polynomials: the fewest levels with which the outputs stay close to the float model.
//!
//! Functions are fitted in the order of their stages, each on the arguments that the already replaced ones before it give
//! on the calibration rows, by weighted least squares (small mean error where arguments occur) or minimax (small largest
//! error). For functions that are straight on both sides of zero every channel's arguments are scaled to be alike, which
//! costs nothing where linear stages stand around them; where classes count, the linear stages behind also take out what
//! is off on average. How many levels each function gets is chosen by the errors of
//! the outputs over the calibration rows: against [`Options::precision`] where it is given, otherwise against the
//! classes that the outputs stand for.

mod batch;
mod choose;
mod correct;
mod fit;
mod form;
mod measure;
mod rewrite;
mod target;

use crate::calibrate::Calibrated;
use crate::error::CompileError;
use crate::monic::monic;
use crate::network::{Network, StageKind};
use crate::options::Options;
use crate::quartic::quartics;
use crate::report::curve::curve;
use batch::{Batch, work};
use choose::{Subject, Trace};
use correct::{Reference, corrected};
use fit::Norm;
use form::{Notch, Substitute};
pub use measure::Deviation;
use measure::{Goal, Meter};
use target::{Target, targets};

/// Multiplications per run of the network while levels are chosen.
const WORK: usize = 200_000_000;

/// Fewest rows on which levels are chosen.
const LEAST_ROWS: usize = 64;

/// Most rows that fits are made on.
const MOST_ROWS: usize = 2048;

/// Rows evaluated together when nothing but the outputs is kept.
const CHUNK: usize = 128;

/// Times that the choice is repeated against a stricter goal when it does not hold on all rows.
const ATTEMPTS: usize = 6;

/// One activation of the compiled model.
#[derive(Clone, Debug, PartialEq)]
pub struct Fit {
    /// Names of the nodes.
    pub label: String,
    /// The function as the model states it.
    pub function: String,
    /// Smallest and largest argument on the calibration data.
    pub range: (f64, f64),
    /// The interval on which the replacement is good: the range with its margin. The range itself for polynomials that
    /// the model writes out. Where channels are scaled it is that of the channel with the largest arguments.
    pub interval: (f64, f64),
    /// Degree of the polynomial; of the last one, for a composite sign.
    pub degree: usize,
    /// Degrees of all polynomials that are applied in turn; more than one for a composite sign, whose value is
    /// multiplied by the argument.
    pub degrees: Vec<usize>,
    /// Levels that it consumes.
    pub levels: usize,
    /// Largest difference from the function on the interval; zero for polynomials written out.
    pub error: f64,
    /// Root mean square difference over the arguments on the calibration data.
    pub typical_error: f64,
    /// Arguments on the calibration data outside the interval.
    pub out_of_range: usize,
    /// Argument, function and polynomial, over the interval, to be plotted.
    pub curve: Vec<[f64; 3]>,
}

/// The network with polynomials only, and how they fit.
#[derive(Clone, Debug, PartialEq)]
pub struct Approximated {
    /// The network.
    pub network: Network,
    /// One entry per activation.
    pub fits: Vec<Fit>,
    /// Largest output difference to the float model on the calibration rows.
    pub error: f64,
    /// Output differences to the float model on all calibration rows.
    pub deviation: Deviation,
    /// Largest output error allowed, noise included: [`Options::precision`] or what stands for it.
    pub precision: f64,
}

/// Replaces every function.
///
/// # Errors
/// [`CompileError::Domain`] and [`CompileError::Jump`]; [`CompileError::Approximation`] if the highest degree is not
/// enough.
pub fn approximate(
    network: &Network,
    calibrated: &Calibrated,
    options: &Options,
) -> Result<Approximated, CompileError> {
    let targets = targets(network, calibrated)?;
    let goal = Goal::new(network, calibrated, options);
    if targets.is_empty() {
        let deviation = verify(network, &[], &[], calibrated).0;
        return Ok(finish(network.clone(), Vec::new(), deviation, &goal));
    }
    let norms: &[Norm] = if goal.by_agreement() {
        &[Norm::MeanSquare]
    } else {
        &[Norm::Largest, Norm::MeanSquare]
    };
    let mut best: Option<Trace> = None;
    for &norm in norms {
        let trace = decide(network, calibrated, options, &targets, &goal, norm);
        let better = |known: &Trace| {
            let order = |trace: &Trace| (!goal.met(&trace.deviation), trace.cost());
            match order(&trace).cmp(&order(known)) {
                std::cmp::Ordering::Equal => trace.deviation.largest < known.deviation.largest,
                order => order.is_lt(),
            }
        };
        if best.as_ref().is_none_or(better) {
            best = Some(trace);
        }
    }
    let (substitutes, network) = match best {
        Some(trace) => (trace.substitutes, &corrected(network, &trace.corrections)),
        None => (Vec::new(), network),
    };
    let (deviation, seen) = verify(network, &targets, &substitutes, calibrated);
    if !goal.met(&deviation) && !goal.by_agreement() {
        return Err(too_far(&targets, &substitutes, options, &goal, &deviation));
    }
    let fits = report(network, &targets, &substitutes, &seen, calibrated);
    let rewritten = rewrite::rewrite(network, &targets, &substitutes);
    Ok(finish(rewritten, fits, deviation, &goal))
}

fn finish(network: Network, fits: Vec<Fit>, deviation: Deviation, goal: &Goal) -> Approximated {
    Approximated {
        network: quartics(&monic(&network)),
        fits,
        error: deviation.largest,
        deviation,
        precision: goal.precision(deviation.largest),
    }
}

/// Chooses notches on some rows, and fits them on many.
fn decide(
    network: &Network,
    calibrated: &Calibrated,
    options: &Options,
    targets: &[Target],
    goal: &Goal,
    norm: Norm,
) -> Trace {
    let subject = |count: usize| {
        let rows = calibrated.spread(count);
        let reference = goal
            .by_agreement()
            .then(|| Reference::new(network, targets, calibrated, &rows));
        Subject {
            network,
            calibrated,
            targets,
            rows,
            margin: options.activation_margin,
            norm,
            reference,
        }
    };
    let few = subject((WORK / work(network).max(1)).clamp(LEAST_ROWS, MOST_ROWS));
    let many = subject(MOST_ROWS);
    let scales: Vec<Vec<Notch>> = targets
        .iter()
        .map(|target| target.notches(options.max_degree))
        .collect();
    let mut strict = *goal;
    let mut trace = few.choose(&scales, &strict);
    for _ in 0..ATTEMPTS {
        if few.rows.len() < many.rows.len() {
            trace = many.trace(trace.notches, None);
        }
        if goal.nearly_met(&trace.deviation) || few.rows.len() == many.rows.len() {
            break;
        }
        strict = strict.stricter();
        trace = few.choose(&scales, &strict);
    }
    trace
}

/// What was seen of a replaced function's arguments.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    /// Arguments outside the interval.
    outside: usize,
    /// Arguments.
    count: usize,
    /// Sum of the squares of the differences from the function.
    squares: f64,
}

/// Output errors over all rows, and what was seen of each target.
fn verify(
    network: &Network,
    targets: &[Target],
    substitutes: &[Substitute],
    calibrated: &Calibrated,
) -> (Deviation, Vec<Seen>) {
    let rows: Vec<usize> = (0..calibrated.rows.len()).collect();
    let mut meter = Meter::default();
    let mut seen = vec![Seen::default(); targets.len()];
    for rows in rows.chunks(CHUNK) {
        let mut batch = Batch::new(network, calibrated, rows);
        let mut remaining = network.uses();
        let mut next = 0;
        for (position, stage) in network.stages.iter().enumerate() {
            let result = match targets.get(next).filter(|target| target.stage == position) {
                Some(target) => {
                    let values = batch.value(target.source);
                    let result = substitutes[next].evaluate(values, rows.len());
                    let errors = values.iter().zip(&result);
                    let squares = errors.map(|(&x, y)| (y - target.function.evaluate(x)).powi(2));
                    seen[next].squares += squares.sum::<f64>();
                    seen[next].count += values.len();
                    seen[next].outside += substitutes[next].outside(values, rows.len());
                    next += 1;
                    result
                }
                None => batch.compute(&stage.kind),
            };
            batch.set(stage.output, result);
            for value in stage.kind.reads() {
                remaining[value] -= 1;
                if remaining[value] == 0 {
                    batch.drop_value(value);
                }
            }
        }
        meter.add(network, calibrated, rows, &batch);
    }
    (meter.finish(), seen)
}

fn too_far(
    targets: &[Target],
    substitutes: &[Substitute],
    options: &Options,
    goal: &Goal,
    deviation: &Deviation,
) -> CompileError {
    let error = |index: usize| substitutes[index].error(&targets[index].function);
    let worst = (0..targets.len())
        .max_by(|&a, &b| error(a).total_cmp(&error(b)))
        .unwrap_or(0);
    let (lo, hi) = substitutes[worst].interval;
    let scale = substitutes[worst].largest_scale();
    CompileError::Approximation {
        degree: options.max_degree,
        target: goal.largest,
        reached: deviation.largest,
        node: targets[worst].label.clone(),
        lo: lo * scale,
        hi: hi * scale,
        suggestion: 1.05 * goal.precision(deviation.largest),
    }
}

fn report(
    network: &Network,
    targets: &[Target],
    substitutes: &[Substitute],
    seen: &[Seen],
    calibrated: &Calibrated,
) -> Vec<Fit> {
    let mut fits = Vec::new();
    let mut replaced = targets.iter().zip(substitutes).zip(seen);
    for stage in &network.stages {
        match &stage.kind {
            StageKind::Polynomial { source, polynomial } => {
                let range = calibrated.ranges[*source];
                let value = |x| polynomial.evaluate(x);
                fits.push(Fit {
                    label: stage.label.clone(),
                    function: "polynomial".to_owned(),
                    range,
                    interval: range,
                    degree: polynomial.degree(),
                    degrees: vec![polynomial.degree()],
                    levels: polynomial.depth(),
                    error: 0.0,
                    typical_error: 0.0,
                    out_of_range: 0,
                    curve: curve(range, value, value),
                });
            }
            StageKind::Function { source, function } => {
                let Some(((_, substitute), seen)) = replaced.next() else {
                    continue;
                };
                let scale = substitute.largest_scale();
                let interval = (substitute.interval.0 * scale, substitute.interval.1 * scale);
                let degrees = substitute.degrees();
                fits.push(Fit {
                    label: stage.label.clone(),
                    function: function.to_string(),
                    range: calibrated.ranges[*source],
                    interval,
                    degree: degrees.last().copied().unwrap_or(0),
                    degrees,
                    levels: substitute.levels,
                    error: substitute.error(function),
                    typical_error: (seen.squares / seen.count.max(1) as f64).sqrt(),
                    out_of_range: seen.outside,
                    curve: curve(
                        interval,
                        |x| function.evaluate(x),
                        |x| scale * substitute.value(x / scale),
                    ),
                });
            }
            _ => {}
        }
    }
    fits
}
