//! Packing for latency: the slots of a ciphertext work on one sample (or a few, interleaved).
//!
//! Layouts are chosen stage by stage with dynamic programming over the layouts of all values that are still needed;
//! the cost of a step is its predicted work on the given chain.

mod emit;
mod rotations;

use std::collections::BTreeMap;

use hush_program::cost::{CostModel, Work};
use hush_program::count::polynomial_work;

use self::rotations::{Case, Rotations};
use super::Packed;
use super::layout::{Layout, Scheme};
use crate::network::{Index, Network, StageKind};
use hush_graph::SparseMatrix;

/// A vector never spans more ciphertexts than this.
const MAX_CIPHERTEXTS: usize = 64;

/// A sample has at least this share of its largest value's slots.
const FEWER_SLOTS: usize = 4;

/// What the search may do.
#[derive(Clone, Copy, Debug, PartialEq)]
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

#[derive(Clone, Debug, PartialEq)]
struct State {
    layouts: BTreeMap<Index, Layout>,
    choices: Vec<Choice>,
    work: Work,
    folds: usize,
}

/// Layouts and schemes that the search settled on; [`Packer::emit`] makes instructions of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    limits: Limits,
    slots: usize,
    state: State,
}

/// Packs one network, remembering what it found out about its matrices.
pub struct Packer<'n> {
    network: &'n Network,
    rotations: Rotations,
}

impl<'n> Packer<'n> {
    /// For a network of linear stages, polynomials and products.
    pub fn new(network: &'n Network) -> Self {
        Self {
            network,
            rotations: Rotations::default(),
        }
    }

    /// The network.
    pub fn network(&self) -> &'n Network {
        self.network
    }

    /// The cheapest packing for each number of slots, cheapest first. Fewer slots mean less noise.
    pub fn plans(&self, limits: Limits) -> Vec<Plan> {
        let most = (1usize << (limits.log_degree - 1)) / limits.samples;
        let elements = self.network.values.iter().map(|value| value.elements);
        let largest = elements.max().unwrap_or(1).next_power_of_two();
        // Far fewer slots than elements only multiply the ciphertexts.
        let least = largest.min(most).div_ceil(FEWER_SLOTS).max(2);
        let sizes = (1..=most.ilog2()).map(|log| 1usize << log);
        let mut found: Vec<(f64, Plan)> = Vec::new();
        for slots in sizes.filter(|&slots| slots >= least) {
            if let Some(state) = search(self, limits, slots) {
                let cost = state.work.nanoseconds(limits.log_degree);
                // More slots at more cost help nothing: noise grows with the slots.
                if found.iter().all(|(other, ..)| cost < *other) {
                    found.push((
                        cost,
                        Plan {
                            limits,
                            slots,
                            state,
                        },
                    ));
                }
            }
        }
        found.sort_by(|a, b| a.0.total_cmp(&b.0));
        found.into_iter().map(|(_, plan)| plan).collect()
    }

    /// The instructions of a plan. Without `weights` every plaintext of a matrix is a zero: enough to count.
    pub fn emit(&self, plan: &Plan, weights: bool) -> Packed {
        emit::emit(self, plan, weights)
    }

    /// What a term of a linear stage costs with its results at `level`.
    fn term_cost(&self, limits: Limits, case: Case, matrix: &SparseMatrix, level: usize) -> Work {
        self.rotations.split(limits, case, matrix, level).1
    }
}

fn search(packer: &Packer<'_>, limits: Limits, slots: usize) -> Option<State> {
    let network = packer.network;
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
            let at = Position {
                packer,
                limits,
                slots,
                stage: position,
                level,
            };
            for (choice, layout, work) in options(at, state, &stage.kind, depth, &depths) {
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

/// Where the search stands.
#[derive(Clone, Copy)]
struct Position<'p, 'n> {
    packer: &'p Packer<'n>,
    limits: Limits,
    slots: usize,
    stage: usize,
    /// Level of the stage's results.
    level: usize,
}

impl Position<'_, '_> {
    fn case(self, term: usize, scheme: Scheme) -> Case {
        Case {
            stage: self.stage,
            term,
            scheme,
            slots: self.slots,
        }
    }
}

fn options(
    at: Position<'_, '_>,
    state: &State,
    kind: &StageKind,
    depth: usize,
    depths: &[usize],
) -> Vec<(Choice, Layout, Work)> {
    let Position {
        packer,
        limits,
        slots,
        level,
        ..
    } = at;
    let values = &packer.network.values;
    match kind {
        StageKind::Linear { terms, .. } => {
            let per_term: Vec<Vec<(Scheme, Work)>> = terms
                .iter()
                .enumerate()
                .map(|(term, (value, matrix))| {
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
                        .map(|scheme| {
                            let case = at.case(term, scheme);
                            (scheme, packer.term_cost(limits, case, matrix, level))
                        })
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
            let ciphertexts = layout.ciphertexts(values[*source].elements);
            vec![(Vec::new(), layout, work.times(ciphertexts))]
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
                work.times(layout.ciphertexts(values[*left].elements)),
            )]
        }
        StageKind::Fused {
            source,
            matrix,
            cubic,
            ..
        } => fused_options(at, state.layouts[source], matrix, *cubic),
        StageKind::Function { .. } => Vec::new(),
    }
}

/// Only where one diagonal without rotation does: every weight stands where its element already is.
fn fused_options(
    at: Position<'_, '_>,
    layout: Layout,
    matrix: &SparseMatrix,
    cubic: [f64; 4],
) -> Vec<(Choice, Layout, Work)> {
    let Position {
        limits,
        slots,
        level,
        ..
    } = at;
    if layout == Layout::Free {
        return Vec::new();
    }
    let model = limits.model;
    let mut found = Vec::new();
    for scheme in Scheme::candidates(layout, matrix.rows(), matrix.columns(), slots) {
        let terms = at.packer.rotations.diagonals(at.case(0, scheme), matrix);
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
