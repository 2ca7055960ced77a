//! Runs a program on nothing but levels, and counts: operations, keys, work.

use std::convert::Infallible;

use crate::client_spec::KeyManifest;
use crate::cost::{CostModel, Work};
use crate::error::ProgramError;
use crate::ladder::{Ladder, power_depth};
use crate::machine::{LinearPlan, Machine, Step, execute};
use crate::program::{Basis, Plain, Polynomial, Program};

/// What a program needs for one group of ciphertexts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Count {
    /// Rotations, hoisted ones included.
    pub rotations: usize,
    /// Rotations that share a decomposition with others of the same ciphertext.
    pub hoisted_rotations: usize,
    /// Products of two ciphertexts, each with a relinearisation.
    pub multiplications: usize,
    /// Products with plaintexts or constants.
    pub plain_multiplications: usize,
    /// Key switches: rotations and relinearisations.
    pub key_switches: usize,
    /// Rescalings.
    pub rescales: usize,
    /// Levels consumed from input to output.
    pub levels: usize,
    /// Keys and the highest level of each.
    pub keys: KeyManifest,
    /// All work.
    pub work: Work,
    /// Work per instruction.
    pub steps: Vec<Work>,
    /// Operations per instruction.
    pub tallies: Vec<Tally>,
    /// Predicted time on one thread.
    pub nanoseconds: f64,
}

/// The operations of one instruction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Rotations.
    pub rotations: usize,
    /// Products of two ciphertexts.
    pub multiplications: usize,
    /// Products with plaintexts or constants.
    pub plain_multiplications: usize,
    /// Rotations and relinearisations.
    pub key_switches: usize,
}

/// Counts what a checked program does.
///
/// # Errors
/// If the program is one that [`Program::check`] refuses.
pub fn count(program: &Program) -> Result<Count, ProgramError> {
    program.check()?;
    count_unchecked(program)
}

/// Counts without a check first: for programs whose primes are not chosen yet, since only their number matters.
///
/// # Errors
/// If the program breaks the rules that the run itself notices.
pub fn count_unchecked(program: &Program) -> Result<Count, ProgramError> {
    let mut machine = CountMachine {
        model: CostModel::new(&program.parameters),
        count: Count::default(),
        current: Work::default(),
        tallied: Tally::default(),
    };
    let inputs = vec![program.input_level; program.inputs.len()];
    let outputs =
        execute(program, inputs, &mut machine, &mut ()).map_err(|error| ProgramError::Stored {
            reason: error.to_string(),
        })?;
    let lowest = outputs.into_iter().min().unwrap_or(program.input_level);
    let mut count = machine.count;
    count.levels = program.input_level - lowest;
    for step in &count.steps {
        count.work += *step;
    }
    count.nanoseconds = count.work.nanoseconds(program.parameters.log_degree);
    Ok(count)
}

/// Work of a polynomial whose input is at `level`.
pub fn polynomial_work(model: CostModel, polynomial: &Polynomial, level: usize) -> Work {
    let mut machine = CountMachine {
        model,
        count: Count::default(),
        current: Work::default(),
        tallied: Tally::default(),
    };
    machine.ladder(polynomial, level, level - polynomial.depth());
    machine.current
}

/// Which rotations a linear operator uses, without its weights.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinearShape {
    /// Results.
    pub outputs: usize,
    /// (input, baby rotation), sorted, the rotation not zero.
    pub babies: Vec<(usize, usize)>,
    /// One entry per giant rotation of an output, zero excluded.
    pub giants: Vec<usize>,
    /// One entry per sum of products before a giant rotation.
    pub sums: Vec<Sum>,
}

/// The products that are added before one giant rotation of one output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// Products with inputs as they are.
    pub plain: usize,
    /// Products with rotated inputs.
    pub rotated: usize,
}

impl LinearShape {
    /// The shape of an operation.
    pub fn new(plan: LinearPlan<'_>) -> Self {
        let terms = plan.blocks.iter().flat_map(|block| {
            block
                .diagonals
                .keys()
                .map(|&rotation| (block.output, block.input, rotation))
        });
        Self::from_rotations(plan.bias.len(), terms, plan.baby_step)
    }

    /// The shape of (output, input, rotation) terms under a baby-step width.
    pub fn from_rotations(
        outputs: usize,
        terms: impl Iterator<Item = (usize, usize, usize)>,
        baby_step: usize,
    ) -> Self {
        let mut babies = Vec::new();
        let mut products = Vec::new();
        for (output, input, rotation) in terms {
            let baby = rotation % baby_step;
            if baby != 0 {
                babies.push((input, baby));
            }
            products.push((output, rotation - baby, baby != 0));
        }
        babies.sort_unstable();
        babies.dedup();
        products.sort_unstable();
        let mut shape = Self {
            outputs,
            babies,
            ..Self::default()
        };
        for sum in products.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
            if sum[0].1 != 0 {
                shape.giants.push(sum[0].1);
            }
            let rotated = sum.iter().filter(|product| product.2).count();
            shape.sums.push(Sum {
                plain: sum.len() - rotated,
                rotated,
            });
        }
        shape
    }

    /// Inputs that are rotated at all.
    fn rotated_inputs(&self) -> usize {
        self.babies.chunk_by(|a, b| a.0 == b.0).count()
    }

    /// Products with plaintexts.
    fn products(&self) -> usize {
        self.sums.iter().map(|sum| sum.plain + sum.rotated).sum()
    }

    /// Work with the results at `level` and so many folds.
    pub fn work(&self, model: CostModel, level: usize, folds: usize) -> Work {
        let top = level + 1;
        let mut work = model.decompose(top).times(self.rotated_inputs());
        work += model.inner_product(top).times(self.babies.len());
        for sum in &self.sums {
            work += model.plain_product(top).times(sum.plain);
            if sum.rotated > 0 {
                work += model.extended_plain_product(top).times(sum.rotated);
                work += model.mod_down(top);
            }
        }
        work += model.switch(top).times(self.giants.len());
        let mut tail = model.rescale(level);
        tail += model.switch(level).times(folds);
        work += tail.times(self.outputs);
        work
    }
}

/// Values are levels.
struct CountMachine {
    model: CostModel,
    count: Count,
    current: Work,
    /// Operations of the instructions before the current one.
    tallied: Tally,
}

impl CountMachine {
    fn finish(&mut self, step: Step<'_>) {
        if self.count.steps.len() <= step.index {
            self.count.steps.resize(step.index + 1, Work::default());
            self.count.tallies.resize(step.index + 1, Tally::default());
        }
        self.count.steps[step.index] += std::mem::take(&mut self.current);
        let total = Tally {
            rotations: self.count.rotations,
            multiplications: self.count.multiplications,
            plain_multiplications: self.count.plain_multiplications,
            key_switches: self.count.key_switches,
        };
        let before = std::mem::replace(&mut self.tallied, total);
        self.count.tallies[step.index] = Tally {
            rotations: total.rotations - before.rotations,
            multiplications: total.multiplications - before.multiplications,
            plain_multiplications: total.plain_multiplications - before.plain_multiplications,
            key_switches: total.key_switches - before.key_switches,
        };
    }

    fn rotation_key(&mut self, rotation: usize, level: usize) {
        let highest = self.count.keys.rotations.entry(rotation).or_insert(level);
        *highest = level.max(*highest);
        self.count.rotations += 1;
        self.count.key_switches += 1;
    }

    fn rescale(&mut self, level: usize) {
        self.count.rescales += 1;
        self.current += self.model.rescale(level);
    }

    /// Product of two ciphertexts at `level`.
    fn product(&mut self, level: usize) {
        let highest = self.count.keys.relinearization.unwrap_or(0);
        self.count.keys.relinearization = Some(highest.max(level));
        self.count.multiplications += 1;
        self.count.key_switches += 1;
        self.count.rescales += 1;
        self.current += self.model.product(level);
    }

    fn constant_product(&mut self, level: usize) {
        self.count.plain_multiplications += 1;
        self.current += self.model.plain_product(level);
    }

    fn relinearize(&mut self, level: usize) {
        let highest = self.count.keys.relinearization.unwrap_or(0);
        self.count.keys.relinearization = Some(highest.max(level));
        self.count.key_switches += 1;
        self.current += self.model.switch(level);
    }

    fn ladder(&mut self, polynomial: &Polynomial, input: usize, level: usize) {
        let tree = Ladder::new(polynomial);
        for power in tree.powers(matches!(polynomial.basis, Basis::Chebyshev { .. })) {
            self.product(input + 1 - power_depth(power));
        }
        self.climb(&tree, level + 1);
    }

    /// A node whose sum is complete at `level`, before its rescale.
    fn climb(&mut self, node: &Ladder, level: usize) {
        if self.sum(node, level) {
            self.relinearize(level);
        }
        self.rescale(level - 1);
    }

    /// Work of a sum at `level`; whether it holds a product of ciphertexts.
    fn sum(&mut self, node: &Ladder, level: usize) -> bool {
        match node {
            Ladder::Combination(coefficients) => {
                for _ in coefficients.iter().skip(1).filter(|&&value| value != 0.0) {
                    self.constant_product(level);
                }
                false
            }
            Ladder::Product {
                quotient,
                remainder,
                ..
            } => {
                let product = quotient.constant().is_none();
                if product {
                    self.climb(quotient, level + 1);
                    self.count.multiplications += 1;
                    self.current += self.model.tensor(level);
                } else {
                    self.constant_product(level);
                }
                self.sum(remainder, level) || product
            }
        }
    }
}

impl Machine for CountMachine {
    type Value = usize;
    type Error = Infallible;

    fn linear(
        &mut self,
        step: Step<'_>,
        inputs: &[&usize],
        plan: LinearPlan<'_>,
    ) -> Result<Vec<usize>, Infallible> {
        let top = step.level + 1;
        debug_assert!(inputs.iter().all(|&&level| level == top));
        let shape = LinearShape::new(plan);
        for &(_, baby) in &shape.babies {
            self.rotation_key(baby, top);
        }
        for hoisted in shape.babies.chunk_by(|a, b| a.0 == b.0) {
            if hoisted.len() > 1 {
                self.count.hoisted_rotations += hoisted.len();
            }
        }
        for &giant in &shape.giants {
            self.rotation_key(giant, top);
        }
        for _ in 0..shape.outputs {
            self.count.rescales += 1;
            for &fold in plan.folds {
                self.rotation_key(fold, step.level);
            }
        }
        self.count.plain_multiplications += shape.products();
        self.current += shape.work(self.model, step.level, plan.folds.len());
        self.finish(step);
        Ok(vec![step.level; plan.bias.len()])
    }

    fn polynomial(
        &mut self,
        step: Step<'_>,
        input: &usize,
        polynomial: &Polynomial,
    ) -> Result<usize, Infallible> {
        self.ladder(polynomial, *input, step.level);
        self.finish(step);
        Ok(step.level)
    }

    fn add(&mut self, step: Step<'_>, _: &usize, _: &usize) -> Result<usize, Infallible> {
        self.finish(step);
        Ok(step.level)
    }

    fn subtract(&mut self, step: Step<'_>, _: &usize, _: &usize) -> Result<usize, Infallible> {
        self.finish(step);
        Ok(step.level)
    }

    fn multiply(&mut self, step: Step<'_>, _: &usize, _: &usize) -> Result<usize, Infallible> {
        self.product(step.level + 1);
        self.finish(step);
        Ok(step.level)
    }

    fn add_plain(&mut self, step: Step<'_>, _: &usize, _: &Plain) -> Result<usize, Infallible> {
        self.finish(step);
        Ok(step.level)
    }

    fn fold(&mut self, step: Step<'_>, _: &usize, steps: &[usize]) -> Result<usize, Infallible> {
        for &rotation in steps {
            self.rotation_key(rotation, step.level);
            self.current += self.model.switch(step.level);
        }
        self.finish(step);
        Ok(step.level)
    }

    fn align(&mut self, step: Step<'_>, input: &usize) -> Result<usize, Infallible> {
        if *input > step.level {
            // Counted as the dearer case: a change of scale.
            self.constant_product(step.level + 1);
            self.rescale(step.level);
        }
        self.finish(step);
        Ok(step.level)
    }
}
