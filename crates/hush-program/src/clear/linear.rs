//! Linear operators on floats: values, and the noise of weights, key switches and the rescale.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{ClearMachine, Signal};
use crate::machine::{LinearPlan, Step};
use crate::program::Plain;

/// Values of linear instructions before their folds, by instruction and result. They do not depend on noise.
#[derive(Clone, Debug, Default)]
pub struct Known(BTreeMap<(usize, usize), Arc<Vec<f64>>>);

impl ClearMachine {
    pub(super) fn transform(
        &mut self,
        step: Step<'_>,
        inputs: &[&Signal],
        plan: LinearPlan<'_>,
    ) -> Vec<Signal> {
        let slots = self.slots;
        let top = step.level + 1;
        let input_scale = inputs.first().map_or(1.0, |input| input.scale);
        let plain_scale = step.scale * self.model.log_prime(top).exp2() / input_scale;
        let carries = inputs
            .iter()
            .any(|input| input.variance.iter().any(|&carried| carried != 0.0));
        let mut results = Vec::with_capacity(plan.bias.len());
        for (output, bias) in plan.bias.iter().enumerate() {
            self.start(Some(step.index));
            let [switches, rounds] = [0, 1].map(|ahead| self.is_noisy(self.sources.len() + ahead));
            let place = (step.index, output);
            let known = self
                .known
                .as_ref()
                .and_then(|known| known.0.get(&place).cloned());
            let mut values = vec![0.0; if known.is_some() { 0 } else { slots }];
            let mut variance = self.variance_of(slots);
            let mut switched = vec![0.0; if switches { slots } else { 0 }];
            let mut rounded = vec![0.0; if rounds { slots } else { 0 }];
            for block in plan.blocks.iter().filter(|block| block.output == output) {
                let x = inputs[block.input];
                for (&rotation, plain) in &block.diagonals {
                    if known.is_none() {
                        add_rotated(&mut values, &x.values, rotation, plain, |w, x| w * x);
                    }
                    if carries {
                        add_rotated(&mut variance, &x.variance, rotation, plain, |w, v| {
                            w * w * v
                        });
                    }
                    if rounds {
                        let rounding = match plain {
                            Plain::Constant(_) => 1.0 / 12.0,
                            Plain::Slots(_) => self.model.real_encoding().powi(2),
                        };
                        add_rotated(&mut rounded, &x.values, rotation, plain, |_, x| {
                            rounding * x * x
                        });
                    }
                    if switches && rotation != 0 {
                        add_rotated(&mut switched, &x.values, rotation, plain, |w, _| w * w);
                    }
                }
            }
            if let (Some(all), None) = (&mut self.known, &known) {
                all.0.insert(place, Arc::new(values.clone()));
            }
            let mut result = Signal {
                values: known.map_or(values, |known| known.to_vec()),
                variance,
                level: step.level,
                scale: step.scale,
            };
            let deviation = self.model.switch_error(top) / input_scale;
            self.disturb(&mut result, deviation, switches.then_some(&switched));
            self.disturb(&mut result, 1.0 / plain_scale, rounds.then_some(&rounded));
            let deviation = self.model.rescale() / step.scale;
            self.disturb(&mut result, deviation, None);
            self.fold_steps(&mut result, plan.folds);
            if let Some(plain) = bias {
                result
                    .values
                    .iter_mut()
                    .enumerate()
                    .for_each(|(slot, value)| *value += plain.at(slot));
            }
            self.record(&result);
            results.push(result);
        }
        results
    }
}

/// `sums[slot] += term(plain[slot], x[slot + rotation])`, cyclically. An empty `x` adds nothing.
fn add_rotated(
    sums: &mut [f64],
    x: &[f64],
    rotation: usize,
    plain: &Plain,
    term: impl Fn(f64, f64) -> f64,
) {
    if x.is_empty() {
        return;
    }
    let (end, start) = x.split_at(rotation);
    let (first, second) = sums.split_at_mut(start.len());
    match plain {
        Plain::Constant(weight) => {
            let add = |(sum, x): (&mut f64, &f64)| *sum += term(*weight, *x);
            first.iter_mut().zip(start).for_each(add);
            second.iter_mut().zip(end).for_each(add);
        }
        Plain::Slots(weights) => {
            let add = |((sum, x), weight): ((&mut f64, &f64), &f64)| *sum += term(*weight, *x);
            let (early, late) = weights.split_at(start.len());
            first.iter_mut().zip(start).zip(early).for_each(add);
            second.iter_mut().zip(end).zip(late).for_each(add);
        }
    }
}
