//! Minimax fits by the exchange algorithm.
//!
//! The best fit of a function by a Haar system of n functions has an error that takes its largest size, with
//! alternating sign, at n + 1 points (Chebyshev). Each round solves for the fit whose error is equal and alternating on
//! the current points, and moves the points to the extrema of that error: Trefethen, Approximation Theory and
//! Approximation Practice, chapter 10; Pachón and Trefethen, BIT 49 (2009).

use std::f64::consts::PI;

use hush_program::{Basis, Polynomial};

use crate::dense::solve;

/// Rounds before giving up.
const ROUNDS: usize = 60;

/// Grid points per unknown on which extrema are looked for.
const DENSITY: usize = 24;

/// The largest error may exceed the alternating one by this share.
const TOLERANCE: f64 = 1e-4;

/// Errors closer to each other than this share of the function are equal but for rounding.
const ROUNDING: f64 = 1e-14;

/// A fit and the largest size of its error.
#[derive(Clone, Debug, PartialEq)]
pub struct Minimax {
    /// Coefficients of the system's functions.
    pub coefficients: Vec<f64>,
    /// Largest difference from the function.
    pub error: f64,
}

/// The best polynomial of a degree for `function` on [lo, hi], as a series in u = (2x − lo − hi) / (hi − lo), that is
/// with `Basis::Chebyshev { lo: -1, hi: 1 }`, and its error. `None` if the exchange does not settle, which happens to
/// functions that the degree resolves down to rounding: an interpolant is as good for those.
pub fn minimax(
    function: impl Fn(f64) -> f64,
    lo: f64,
    hi: f64,
    degree: usize,
) -> Option<(Polynomial, f64)> {
    let place = |u: f64| 0.5 * (lo + hi) + 0.5 * (hi - lo) * u;
    let fit = exchange(chebyshev, degree + 1, |u| function(place(u)), (-1.0, 1.0))?;
    let polynomial = Polynomial {
        coefficients: fit.coefficients,
        basis: Basis::Chebyshev { lo: -1.0, hi: 1.0 },
    };
    Some((polynomial, fit.error))
}

/// T_0(u), T_1(u), …
pub(crate) fn chebyshev(u: f64, row: &mut [f64]) {
    for order in 0..row.len() {
        row[order] = match order {
            0 => 1.0,
            1 => u,
            _ => 2.0 * u * row[order - 1] - row[order - 2],
        };
    }
}

/// The best fit by `count` functions, whose values at a point `system` writes, on an interval.
pub fn exchange(
    system: impl Fn(f64, &mut [f64]),
    count: usize,
    function: impl Fn(f64) -> f64,
    (lo, hi): (f64, f64),
) -> Option<Minimax> {
    let at = |share: f64| 0.5 * (lo + hi) - 0.5 * (hi - lo) * (PI * share).cos();
    let steps = DENSITY * (count + 1);
    let grid: Vec<f64> = (0..=steps)
        .map(|step| at(step as f64 / steps as f64))
        .collect();
    let mut row = vec![0.0; count];
    let mut basis = vec![0.0; count * grid.len()];
    for (values, &x) in basis.chunks_exact_mut(count).zip(&grid) {
        system(x, values);
    }
    // Off the symmetric places, on which an even or odd function may leave no error to alternate.
    let bent = |share: f64| share + 0.05 * share * (1.0 - share);
    let mut points: Vec<f64> = (0..=count)
        .map(|k| at(bent(k as f64 / count as f64)))
        .collect();
    let size = grid
        .iter()
        .fold(0.0f64, |most, &x| most.max(function(x).abs()));
    for _ in 0..ROUNDS {
        let mut matrix = Vec::with_capacity(count + 1);
        for (k, &x) in points.iter().enumerate() {
            system(x, &mut row);
            let mut equation = row.clone();
            equation.push(if k % 2 == 0 { 1.0 } else { -1.0 });
            matrix.push(equation);
        }
        let mut coefficients = solve(matrix, points.iter().map(|&x| function(x)).collect())?;
        let level = coefficients.pop()?.abs();
        let mut values = vec![0.0; count];
        let mut error = |x: f64| {
            system(x, &mut values);
            function(x) - dot(&values, &coefficients)
        };
        let errors: Vec<f64> = basis
            .chunks_exact(count)
            .zip(&grid)
            .map(|(values, &x)| function(x) - dot(values, &coefficients))
            .collect();
        let extrema = extrema(&grid, &errors, &mut error);
        let largest = extrema
            .iter()
            .fold(0.0f64, |most, &(_, error)| most.max(error.abs()));
        if largest <= level * (1.0 + TOLERANCE) + ROUNDING * (1.0 + size) {
            return Some(Minimax {
                coefficients,
                error: largest,
            });
        }
        points = alternate(extrema, count + 1)?;
    }
    None
}

fn dot(left: &[f64], right: &[f64]) -> f64 {
    left.iter().zip(right).map(|(a, b)| a * b).sum()
}

/// The point of largest error of each run of grid points with errors of one sign, refined between its neighbours.
fn extrema(grid: &[f64], errors: &[f64], error: &mut impl FnMut(f64) -> f64) -> Vec<(f64, f64)> {
    let mut found: Vec<(f64, f64)> = Vec::new();
    let mut start = 0;
    while start < grid.len() {
        let sign = errors[start] >= 0.0;
        let mut end = start;
        while end < grid.len() && (errors[end] >= 0.0) == sign {
            end += 1;
        }
        if let Some(top) = (start..end).max_by(|&a, &b| errors[a].abs().total_cmp(&errors[b].abs()))
        {
            let bounds = (
                grid[top.saturating_sub(1)],
                grid[(top + 1).min(grid.len() - 1)],
            );
            let refined = golden(bounds, |x| if sign { error(x) } else { -error(x) });
            let value = error(refined);
            if value.abs() > errors[top].abs() {
                found.push((refined, value));
            } else {
                found.push((grid[top], errors[top]));
            }
        }
        start = end;
    }
    found
}

/// Golden section search for a maximum.
fn golden((mut lo, mut hi): (f64, f64), mut function: impl FnMut(f64) -> f64) -> f64 {
    let share = 0.5 * (5f64.sqrt() - 1.0);
    for _ in 0..24 {
        let (left, right) = (hi - share * (hi - lo), lo + share * (hi - lo));
        if function(left) < function(right) {
            lo = left;
        } else {
            hi = right;
        }
    }
    0.5 * (lo + hi)
}

/// The `count` of them that keep the largest errors: extrema already alternate, so the surplus goes from the ends, or in
/// neighbouring pairs.
fn alternate(mut extrema: Vec<(f64, f64)>, count: usize) -> Option<Vec<f64>> {
    let size = |entry: &(f64, f64)| entry.1.abs();
    while extrema.len() > count {
        let last = extrema.len() - 1;
        if extrema.len() == count + 1 {
            let smaller = if size(&extrema[0]) < size(&extrema[last]) {
                0
            } else {
                last
            };
            extrema.remove(smaller);
            continue;
        }
        let pair = (0..last).min_by(|&a, &b| {
            let least = |k: usize| size(&extrema[k]).max(size(&extrema[k + 1]));
            least(a).total_cmp(&least(b))
        })?;
        extrema.drain(pair..pair + 2);
    }
    (extrema.len() == count).then(|| extrema.into_iter().map(|(x, _)| x).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chebyshev::{distance, interpolate};

    /// Points at which the error has its largest size, alternating.
    fn alternations(
        polynomial: &Polynomial,
        function: impl Fn(f64) -> f64,
        (lo, hi): (f64, f64),
        error: f64,
    ) -> usize {
        let mut signs = Vec::new();
        for step in 0..=200_000 {
            let u = -(PI * f64::from(step) / 200_000.0).cos();
            let found = polynomial.evaluate(u) - function(0.5 * (lo + hi) + 0.5 * (hi - lo) * u);
            assert!(found.abs() < error * 1.001 + 1e-14, "{found} at {u}");
            if found.abs() > 0.99 * error && signs.last() != Some(&(found > 0.0)) {
                signs.push(found > 0.0);
            }
        }
        signs.len()
    }

    #[test]
    fn known_minimax_errors() {
        // x^n on [-1, 1] by degree n - 1: 2^(1 - n), whose error is the Chebyshev polynomial.
        for degree in 2..10 {
            let (_, error) = minimax(|x| x.powi(degree as i32 + 1), -1.0, 1.0, degree).unwrap();
            assert!(
                (error * 2f64.powi(degree as i32) - 1.0).abs() < 1e-3,
                "{degree}: {error}"
            );
        }
        // |x| by degree 2: x² + 1/8. By degree 2n: about 0.2801694990 / 2n (Varga and Carpenter 1985).
        let (polynomial, error) = minimax(f64::abs, -1.0, 1.0, 2).unwrap();
        assert!((error - 0.125).abs() < 1e-4, "{error}");
        assert!((polynomial.evaluate(0.0) - 0.125).abs() < 1e-4);
        for degree in [20, 40, 64] {
            let (_, error) = minimax(f64::abs, -1.0, 1.0, degree).unwrap();
            let expected = 0.280_169_499 / degree as f64;
            assert!(
                (error / expected - 1.0).abs() < 2e-2,
                "{degree}: {error} {expected}"
            );
        }
        // e^x on [-1, 1] by degree 1: half of e^x's second-order Chebyshev term, 0.2788.
        let (_, error) = minimax(f64::exp, -1.0, 1.0, 1).unwrap();
        assert!((error - 0.278_8).abs() < 1e-3, "{error}");
    }

    #[test]
    fn errors_alternate_at_one_point_more_than_there_are_unknowns() {
        let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
        let relu = |x: f64| x.max(0.0);
        for degree in [3, 5, 7, 15] {
            for (lo, hi) in [(-8.0, 5.0), (-1.0, 12.0)] {
                let (fit, error) = minimax(sigmoid, lo, hi, degree).unwrap();
                assert!(alternations(&fit, sigmoid, (lo, hi), error) >= degree + 2);
                let (fit, error) = minimax(relu, lo, hi, degree).unwrap();
                assert!(alternations(&fit, relu, (lo, hi), error) >= degree + 2);
            }
        }
    }

    #[test]
    fn no_interpolant_is_better() {
        for degree in [2, 4, 9, 16, 31] {
            for function in [f64::tanh, |x: f64| x.max(0.1 * x), |x: f64| (3.0 * x).sin()] {
                let Some((_, error)) = minimax(function, -3.0, 4.0, degree) else {
                    panic!("degree {degree} did not settle");
                };
                let other = interpolate(function, -3.0, 4.0, degree);
                let other = distance(&other, function, -3.0, 4.0);
                assert!(error <= other * 1.001 + 1e-12, "{degree}: {error} {other}");
            }
        }
    }
}
