//! The tree by which a polynomial is evaluated in ceil(log2(degree + 1)) levels.
//!
//! `p = quotient * X_g + remainder` with g the largest power of two not above the degree, recursively down to
//! combinations of a few small powers; X_k is x^k or T_k(x). A product and the remainder added to it share one
//! relinearisation and one rescale. Machines that model scales walk this tree; what fixes the scales is that a
//! quotient must have scale `sum / scale(X_g)`.
//! Source: Paterson and Stockmeyer 1973; the level-optimal form for CKKS in Bossuat et al., ePrint 2020/1203, 5.1.

use std::collections::BTreeSet;

use crate::program::{Basis, Polynomial};

/// A node of the tree.
#[derive(Clone, Debug, PartialEq)]
pub enum Ladder {
    /// Sum of `coefficients[k] * X_k`.
    Combination(Vec<f64>),
    /// `quotient * X_giant + remainder`.
    Product {
        /// A power of two.
        giant: usize,
        /// Of degree below `giant`.
        quotient: Box<Ladder>,
        /// Of degree below `giant`.
        remainder: Box<Ladder>,
    },
}

impl Ladder {
    /// The tree with the fewest products, in the polynomial's own basis variable (u for Chebyshev).
    pub fn new(polynomial: &Polynomial) -> Self {
        let chebyshev = matches!(polynomial.basis, Basis::Chebyshev { .. });
        let depth = polynomial.depth().max(1);
        let mut best: Option<(usize, Self)> = None;
        for log_combination in 0..=depth {
            let tree = Self::cut(
                &polynomial.coefficients,
                1 << log_combination,
                depth,
                chebyshev,
            );
            let products = tree.products() + tree.powers(chebyshev).len();
            if best.as_ref().is_none_or(|(fewest, _)| products < *fewest) {
                best = Some((products, tree));
            }
        }
        best.map_or_else(|| Ladder::Combination(vec![0.0]), |(_, tree)| tree)
    }

    fn cut(coefficients: &[f64], width: usize, depth: usize, chebyshev: bool) -> Self {
        let top = coefficients
            .iter()
            .rposition(|&value| value != 0.0)
            .unwrap_or(0);
        let used = (1..=top).filter(|&power| coefficients[power] != 0.0);
        let available = used.into_iter().all(|power| power_depth(power) < depth);
        if top <= 1 || (top < width && available) {
            return Ladder::Combination(coefficients[..=top].to_vec());
        }
        let giant = 1 << top.ilog2();
        let mut remainder = coefficients[..giant].to_vec();
        let mut quotient = coefficients[giant..=top].to_vec();
        if chebyshev {
            // T_{g+k} = 2 T_g T_k - T_{g-k} for k > 0.
            for (k, value) in quotient.iter_mut().enumerate().skip(1) {
                remainder[giant - k] -= *value;
                *value *= 2.0;
            }
        }
        Ladder::Product {
            giant,
            quotient: Box::new(Self::cut(&quotient, width, depth - 1, chebyshev)),
            remainder: Box::new(Self::cut(&remainder, width, depth, chebyshev)),
        }
    }

    /// Whether the node is a constant, and which.
    pub fn constant(&self) -> Option<f64> {
        match self {
            Ladder::Combination(coefficients) if coefficients.len() <= 1 => {
                Some(coefficients.first().copied().unwrap_or(0.0))
            }
            _ => None,
        }
    }

    /// Products of two ciphertexts in the tree, without those that make the powers.
    pub fn products(&self) -> usize {
        match self {
            Ladder::Combination(_) => 0,
            Ladder::Product {
                quotient,
                remainder,
                ..
            } => {
                usize::from(quotient.constant().is_none())
                    + quotient.products()
                    + remainder.products()
            }
        }
    }

    /// Powers above one that must be made, each by one product, in ascending order.
    pub fn powers(&self, chebyshev: bool) -> BTreeSet<usize> {
        let mut powers = BTreeSet::new();
        self.collect(&mut powers);
        let mut pending: Vec<usize> = powers.iter().copied().collect();
        while let Some(power) = pending.pop() {
            if power <= 1 {
                continue;
            }
            let (left, right) = factors(power);
            // T_{a+b} = 2 T_a T_b - T_{a-b}; here a - b is zero or one.
            for needed in [left, right, if chebyshev { left - right } else { 0 }] {
                if needed > 1 && powers.insert(needed) {
                    pending.push(needed);
                }
            }
        }
        powers.retain(|&power| power > 1);
        powers
    }

    fn collect(&self, powers: &mut BTreeSet<usize>) {
        match self {
            Ladder::Combination(coefficients) => {
                powers.extend((1..coefficients.len()).filter(|&power| coefficients[power] != 0.0));
            }
            Ladder::Product {
                giant,
                quotient,
                remainder,
            } => {
                powers.insert(*giant);
                quotient.collect(powers);
                remainder.collect(powers);
            }
        }
    }
}

/// Levels below the variable at which X_power is.
pub fn power_depth(power: usize) -> usize {
    power.max(1).next_power_of_two().trailing_zeros() as usize
}

/// The two smaller powers whose product gives X_power: equal halves, or as equal as can be.
pub fn factors(power: usize) -> (usize, usize) {
    (power.div_ceil(2), power / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(node: &Ladder, basis: Basis, x: f64) -> f64 {
        let power = |k: usize| match basis {
            Basis::Power => x.powi(k as i32),
            Basis::Chebyshev { .. } => (k as f64 * x.acos()).cos(),
        };
        match node {
            Ladder::Combination(coefficients) => coefficients
                .iter()
                .enumerate()
                .map(|(k, value)| value * power(k))
                .sum(),
            Ladder::Product {
                giant,
                quotient,
                remainder,
            } => value(quotient, basis, x) * power(*giant) + value(remainder, basis, x),
        }
    }

    #[test]
    fn the_tree_has_the_value_of_the_polynomial() {
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
                for x in [-0.9, -0.3, 0.0, 0.4, 1.0] {
                    let (found, expected) = (value(&tree, basis, x), polynomial.evaluate(x));
                    assert!(
                        (found - expected).abs() < 1e-9 * (1.0 + expected.abs()),
                        "{degree} {x}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_cubic_takes_two_products() {
        let cubic = Polynomial {
            coefficients: vec![0.5, 0.197, 0.0, -0.004],
            basis: Basis::Power,
        };
        let tree = Ladder::new(&cubic);
        assert_eq!(
            (tree.products(), tree.powers(false)),
            (1, BTreeSet::from([2]))
        );
    }
}
