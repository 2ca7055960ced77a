//! Chebyshev series of functions on an interval.

use std::f64::consts::PI;

use hush_program::{Basis, Polynomial};

/// Points per degree at which a fit is measured.
const DENSITY: usize = 16;

/// The interpolant of `function` in the degree's Chebyshev points on [lo, hi], as a series in
/// u = (2x − lo − hi) / (hi − lo), that is with `Basis::Chebyshev { lo: -1, hi: 1 }`. At most
/// 2/π·ln(degree) + 1 times worse than the best polynomial (Trefethen, Approximation Theory, theorem 15.1).
pub fn interpolate(function: impl Fn(f64) -> f64, lo: f64, hi: f64, degree: usize) -> Polynomial {
    let count = degree + 1;
    let angle = |k: usize| PI * (k as f64 + 0.5) / count as f64;
    let values: Vec<f64> = (0..count)
        .map(|k| function(place(angle(k).cos(), lo, hi)))
        .collect();
    let coefficients: Vec<f64> = (0..count)
        .map(|order| {
            let sum: f64 = values
                .iter()
                .enumerate()
                .map(|(k, value)| value * (order as f64 * angle(k)).cos())
                .sum();
            sum * if order == 0 { 1.0 } else { 2.0 } / count as f64
        })
        .collect();
    trimmed(coefficients)
}

/// A series in u of [−1, 1].
pub fn series(coefficients: Vec<f64>) -> Polynomial {
    Polynomial {
        coefficients,
        basis: Basis::Chebyshev { lo: -1.0, hi: 1.0 },
    }
}

/// A series in u of [−1, 1] without what is only rounding, of degree two at least.
pub fn trimmed(mut coefficients: Vec<f64>) -> Polynomial {
    let largest = coefficients
        .iter()
        .fold(0.0f64, |most, value| most.max(value.abs()));
    coefficients
        .iter_mut()
        .filter(|value| value.abs() < 1e-13 * largest)
        .for_each(|value| *value = 0.0);
    while coefficients.len() > 3 && coefficients.last() == Some(&0.0) {
        coefficients.pop();
    }
    if coefficients.last() == Some(&0.0) {
        // Keeps a straight line in the shape of a polynomial instruction.
        if let Some(last) = coefficients.last_mut() {
            *last = f64::MIN_POSITIVE.sqrt();
        }
    }
    series(coefficients)
}

/// The point of [lo, hi] that belongs to u of [−1, 1].
pub fn place(u: f64, lo: f64, hi: f64) -> f64 {
    0.5 * (lo + hi) + 0.5 * (hi - lo) * u
}

/// Largest difference of a series from `function` on [lo, hi], on a fine grid that includes the ends.
pub fn distance(polynomial: &Polynomial, function: impl Fn(f64) -> f64, lo: f64, hi: f64) -> f64 {
    let steps = (DENSITY * polynomial.coefficients.len()).max(256);
    (0..=steps).fold(0.0f64, |most, step| {
        let u = (PI * step as f64 / steps as f64).cos();
        most.max((polynomial.evaluate(u) - function(place(u, lo, hi))).abs())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polynomials_are_reproduced() {
        let cubic = |x: f64| 0.5 + 0.197 * x - 0.004 * x * x * x;
        let fit = interpolate(cubic, -5.0, 9.0, 3);
        assert_eq!(fit.degree(), 3);
        assert!(distance(&fit, cubic, -5.0, 9.0) < 1e-12);
        assert_eq!(interpolate(cubic, -5.0, 9.0, 7).degree(), 3);
    }

    #[test]
    fn smooth_functions_converge_fast() {
        let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
        let error = |degree| distance(&interpolate(sigmoid, -8.0, 8.0, degree), sigmoid, -8.0, 8.0);
        assert!(
            error(7) < 0.04 && error(15) < 2e-3 && error(31) < 1e-5,
            "{} {} {}",
            error(7),
            error(15),
            error(31)
        );
    }
}
