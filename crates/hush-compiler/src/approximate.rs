//! Replaces functions by polynomials: the least degrees with which the outputs stay within their error share.
//!
//! The error that counts is the one on the model's outputs over the calibration rows, so a function whose result is
//! damped later gets away with a lower degree. All functions share one local tolerance, which shrinks until the
//! outputs are close enough.

use hush_graph::Function;
use hush_program::{Basis, Polynomial};

use crate::calibrate::Calibrated;
use crate::chebyshev::{distance, interpolate};
use crate::error::CompileError;
use crate::monic::monic;
use crate::network::{Index, Network, Stage, StageKind, Vector};
use crate::options::{APPROXIMATION_SHARE, DEFAULT_LEAST, DEFAULT_SHARE, Options};
use crate::report::curve::curve;
use hush_graph::SparseMatrix;

/// Rows on which output errors are measured.
const ROWS: usize = 512;

/// Halvings of the tolerance before giving up.
const HALVINGS: usize = 40;

/// One activation of the compiled model.
#[derive(Clone, Debug, PartialEq)]
pub struct Fit {
    /// Names of the nodes.
    pub label: String,
    /// The function as the model states it.
    pub function: String,
    /// Smallest and largest argument on the calibration data.
    pub range: (f64, f64),
    /// The interval on which the polynomial is good: the range with its margin. The range itself for
    /// polynomials that the model writes out.
    pub interval: (f64, f64),
    /// Degree.
    pub degree: usize,
    /// Largest difference from the function on the interval; zero for polynomials written out.
    pub error: f64,
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
    /// Largest output error allowed, noise included: [`Options::precision`] or what stands for it.
    pub precision: f64,
}

struct Target<'n> {
    stage: usize,
    source: Index,
    function: &'n Function,
    interval: (f64, f64),
}

/// Replaces every function.
///
/// # Errors
/// [`CompileError::Approximation`] if the highest degree is not enough.
pub fn approximate(
    network: &Network,
    calibrated: &Calibrated,
    options: &Options,
) -> Result<Approximated, CompileError> {
    let targets: Vec<Target<'_>> = network
        .stages
        .iter()
        .enumerate()
        .filter_map(|(stage, content)| match &content.kind {
            StageKind::Function { source, function } => {
                let interval = widen(calibrated.ranges[*source], options.activation_margin);
                Some(Target {
                    stage,
                    source: *source,
                    function,
                    interval,
                })
            }
            _ => None,
        })
        .collect();
    let precision = target(calibrated, options);
    let allowed = precision * APPROXIMATION_SHARE;
    let mut tolerance = 64.0 * allowed;
    let mut best: Option<(f64, Network, Vec<Polynomial>)> = None;
    let mut fitted: Vec<usize> = vec![2; targets.len()];
    for _ in 0..HALVINGS {
        let mut polynomials = Vec::with_capacity(targets.len());
        for (target, start) in targets.iter().zip(&mut fitted) {
            let polynomial = least(target, *start, options.max_degree, tolerance);
            *start = polynomial.degree().max(2);
            polynomials.push(polynomial);
        }
        let candidate = substitute(network, &targets, &polynomials);
        let error = deviation(&candidate, calibrated);
        let exhausted = fitted.iter().all(|&degree| degree >= options.max_degree);
        if best.as_ref().is_none_or(|(least, ..)| error < *least) {
            best = Some((error, candidate, polynomials));
        }
        if error <= allowed || exhausted {
            break;
        }
        tolerance /= 2.0;
    }
    let Some((error, network, polynomials)) = best else {
        return Ok(Approximated {
            network: network.clone(),
            fits: Vec::new(),
            error: 0.0,
            precision,
        });
    };
    if error > allowed {
        return Err(too_far(
            &targets,
            &polynomials,
            &network,
            options,
            (allowed, error),
        ));
    }
    let fits = report(&network, &targets, &polynomials, calibrated);
    Ok(Approximated {
        network: monic(&network),
        fits,
        error,
        precision,
    })
}

/// The error asked for, or a share of the largest output.
fn target(calibrated: &Calibrated, options: &Options) -> f64 {
    options.precision.unwrap_or_else(|| {
        let outputs = calibrated.outputs.iter().flatten().flatten();
        let largest = outputs.fold(0.0f64, |most, output| most.max(output.abs()));
        (DEFAULT_SHARE * largest).max(DEFAULT_LEAST)
    })
}

fn widen((lo, hi): (f64, f64), margin: f64) -> (f64, f64) {
    let width = (hi - lo).max(1e-6 * (1.0 + lo.abs().max(hi.abs())));
    let extra = 0.5 * margin * width;
    (lo - extra, hi + extra)
}

fn least(target: &Target<'_>, start: usize, max_degree: usize, tolerance: f64) -> Polynomial {
    let (lo, hi) = target.interval;
    let function = |x: f64| target.function.evaluate(x);
    for degree in start.max(2)..max_degree {
        let polynomial = interpolate(function, lo, hi, degree);
        if distance(&polynomial, function, lo, hi) <= tolerance {
            return polynomial;
        }
    }
    interpolate(function, lo, hi, max_degree)
}

/// Puts the polynomials in place; the change to u of [−1, 1] goes into the linear stage before.
fn substitute(network: &Network, targets: &[Target<'_>], polynomials: &[Polynomial]) -> Network {
    let mut result = network.clone();
    let uses = network.uses();
    let mut inserted = Vec::new();
    for (target, polynomial) in targets.iter().zip(polynomials) {
        let (lo, hi) = target.interval;
        let (factor, offset) = (2.0 / (hi - lo), -(lo + hi) / (hi - lo));
        let producer = result
            .stages
            .iter_mut()
            .find(|stage| stage.output == target.source);
        let mut source = target.source;
        match producer.map(|stage| &mut stage.kind) {
            Some(StageKind::Linear { terms, bias }) if uses[source] == 1 => {
                for (_, matrix) in terms.iter_mut() {
                    *matrix = matrix.scale_rows(&vec![factor; matrix.rows()]);
                }
                bias.iter_mut()
                    .for_each(|bias| *bias = *bias * factor + offset);
            }
            _ => {
                let elements = result.values[source].elements;
                let name = format!("{} scaled", result.values[source].name);
                let vector = Vector {
                    name,
                    ..result.values[source].clone()
                };
                result.values.push(vector);
                let output = result.values.len() - 1;
                let matrix = SparseMatrix::identity(elements).scale_rows(&vec![factor; elements]);
                let kind = StageKind::Linear {
                    terms: vec![(source, matrix)],
                    bias: vec![offset; elements],
                };
                let label = format!("{} (scaling)", network.stages[target.stage].label);
                inserted.push((
                    target.stage,
                    Stage {
                        label,
                        output,
                        kind,
                    },
                ));
                source = output;
            }
        }
        result.stages[target.stage].kind = StageKind::Polynomial {
            source,
            polynomial: polynomial.clone(),
        };
    }
    for (position, stage) in inserted.into_iter().rev() {
        result.stages.insert(position, stage);
    }
    result
}

fn deviation(network: &Network, calibrated: &Calibrated) -> f64 {
    let mut most = 0.0f64;
    for row in calibrated.spread(ROWS) {
        let slices: Vec<&[f64]> = calibrated.rows[row].iter().map(Vec::as_slice).collect();
        let values = network.evaluate(&slices);
        for (port, expected) in network.outputs.iter().zip(&calibrated.outputs[row]) {
            for (found, expected) in values[port.value].iter().zip(expected) {
                most = most.max((found - expected).abs());
            }
        }
    }
    most
}

fn too_far(
    targets: &[Target<'_>],
    polynomials: &[Polynomial],
    network: &Network,
    options: &Options,
    (allowed, reached): (f64, f64),
) -> CompileError {
    let error = |index: usize| {
        let (lo, hi) = targets[index].interval;
        distance(
            &polynomials[index],
            |x| targets[index].function.evaluate(x),
            lo,
            hi,
        )
    };
    let worst = (0..targets.len())
        .max_by(|&a, &b| error(a).total_cmp(&error(b)))
        .unwrap_or(0);
    CompileError::Approximation {
        degree: options.max_degree,
        target: allowed,
        reached,
        node: network
            .stages
            .iter()
            .filter(|stage| matches!(stage.kind, StageKind::Polynomial { .. }))
            .nth(worst)
            .map_or_else(String::new, |stage| stage.label.clone()),
        lo: targets[worst].interval.0,
        hi: targets[worst].interval.1,
        suggestion: 1.05 * reached / APPROXIMATION_SHARE,
    }
}

fn report(
    network: &Network,
    targets: &[Target<'_>],
    polynomials: &[Polynomial],
    calibrated: &Calibrated,
) -> Vec<Fit> {
    let mut fits = Vec::new();
    let mut replaced = targets.iter().zip(polynomials);
    for stage in &network.stages {
        let StageKind::Polynomial { source, polynomial } = &stage.kind else {
            continue;
        };
        let fit = if polynomial.basis == Basis::Power {
            let range = calibrated.ranges[*source];
            Fit {
                label: stage.label.clone(),
                function: "polynomial".to_owned(),
                range,
                interval: range,
                degree: polynomial.degree(),
                error: 0.0,
                out_of_range: 0,
                curve: curve(
                    range,
                    |x| polynomial.evaluate(x),
                    |x| polynomial.evaluate(x),
                ),
            }
        } else {
            let Some((target, polynomial)) = replaced.next() else {
                continue;
            };
            let (lo, hi) = target.interval;
            let range = calibrated.ranges[target.source];
            let unit = |x: f64| (2.0 * x - lo - hi) / (hi - lo);
            Fit {
                label: stage.label.clone(),
                function: target.function.to_string(),
                range,
                interval: target.interval,
                degree: polynomial.degree(),
                error: distance(polynomial, |x| target.function.evaluate(x), lo, hi),
                out_of_range: usize::from(range.0 < lo) + usize::from(range.1 > hi),
                curve: curve(
                    (lo, hi),
                    |x| target.function.evaluate(x),
                    |x| polynomial.evaluate(unit(x)),
                ),
            }
        };
        fits.push(fit);
    }
    fits
}
