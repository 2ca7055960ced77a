//! The fewest levels, then products, with which the outputs stay close enough.
//!
//! All functions start at the same notch, the first that is good enough. Then one after the other gives back levels, the
//! one that spoils the outputs least first, as long as the goal is met; last, degrees that save products at the same
//! number of levels are tried. What comes before a changed function is not computed again.

use hush_program::Polynomial;
use hush_program::ladder::Ladder;

use super::batch::Batch;
use super::correct::{Correction, Reference};
use super::fit::Norm;
use super::form::{Form, Notch, Substitute};
use super::measure::{Deviation, Goal, Meter};
use super::target::Target;
use crate::calibrate::Calibrated;
use crate::network::Network;

/// Without a precision, products are saved only while the error grows by less than this factor.
const GROWTH: f64 = 1.01;

/// With more functions than this, the order in which they give back levels is that of the stages, last first.
const ORDERED: usize = 12;

/// Most attempts to lower one function.
const ATTEMPTS: usize = 200;

/// What to compare on which rows.
pub(super) struct Subject<'a> {
    pub(super) network: &'a Network,
    pub(super) calibrated: &'a Calibrated,
    pub(super) targets: &'a [Target],
    pub(super) rows: Vec<usize>,
    pub(super) margin: f64,
    pub(super) norm: Norm,
    /// The float values to correct linear stages by.
    pub(super) reference: Option<Reference>,
}

/// A network with every function replaced, run on the rows.
#[derive(Clone)]
pub(super) struct Trace {
    pub(super) notches: Vec<Notch>,
    pub(super) substitutes: Vec<Substitute>,
    pub(super) corrections: Vec<Correction>,
    pub(super) deviation: Deviation,
    /// The values known before each target.
    before: Vec<Batch>,
}

impl Trace {
    /// Levels of all replacements, then their products.
    pub(super) fn cost(&self) -> (usize, usize) {
        let levels = self.substitutes.iter().map(|own| own.levels).sum();
        (levels, self.substitutes.iter().map(products).sum())
    }
}

/// Products of ciphertexts that a replacement takes, as a polynomial.
fn products(substitute: &Substitute) -> usize {
    match &substitute.form {
        Form::Series(polynomial) => tree_products(polynomial),
        Form::Sign(steps) => 1 + steps.iter().map(tree_products).sum::<usize>(),
    }
}

fn tree_products(polynomial: &Polynomial) -> usize {
    let tree = Ladder::new(polynomial);
    tree.products() + tree.powers(true).len()
}

impl Subject<'_> {
    /// Runs the network with the given notches; targets before `keep.1` stay as in `keep.0`.
    pub(super) fn trace(&self, notches: Vec<Notch>, keep: Option<(&Trace, usize)>) -> Trace {
        let (mut batch, mut substitutes, mut before, first) = match keep {
            Some((trace, kept)) => (
                trace.before[kept].clone(),
                trace.substitutes[..kept].to_vec(),
                trace.before[..kept].to_vec(),
                self.targets[kept].stage,
            ),
            None => (
                Batch::new(self.network, self.calibrated, &self.rows),
                Vec::new(),
                Vec::new(),
                0,
            ),
        };
        let mut corrections: Vec<Correction> = keep.map_or_else(Vec::new, |(trace, _)| {
            let kept = trace.corrections.iter().filter(|own| own.stage < first);
            kept.cloned().collect()
        });
        for (position, stage) in self.network.stages.iter().enumerate().skip(first) {
            let next = substitutes.len();
            let result = match self
                .targets
                .get(next)
                .filter(|target| target.stage == position)
            {
                Some(target) => {
                    before.push(batch.clone());
                    let values = batch.value(target.source);
                    let (notch, lanes) = (&notches[next], batch.rows);
                    let substitute =
                        Substitute::new(target, notch, self.norm, self.margin, values, lanes);
                    let result = substitute.evaluate(values, lanes);
                    substitutes.push(substitute);
                    result
                }
                None => {
                    let mut result = batch.compute(&stage.kind);
                    if let Some(reference) = &self.reference {
                        corrections.extend(reference.correct(position, &mut result, batch.rows));
                    }
                    result
                }
            };
            batch.set(stage.output, result);
        }
        let mut meter = Meter::default();
        meter.add(self.network, self.calibrated, &self.rows, &batch);
        Trace {
            notches,
            substitutes,
            corrections,
            deviation: meter.finish(),
            before,
        }
    }

    /// The cheapest replacements that meet the goal; the closest ones if none does.
    pub(super) fn choose(&self, scales: &[Vec<Notch>], goal: &Goal) -> Trace {
        let highest = scales.iter().map(Vec::len).max().unwrap_or(0);
        let at = |level: usize| -> Vec<usize> {
            scales
                .iter()
                .map(|scale| level.min(scale.len() - 1))
                .collect()
        };
        let notches = |indices: &[usize]| -> Vec<Notch> {
            let pairs = scales.iter().zip(indices);
            pairs.map(|(scale, &index)| scale[index].clone()).collect()
        };
        let mut closest: Option<Trace> = None;
        for level in 0..highest.max(1) {
            let mut indices = at(level);
            let trace = self.trace(notches(&indices), None);
            if goal.met(&trace.deviation) {
                let lowered = self.lower(trace, &mut indices, scales, goal);
                return self.save_products(lowered, goal);
            }
            let better =
                |known: &Trace| trace.deviation.root_mean_square < known.deviation.root_mean_square;
            if closest.as_ref().is_none_or(better) {
                closest = Some(trace);
            }
        }
        closest.unwrap_or_else(|| self.trace(Vec::new(), None))
    }

    /// Gives back levels while the goal is met.
    fn lower(
        &self,
        mut trace: Trace,
        indices: &mut [usize],
        scales: &[Vec<Notch>],
        goal: &Goal,
    ) -> Trace {
        let mut open: Vec<usize> = (0..indices.len()).collect();
        let attempt = |trace: &Trace, indices: &[usize], target: usize| {
            let mut notches = trace.notches.clone();
            notches[target] = scales[target][indices[target] - 1].clone();
            let lowered = self.trace(notches, Some((trace, target)));
            goal.met(&lowered.deviation).then_some(lowered)
        };
        let mut left = ATTEMPTS;
        loop {
            open.retain(|&target| indices[target] > 0);
            let mut order: Vec<usize> = open.iter().rev().copied().collect();
            let mut best = None;
            if open.len() <= ORDERED {
                let mut trials: Vec<(f64, usize)> = Vec::new();
                let mut least = f64::INFINITY;
                for &target in &open {
                    if let Some(lowered) = attempt(&trace, indices, target) {
                        let root = lowered.deviation.root_mean_square;
                        trials.push((root, target));
                        if root < least {
                            (least, best) = (root, Some((lowered, target)));
                        }
                    }
                }
                trials.sort_by(|a, b| a.0.total_cmp(&b.0));
                order = trials.into_iter().map(|(_, target)| target).collect();
            }
            open = Vec::new();
            if let Some((lowered, target)) = best {
                trace = lowered;
                indices[target] -= 1;
                open.push(target);
                order.retain(|&other| other != target);
            }
            for target in order {
                let Some(rest) = left.checked_sub(1) else {
                    return trace;
                };
                left = rest;
                if let Some(lowered) = attempt(&trace, indices, target) {
                    trace = lowered;
                    indices[target] -= 1;
                    open.push(target);
                }
            }
            open.sort_unstable();
            if open.is_empty() {
                return trace;
            }
        }
    }

    /// Lowers degrees where that saves products.
    fn save_products(&self, mut trace: Trace, goal: &Goal) -> Trace {
        let limit = if goal.by_agreement() {
            GROWTH * trace.deviation.root_mean_square
        } else {
            f64::INFINITY
        };
        for target in 0..trace.notches.len().min(ORDERED) {
            for degree in cheaper(&trace.notches[target]) {
                let mut notches = trace.notches.clone();
                notches[target] = Notch::Degree(degree);
                let lowered = self.trace(notches, Some((&trace, target)));
                let close = lowered.deviation.root_mean_square <= limit;
                if goal.met(&lowered.deviation) && close && lowered.cost() < trace.cost() {
                    trace = lowered;
                } else {
                    break;
                }
            }
        }
        trace
    }
}

/// Lower degrees of as many levels, each the highest for its number of products.
fn cheaper(notch: &Notch) -> Vec<usize> {
    let &Notch::Degree(top) = notch else {
        return Vec::new();
    };
    if top == 4 {
        return vec![3];
    }
    let lowest = (top + 1).next_power_of_two() / 2;
    let count = |degree: usize| {
        // No zero in sight, or a zero product would be counted as saved.
        let coefficients = (0..=degree).map(|order| 1.0 + order as f64).collect();
        tree_products(&crate::chebyshev::series(coefficients))
    };
    let mut known = count(top);
    let mut found = Vec::new();
    for degree in (lowest.max(2)..top).rev() {
        if count(degree) < known {
            known = count(degree);
            found.push(degree);
        }
    }
    found
}
