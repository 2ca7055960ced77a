//! Which slots of every ciphertext mean something, found from the program alone.
//!
//! A slot counts where a weight or a bias puts a value. Where folds leave partial sums between the results, the bias
//! tells the results apart; without a bias the partial sums count as well.

use std::convert::Infallible;

use hush_program::{LinearPlan, Machine, Plain, Polynomial, Step};

/// One entry per cyclic slot.
pub(super) type Slots = Vec<bool>;

/// Cells of a strip.
const CELLS: usize = 64;

/// What is said of one ciphertext.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Strip {
    /// Slots in use.
    pub(super) used: usize,
    /// How full each part of the slots is, in percent.
    pub(super) cells: Vec<u8>,
}

impl Strip {
    pub(super) fn new(slots: &[bool]) -> Self {
        let count = |part: &[bool]| part.iter().filter(|&&used| used).count();
        let parts = slots.chunks(slots.len().div_ceil(CELLS).max(1));
        Self {
            used: count(slots),
            cells: parts
                .map(|part| (100 * count(part)).div_ceil(part.len()) as u8)
                .collect(),
        }
    }
}

/// Values are the slots in use.
pub(super) struct OccupancyMachine {
    slots: usize,
    /// The results of every instruction so far.
    pub(super) strips: Vec<Vec<Strip>>,
}

impl OccupancyMachine {
    pub(super) fn new(slots: usize) -> Self {
        Self {
            slots,
            strips: Vec::new(),
        }
    }

    fn finish(&mut self, results: &[Slots]) {
        let strips = results.iter().map(|slots| Strip::new(slots));
        self.strips.push(strips.collect());
    }

    fn one(&mut self, slots: Slots) -> Result<Slots, Infallible> {
        self.finish(std::slice::from_ref(&slots));
        Ok(slots)
    }
}

fn settled(sum: Slots, bias: Option<&Plain>) -> Slots {
    match bias {
        Some(Plain::Slots(values)) if values.iter().any(|&value| value != 0.0) => {
            values.iter().map(|&value| value != 0.0).collect()
        }
        _ => sum,
    }
}

fn union(mut left: Slots, right: &[bool]) -> Slots {
    left.iter_mut()
        .zip(right)
        .for_each(|(left, right)| *left |= right);
    left
}

fn fold(mut slots: Slots, steps: &[usize]) -> Slots {
    let count = slots.len();
    for step in steps {
        slots = (0..count)
            .map(|slot| slots[slot] || slots[(slot + step) % count])
            .collect();
    }
    slots
}

impl Machine for OccupancyMachine {
    type Value = Slots;
    type Error = Infallible;

    fn linear(
        &mut self,
        _: Step<'_>,
        inputs: &[&Slots],
        plan: LinearPlan<'_>,
    ) -> Result<Vec<Slots>, Infallible> {
        let mut sums = vec![vec![false; self.slots]; plan.bias.len()];
        for block in plan.blocks {
            let (input, sum) = (inputs[block.input], &mut sums[block.output]);
            for (&rotation, plain) in &block.diagonals {
                if sum.iter().all(|&used| used) {
                    break;
                }
                for (slot, used) in sum.iter_mut().enumerate() {
                    *used |= plain.at(slot) != 0.0 && input[(slot + rotation) % self.slots];
                }
            }
        }
        let results: Vec<Slots> = sums
            .into_iter()
            .zip(plan.bias)
            .map(|(sum, bias)| settled(fold(sum, plan.folds), bias.as_ref()))
            .collect();
        self.finish(&results);
        Ok(results)
    }

    fn polynomial(
        &mut self,
        _: Step<'_>,
        input: &Slots,
        _: &Polynomial,
    ) -> Result<Slots, Infallible> {
        self.one(input.clone())
    }

    fn add(&mut self, _: Step<'_>, left: &Slots, right: &Slots) -> Result<Slots, Infallible> {
        self.one(union(left.clone(), right))
    }

    fn subtract(&mut self, _: Step<'_>, left: &Slots, right: &Slots) -> Result<Slots, Infallible> {
        self.one(union(left.clone(), right))
    }

    fn multiply(&mut self, _: Step<'_>, left: &Slots, right: &Slots) -> Result<Slots, Infallible> {
        let pairs = left.iter().zip(right);
        self.one(pairs.map(|(left, right)| *left && *right).collect())
    }

    fn add_plain(
        &mut self,
        _: Step<'_>,
        input: &Slots,
        plain: &Plain,
    ) -> Result<Slots, Infallible> {
        self.one(settled(input.clone(), Some(plain)))
    }

    fn fold(&mut self, _: Step<'_>, input: &Slots, steps: &[usize]) -> Result<Slots, Infallible> {
        self.one(fold(input.clone(), steps))
    }

    fn align(&mut self, _: Step<'_>, input: &Slots) -> Result<Slots, Infallible> {
        self.one(input.clone())
    }
}
