//! Packing for latency: the slots of a ciphertext work on one sample (or a few, interleaved).
//!
//! Layouts are chosen stage by stage with dynamic programming over the layouts of all values that are still needed;
//! the cost of a step is its predicted work on the given chain.

use std::collections::{BTreeMap, BTreeSet};

use hush_program::cost::{CostModel, Work};
use hush_program::count::{LinearShape, polynomial_work};
use hush_program::{Block, Operation, PackingKind, Plain, Register};

use super::layout::{Layout, Scheme};
use super::{Packed, Placement, Planned, Registers, Scaling};
use crate::network::{Index, Network, StageKind};
use crate::sparse::SparseMatrix;

/// A vector never spans more ciphertexts than this.
const MAX_CIPHERTEXTS: usize = 64;

/// What the search may do.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Cost model of the chain.
    pub model: CostModel,
    /// log2 of the ring degree.
    pub log_degree: u32,
    /// Samples that share a ciphertext; a power of two.
    pub samples: usize,
    /// Whether a polynomial may run over slots that hold garbage.
    pub garbage: bool,
    /// Most folds per linear stage. Folds add up the noise of the rescale before them; diagonals do not.
    pub folds: usize,
}

/// Chosen schemes of one stage, one per term of a linear stage.
type Choice = Vec<Scheme>;

#[derive(Clone)]
struct State {
    layouts: BTreeMap<Index, Layout>,
    choices: Vec<Choice>,
    work: Work,
    folds: usize,
}

/// The cheapest packing for each number of slots, cheapest first. Fewer slots mean less noise.
pub fn pack(network: &Network, limits: Limits) -> Vec<Packed> {
    let most = 1usize << (limits.log_degree - 1);
    let sizes = (1..=most.ilog2())
        .map(|log| 1usize << log)
        .filter(|slots| slots * limits.samples <= most);
    let mut found: Vec<(f64, usize, State)> = Vec::new();
    for slots in sizes {
        if let Some(state) = search(network, limits, slots) {
            let cost = state.work.nanoseconds(limits.log_degree);
            // More slots at more cost help nothing: noise grows with the slots.
            if found.iter().all(|(other, ..)| cost < *other) {
                found.push((cost, slots, state));
            }
        }
    }
    found.sort_by(|a, b| a.0.total_cmp(&b.0));
    found
        .into_iter()
        .map(|(_, slots, state)| emit(network, limits, slots, &state))
        .collect()
}

fn search(network: &Network, limits: Limits, slots: usize) -> Option<State> {
    let depths = network.depths();
    let depth = network
        .outputs
        .iter()
        .map(|port| depths[port.value])
        .max()?;
    let uses = network.uses();
    let mut layouts = BTreeMap::new();
    for port in &network.inputs {
        let elements = network.values[port.value].elements;
        let free = uses[port.value] == 1
            && network.stages.iter().any(|stage| match &stage.kind {
                StageKind::Linear { terms, .. } => terms.len() == 1 && terms[0].0 == port.value,
                _ => false,
            });
        let period = elements.next_power_of_two().min(slots);
        layouts.insert(
            port.value,
            if free {
                Layout::Free
            } else {
                Layout::Periodic { period }
            },
        );
    }
    let mut states = vec![State {
        layouts,
        choices: Vec::new(),
        work: Work::default(),
        folds: 0,
    }];
    let mut last_use: BTreeMap<Index, usize> = BTreeMap::new();
    for (position, stage) in network.stages.iter().enumerate() {
        for value in stage.kind.reads() {
            last_use.insert(value, position);
        }
    }
    for port in network.outputs.iter().chain(&network.inputs) {
        last_use.insert(port.value, usize::MAX);
    }
    for (position, stage) in network.stages.iter().enumerate() {
        let elements = network.values[stage.output].elements;
        let level = depth.checked_sub(depths[stage.output])?;
        let mut next: BTreeMap<BTreeMap<Index, Layout>, State> = BTreeMap::new();
        for state in &states {
            for (choice, layout, work) in options(
                network,
                limits,
                slots,
                state,
                &stage.kind,
                elements,
                level,
                depth,
                &depths,
            ) {
                if layout.ciphertexts(elements) > MAX_CIPHERTEXTS {
                    continue;
                }
                let mut state = state.clone();
                for (scheme, value) in choice.iter().zip(stage.kind.reads()) {
                    let known = state.layouts.entry(value).or_insert(Layout::Free);
                    if *known == Layout::Free {
                        *known = scheme.argument();
                    }
                    state.folds += scheme.folds(slots).len();
                }
                state.choices.push(choice);
                state.work += work;
                state.layouts.insert(stage.output, layout);
                state
                    .layouts
                    .retain(|value, _| last_use.get(value).is_some_and(|&last| last > position));
                let better = next.get(&state.layouts).is_none_or(|other| {
                    state.work.nanoseconds(limits.log_degree)
                        < other.work.nanoseconds(limits.log_degree)
                });
                if better {
                    next.insert(state.layouts.clone(), state);
                }
            }
        }
        states = next.into_values().collect();
    }
    let cost = |state: &State| state.work.nanoseconds(limits.log_degree);
    states
        .into_iter()
        .min_by(|a, b| cost(a).total_cmp(&cost(b)).then(a.folds.cmp(&b.folds)))
}

fn options(
    network: &Network,
    limits: Limits,
    slots: usize,
    state: &State,
    kind: &StageKind,
    elements: usize,
    level: usize,
    depth: usize,
    depths: &[usize],
) -> Vec<(Choice, Layout, Work)> {
    match kind {
        StageKind::Linear { terms, .. } => {
            let per_term: Vec<Vec<(Scheme, Work)>> = terms
                .iter()
                .map(|(value, matrix)| {
                    let schemes = Scheme::candidates(
                        state.layouts[value],
                        matrix.rows(),
                        matrix.columns(),
                        slots,
                    );
                    let alone = terms.len() == 1;
                    schemes
                        .into_iter()
                        .filter(|scheme| alone || scheme.result().is_clean())
                        .filter(|scheme| scheme.folds(slots).len() <= limits.folds)
                        .map(|scheme| (scheme, term_cost(limits, slots, scheme, matrix, level)))
                        .collect()
                })
                .collect();
            if terms.len() == 1 {
                return per_term[0]
                    .iter()
                    .map(|&(scheme, work)| (vec![scheme], scheme.result(), work))
                    .collect();
            }
            // Several terms are added, so all end in the one periodic layout; each takes its cheapest way there.
            let mut choice = Vec::new();
            let mut work = Work::default();
            for options in &per_term {
                let cheapest = options.iter().min_by(|a, b| {
                    let cost = |work: &Work| work.nanoseconds(limits.log_degree);
                    cost(&a.1).total_cmp(&cost(&b.1))
                });
                let Some(&(scheme, own)) = cheapest else {
                    return Vec::new();
                };
                choice.push(scheme);
                work += own;
            }
            let layout = choice[0].result();
            vec![(choice, layout, work)]
        }
        StageKind::Polynomial { source, polynomial } => {
            let layout = state.layouts[source];
            if layout == Layout::Free || !(limits.garbage || layout.is_clean()) {
                return Vec::new();
            }
            let work = polynomial_work(limits.model, polynomial, depth - depths[*source]);
            vec![(Vec::new(), layout, work.times(layout.ciphertexts(elements)))]
        }
        StageKind::Shift { source, .. } => {
            let layout = state.layouts[source];
            if layout == Layout::Free {
                Vec::new()
            } else {
                vec![(Vec::new(), layout, Work::default())]
            }
        }
        StageKind::Product { left, right } => {
            let layout = state.layouts[left];
            if layout != state.layouts[right]
                || layout == Layout::Free
                || !(limits.garbage || layout.is_clean())
            {
                return Vec::new();
            }
            let work = limits.model.product(level + 1);
            vec![(
                Vec::new(),
                layout,
                work.times(layout.ciphertexts(network.values[*left].elements)),
            )]
        }
        StageKind::Fused {
            source,
            matrix,
            cubic,
            ..
        } => fused_options(limits, slots, state.layouts[source], matrix, *cubic, level),
        StageKind::Function { .. } => Vec::new(),
    }
}

/// Only where one diagonal without rotation does: every weight stands where its element already is.
fn fused_options(
    limits: Limits,
    slots: usize,
    layout: Layout,
    matrix: &SparseMatrix,
    cubic: [f64; 4],
    level: usize,
) -> Vec<(Choice, Layout, Work)> {
    if layout == Layout::Free {
        return Vec::new();
    }
    let model = limits.model;
    let mut found = Vec::new();
    for scheme in Scheme::candidates(layout, matrix.rows(), matrix.columns(), slots) {
        let terms = rotations(scheme, matrix, slots);
        let single = terms.len() == 1 && terms.iter().all(|&(.., rotation)| rotation == 0);
        if !single || scheme.folds(slots).len() > limits.folds {
            continue;
        }
        let mut work = model.product(level + 2);
        work += model.plain_product(level + 2);
        work += model.rescale(level + 1);
        work += model.product(level + 1);
        let linear_terms = cubic[1..3].iter().filter(|&&value| value != 0.0).count();
        let mut linear = model.plain_product(level + 1);
        linear += model.rescale(level);
        work += linear.times(linear_terms);
        work += model.switch(level).times(scheme.folds(slots).len());
        found.push((vec![scheme], scheme.result(), work));
    }
    found
}

/// (output, input, rotation) of every diagonal that is not zero, for one sample.
fn rotations(
    scheme: Scheme,
    matrix: &SparseMatrix,
    slots: usize,
) -> BTreeSet<(usize, usize, usize)> {
    let outputs = scheme.result().ciphertexts(matrix.rows());
    let inputs = scheme.argument().ciphertexts(matrix.columns());
    let mut seen = vec![false; outputs * inputs * slots];
    for (o, e, _) in matrix.entries() {
        let path = scheme.path(o, e, slots);
        seen[(path.output * inputs + path.input) * slots + path.rotation] = true;
    }
    // An output that depends on nothing still needs one (zero) diagonal.
    for output in 0..outputs {
        let span = output * inputs * slots..(output + 1) * inputs * slots;
        if !seen[span.clone()].contains(&true) {
            seen[span.start] = true;
        }
    }
    let index = |flat: usize| (flat / slots / inputs, flat / slots % inputs, flat % slots);
    seen.iter()
        .enumerate()
        .filter(|&(_, &seen)| seen)
        .map(|(flat, _)| index(flat))
        .collect()
}

/// The baby-step width with the least work, and that work.
fn baby_step(
    limits: Limits,
    slots: usize,
    terms: &BTreeSet<(usize, usize, usize)>,
    outputs: usize,
    folds: usize,
    level: usize,
) -> (usize, Work) {
    let mut best = (
        slots,
        LinearShape::from_rotations(outputs, terms.iter().copied(), slots),
    );
    let cost = |shape: &LinearShape| {
        shape
            .work(limits.model, level, folds)
            .nanoseconds(limits.log_degree)
    };
    let mut least = cost(&best.1);
    let widest = terms
        .iter()
        .map(|&(.., rotation)| rotation)
        .max()
        .unwrap_or(0);
    let widths = std::iter::successors(Some(1), |&width| Some(width * 2))
        .take_while(|&width| width <= widest);
    for width in widths {
        let shape = LinearShape::from_rotations(outputs, terms.iter().copied(), width);
        let own = cost(&shape);
        if own < least {
            (least, best) = (own, (width, shape));
        }
    }
    (best.0, best.1.work(limits.model, level, folds))
}

fn term_cost(
    limits: Limits,
    slots: usize,
    scheme: Scheme,
    matrix: &SparseMatrix,
    level: usize,
) -> Work {
    let terms = rotations(scheme, matrix, slots);
    let outputs = scheme.result().ciphertexts(matrix.rows());
    baby_step(
        limits,
        slots,
        &terms,
        outputs,
        scheme.folds(slots).len(),
        level,
    )
    .1
}

struct Emitter {
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

fn emit(network: &Network, limits: Limits, slots: usize, state: &State) -> Packed {
    let depths = network.depths();
    let depth = network
        .outputs
        .iter()
        .map(|port| depths[port.value])
        .max()
        .unwrap_or(0);
    let mut emitter = Emitter {
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
        input_places.push(emitter.placement(layout, elements));
        emitter
            .notes
            .push(format!("{}: {}", port.name, layout.describe()));
        emitter.held.insert(port.value, registers);
        emitter.layouts.insert(port.value, layout);
    }
    for (stage, choice) in network.stages.iter().zip(&state.choices) {
        emitter.stage(stage.output, &stage.label, &stage.kind, choice);
    }
    let mut outputs = Vec::new();
    let mut output_places = Vec::new();
    for port in &network.outputs {
        let registers = emitter.aligned(port.value, depth, &port.name);
        outputs.extend(registers);
        output_places.push(emitter.placement(
            emitter.layouts[&port.value],
            network.values[port.value].elements,
        ));
    }
    Packed {
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
    }
}

impl Emitter {
    /// Places of sample 0 in all slots.
    fn placement(&self, layout: Layout, elements: usize) -> Placement {
        let stretch = |element| {
            let mut places = layout.places(element, self.slots);
            places
                .iter_mut()
                .for_each(|place| place.slot *= self.limits.samples);
            places
        };
        Placement {
            ciphertexts: layout.ciphertexts(elements),
            places: (0..elements).map(stretch).collect(),
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

    fn stage(&mut self, output: Index, label: &str, kind: &StageKind, choice: &[Scheme]) {
        let depth = self.depths[output];
        let (layout, registers) = match kind {
            StageKind::Linear { terms, bias } => {
                let scaling = Scaling::Group(self.group());
                let mut sum: Option<Vec<Register>> = None;
                for (index, ((value, matrix), &scheme)) in terms.iter().zip(choice).enumerate() {
                    let inputs = self.aligned(*value, depth - 1, label);
                    let bias = if index == 0 { bias.as_slice() } else { &[] };
                    let operation = self.linear(inputs, scheme, matrix, bias, self.depth - depth);
                    let outputs = scheme.result().ciphertexts(matrix.rows());
                    let own = self.push(label, operation, depth, scaling, outputs);
                    self.note(label, scheme, matrix);
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
                (choice[0].result(), sum.unwrap_or_default())
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
                let scheme = choice[0];
                let result = self.fused(*source, label, *cubic, matrix, bias, scheme, depth);
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
        scheme: Scheme,
        depth: usize,
    ) -> Register {
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
            let mut operation = self.linear(vec![input], scheme, matrix, &[], level);
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
            let mut operation = self.linear(vec![low], scheme, &scaled(c1), &[], level);
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

    fn note(&mut self, label: &str, scheme: Scheme, matrix: &SparseMatrix) {
        let folds = scheme.folds(self.slots).len();
        let diagonals = rotations(scheme, matrix, self.slots).len();
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
        scheme: Scheme,
        matrix: &SparseMatrix,
        bias: &[f64],
        level: usize,
    ) -> Operation {
        let (slots, samples) = (self.slots, self.limits.samples);
        let terms = rotations(scheme, matrix, slots);
        let outputs = scheme.result().ciphertexts(matrix.rows());
        let folds = scheme.folds(slots);
        let (baby_step, _) = baby_step(self.limits, slots, &terms, outputs, folds.len(), level);
        let mut blocks: BTreeMap<(usize, usize), BTreeMap<usize, Vec<f64>>> = BTreeMap::new();
        for &(output, input, rotation) in &terms {
            let block = blocks.entry((output, input)).or_default();
            block.insert(rotation * samples, vec![0.0; slots * samples]);
        }
        for (o, e, weight) in matrix.entries() {
            let path = scheme.path(o, e, slots);
            let diagonals = blocks.get_mut(&(path.output, path.input));
            let Some(diagonal) =
                diagonals.and_then(|block| block.get_mut(&(path.rotation * samples)))
            else {
                continue;
            };
            for slot in (path.slot..slots).step_by(path.repeat) {
                diagonal[slot * samples..(slot + 1) * samples]
                    .iter_mut()
                    .for_each(|sum| *sum += weight);
            }
        }
        let block =
            |((output, input), diagonals): ((usize, usize), BTreeMap<usize, Vec<f64>>)| Block {
                output,
                input,
                diagonals: diagonals
                    .into_iter()
                    .map(|(rotation, slots)| (rotation, Plain::Slots(slots)))
                    .collect(),
            };
        Operation::Linear {
            inputs,
            blocks: blocks.into_iter().map(block).collect(),
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
