//! Polynomials in ⌈log2(degree + 1)⌉ levels.
//!
//! Paterson and Stockmeyer's scheme: p = quotient · g + remainder with g a power (or
//! Chebyshev polynomial) of degree 2^j, down to pieces of few terms that are combinations of
//! "baby" powers by constants. Nothing is rescaled before it must be: a product and the
//! remainder it is added to share one relinearization and one rescale, and the constants
//! are encoded at whatever scale makes the sum exact (after Bossuat et al., ePrint
//! 2020/1203, section 5).

mod evaluate;
mod split;

use hush_ckks::Level;

use crate::CircuitError;

/// What the coefficients multiply.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Basis {
    /// 1, x, x², ….
    Power,
    /// T_0(t), T_1(t), … with t = (2x - low - high)/(high - low).
    Chebyshev {
        /// Lower end of the interval.
        low: f64,
        /// Upper end of the interval.
        high: f64,
    },
}

/// A polynomial with real coefficients, lowest first; the highest is not zero unless it is
/// the only one.
#[derive(Clone, Debug, PartialEq)]
pub struct Polynomial {
    coefficients: Vec<f64>,
    basis: Basis,
}

/// What an evaluation costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Levels consumed.
    pub levels: usize,
    /// Products of ciphertexts, each with one key switch.
    pub products: usize,
}

impl Polynomial {
    /// Checks the coefficients and drops zeros at the top.
    ///
    /// # Errors
    /// [`CircuitError::NoCoefficients`], [`CircuitError::InvalidPolynomial`].
    pub fn new(mut coefficients: Vec<f64>, basis: Basis) -> Result<Self, CircuitError> {
        if coefficients.is_empty() {
            return Err(CircuitError::NoCoefficients);
        }
        let interval = match basis {
            Basis::Power => true,
            Basis::Chebyshev { low, high } => low.is_finite() && high.is_finite() && low < high,
        };
        if !interval || coefficients.iter().any(|c| !c.is_finite()) {
            return Err(CircuitError::InvalidPolynomial);
        }
        while coefficients.len() > 1 && coefficients.last() == Some(&0.0) {
            coefficients.pop();
        }
        Ok(Self {
            coefficients,
            basis,
        })
    }

    /// Highest degree with a coefficient that is not zero.
    #[must_use]
    pub fn degree(&self) -> usize {
        self.coefficients.len() - 1
    }

    /// Levels an evaluation consumes: ⌈log2(degree + 1)⌉, at least one.
    #[must_use]
    pub fn levels(&self) -> usize {
        levels(self.degree())
    }

    /// Levels and products of an evaluation.
    #[must_use]
    pub fn cost(&self) -> Cost {
        split::plan(&self.coefficients, self.basis != Basis::Power).cost
    }

    /// The value at x, by Horner or Clenshaw.
    #[must_use]
    pub fn value(&self, x: f64) -> f64 {
        match self.basis {
            Basis::Power => self
                .coefficients
                .iter()
                .rev()
                .fold(0.0, |sum, c| sum * x + c),
            Basis::Chebyshev { low, high } => {
                let t = (2.0 * x - low - high) / (high - low);
                let (mut next, mut after) = (0.0, 0.0);
                for &c in self.coefficients[1..].iter().rev() {
                    (next, after) = (2.0 * t * next - after + c, next);
                }
                t * next - after + self.coefficients[0]
            }
        }
    }

    fn check_level(&self, level: Level) -> Result<(), CircuitError> {
        let needed = self.levels();
        if level.0 < needed {
            return Err(CircuitError::NotEnoughLevels { needed, level });
        }
        Ok(())
    }
}

/// ⌈log2(degree + 1)⌉, at least one.
fn levels(degree: usize) -> usize {
    ((degree + 1).next_power_of_two().trailing_zeros() as usize).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_is_the_logarithm_of_the_length() {
        let expected = [
            (0, 1),
            (1, 1),
            (2, 2),
            (3, 2),
            (4, 3),
            (7, 3),
            (8, 4),
            (31, 5),
        ];
        for (degree, depth) in expected {
            assert_eq!(levels(degree), depth, "degree {degree}");
        }
    }

    #[test]
    fn chebyshev_values_are_those_of_the_definition() {
        let polynomial = Polynomial::new(
            vec![0.0, 0.0, 0.0, 1.0],
            Basis::Chebyshev {
                low: -2.0,
                high: 4.0,
            },
        )
        .unwrap();
        for x in [-2.0, -0.5, 1.0, 3.0, 4.0] {
            let t: f64 = (x - 1.0) / 3.0;
            assert!((polynomial.value(x) - (4.0 * t.powi(3) - 3.0 * t)).abs() < 1e-12);
        }
    }

    #[test]
    fn cubic_takes_two_products() {
        let cubic = Polynomial::new(vec![0.5, 0.197, 0.0, -0.004], Basis::Power).unwrap();
        assert_eq!(
            cubic.cost(),
            Cost {
                levels: 2,
                products: 2
            }
        );
    }
}
