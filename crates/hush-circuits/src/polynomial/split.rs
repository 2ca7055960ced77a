//! How a polynomial is cut into pieces, and what that costs.

use std::collections::BTreeSet;

use super::{Cost, levels};

/// A polynomial over the powers, cut for evaluation.
#[derive(Clone, Debug)]
pub(super) enum Piece {
    /// A combination of powers by constants.
    Combination(Vec<f64>),
    /// quotient · (power of degree `giant`) + remainder.
    Product {
        giant: usize,
        quotient: Box<Piece>,
        remainder: Box<Piece>,
    },
}

/// A cut and its cost.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) piece: Piece,
    pub(super) cost: Cost,
}

/// The cut with the fewest products.
pub(super) fn plan(coefficients: &[f64], chebyshev: bool) -> Plan {
    let depth = levels(coefficients.len() - 1);
    (0..=depth as u32)
        .map(|log_baby| {
            let piece = cut(coefficients, 1 << log_baby, depth, chebyshev);
            let mut powers = BTreeSet::new();
            let mut products = 0;
            census(&piece, &mut powers, &mut products);
            close(&mut powers, chebyshev);
            let squares = powers.iter().filter(|&&power| power > 1).count();
            Plan {
                piece,
                cost: Cost {
                    levels: depth,
                    products: products + squares,
                },
            }
        })
        .min_by_key(|plan| plan.cost.products)
        .expect("there is at least one baby size")
}

/// ⌈log2 n⌉: levels below the input at which power n is.
pub(super) fn power_depth(n: usize) -> usize {
    n.max(1).next_power_of_two().trailing_zeros() as usize
}

/// Cuts a polynomial whose sum must be ready, before its rescale, `depth - 1` levels below
/// the input.
fn cut(coefficients: &[f64], baby: usize, depth: usize, chebyshev: bool) -> Piece {
    let top = coefficients.iter().rposition(|&c| c != 0.0).unwrap_or(0);
    let available = (1..=top)
        .filter(|&n| coefficients[n] != 0.0)
        .all(|n| power_depth(n) < depth);
    if top <= 1 || (top < baby && available) {
        return Piece::Combination(coefficients[..=top].to_vec());
    }
    let giant = (top + 1).next_power_of_two() / 2;
    let (quotient, remainder) = divide(&coefficients[..=top], giant, chebyshev);
    Piece::Product {
        giant,
        quotient: Box::new(cut(&quotient, baby, depth - 1, chebyshev)),
        remainder: Box::new(cut(&remainder, baby, depth, chebyshev)),
    }
}

/// (quotient, remainder) by the power of degree `giant`, more than half the degree.
fn divide(coefficients: &[f64], giant: usize, chebyshev: bool) -> (Vec<f64>, Vec<f64>) {
    let mut remainder = coefficients[..giant].to_vec();
    let mut quotient = coefficients[giant..].to_vec();
    if chebyshev {
        // T_(g+i) = 2 T_g T_i - T_(g-i)
        for i in 1..quotient.len() {
            remainder[giant - i] -= quotient[i];
            quotient[i] *= 2.0;
        }
    }
    (quotient, remainder)
}

/// Collects the powers that pieces use and counts their products.
fn census(piece: &Piece, powers: &mut BTreeSet<usize>, products: &mut usize) {
    match piece {
        Piece::Combination(coefficients) => {
            powers.extend((1..coefficients.len()).filter(|&n| coefficients[n] != 0.0));
        }
        Piece::Product {
            giant,
            quotient,
            remainder,
        } => {
            powers.insert(*giant);
            *products += usize::from(!is_constant(quotient));
            census(quotient, powers, products);
            census(remainder, powers, products);
        }
    }
}

/// Whether a quotient is a number, so that its product needs no key switch.
pub(super) fn is_constant(piece: &Piece) -> bool {
    matches!(piece, Piece::Combination(coefficients) if coefficients.len() == 1)
}

/// Adds the powers that others are made from.
fn close(powers: &mut BTreeSet<usize>, chebyshev: bool) {
    let mut pending: Vec<usize> = powers.iter().copied().collect();
    while let Some(power) = pending.pop() {
        if power < 2 {
            continue;
        }
        let (left, right) = factors(power);
        let odd = (chebyshev && left != right).then_some(1);
        for factor in [Some(left), Some(right), odd].into_iter().flatten() {
            if powers.insert(factor) {
                pending.push(factor);
            }
        }
    }
}

/// The two powers that power n is the product of: depth ⌈log2 n⌉ in all.
pub(super) fn factors(n: usize) -> (usize, usize) {
    (n.div_ceil(2), n / 2)
}
