//! What each layer of the model became: a table with one row per layer, and the edges between them.
//!
//! A layer is all instructions of one label, and each input of the model is one. [`layers`] needs the program and its
//! client spec only; what the program does not say (operators, shapes, noise) is filled in by `describe.rs` and
//! `shares.rs` while compiling.

use std::collections::{BTreeMap, BTreeSet};

use hush_program::cost::Work;
use hush_program::count::{Tally, count};
use hush_program::{ClientSpec, Instruction, Operation, Program, ProgramError, Register, execute};
use serde::Serialize;

use super::occupancy::{OccupancyMachine, Slots, Strip};

/// Ciphertexts of a layer that get a strip.
const STRIPS: usize = 4;

/// One layer, or one input of the model.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct LayerReport {
    /// Names of the model's nodes, as the program's instructions carry them; the name of an input.
    pub label: String,
    /// The same, short.
    pub name: String,
    /// What it computes, in words.
    pub operator: String,
    /// Layers that it reads, all of them earlier in the table.
    pub inputs: Vec<usize>,
    /// Outputs of the model that it holds.
    pub outputs: Vec<String>,
    /// Shape of one sample of its result; empty where it is not known.
    pub shape: Vec<usize>,
    /// The layout of its result in words; empty where it keeps that of its input.
    pub layout: String,
    /// Ciphertexts of its result.
    pub ciphertexts: usize,
    /// Slots of them that hold something, all samples together.
    pub slots_used: usize,
    /// For the first ciphertexts, from the first slot to the last, how full each part is in percent.
    pub occupancy: Vec<Vec<u8>>,
    /// Level of the lowest operand.
    pub level_in: usize,
    /// Level after.
    pub level_out: usize,
    /// Rotations.
    pub rotations: usize,
    /// Products of two ciphertexts.
    pub products: usize,
    /// Products with plaintexts.
    pub plain_products: usize,
    /// Key switches.
    pub key_switches: usize,
    /// Predicted time of one group of ciphertexts on one thread.
    pub nanoseconds: f64,
    /// Modelled standard deviation of the noise that this layer alone adds to the noisiest output.
    pub noise: Option<f64>,
    /// Its place in [`super::Report::activations`] if it computes one of them.
    pub activation: Option<usize>,
}

/// The table, and which row each instruction and each input ciphertext belongs to.
#[derive(Clone, Debug)]
pub(super) struct Grouped {
    pub(super) layers: Vec<LayerReport>,
    pub(super) instructions: Vec<usize>,
    pub(super) inputs: Vec<usize>,
}

/// The layers of a program: inputs first, then in the order of execution.
///
/// # Errors
/// If the program is one that [`Program::check`] refuses.
pub fn layers(program: &Program, spec: &ClientSpec) -> Result<Vec<LayerReport>, ProgramError> {
    Ok(group(program, spec)?.layers)
}

pub(super) fn group(program: &Program, spec: &ClientSpec) -> Result<Grouped, ProgramError> {
    let count = count(program)?;
    let mut grouping = Grouping::default();
    let mut registers = program.inputs.iter();
    for tensor in &spec.inputs {
        let layer = LayerReport {
            label: tensor.name.clone(),
            name: tensor.name.clone(),
            operator: "input".to_owned(),
            shape: tensor.shape.clone(),
            level_in: program.input_level,
            level_out: program.input_level,
            ..LayerReport::default()
        };
        grouping.layers.push(layer);
        for &register in registers.by_ref().take(tensor.ciphertexts) {
            grouping.inputs.push(grouping.layers.len() - 1);
            grouping.values.insert(
                register,
                Value {
                    layer: grouping.layers.len() - 1,
                    level: program.input_level,
                },
            );
        }
    }
    grouping.inputs.resize(program.inputs.len(), 0);
    let named: BTreeSet<&str> = program
        .instructions
        .iter()
        .filter(|one| !matches!(one.operation, Operation::Align { .. }))
        .map(|one| one.label.as_str())
        .collect();
    for (index, instruction) in program.instructions.iter().enumerate() {
        let nanoseconds = count.steps.get(index).map_or(0.0, |work: &Work| {
            work.nanoseconds(program.parameters.log_degree)
        });
        let tally = count.tallies.get(index).copied().unwrap_or_default();
        grouping.add(
            instruction,
            named.contains(&*instruction.label),
            tally,
            nanoseconds,
        );
    }
    grouping.results(program);
    for (tensor, registers) in split_outputs(program, spec) {
        let holders: BTreeSet<usize> = registers
            .iter()
            .filter_map(|register| Some(grouping.values.get(register)?.layer))
            .collect();
        for holder in holders {
            grouping.layers[holder].outputs.push(tensor.clone());
        }
    }
    occupy(program, spec, &mut grouping)?;
    Ok(Grouped {
        layers: grouping.layers,
        instructions: grouping.instructions,
        inputs: grouping.inputs,
    })
}

/// Where a register comes from.
#[derive(Clone, Copy)]
struct Value {
    layer: usize,
    level: usize,
}

#[derive(Default)]
struct Grouping {
    layers: Vec<LayerReport>,
    known: BTreeMap<String, usize>,
    values: BTreeMap<Register, Value>,
    instructions: Vec<usize>,
    inputs: Vec<usize>,
    /// Registers of each layer that others read, in order.
    results: Vec<Vec<Register>>,
}

impl Grouping {
    fn add(&mut self, instruction: &Instruction, named: bool, tally: Tally, nanoseconds: f64) {
        let reads: Vec<Value> = instruction
            .operation
            .reads()
            .iter()
            .filter_map(|register| self.values.get(register).copied())
            .collect();
        // Dropping limbs for an output is no layer of its own.
        let index = match reads.first() {
            Some(value) if !named => value.layer,
            _ => self.index_of(instruction),
        };
        let layer = &mut self.layers[index];
        for value in reads.iter().filter(|value| value.layer != index) {
            // The lowest operand decides: others wait at their levels.
            layer.level_in = match layer.inputs.is_empty() {
                true => value.level,
                false => layer.level_in.min(value.level),
            };
            if value.layer < index && !layer.inputs.contains(&value.layer) {
                layer.inputs.push(value.layer);
            }
        }
        layer.level_out = instruction.level;
        layer.rotations += tally.rotations;
        layer.products += tally.multiplications;
        layer.plain_products += tally.plain_multiplications;
        layer.key_switches += tally.key_switches;
        layer.nanoseconds += nanoseconds;
        self.instructions.push(index);
        let level = instruction.level;
        for &register in &instruction.results {
            self.values.insert(
                register,
                Value {
                    layer: index,
                    level,
                },
            );
        }
    }

    fn index_of(&mut self, instruction: &Instruction) -> usize {
        if let Some(&index) = self.known.get(&instruction.label) {
            return index;
        }
        let index = self.layers.len();
        self.known.insert(instruction.label.clone(), index);
        self.layers.push(LayerReport {
            label: instruction.label.clone(),
            name: instruction.label.clone(),
            operator: instruction.operation.name().to_owned(),
            ..LayerReport::default()
        });
        index
    }

    /// Finds what each layer hands on.
    fn results(&mut self, program: &Program) {
        let mut read: BTreeSet<Register> = program.outputs.iter().copied().collect();
        for (instruction, &layer) in program.instructions.iter().zip(&self.instructions) {
            let reads = instruction.operation.reads().into_iter();
            read.extend(reads.filter(|register| self.values[register].layer != layer));
        }
        self.results = vec![Vec::new(); self.layers.len()];
        for (register, value) in &self.values {
            if read.contains(register) {
                self.results[value.layer].push(*register);
            }
        }
        for (layer, results) in self.layers.iter_mut().zip(&self.results) {
            layer.ciphertexts = results.len();
            let levels = results.iter().map(|register| self.values[register].level);
            layer.level_out = levels.min().unwrap_or(layer.level_out);
        }
    }
}

fn split_outputs(program: &Program, spec: &ClientSpec) -> Vec<(String, Vec<Register>)> {
    let mut registers = program.outputs.iter().copied();
    spec.outputs
        .iter()
        .map(|tensor| {
            let own = registers.by_ref().take(tensor.ciphertexts).collect();
            (tensor.name.clone(), own)
        })
        .collect()
}

/// Fills in which slots are used.
fn occupy(
    program: &Program,
    spec: &ClientSpec,
    grouping: &mut Grouping,
) -> Result<(), ProgramError> {
    let mut inputs: Vec<Slots> = Vec::new();
    for tensor in &spec.inputs {
        let first = inputs.len();
        inputs.resize(first + tensor.ciphertexts, vec![false; program.slots]);
        for place in tensor.places.iter().flatten() {
            for sample in 0..spec.packing.samples {
                let slot = place.slot + sample * spec.packing.sample_stride;
                inputs[first + place.ciphertext][slot % program.slots] = true;
            }
        }
    }
    let mut found: BTreeMap<Register, Strip> = BTreeMap::new();
    for (&register, slots) in program.inputs.iter().zip(&inputs) {
        found.insert(register, Strip::new(slots));
    }
    let mut machine = OccupancyMachine::new(program.slots);
    execute(program, inputs, &mut machine, &mut ()).map_err(|error| ProgramError::Stored {
        reason: error.to_string(),
    })?;
    for (instruction, strips) in program.instructions.iter().zip(machine.strips) {
        found.extend(instruction.results.iter().copied().zip(strips));
    }
    for (layer, results) in grouping.layers.iter_mut().zip(&grouping.results) {
        let strips: Vec<&Strip> = results
            .iter()
            .filter_map(|result| found.get(result))
            .collect();
        layer.slots_used = strips.iter().map(|strip| strip.used).sum();
        let drawn = strips.iter().take(STRIPS);
        layer.occupancy = drawn.map(|strip| strip.cells.clone()).collect();
    }
    Ok(())
}
