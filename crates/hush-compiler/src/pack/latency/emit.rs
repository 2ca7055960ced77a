//! Instructions for the layouts that were chosen.

use std::collections::BTreeMap;

use hush_program::{Block, Operation, PackingKind, Plain, Register};

use super::rotations::Case;
use super::{Limits, Packer, Plan};
use crate::network::{Index, Port, Stage, StageKind};
use crate::pack::layout::Layout;
use crate::pack::outputs;
use crate::pack::{Packed, Placement, Planned, Registers, Scaling};
use hush_graph::SparseMatrix;

struct Emitter<'p, 'n> {
    packer: &'p Packer<'n>,
    /// Whether matrices get their weights.
    weights: bool,
    limits: Limits,
    slots: usize,
    registers: Registers,
    held: BTreeMap<Index, Vec<Register>>,
    layouts: BTreeMap<Index, Layout>,
    instructions: Vec<Planned>,
    groups: usize,
    depths: Vec<usize>,
    depth: usize,
    notes: Vec<String>,
}

/// The packing of one plan.
pub(super) fn emit(packer: &Packer<'_>, plan: &Plan, weights: bool) -> Packed {
    let network = packer.network;
    let &Plan {
        limits,
        slots,
        ref state,
    } = plan;
    let depths = network.depths();
    let depth = network
        .outputs
        .iter()
        .map(|port| depths[port.value])
        .max()
        .unwrap_or(0);
    let mut emitter = Emitter {
        packer,
        weights,
        limits,
        slots,
        registers: Registers::default(),
        held: BTreeMap::new(),
        layouts: BTreeMap::new(),
        instructions: Vec::new(),
        groups: 1,
        depths,
        depth,
        notes: Vec::new(),
    };
    let mut inputs = Vec::new();
    let mut input_places = Vec::new();
    for port in &network.inputs {
        let elements = network.values[port.value].elements;
        let layout = match state.layouts.get(&port.value) {
            None | Some(Layout::Free) => Layout::Periodic {
                period: elements.next_power_of_two().min(slots),
            },
            Some(layout) => *layout,
        };
        let registers = emitter.registers.take(layout.ciphertexts(elements));
        inputs.extend(registers.iter().copied());
        input_places.push(emitter.placement(layout, port));
        emitter
            .notes
            .push(format!("{}: {}", port.name, layout.describe()));
        emitter.held.insert(port.value, registers);
        emitter.layouts.insert(port.value, layout);
    }
    for (position, (stage, choice)) in network.stages.iter().zip(&state.choices).enumerate() {
        let cases: Vec<Case> = choice
            .iter()
            .enumerate()
            .map(|(term, &scheme)| Case {
                stage: position,
                term,
                scheme,
                slots,
            })
            .collect();
        emitter.stage(stage, &cases);
    }
    let mut outputs = Vec::new();
    let mut output_places = Vec::new();
    for port in &network.outputs {
        let registers = emitter.aligned(port.value, depth, &port.name);
        outputs.extend(registers);
        output_places.push(emitter.placement(emitter.layouts[&port.value], port));
    }
    outputs::alike(Packed {
        kind: PackingKind::Latency,
        slots: slots * limits.samples,
        samples: limits.samples,
        sample_stride: 1,
        depth,
        instructions: emitter.instructions,
        inputs,
        outputs,
        input_places,
        output_places,
        groups: emitter.groups,
        notes: emitter.notes,
    })
}

impl Emitter<'_, '_> {
    /// Places of sample 0 in all slots.
    fn placement(&self, layout: Layout, port: &Port) -> Placement {
        let stretch = |position| {
            let mut places = layout.places(position, self.slots);
            places
                .iter_mut()
                .for_each(|place| place.slot *= self.limits.samples);
            places
        };
        let elements = self.packer.network.values[port.value].elements;
        Placement {
            ciphertexts: layout.ciphertexts(elements),
            places: match &port.positions {
                None => (0..elements).map(stretch).collect(),
                Some(positions) => positions.iter().copied().map(stretch).collect(),
            },
        }
    }

    fn push(
        &mut self,
        label: &str,
        operation: Operation,
        depth: usize,
        scaling: Scaling,
        results: usize,
    ) -> Vec<Register> {
        let results = self.registers.take(results);
        self.instructions.push(Planned {
            label: label.to_owned(),
            operation,
            results: results.clone(),
            depth,
            scaling,
        });
        results
    }

    fn group(&mut self) -> usize {
        self.groups += 1;
        self.groups - 1
    }

    /// The registers of a value with limbs dropped to `depth`.
    fn aligned(&mut self, value: Index, depth: usize, label: &str) -> Vec<Register> {
        let held = self.held[&value].clone();
        if self.depths[value] == depth {
            return held;
        }
        held.into_iter()
            .flat_map(|input| {
                self.push(
                    label,
                    Operation::Align { input },
                    depth,
                    Scaling::Derived,
                    1,
                )
            })
            .collect()
    }

    fn stage(&mut self, stage: &Stage, cases: &[Case]) {
        let Stage {
            label,
            output,
            kind,
        } = stage;
        let output = *output;
        let depth = self.depths[output];
        let (layout, registers) = match kind {
            StageKind::Linear { terms, bias } => {
                let scaling = Scaling::Group(self.group());
                let mut sum: Option<Vec<Register>> = None;
                for (index, ((value, matrix), &case)) in terms.iter().zip(cases).enumerate() {
                    let inputs = self.aligned(*value, depth - 1, label);
                    let bias = if index == 0 { bias.as_slice() } else { &[] };
                    let operation = self.linear(inputs, case, matrix, bias, self.depth - depth);
                    let outputs = case.scheme.result().ciphertexts(matrix.rows());
                    let own = self.push(label, operation, depth, scaling, outputs);
                    self.note(label, case, matrix);
                    sum = Some(match sum {
                        None => own,
                        Some(sum) => sum
                            .into_iter()
                            .zip(own)
                            .flat_map(|(left, right)| {
                                self.push(
                                    label,
                                    Operation::Add { left, right },
                                    depth,
                                    Scaling::Derived,
                                    1,
                                )
                            })
                            .collect(),
                    });
                }
                (cases[0].scheme.result(), sum.unwrap_or_default())
            }
            StageKind::Polynomial { source, polynomial } => {
                let scaling = Scaling::Group(self.group());
                let held = self.held[source].clone();
                let results = held.into_iter().flat_map(|input| {
                    let polynomial = polynomial.clone();
                    self.push(
                        label,
                        Operation::Polynomial { input, polynomial },
                        depth,
                        scaling,
                        1,
                    )
                });
                let results = results.collect();
                (self.layouts[source], results)
            }
            StageKind::Shift { source, constant } => {
                let held = self.held[source].clone();
                let results = held.into_iter().flat_map(|input| {
                    let operation = Operation::AddPlain {
                        input,
                        plain: Plain::Constant(*constant),
                    };
                    self.push(label, operation, depth, Scaling::Derived, 1)
                });
                let results = results.collect();
                (self.layouts[source], results)
            }
            StageKind::Product { left, right } => {
                let pairs: Vec<_> = self.held[left]
                    .iter()
                    .copied()
                    .zip(self.held[right].iter().copied())
                    .collect();
                let results = pairs.into_iter().flat_map(|(left, right)| {
                    self.push(
                        label,
                        Operation::Multiply { left, right },
                        depth,
                        Scaling::Derived,
                        1,
                    )
                });
                let results = results.collect();
                (self.layouts[left], results)
            }
            StageKind::Fused {
                source,
                cubic,
                matrix,
                bias,
            } => {
                let case = cases[0];
                let scheme = case.scheme;
                let result = self.fused(*source, label, *cubic, matrix, bias, case, depth);
                self.notes.push(format!(
                    "{label}: fused, {} folds, result {}",
                    scheme.folds(self.slots).len(),
                    scheme.result().describe()
                ));
                (scheme.result(), vec![result])
            }
            StageKind::Function { .. } => return,
        };
        self.layouts.insert(output, layout);
        self.held.insert(output, registers);
    }

    /// `(c3 V x) x² + c2 V x² + c1 V x`, folded, plus the bias; the first two products are one level above the last.
    fn fused(
        &mut self,
        source: Index,
        label: &str,
        [_, c1, c2, c3]: [f64; 4],
        matrix: &SparseMatrix,
        bias: &[f64],
        case: Case,
        depth: usize,
    ) -> Register {
        let scheme = case.scheme;
        let level = self.depth - depth;
        let scaled = |factor: f64| matrix.scale_rows(&vec![factor; matrix.rows()]);
        let inputs = self.aligned(source, depth - 2, label);
        let x = inputs[0];
        let square = self.push(
            label,
            Operation::Multiply { left: x, right: x },
            depth - 1,
            Scaling::Derived,
            1,
        )[0];
        let plain = |matrix: &SparseMatrix, input: Register, level: usize| {
            let mut operation = self.linear(vec![input], case, matrix, &[], level);
            if let Operation::Linear { folds, .. } = &mut operation {
                folds.clear();
            }
            operation
        };
        let leading = plain(&scaled(c3), x, level + 1);
        let quadratic = (c2 != 0.0).then(|| plain(&scaled(c2), square, level));
        let scaling = Scaling::Group(self.group());
        let factor = self.push(label, leading, depth - 1, scaling, 1)[0];
        let product = Operation::Multiply {
            left: factor,
            right: square,
        };
        let mut sum = self.push(label, product, depth, Scaling::Derived, 1)[0];
        let like = Scaling::Like(sum);
        if let Some(operation) = quadratic {
            let right = self.push(label, operation, depth, like, 1)[0];
            sum = self.push(
                label,
                Operation::Add { left: sum, right },
                depth,
                Scaling::Derived,
                1,
            )[0];
        }
        if c1 != 0.0 {
            let low = self.push(
                label,
                Operation::Align { input: x },
                depth - 1,
                Scaling::Derived,
                1,
            )[0];
            let mut operation = self.linear(vec![low], case, &scaled(c1), &[], level);
            if let Operation::Linear { folds, .. } = &mut operation {
                folds.clear();
            }
            let right = self.push(label, operation, depth, like, 1)[0];
            sum = self.push(
                label,
                Operation::Add { left: sum, right },
                depth,
                Scaling::Derived,
                1,
            )[0];
        }
        let steps: Vec<usize> = scheme
            .folds(self.slots)
            .iter()
            .map(|step| step * self.limits.samples)
            .collect();
        if !steps.is_empty() {
            sum = self.push(
                label,
                Operation::Fold { input: sum, steps },
                depth,
                Scaling::Derived,
                1,
            )[0];
        }
        if let Some(plain) = self
            .bias(scheme.result(), bias, 1)
            .into_iter()
            .flatten()
            .next()
        {
            sum = self.push(
                label,
                Operation::AddPlain { input: sum, plain },
                depth,
                Scaling::Derived,
                1,
            )[0];
        }
        sum
    }

    fn note(&mut self, label: &str, case: Case, matrix: &SparseMatrix) {
        let scheme = case.scheme;
        let folds = scheme.folds(self.slots).len();
        let diagonals = self.packer.rotations.diagonals(case, matrix).len();
        self.notes.push(format!(
            "{label}: {diagonals} diagonal{}, {folds} fold{}, result {}",
            if diagonals == 1 { "" } else { "s" },
            if folds == 1 { "" } else { "s" },
            scheme.result().describe()
        ));
    }

    fn linear(
        &self,
        inputs: Vec<Register>,
        case: Case,
        matrix: &SparseMatrix,
        bias: &[f64],
        level: usize,
    ) -> Operation {
        let (scheme, slots, samples) = (case.scheme, self.slots, self.limits.samples);
        let diagonals = self.packer.rotations.diagonals(case, matrix);
        let (baby_step, _) = self
            .packer
            .rotations
            .split(self.limits, case, matrix, level);
        let mut blocks: BTreeMap<(usize, usize), BTreeMap<usize, Plain>> = BTreeMap::new();
        for &(output, input, rotation) in diagonals.iter() {
            let plain = match self.weights {
                true => Plain::Slots(vec![0.0; slots * samples]),
                false => Plain::Constant(0.0),
            };
            let block = blocks.entry((output, input)).or_default();
            block.insert(rotation * samples, plain);
        }
        for (o, e, weight) in matrix.entries().take_while(|_| self.weights) {
            let path = scheme.path(o, e, slots);
            let block = blocks.get_mut(&(path.output, path.input));
            let plain = block.and_then(|block| block.get_mut(&(path.rotation * samples)));
            let Some(Plain::Slots(diagonal)) = plain else {
                continue;
            };
            for slot in (path.slot..slots).step_by(path.repeat) {
                diagonal[slot * samples..(slot + 1) * samples]
                    .iter_mut()
                    .for_each(|sum| *sum += weight);
            }
        }
        let outputs = scheme.result().ciphertexts(matrix.rows());
        let folds = scheme.folds(slots);
        Operation::Linear {
            inputs,
            blocks: blocks
                .into_iter()
                .map(|((output, input), diagonals)| Block {
                    output,
                    input,
                    diagonals,
                })
                .collect(),
            baby_step: baby_step * samples,
            folds: folds.into_iter().map(|step| step * samples).collect(),
            bias: self.bias(scheme.result(), bias, outputs),
        }
    }

    fn bias(&self, layout: Layout, bias: &[f64], outputs: usize) -> Vec<Option<Plain>> {
        let samples = self.limits.samples;
        let mut slots: Vec<Option<Vec<f64>>> = vec![None; outputs];
        for (element, &value) in bias.iter().enumerate().filter(|&(_, &value)| value != 0.0) {
            for place in layout.places(element, self.slots) {
                let own =
                    slots[place.ciphertext].get_or_insert_with(|| vec![0.0; self.slots * samples]);
                own[place.slot * samples..(place.slot + 1) * samples].fill(value);
            }
        }
        slots
            .into_iter()
            .map(|slots| slots.map(Plain::Slots))
            .collect()
    }
}
