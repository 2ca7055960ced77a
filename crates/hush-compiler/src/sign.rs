//! The sign function as a composition of odd polynomials.
//!
//! Each polynomial is the minimax fit of 1 on the interval that the one before leaves, so the composition is close to
//! ±1 for all arguments but the smallest: Lee, Lee, No and Kim, Minimax Approximation of Sign Function by Composite
//! Polynomial for Homomorphic Comparison, ePrint 2020/834, section 3. For the absolute value, where errors next to zero
//! hardly count, one minimax polynomial of degree n has an error of 0.28 / n in log2(n) levels, and no composition of
//! as many levels is closer; compositions are for errors that would take a polynomial of hundreds of products.

use hush_program::{Basis, Polynomial};

use crate::remez::exchange;

/// Gaps around zero tried, in steps of a quarter of a power of two.
const GAPS: i32 = 64;

/// Points at which a composition is measured, per power of two of the argument.
const DENSITY: i32 = 48;

/// Odd polynomials to be applied in turn to arguments in [−1, 1].
#[derive(Clone, Debug, PartialEq)]
pub struct Sign {
    /// The polynomials, each in the Chebyshev basis of the interval that holds its arguments.
    pub steps: Vec<Polynomial>,
    /// Largest error of `x · sign(x)`, the absolute value.
    pub error: f64,
}

impl Sign {
    /// The composition with the least error of `x · sign(x)` on [−1, 1] for polynomials of these odd degrees.
    pub fn new(degrees: &[usize]) -> Option<Self> {
        let gaps = (4..GAPS).map(|gap| (f64::from(-gap) / 4.0).exp2());
        let fits = gaps.filter_map(|gap| Self::with_gap(degrees, gap));
        fits.min_by(|a, b| a.error.total_cmp(&b.error))
    }

    /// The composition that is good on [gap, 1].
    fn with_gap(degrees: &[usize], gap: f64) -> Option<Self> {
        let (mut lo, mut hi) = (gap, 1.0);
        let mut steps = Vec::with_capacity(degrees.len());
        for &degree in degrees {
            let bound = hi;
            let system = |x: f64, row: &mut [f64]| odd(x / bound, row);
            let fit = exchange(system, degree.div_ceil(2), |_| 1.0, (lo, hi))?;
            let mut coefficients = vec![0.0; degree + 1];
            for (index, value) in fit.coefficients.iter().enumerate() {
                coefficients[2 * index + 1] = *value;
            }
            let basis = Basis::Chebyshev {
                lo: -bound,
                hi: bound,
            };
            steps.push(Polynomial {
                coefficients,
                basis,
            });
            (lo, hi) = (1.0 - fit.error, 1.0 + fit.error);
        }
        let mut sign = Self { steps, error: 0.0 };
        let points = (0..DENSITY * GAPS / 4).map(|k| (f64::from(-k) / f64::from(DENSITY)).exp2());
        sign.error = points.fold(0.0f64, |most, x| {
            most.max(x * (1.0 - sign.evaluate(x)).abs())
        });
        Some(sign)
    }

    /// About the sign of `x`, which is in [−1, 1].
    pub fn evaluate(&self, x: f64) -> f64 {
        self.steps
            .iter()
            .fold(x, |value, step| step.evaluate(value))
    }

    /// Levels of the composition.
    pub fn depth(&self) -> usize {
        self.steps.iter().map(Polynomial::depth).sum()
    }
}

/// T_1(u), T_3(u), T_5(u), …
fn odd(u: f64, row: &mut [f64]) {
    let twice = 4.0 * u * u - 2.0;
    for order in 0..row.len() {
        row[order] = match order {
            0 => u,
            1 => (4.0 * u * u - 3.0) * u,
            _ => twice * row[order - 1] - row[order - 2],
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compositions_are_odd_and_close_to_the_sign() {
        for (degrees, depth, error) in [
            (vec![7], 3, 0.065),
            (vec![7, 7], 6, 0.016),
            (vec![7, 15], 7, 8.2e-3),
            (vec![7, 7, 7], 9, 3.4e-3),
            (vec![15, 15, 15], 12, 4.1e-4),
        ] {
            let sign = Sign::new(&degrees).unwrap();
            println!("{degrees:?}: {}", sign.error);
            assert_eq!(sign.depth(), depth);
            assert!(sign.error < error, "{degrees:?}: {}", sign.error);
            for step in 0..=4000 {
                let x = f64::from(step) / 4000.0;
                assert!((sign.evaluate(-x) + sign.evaluate(x)).abs() < 1e-9);
                assert!((x * sign.evaluate(x) - x).abs() < 1.01 * sign.error);
            }
        }
    }

    #[test]
    fn each_step_is_minimax() {
        // Degree 1: c x with the errors of both ends equal and opposite.
        let gap = 0.25;
        let sign = Sign::with_gap(&[1], gap).unwrap();
        let slope = sign.steps[0].evaluate(1.0);
        assert!((slope - 2.0 / (1.0 + gap)).abs() < 1e-6, "{slope}");
    }
}
