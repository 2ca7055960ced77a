//! What stands for a function: one polynomial, or a composite sign times the argument.

use hush_graph::Function;
use hush_program::Polynomial;

use super::fit::{self, Histogram, Norm};
use super::target::Target;
use crate::chebyshev::{distance, place, trimmed};
use crate::monic::is_square;
use crate::quartic::is_quartic;
use crate::sign::Sign;

/// Numbers of a row of an element that are evaluated side by side.
const BLOCK: usize = 16;

/// A way to replace a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Notch {
    /// One polynomial of at most this degree.
    Degree(usize),
    /// The argument times a composition of odd polynomials of these degrees.
    Sign(Vec<usize>),
}

/// A replacement, fitted.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Form {
    /// A polynomial in u of [−1, 1].
    Series(Polynomial),
    /// `x * last(...(first(u)))`, u of [−1, 1].
    Sign(Vec<Polynomial>),
}

/// A replacement and the arguments it is good for: f(x) is about `scale * form((x / scale - middle) / half)`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Substitute {
    /// The polynomials.
    pub(super) form: Form,
    /// One per element; 1 unless the function is homogeneous.
    pub(super) scales: Vec<f64>,
    /// The interval that x / scale is expected in.
    pub(super) interval: (f64, f64),
    /// Levels consumed.
    pub(super) levels: usize,
}

impl Substitute {
    /// Fits a notch to the arguments of a target; `values` holds `lanes` numbers an element.
    pub(super) fn new(
        target: &Target,
        notch: &Notch,
        norm: Norm,
        margin: f64,
        values: &[f64],
        lanes: usize,
    ) -> Self {
        let scales = target.scales(values, lanes);
        let (mut lo, mut hi) = (f64::INFINITY, f64::NEG_INFINITY);
        for (numbers, scale) in values.chunks_exact(lanes).zip(&scales) {
            for x in numbers {
                lo = lo.min(x / scale);
                hi = hi.max(x / scale);
            }
        }
        let (mut lo, mut hi) = target.widen((lo, hi), margin);
        let even = target.function == Function::Abs;
        if even {
            (lo, hi) = (-lo.abs().max(hi.abs()), lo.abs().max(hi.abs()));
        }
        let (form, levels) = match notch {
            Notch::Degree(degree) => {
                let unit =
                    |element: usize, x: f64| (2.0 * x / scales[element] - lo - hi) / (hi - lo);
                let weight = |element: usize| scales[element] * scales[element];
                let histogram = match norm {
                    Norm::MeanSquare => Histogram::new(values, lanes, weight, unit),
                    Norm::Largest => Histogram::new(&[], lanes, weight, unit),
                };
                let histogram = if even {
                    histogram.mirrored()
                } else {
                    histogram
                };
                let fit = |degree: usize| {
                    let function = &target.function;
                    let series = fit::polynomial(function, (lo, hi), degree, norm, &histogram);
                    if even { without_odd(series) } else { series }
                };
                let mut series = fit(*degree);
                if *degree == 4 && !(target.absorbs && is_quartic(&series)) {
                    series = fit(3);
                }
                let levels = match series.degree() {
                    2 if target.absorbs && is_square(&series) => 1,
                    4 if target.absorbs && is_quartic(&series) => 2,
                    _ => series.depth(),
                };
                (Form::Series(series), levels)
            }
            Notch::Sign(degrees) => {
                let bound = lo.abs().max(hi.abs());
                (lo, hi) = (-bound, bound);
                let (left, right) = target.slopes.unwrap_or((0.0, 1.0));
                let mut steps = Sign::new(degrees).map_or_else(Vec::new, |sign| sign.steps);
                if let Some(last) = steps.last_mut() {
                    let factor = 0.5 * (right - left);
                    last.coefficients
                        .iter_mut()
                        .for_each(|value| *value *= factor);
                    last.coefficients[0] += 0.5 * (right + left);
                }
                let levels = steps.iter().map(Polynomial::depth).sum::<usize>() + 1;
                (Form::Sign(steps), levels)
            }
        };
        Self {
            form,
            scales,
            interval: (lo, hi),
            levels,
        }
    }

    /// u of an argument.
    fn unit(&self, element: usize, x: f64) -> f64 {
        let (lo, hi) = self.interval;
        (2.0 * x / self.scales[element] - lo - hi) / (hi - lo)
    }

    /// The replacement of every number; `lanes` numbers an element.
    pub(super) fn evaluate(&self, values: &[f64], lanes: usize) -> Vec<f64> {
        let mut result = Vec::with_capacity(values.len());
        for (element, numbers) in values.chunks_exact(lanes).enumerate() {
            let scale = self.scales[element];
            match &self.form {
                Form::Series(polynomial) => {
                    for block in numbers.chunks(BLOCK) {
                        let mut u = [0.0; BLOCK];
                        for (u, &x) in u.iter_mut().zip(block) {
                            *u = self.unit(element, x);
                        }
                        let sums = clenshaw(&polynomial.coefficients, u);
                        result.extend(sums[..block.len()].iter().map(|sum| scale * sum));
                    }
                }
                Form::Sign(steps) => result.extend(numbers.iter().map(|&x| {
                    let sign = |value, step: &Polynomial| step.evaluate(value);
                    x * steps.iter().fold(self.unit(element, x), sign)
                })),
            }
        }
        result
    }

    /// How many numbers lie outside the interval.
    pub(super) fn outside(&self, values: &[f64], lanes: usize) -> usize {
        let elements = values.chunks_exact(lanes).enumerate();
        elements
            .map(|(element, numbers)| {
                let far = |&&x: &&f64| self.unit(element, x).abs() > 1.0 + 1e-9;
                numbers.iter().filter(far).count()
            })
            .sum()
    }

    /// The scale of the element with the largest one, which reports speak of.
    pub(super) fn largest_scale(&self) -> f64 {
        self.scales.iter().copied().fold(0.0, f64::max)
    }

    /// The replacement of `x / scale`.
    pub(super) fn value(&self, x: f64) -> f64 {
        let (lo, hi) = self.interval;
        let u = (2.0 * x - lo - hi) / (hi - lo);
        match &self.form {
            Form::Series(polynomial) => polynomial.evaluate(u),
            Form::Sign(steps) => x * steps.iter().fold(u, |value, step| step.evaluate(value)),
        }
    }

    /// Largest difference from the function on the interval, for the largest scale.
    pub(super) fn error(&self, function: &Function) -> f64 {
        let (lo, hi) = self.interval;
        let error = match &self.form {
            Form::Series(polynomial) => distance(polynomial, |x| function.evaluate(x), lo, hi),
            Form::Sign(_) => (0..=4096).fold(0.0f64, |most, step| {
                let x = place(f64::from(step) / 2048.0 - 1.0, lo, hi);
                most.max((self.value(x) - function.evaluate(x)).abs())
            }),
        };
        error * self.largest_scale()
    }

    /// Algebraic degrees of the polynomials, in the order of their application.
    pub(super) fn degrees(&self) -> Vec<usize> {
        match &self.form {
            Form::Series(polynomial) => vec![polynomial.degree()],
            Form::Sign(steps) => steps.iter().map(Polynomial::degree).collect(),
        }
    }
}

/// The even part of a series; the odd one is rounding where the function is even and the interval symmetric.
fn without_odd(series: Polynomial) -> Polynomial {
    let mut coefficients = series.coefficients;
    coefficients
        .iter_mut()
        .skip(1)
        .step_by(2)
        .for_each(|odd| *odd = 0.0);
    trimmed(coefficients)
}

/// A series in the Chebyshev basis of [−1, 1] at several points.
fn clenshaw(coefficients: &[f64], u: [f64; BLOCK]) -> [f64; BLOCK] {
    let (mut next, mut after) = ([0.0; BLOCK], [0.0; BLOCK]);
    for &coefficient in coefficients.iter().skip(1).rev() {
        for lane in 0..BLOCK {
            let value = coefficient + 2.0 * u[lane] * next[lane] - after[lane];
            (next[lane], after[lane]) = (value, next[lane]);
        }
    }
    let constant = coefficients.first().copied().unwrap_or(0.0);
    std::array::from_fn(|lane| constant + u[lane] * next[lane] - after[lane])
}
