//! Packing for latency: the slots of a ciphertext work on one sample (or a few, interleaved).
//!
//! Layouts are chosen stage by stage with dynamic programming over the layouts of all values that are still needed;
//! the cost of a step is its predicted work on the given chain.

mod emit;
mod rotations;

use std::collections::BTreeMap;

use hush_program::cost::{CostModel, Work};
use hush_program::count::polynomial_work;

use self::emit::emit;
use self::rotations::{rotations, term_cost};
use super::Packed;
use super::layout::{Layout, Scheme};
use crate::network::{Index, Network, StageKind};
use hush_graph::SparseMatrix;

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
