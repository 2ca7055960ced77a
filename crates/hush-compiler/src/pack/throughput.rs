//! Packing for throughput: one slot per sample, one element per ciphertext, no rotations.

use std::collections::BTreeMap;

use hush_program::{Block, Operation, PackingKind, Place, Plain, Register};

use super::{Packed, Placement, Planned, Registers, Scaling};
use crate::network::{Index, Network, StageKind};

/// Packs a network for `slots` samples at a time. `None` if a tensor has more than `limit` elements, since each
/// becomes a ciphertext. Fused stages have no such packing.
pub fn pack(network: &Network, slots: usize, limit: usize) -> Option<Packed> {
    if network.values.iter().any(|vector| vector.elements > limit) {
        return None;
    }
    if network
        .stages
        .iter()
        .any(|stage| matches!(stage.kind, StageKind::Fused { .. }))
    {
        return None;
    }
    let depths = network.depths();
    let depth = network
        .outputs
        .iter()
        .map(|port| depths[port.value])
        .max()?;
    let mut emitter = Emitter {
        slots,
        registers: Registers::default(),
        held: BTreeMap::new(),
        instructions: Vec::new(),
        groups: 1,
        depths,
    };
    let mut inputs = Vec::new();
    for port in &network.inputs {
        let registers = emitter.registers.take(network.values[port.value].elements);
        inputs.extend(registers.iter().copied());
        emitter.held.insert(port.value, registers);
    }
    for stage in &network.stages {
        let registers = emitter.stage(stage.output, &stage.label, &stage.kind);
        emitter.held.insert(stage.output, registers);
    }
    let mut outputs = Vec::new();
    for port in &network.outputs {
        outputs.extend(emitter.aligned(port.value, depth, &port.name));
    }
    let placement = |value: Index| {
        let elements = network.values[value].elements;
        let place = |ciphertext| {
            vec![Place {
                ciphertext,
                slot: 0,
            }]
        };
        Placement {
            ciphertexts: elements,
            places: (0..elements).map(place).collect(),
        }
    };
    Some(super::outputs::alike(Packed {
        kind: PackingKind::Throughput,
        slots,
        samples: slots,
        sample_stride: 1,
        depth,
        instructions: emitter.instructions,
        inputs,
        outputs,
        input_places: network
            .inputs
            .iter()
            .map(|port| placement(port.value))
            .collect(),
        output_places: network
            .outputs
            .iter()
            .map(|port| placement(port.value))
            .collect(),
        groups: emitter.groups,
        notes: vec!["one ciphertext per element, one slot per sample".to_owned()],
    }))
}

struct Emitter {
    slots: usize,
    registers: Registers,
    held: BTreeMap<Index, Vec<Register>>,
    instructions: Vec<Planned>,
    groups: usize,
    depths: Vec<usize>,
}

impl Emitter {
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

    fn stage(&mut self, output: Index, label: &str, kind: &StageKind) -> Vec<Register> {
        let depth = self.depths[output];
        match kind {
            StageKind::Linear { terms, bias } => {
                let scaling = Scaling::Group(self.group());
                let mut sum: Option<Vec<Register>> = None;
                for (index, (value, matrix)) in terms.iter().enumerate() {
                    let inputs = self.aligned(*value, depth - 1, label);
                    let mut blocks: BTreeMap<(usize, usize), f64> = BTreeMap::new();
                    for (o, e, weight) in matrix.entries() {
                        blocks.insert((o, e), weight);
                    }
                    for o in 0..matrix.rows() {
                        if blocks.range((o, 0)..(o + 1, 0)).next().is_none() {
                            blocks.insert((o, 0), 0.0);
                        }
                    }
                    let block = |((output, input), weight): ((usize, usize), f64)| Block {
                        output,
                        input,
                        diagonals: BTreeMap::from([(0, Plain::Constant(weight))]),
                    };
                    let own_bias = |&value: &f64| {
                        (index == 0 && value != 0.0).then_some(Plain::Constant(value))
                    };
                    let operation = Operation::Linear {
                        inputs,
                        blocks: blocks.into_iter().map(block).collect(),
                        baby_step: self.slots,
                        folds: Vec::new(),
                        bias: bias.iter().map(own_bias).collect(),
                    };
                    let own = self.push(label, operation, depth, scaling, bias.len());
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
                sum.unwrap_or_default()
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
                results.collect()
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
                results.collect()
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
                results.collect()
            }
            StageKind::Function { .. } | StageKind::Fused { .. } => Vec::new(),
        }
    }
}
