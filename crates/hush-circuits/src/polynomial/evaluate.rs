//! Running a cut polynomial on a ciphertext.

use std::collections::BTreeMap;
use std::rc::Rc;

use hush_ckks::{Ciphertext, CkksError, EvaluationKeys, Evaluator, Level, Scale};

use super::split::{self, Piece};
use super::{Basis, Polynomial};
use crate::CircuitError;

impl Polynomial {
    /// p(a), [`Polynomial::levels`] below `a`, at exactly `scale`.
    ///
    /// # Errors
    /// [`CircuitError::NotEnoughLevels`]; a missing relinearization key; mismatch of key.
    pub fn evaluate(
        &self,
        evaluator: &Evaluator,
        a: &Ciphertext,
        scale: Scale,
        keys: &EvaluationKeys,
    ) -> Result<Ciphertext, CircuitError> {
        self.check_level(a.level())?;
        let argument = match self.basis {
            Basis::Power => a.clone(),
            Basis::Chebyshev { low, high } => {
                // t = x · 2/(high - low) is a change of meaning; only the shift is work.
                let mut scaled = a.clone().reinterpreted(2.0 / (high - low))?;
                evaluator.add_constant_assign(&mut scaled, -(low + high) / (high - low))?;
                scaled
            }
        };
        let plan = split::plan(&self.coefficients, self.basis != Basis::Power);
        let mut run = Run {
            evaluator,
            keys,
            chebyshev: self.basis != Basis::Power,
            powers: BTreeMap::from([(1, Rc::new(argument))]),
        };
        let level = Level(a.level().0 + 1 - plan.cost.levels);
        let sum = run.piece(&plan.piece, level, run.raised(scale, level)?)?;
        run.finish(&sum, scale)
    }
}

struct Run<'a> {
    evaluator: &'a Evaluator,
    keys: &'a EvaluationKeys,
    chebyshev: bool,
    powers: BTreeMap<usize, Rc<Ciphertext>>,
}

impl Run<'_> {
    /// The scale before a rescale at `level` that leaves `scale`.
    fn raised(&self, scale: Scale, level: Level) -> Result<Scale, CkksError> {
        let modulus = self.evaluator.parameters().moduli()[level.0];
        Scale::new(scale.value() * modulus as f64)
    }

    /// Relinearizes if need be, and rescales to `scale`, which it has but for rounding.
    fn finish(&self, sum: &Ciphertext, scale: Scale) -> Result<Ciphertext, CircuitError> {
        let out = if sum.parts().len() == 3 {
            self.evaluator.relinearize_rescale(sum, self.keys)?
        } else {
            self.evaluator.rescale(sum)?
        };
        Ok(out.restated(scale)?)
    }

    /// The piece at `level` and `scale`, neither relinearized nor rescaled.
    fn piece(
        &mut self,
        piece: &Piece,
        level: Level,
        scale: Scale,
    ) -> Result<Ciphertext, CircuitError> {
        match piece {
            Piece::Combination(coefficients) => self.combination(coefficients, level, scale),
            Piece::Product {
                giant,
                quotient,
                remainder,
            } => {
                let power = self.power(*giant)?;
                let mut product = match quotient.as_ref() {
                    Piece::Combination(constant) if split::is_constant(quotient) => {
                        self.evaluator.multiple(&power, constant[0], level, scale)?
                    }
                    _ => {
                        let above = Level(level.0 + 1);
                        let factor = Scale::new(scale.value() / power.scale().value())?;
                        let sum = self.piece(quotient, above, self.raised(factor, above)?)?;
                        let factor = self.finish(&sum, factor)?;
                        let product = self.evaluator.multiply_at(&factor, &power, level)?;
                        product.restated(scale)?
                    }
                };
                self.add(remainder, &mut product, level, scale)?;
                Ok(product)
            }
        }
    }

    /// sum += piece; constants are added without a ciphertext of their own.
    fn add(
        &mut self,
        piece: &Piece,
        sum: &mut Ciphertext,
        level: Level,
        scale: Scale,
    ) -> Result<(), CircuitError> {
        match piece {
            Piece::Combination(coefficients) => {
                for (n, &c) in coefficients.iter().enumerate().skip(1) {
                    if c != 0.0 {
                        let power = self.power(n)?;
                        self.evaluator.add_multiple(sum, &power, c)?;
                    }
                }
                if coefficients[0] != 0.0 {
                    self.evaluator.add_constant_assign(sum, coefficients[0])?;
                }
            }
            Piece::Product { .. } => {
                let other = self.piece(piece, level, scale)?;
                self.evaluator.add_assign(sum, &other)?;
            }
        }
        Ok(())
    }

    fn combination(
        &mut self,
        coefficients: &[f64],
        level: Level,
        scale: Scale,
    ) -> Result<Ciphertext, CircuitError> {
        let first = (1..coefficients.len())
            .find(|&n| coefficients[n] != 0.0)
            .unwrap_or(1);
        let power = self.power(first)?;
        let c = coefficients.get(first).copied().unwrap_or(0.0);
        let mut sum = self.evaluator.multiple(&power, c, level, scale)?;
        let mut rest = coefficients.to_vec();
        if let Some(c) = rest.get_mut(first) {
            *c = 0.0;
        }
        self.add(&Piece::Combination(rest), &mut sum, level, scale)?;
        Ok(sum)
    }

    /// x^n or T_n(t), made from smaller ones and kept.
    fn power(&mut self, n: usize) -> Result<Rc<Ciphertext>, CircuitError> {
        if let Some(known) = self.powers.get(&n) {
            return Ok(Rc::clone(known));
        }
        let (left, right) = split::factors(n);
        let (a, b) = (self.power(left)?, self.power(right)?);
        let level = a.level().min(b.level());
        let mut product = self.evaluator.multiply_at(&a, &b, level)?;
        if self.chebyshev {
            // T_(a+b) = 2 T_a T_b - T_(a-b), the factor 2 by halving the scale.
            product = product.reinterpreted(2.0)?;
            let (scale, odd) = (product.scale(), left != right);
            let minus = if odd { vec![0.0, -1.0] } else { vec![-1.0] };
            self.add(&Piece::Combination(minus), &mut product, level, scale)?;
        }
        let power = Rc::new(self.evaluator.relinearize_rescale(&product, self.keys)?);
        self.powers.insert(n, Rc::clone(&power));
        Ok(power)
    }
}
