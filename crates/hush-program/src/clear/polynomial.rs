//! Polynomials on floats, with the noise of every rescale inside the evaluation.

use std::collections::BTreeMap;

use super::{ClearMachine, Signal};
use crate::ladder::{Ladder, factors};
use crate::program::{Basis, Polynomial};

/// The powers made so far; X_1 is the argument.
struct Powers {
    chebyshev: bool,
    made: BTreeMap<usize, Signal>,
}

impl ClearMachine {
    /// p(input) at (level, scale). In tracked mode the input's noise goes through p's slope, which counts all its
    /// paths through the tree at once; the tree adds only its own.
    pub(super) fn climb(
        &mut self,
        level: usize,
        scale: f64,
        input: &Signal,
        polynomial: &Polynomial,
    ) -> Signal {
        let mut argument = input.clone();
        argument.variance = self.variance_of(input.variance.len());
        if let Basis::Chebyshev { lo, hi } = polynomial.basis {
            // A change of meaning of the same integers, and a shift.
            argument
                .values
                .iter_mut()
                .for_each(|x| *x = (2.0 * *x - lo - hi) / (hi - lo));
            argument.scale *= (hi - lo) / 2.0;
        }
        let chebyshev = matches!(polynomial.basis, Basis::Chebyshev { .. });
        let mut powers = Powers {
            chebyshev,
            made: BTreeMap::from([(1, argument)]),
        };
        let tree = Ladder::new(polynomial);
        for power in tree.powers(chebyshev) {
            self.power(power, &mut powers);
        }
        let raised = scale * self.model.log_prime(level + 1).exp2();
        let mut result = self.piece(&tree, &powers, level + 1, raised);
        (result.level, result.scale) = (level, scale);
        self.settle(&mut result, relinearizes(&tree));
        if !input.variance.is_empty() {
            let slopes = polynomial.slopes(&input.values);
            for (slot, carried) in input.variance.iter().enumerate() {
                result.variance[slot] += slopes[slot].powi(2) * carried;
            }
        }
        result
    }

    fn power(&mut self, power: usize, powers: &mut Powers) {
        let (left, right) = factors(power);
        let (a, b) = (&powers.made[&left], &powers.made[&right]);
        let top = a.level.min(b.level);
        let scale = a.scale * b.scale / self.model.log_prime(top).exp2();
        let mut product = self.exact_product(a, b, top - 1, scale);
        if powers.chebyshev {
            let less = powers.made.get(&(left - right));
            for (slot, value) in product.values.iter_mut().enumerate() {
                *value = 2.0 * *value - less.map_or(1.0, |signal| signal.values[slot]);
            }
            for (slot, variance) in product.variance.iter_mut().enumerate() {
                *variance = 4.0 * *variance + less.map_or(0.0, |signal| signal.variance[slot]);
            }
            // The factor two is free: the scale halves.
            product.scale /= 2.0;
        }
        self.settle(&mut product, true);
        self.record(&product);
        powers.made.insert(power, product);
    }

    /// A node at `level` and `scale`, neither relinearised nor rescaled.
    fn piece(&mut self, node: &Ladder, powers: &Powers, level: usize, scale: f64) -> Signal {
        match node {
            Ladder::Combination(coefficients) => {
                self.combination(coefficients, powers, level, scale)
            }
            Ladder::Product {
                giant,
                quotient,
                remainder,
            } => {
                let power = &powers.made[giant];
                let product = if let Some(constant) = quotient.constant() {
                    let mut coefficients = vec![0.0; giant + 1];
                    coefficients[*giant] = constant;
                    self.combination(&coefficients, powers, level, scale)
                } else {
                    let inner = scale / power.scale;
                    let raised = inner * self.model.log_prime(level + 1).exp2();
                    let mut factor = self.piece(quotient, powers, level + 1, raised);
                    (factor.level, factor.scale) = (level, inner);
                    self.settle(&mut factor, relinearizes(quotient));
                    self.record(&factor);
                    self.exact_product(&factor, power, level, scale)
                };
                let rest = self.piece(remainder, powers, level, scale);
                Signal {
                    values: product
                        .values
                        .iter()
                        .zip(&rest.values)
                        .map(|(a, b)| a + b)
                        .collect(),
                    variance: product
                        .variance
                        .iter()
                        .zip(&rest.variance)
                        .map(|(a, b)| a + b)
                        .collect(),
                    level,
                    scale,
                }
            }
        }
    }

    fn combination(
        &mut self,
        coefficients: &[f64],
        powers: &Powers,
        level: usize,
        scale: f64,
    ) -> Signal {
        let slots = powers.made[&1].values.len();
        let constant = coefficients.first().copied().unwrap_or(0.0);
        let variance = self.variance_of(powers.made[&1].variance.len());
        let mut sum = Signal {
            values: vec![constant; slots],
            variance,
            level,
            scale,
        };
        for (power, &coefficient) in coefficients.iter().enumerate().skip(1) {
            if coefficient == 0.0 {
                continue;
            }
            let x = &powers.made[&power];
            for slot in 0..slots {
                sum.values[slot] += coefficient * x.values[slot];
            }
            for (slot, variance) in sum.variance.iter_mut().enumerate() {
                *variance += coefficient * coefficient * x.variance[slot];
            }
            // The constant is rounded to an integer at whatever scale makes the sum exact.
            let profile: Vec<f64> = x.values.iter().map(|value| value * value / 12.0).collect();
            self.disturb(&mut sum, x.scale / scale, Some(&profile));
        }
        sum
    }
}

/// Whether a node is a sum that holds a product of ciphertexts.
fn relinearizes(node: &Ladder) -> bool {
    match node {
        Ladder::Combination(_) => false,
        Ladder::Product {
            quotient,
            remainder,
            ..
        } => quotient.constant().is_none() || relinearizes(remainder),
    }
}
