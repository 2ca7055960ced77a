//! The tree by which a polynomial is evaluated in ceil(log2(degree + 1)) levels.
//!
//! `p = high * X_m + low` with m the largest power of two not above the degree, recursively down to linear
//! leaves; X_m is x^m or T_m(x), found by repeated squaring. Machines that model scales walk this tree; a back end
//! may share more products, its scales are the same: `high` must have scale `target * q / scale(X_m)`.
//! Source: Paterson and Stockmeyer 1973; the level-optimal form for CKKS in Bossuat et al., ePrint 2020/1203, 5.1.

use crate::program::{Basis, Polynomial};

/// A node of the tree.
#[derive(Clone, Debug, PartialEq)]
pub enum Ladder {
    /// `constant + slope * x`.
    Leaf {
        /// Constant term.
        constant: f64,
        /// Coefficient of x.
        slope: f64,
    },
    /// `high * X_{2^log_power} + low`.
    Product {
        /// log2 of m.
        log_power: usize,
        /// The quotient, of degree below m.
        high: Box<Ladder>,
        /// The remainder, of degree below m.
        low: Box<Ladder>,
    },
}

impl Ladder {
    /// The tree of a polynomial in its own basis variable (u for Chebyshev).
    pub fn new(polynomial: &Polynomial) -> Self {
        Self::build(
            &polynomial.coefficients,
            matches!(polynomial.basis, Basis::Chebyshev { .. }),
        )
    }

    fn build(coefficients: &[f64], chebyshev: bool) -> Self {
        let degree = coefficients.len().saturating_sub(1);
        if degree <= 1 {
            let at = |index: usize| coefficients.get(index).copied().unwrap_or(0.0);
            return Ladder::Leaf {
                constant: at(0),
                slope: at(1),
            };
        }
        let log_power = degree.ilog2() as usize;
        let power = 1 << log_power;
        let mut low = coefficients[..power].to_vec();
        let mut high = coefficients[power..].to_vec();
        if chebyshev {
            // T_{m+k} = 2 T_m T_k - T_{m-k} for k > 0.
            for (k, value) in high.iter_mut().enumerate().skip(1) {
                low[power - k] -= *value;
                *value *= 2.0;
            }
        }
        Ladder::Product {
            log_power,
            high: Box::new(Self::build(&high, chebyshev)),
            low: Box::new(Self::build(&low, chebyshev)),
        }
    }

    /// Whether the node is the constant c, and which.
    pub fn constant(&self) -> Option<f64> {
        match self {
            Ladder::Leaf {
                constant,
                slope: 0.0,
            } => Some(*constant),
            _ => None,
        }
    }

    /// Levels that the node needs below its variable.
    pub fn depth(&self) -> usize {
        match self {
            Ladder::Leaf { slope: 0.0, .. } => 0,
            Ladder::Leaf { .. } => 1,
            Ladder::Product {
                log_power,
                high,
                low,
            } => (1 + high.depth().max(*log_power)).max(low.depth()),
        }
    }

    /// Products of two ciphertexts in the tree, without the squarings.
    pub fn products(&self) -> usize {
        match self {
            Ladder::Leaf { .. } => 0,
            Ladder::Product { high, low, .. } => {
                usize::from(high.constant().is_none()) + high.products() + low.products()
            }
        }
    }

    /// The number of squarings: log2 of the largest power used.
    pub fn squarings(&self) -> usize {
        match self {
            Ladder::Leaf { .. } => 0,
            Ladder::Product {
                log_power,
                high,
                low,
            } => (*log_power).max(high.squarings()).max(low.squarings()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(node: &Ladder, powers: &[f64]) -> f64 {
        match node {
            Ladder::Leaf { constant, slope } => constant + slope * powers[0],
            Ladder::Product {
                log_power,
                high,
                low,
            } => value(high, powers) * powers[*log_power] + value(low, powers),
        }
    }

    #[test]
    fn the_tree_has_the_value_and_the_depth_of_the_polynomial() {
        for degree in 2..40usize {
            let coefficients: Vec<f64> = (0..=degree)
                .map(|k| ((k * 7 + 3) % 11) as f64 - 4.5)
                .collect();
            for basis in [Basis::Power, Basis::Chebyshev { lo: -1.0, hi: 1.0 }] {
                let polynomial = Polynomial {
                    coefficients: coefficients.clone(),
                    basis,
                };
                let tree = Ladder::new(&polynomial);
                assert!(
                    tree.depth() <= polynomial.depth(),
                    "degree {degree} {basis:?}"
                );
                for x in [-0.9, -0.3, 0.0, 0.4, 1.0] {
                    let mut powers = vec![x];
                    for _ in 0..tree.squarings() {
                        let last = powers[powers.len() - 1];
                        let square: f64 = last * last;
                        powers.push(if basis == Basis::Power {
                            square
                        } else {
                            2.0 * square - 1.0
                        });
                    }
                    let (found, expected) = (value(&tree, &powers), polynomial.evaluate(x));
                    assert!(
                        (found - expected).abs() < 1e-9 * (1.0 + expected.abs()),
                        "{degree} {x}"
                    );
                }
            }
        }
    }
}
