//! One function's polynomials: minimax on an interval, or the least squares for the arguments that occur.

use std::f64::consts::PI;

use hush_graph::Function;
use hush_program::{Basis, Polynomial};

use crate::chebyshev::{interpolate, place, series, trimmed};
use crate::dense::solve;
use crate::remez::minimax;

/// Bins of a histogram of arguments.
const BINS: usize = 2048;

/// Most arguments that enter a histogram.
const SAMPLES: usize = 1 << 18;

/// Weight of the whole interval beside the arguments that occur: it keeps the polynomial tame where there are none.
const FLOOR: f64 = 1e-3;

/// A histogram is smoothed until this many arguments fall into what one of its bins covers, if they were spread evenly:
/// a polynomial must not follow the few arguments that it was fitted on.
const SMOOTH: usize = 40;

/// Which error is made small.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Norm {
    /// The largest on the interval.
    Largest,
    /// The mean square over the arguments on the calibration data.
    MeanSquare,
}

/// How often arguments occur: weights of bins that are evenly spaced in the angle arccos(u), for u of [−1, 1].
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Histogram(Vec<f64>);

impl Histogram {
    /// Of the numbers `unit(element, x)`, each with the weight of its element; `lanes` numbers an element.
    pub(super) fn new(
        values: &[f64],
        lanes: usize,
        weight: impl Fn(usize) -> f64,
        unit: impl Fn(usize, f64) -> f64,
    ) -> Self {
        let mut bins = vec![0.0; BINS];
        // An odd stride meets every lane.
        let stride = (values.len() / SAMPLES) | 1;
        for index in (0..values.len()).step_by(stride) {
            let element = index / lanes;
            let angle = unit(element, values[index]).clamp(-1.0, 1.0).acos();
            let bin = (angle / PI * BINS as f64) as usize;
            bins[bin.min(BINS - 1)] += weight(element);
        }
        let total: f64 = bins.iter().sum();
        let total = if total > 0.0 { total } else { 1.0 };
        let floor = FLOOR / BINS as f64;
        let bins = smooth(&bins, SMOOTH * BINS / 2 / values.len().max(1));
        Self(bins.into_iter().map(|bin| bin / total + floor).collect())
    }
}

impl Histogram {
    /// As often on either side of the middle.
    pub(super) fn mirrored(self) -> Self {
        let pairs = self.0.iter().zip(self.0.iter().rev());
        Self(pairs.map(|(left, right)| 0.5 * (left + right)).collect())
    }
}

/// Means over `reach` neighbours on each side; beyond the ends the bins are mirrored.
fn smooth(bins: &[f64], reach: usize) -> Vec<f64> {
    let reach = reach.min(bins.len());
    let mirrored = bins.iter().rev().chain(bins).chain(bins.iter().rev());
    let mut sums = vec![0.0];
    let mut sum = 0.0;
    for bin in mirrored {
        sum += bin;
        sums.push(sum);
    }
    let width = 2 * reach + 1;
    let first = |index: usize| index + bins.len() - reach;
    (0..bins.len())
        .map(|index| {
            let end = (first(index) + width).min(3 * bins.len());
            (sums[end] - sums[first(index)]) / width as f64
        })
        .collect()
}

/// The polynomial of a degree in u of [−1, 1] for a function on [lo, hi].
pub(super) fn polynomial(
    function: &Function,
    (lo, hi): (f64, f64),
    degree: usize,
    norm: Norm,
    histogram: &Histogram,
) -> Polynomial {
    let value = |x: f64| function.evaluate(x);
    let fit = match norm {
        Norm::Largest => minimax(value, lo, hi, degree).map(|(polynomial, _)| polynomial),
        Norm::MeanSquare => least_squares(|u| value(place(u, lo, hi)), degree, histogram),
    };
    fit.map_or_else(
        || interpolate(value, lo, hi, degree),
        |polynomial| trimmed(polynomial.coefficients),
    )
}

/// Minimises the weighted square error: normal equations in the Chebyshev basis, where T_i T_j is the mean of T_(i+j)
/// and T_|i-j|, so that the matrix holds 2 degree + 1 moments.
fn least_squares(
    function: impl Fn(f64) -> f64,
    degree: usize,
    histogram: &Histogram,
) -> Option<Polynomial> {
    let mut moments = vec![0.0; 2 * degree + 1];
    let mut right = vec![0.0; degree + 1];
    let mut orders = vec![0.0; 2 * degree + 1];
    for (bin, &weight) in histogram.0.iter().enumerate() {
        let u = (PI * (bin as f64 + 0.5) / BINS as f64).cos();
        crate::remez::chebyshev(u, &mut orders);
        let value = weight * function(u);
        for (moment, order) in moments.iter_mut().zip(&orders) {
            *moment += weight * order;
        }
        for (sum, order) in right.iter_mut().zip(&orders) {
            *sum += value * order;
        }
    }
    let entry = |i: usize, j: usize| 0.5 * (moments[i + j] + moments[i.abs_diff(j)]);
    let matrix = (0..=degree)
        .map(|i| (0..=degree).map(|j| entry(i, j)).collect())
        .collect();
    let polynomial = series(solve(matrix, right)?);
    debug_assert!(matches!(polynomial.basis, Basis::Chebyshev { .. }));
    Some(polynomial)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chebyshev::distance;

    #[test]
    fn least_squares_reproduce_polynomials() {
        let values: Vec<f64> = (0..200).map(|k| f64::from(k).sin()).collect();
        let histogram = Histogram::new(&values, 1, |_| 1.0, |_, x| x);
        let cubic = |u: f64| 0.3 - u + 0.5 * u * u * u;
        let fit = least_squares(cubic, 5, &histogram).unwrap();
        assert!(distance(&fit, cubic, -1.0, 1.0) < 1e-10);
    }

    #[test]
    fn fits_are_closer_where_arguments_occur() {
        // Arguments around ±0.1 of an interval of width two.
        let values: Vec<f64> = (0..1000)
            .map(|k| 0.2 * f64::from(k) / 1000.0 - 0.1)
            .collect();
        let histogram = Histogram::new(&values, 1, |_| 1.0, |_, x| x);
        let relu = Function::Relu;
        let mean_square = |norm| {
            let fit = polynomial(&relu, (-1.0, 1.0), 4, norm, &histogram);
            let error = |x: f64| (fit.evaluate(x) - relu.evaluate(x)).powi(2);
            let far = distance(&fit, |x| relu.evaluate(x), -1.0, 1.0);
            (values.iter().map(|&x| error(x)).sum::<f64>() / 1000.0, far)
        };
        let (weighted, far) = mean_square(Norm::MeanSquare);
        let (minimax, _) = mean_square(Norm::Largest);
        assert!(weighted < 0.3 * minimax, "{weighted} {minimax}");
        assert!(far < 0.5, "tame outside: {far}");
    }
}
