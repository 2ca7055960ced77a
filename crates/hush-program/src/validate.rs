//! Checks that a program or client spec is one that a machine can run without surprises.

use std::collections::{BTreeMap, BTreeSet};

use crate::client_spec::{ClientSpec, PostOperation, TensorSpec};
use crate::error::ProgramError;
use crate::program::{
    Basis, Block, Instruction, Operation, ParameterSpec, Plain, Program, Register,
};

/// Relative difference up to which two scales count as equal.
pub const SCALE_TOLERANCE: f64 = 1.0 / (1u64 << 40) as f64;

/// Smallest and largest log2 of the ring degree.
pub const LOG_DEGREES: std::ops::RangeInclusive<u32> = 10..=17;

/// Most primes of one kind in a chain.
const MAX_PRIMES: usize = 512;

/// Highest degree of a polynomial.
const MAX_POLYNOMIAL_DEGREE: usize = 1 << 12;

/// Whether two scales are equal up to rounding.
pub fn scales_match(left: f64, right: f64) -> bool {
    (left - right).abs() <= SCALE_TOLERANCE * left.abs().max(right.abs())
}

fn scale_is_usable(scale: f64) -> bool {
    scale.is_finite() && scale > 0.0 && scale.log2().abs() < 1000.0
}

impl ParameterSpec {
    /// Checks ranges only; primality and security are the scheme's to check.
    pub fn check(&self) -> Result<(), ProgramError> {
        let fail = |reason| Err(ProgramError::Parameters { reason });
        if !LOG_DEGREES.contains(&self.log_degree) {
            return fail("the ring degree is outside 2^10..2^17");
        }
        if self.moduli.is_empty() || self.moduli.len() > MAX_PRIMES {
            return fail("the chain must have 1 to 512 primes");
        }
        if self.special_moduli.len() > MAX_PRIMES {
            return fail("there are more than 512 special primes");
        }
        let mut seen = BTreeSet::new();
        for &prime in self.moduli.iter().chain(&self.special_moduli) {
            if !(3..1 << 50).contains(&prime) {
                return fail("a prime is outside 3..2^50");
            }
            if prime % (2 * self.degree() as u64) != 1 {
                return fail("a prime is not 1 modulo twice the ring degree");
            }
            if !seen.insert(prime) {
                return fail("a prime appears twice");
            }
        }
        Ok(())
    }
}

fn check_slots(slots: usize, parameters: &ParameterSpec) -> Result<(), ProgramError> {
    let limit = parameters.degree() / 2;
    if slots.is_power_of_two() && slots <= limit {
        Ok(())
    } else {
        Err(ProgramError::Slots { slots, limit })
    }
}

#[derive(Clone, Copy)]
struct State {
    level: usize,
    scale: f64,
}

struct Checker<'a> {
    program: &'a Program,
    states: BTreeMap<Register, State>,
}

struct Site<'a> {
    index: usize,
    instruction: &'a Instruction,
}

impl Site<'_> {
    fn fail(&self, reason: &'static str) -> ProgramError {
        ProgramError::Instruction {
            index: self.index,
            label: self.instruction.label.clone(),
            reason,
        }
    }

    fn level(&self, operand: usize) -> ProgramError {
        let level = self.instruction.level;
        ProgramError::Level {
            index: self.index,
            label: self.instruction.label.clone(),
            level,
            operand,
        }
    }

    fn scale(&self) -> ProgramError {
        let scale = self.instruction.scale;
        ProgramError::Scale {
            index: self.index,
            label: self.instruction.label.clone(),
            scale,
        }
    }

    fn plain(&self, plain: &Plain, slots: usize) -> Result<(), ProgramError> {
        match plain {
            Plain::Constant(value) if value.is_finite() => Ok(()),
            Plain::Slots(values) if values.len() != slots => {
                Err(self.fail("a plaintext has not one value per slot"))
            }
            Plain::Slots(values) if values.iter().all(|value| value.is_finite()) => Ok(()),
            _ => Err(self.fail("a plaintext holds a value that is not finite")),
        }
    }

    fn polynomial(&self, coefficients: &[f64], basis: Basis) -> Result<(), ProgramError> {
        if coefficients.len() < 3 || coefficients.len() > MAX_POLYNOMIAL_DEGREE + 1 {
            return Err(self.fail("a polynomial must have a degree of 2 to 4096"));
        }
        if !coefficients.iter().all(|value| value.is_finite()) {
            return Err(self.fail("a coefficient is not finite"));
        }
        if coefficients.last() == Some(&0.0) {
            return Err(self.fail("the leading coefficient is zero"));
        }
        match basis {
            Basis::Chebyshev { lo, hi } if !(lo.is_finite() && hi.is_finite() && lo < hi) => {
                Err(self.fail("the interval of a Chebyshev basis is empty or not finite"))
            }
            _ => Ok(()),
        }
    }

    fn blocks(&self, blocks: &[Block], inputs: usize, slots: usize) -> Result<(), ProgramError> {
        let outputs = self.instruction.results.len();
        let mut previous = None;
        for block in blocks {
            if block.output >= outputs || block.input >= inputs {
                return Err(self.fail("a block names a ciphertext that is not there"));
            }
            if previous.is_some_and(|pair| pair >= (block.output, block.input)) {
                return Err(self.fail("blocks are not sorted by output and input"));
            }
            previous = Some((block.output, block.input));
            if block.diagonals.is_empty() {
                return Err(self.fail("a block has no diagonals"));
            }
            for (&rotation, plain) in &block.diagonals {
                if rotation >= slots {
                    return Err(self.fail("a rotation is not below the number of slots"));
                }
                self.plain(plain, slots)?;
            }
        }
        if (0..outputs).any(|output| !blocks.iter().any(|block| block.output == output)) {
            return Err(self.fail("a result of a linear operator has no block"));
        }
        Ok(())
    }
}

impl Checker<'_> {
    fn state(&self, site: &Site<'_>, register: Register) -> Result<State, ProgramError> {
        self.states
            .get(&register)
            .copied()
            .ok_or_else(|| ProgramError::Undefined {
                index: site.index,
                label: site.instruction.label.clone(),
                register,
            })
    }

    fn pair(
        &self,
        site: &Site<'_>,
        left: Register,
        right: Register,
    ) -> Result<[State; 2], ProgramError> {
        Ok([self.state(site, left)?, self.state(site, right)?])
    }

    fn operands(&self, site: &Site<'_>) -> Result<(), ProgramError> {
        let (level, scale) = (site.instruction.level, site.instruction.scale);
        let slots = self.program.slots;
        match &site.instruction.operation {
            Operation::Linear {
                inputs,
                blocks,
                baby_step,
                folds,
                bias,
            } => {
                if inputs.is_empty() {
                    return Err(site.fail("a linear operator has no input"));
                }
                let first = self.state(site, inputs[0])?;
                for &input in inputs {
                    let state = self.state(site, input)?;
                    if state.level != level + 1 {
                        return Err(site.level(state.level));
                    }
                    if !scales_match(state.scale, first.scale) {
                        return Err(site.fail("the inputs of a linear operator differ in scale"));
                    }
                }
                if *baby_step == 0 || *baby_step > slots {
                    return Err(
                        site.fail("the baby step must be between one and the number of slots")
                    );
                }
                if folds.iter().any(|&step| step == 0 || step >= slots) {
                    return Err(site.fail("a fold must be between one and the number of slots"));
                }
                if bias.len() != site.instruction.results.len() {
                    return Err(site.fail("a linear operator needs one bias entry per result"));
                }
                for plain in bias.iter().flatten() {
                    site.plain(plain, slots)?;
                }
                site.blocks(blocks, inputs.len(), slots)
            }
            Operation::Polynomial { input, polynomial } => {
                site.polynomial(&polynomial.coefficients, polynomial.basis)?;
                let state = self.state(site, *input)?;
                if state.level != level + polynomial.depth() {
                    return Err(site.level(state.level));
                }
                Ok(())
            }
            Operation::Add { left, right } | Operation::Subtract { left, right } => {
                for state in self.pair(site, *left, *right)? {
                    if state.level < level {
                        return Err(site.level(state.level));
                    }
                    if !scales_match(state.scale, scale) {
                        return Err(site.scale());
                    }
                }
                Ok(())
            }
            Operation::Multiply { left, right } => {
                let [left, right] = self.pair(site, *left, *right)?;
                let operand = left.level.min(right.level);
                if operand != level + 1 {
                    return Err(site.level(operand));
                }
                let dropped = self.program.parameters.moduli[operand] as f64;
                if !scales_match(left.scale * right.scale / dropped, scale) {
                    return Err(site.scale());
                }
                Ok(())
            }
            Operation::AddPlain { input, plain } => {
                site.plain(plain, slots)?;
                let state = self.state(site, *input)?;
                if state.level != level {
                    return Err(site.level(state.level));
                }
                if !scales_match(state.scale, scale) {
                    return Err(site.scale());
                }
                Ok(())
            }
            Operation::Fold { input, steps } => {
                if steps.is_empty() || steps.iter().any(|&step| step == 0 || step >= slots) {
                    return Err(site.fail("a fold must be between one and the number of slots"));
                }
                let state = self.state(site, *input)?;
                if state.level != level {
                    return Err(site.level(state.level));
                }
                if !scales_match(state.scale, scale) {
                    return Err(site.scale());
                }
                Ok(())
            }
            Operation::Align { input } => {
                let state = self.state(site, *input)?;
                let needed = level + usize::from(!scales_match(state.scale, scale));
                if state.level < needed {
                    return Err(site.level(state.level));
                }
                Ok(())
            }
        }
    }
}

impl Program {
    /// Checks everything that a machine relies on.
    pub fn check(&self) -> Result<(), ProgramError> {
        self.parameters.check()?;
        check_slots(self.slots, &self.parameters)?;
        let field = |field, reason| ProgramError::Field { field, reason };
        if self.input_level > self.parameters.max_level() {
            return Err(field("input_level", "is above the chain"));
        }
        if !scale_is_usable(self.input_scale) {
            return Err(field("input_scale", "must be a positive finite number"));
        }
        if self.inputs.is_empty() || self.outputs.is_empty() {
            return Err(field("inputs and outputs", "must not be empty"));
        }
        let mut checker = Checker {
            program: self,
            states: BTreeMap::new(),
        };
        let input = State {
            level: self.input_level,
            scale: self.input_scale,
        };
        for &register in &self.inputs {
            if checker.states.insert(register, input).is_some() {
                return Err(field("inputs", "name a register twice"));
            }
        }
        for (index, instruction) in self.instructions.iter().enumerate() {
            let site = Site { index, instruction };
            if !scale_is_usable(instruction.scale) {
                return Err(site.scale());
            }
            let results = instruction.results.len();
            if results == 0
                || (results > 1 && !matches!(instruction.operation, Operation::Linear { .. }))
            {
                return Err(site.fail("has the wrong number of results"));
            }
            checker.operands(&site)?;
            let state = State {
                level: instruction.level,
                scale: instruction.scale,
            };
            for &register in &instruction.results {
                if checker.states.insert(register, state).is_some() {
                    return Err(ProgramError::Rewritten {
                        index,
                        label: instruction.label.clone(),
                        register,
                    });
                }
            }
        }
        for register in &self.outputs {
            if !checker.states.contains_key(register) {
                let index = self.instructions.len();
                return Err(ProgramError::Undefined {
                    index,
                    label: "outputs".to_owned(),
                    register: *register,
                });
            }
        }
        Ok(())
    }
}

impl TensorSpec {
    /// Number of elements, or `None` if it overflows.
    pub fn elements(&self) -> Option<usize> {
        self.shape
            .iter()
            .try_fold(1usize, |product, &extent| product.checked_mul(extent))
    }

    fn check(&self, slots: usize) -> Result<(), ProgramError> {
        let fail = |reason| {
            Err(ProgramError::Field {
                field: "tensor",
                reason,
            })
        };
        if self.elements() != Some(self.places.len()) {
            return fail("has not one list of places per element");
        }
        if let Some((smallest, largest)) = self.range
            && !(smallest.is_finite() && largest.is_finite() && smallest <= largest)
        {
            return fail("its range is no interval");
        }
        let mut taken = BTreeSet::new();
        for places in &self.places {
            if places.is_empty() {
                return fail("an element has no place");
            }
            for place in places {
                if place.ciphertext >= self.ciphertexts || place.slot >= slots {
                    return fail("a place is outside the ciphertexts");
                }
                if !taken.insert(*place) {
                    return fail("two elements share a place");
                }
            }
        }
        Ok(())
    }
}

impl ClientSpec {
    /// Checks ranges, lengths and places.
    pub fn check(&self) -> Result<(), ProgramError> {
        self.parameters.check()?;
        check_slots(self.slots, &self.parameters)?;
        let fail = |field, reason| Err(ProgramError::Field { field, reason });
        let top = self.parameters.max_level();
        if self.input_level > top || self.output_level > self.input_level {
            return fail(
                "levels",
                "inputs must be within the chain and outputs not above the inputs",
            );
        }
        if !scale_is_usable(self.input_scale) || !scale_is_usable(self.output_scale) {
            return fail("scales", "must be positive finite numbers");
        }
        if self.inputs.is_empty() || self.outputs.is_empty() {
            return fail("tensors", "there must be at least one input and one output");
        }
        for tensor in self.inputs.iter().chain(&self.outputs) {
            tensor.check(self.slots)?;
        }
        let reach = self
            .packing
            .samples
            .checked_mul(self.packing.sample_stride.max(1));
        if self.packing.samples == 0 || reach.is_none_or(|reach| reach > self.slots) {
            return fail("packing", "the samples do not fit into the slots");
        }
        if self.packing.samples > 1 && self.packing.sample_stride == 0 {
            return fail("packing", "several samples need a stride");
        }
        if self.keys.relinearization.is_some_and(|level| level > top)
            || self.keys.rotations.values().any(|&level| level > top)
        {
            return fail("keys", "a key is asked for above the chain");
        }
        if self
            .keys
            .rotations
            .keys()
            .any(|&step| step == 0 || step >= self.slots)
        {
            return fail("keys", "a rotation step is outside 1..slots");
        }
        for post in &self.post {
            let axis = match post {
                PostOperation::Softmax { axis }
                | PostOperation::LogSoftmax { axis }
                | PostOperation::ArgMax { axis, .. } => *axis,
                PostOperation::Sigmoid => continue,
            };
            if axis == 0 || self.outputs.iter().any(|tensor| axis > tensor.shape.len()) {
                return fail("post", "an axis is the batch or outside an output");
            }
        }
        Ok(())
    }
}
