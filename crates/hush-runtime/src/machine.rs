//! The machine whose values are ciphertexts.

use hush_circuits::{CircuitError, Storage};
use hush_ckks::{Ciphertext, EvaluationKeys, Evaluator, Level, Scale};
use hush_program::{LinearPlan, Machine, Plain, Polynomial, Step};

use crate::prepared::{Prepared, Product, with_plan};

#[derive(Clone)]
pub(crate) struct CiphertextMachine<'a> {
    pub(crate) evaluator: &'a Evaluator,
    pub(crate) prepared: &'a Prepared,
    pub(crate) keys: &'a EvaluationKeys,
    pub(crate) slots: usize,
}

/// What a step promises of its result.
fn promised(step: Step<'_>) -> Result<(Level, Scale), CircuitError> {
    Ok((Level(step.level), Scale::new(step.scale)?))
}

impl CiphertextMachine<'_> {
    /// Drops both operands to one level; sums also need one scale, which is checked there.
    fn leveled(
        &self,
        left: &Ciphertext,
        right: &Ciphertext,
    ) -> Result<[Ciphertext; 2], CircuitError> {
        let level = left.level().min(right.level());
        Ok([
            self.evaluator.drop_to_level(left, level)?,
            self.evaluator.drop_to_level(right, level)?,
        ])
    }

    /// Brings a result to what the step promises, where that is only dropping limbs.
    fn settled(&self, value: Ciphertext, step: Step<'_>) -> Result<Ciphertext, CircuitError> {
        let (level, scale) = promised(step)?;
        let value = value.restated(scale)?;
        if value.level() == level {
            return Ok(value);
        }
        Ok(self.evaluator.drop_to_level(&value, level)?)
    }
}

impl Machine for CiphertextMachine<'_> {
    type Value = Ciphertext;
    type Error = CircuitError;

    fn linear(
        &mut self,
        step: Step<'_>,
        inputs: &[&Ciphertext],
        plan: LinearPlan<'_>,
    ) -> Result<Vec<Ciphertext>, CircuitError> {
        let linear = &self.prepared.linear[&step.index];
        let products = match &linear.product {
            Product::Transform(transform) if transform.storage() == Storage::Streamed => {
                with_plan(&plan, self.slots, |diagonals| {
                    transform.apply(self.evaluator, inputs, self.keys, diagonals)
                })?
            }
            Product::Transform(transform) => {
                transform.apply(self.evaluator, inputs, self.keys, &[])?
            }
            Product::Matrix(weights, scale) => self
                .evaluator
                .linear_combinations(inputs, weights, *scale)?
                .iter()
                .map(|product| self.evaluator.rescale(product))
                .collect::<Result<_, _>>()?,
        };
        products
            .into_iter()
            .zip(&linear.bias)
            .map(|(product, bias)| {
                let mut value = self.settled(product, step)?;
                for &fold in plan.folds {
                    value = self.evaluator.rotate_sum(&value, &[fold], self.keys)?;
                }
                if let Some(bias) = bias {
                    self.evaluator.add_real_assign(&mut value, bias)?;
                }
                Ok(value)
            })
            .collect()
    }

    fn polynomial(
        &mut self,
        step: Step<'_>,
        input: &Ciphertext,
        _polynomial: &Polynomial,
    ) -> Result<Ciphertext, CircuitError> {
        let polynomial = &self.prepared.polynomials[&step.index];
        let (_, scale) = promised(step)?;
        let value = polynomial.evaluate(self.evaluator, input, scale, self.keys)?;
        self.settled(value, step)
    }

    fn add(
        &mut self,
        step: Step<'_>,
        left: &Ciphertext,
        right: &Ciphertext,
    ) -> Result<Ciphertext, CircuitError> {
        let [left, right] = self.leveled(left, right)?;
        self.settled(self.evaluator.add(&left, &right)?, step)
    }

    fn subtract(
        &mut self,
        step: Step<'_>,
        left: &Ciphertext,
        right: &Ciphertext,
    ) -> Result<Ciphertext, CircuitError> {
        let [left, right] = self.leveled(left, right)?;
        self.settled(self.evaluator.sub(&left, &right)?, step)
    }

    fn multiply(
        &mut self,
        step: Step<'_>,
        left: &Ciphertext,
        right: &Ciphertext,
    ) -> Result<Ciphertext, CircuitError> {
        let [left, right] = self.leveled(left, right)?;
        let product = self.evaluator.multiply_rescale(&left, &right, self.keys)?;
        self.settled(product, step)
    }

    fn add_plain(
        &mut self,
        step: Step<'_>,
        input: &Ciphertext,
        _plain: &Plain,
    ) -> Result<Ciphertext, CircuitError> {
        let mut value = self.settled(input.clone(), step)?;
        let plain = &self.prepared.plains[&step.index];
        self.evaluator.add_real_assign(&mut value, plain)?;
        Ok(value)
    }

    fn fold(
        &mut self,
        step: Step<'_>,
        input: &Ciphertext,
        steps: &[usize],
    ) -> Result<Ciphertext, CircuitError> {
        let mut value = self.settled(input.clone(), step)?;
        for &steps in steps {
            value = self.evaluator.rotate_sum(&value, &[steps], self.keys)?;
        }
        Ok(value)
    }

    fn align(&mut self, step: Step<'_>, input: &Ciphertext) -> Result<Ciphertext, CircuitError> {
        let (level, scale) = promised(step)?;
        if input.scale().matches(scale) {
            return self.settled(input.clone(), step);
        }
        let above = self
            .evaluator
            .drop_to_level(input, Level(level.0 + 1).min(input.level()))?;
        let value = self.evaluator.adjust_scale(&above, scale)?;
        self.settled(value, step)
    }
}
