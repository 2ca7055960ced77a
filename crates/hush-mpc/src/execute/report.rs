//! What a graph costs, node by node, without running it.

use std::fmt;

use hush_simd::words::Word;

use super::Plan;
use crate::protocol::count::Count;
use crate::{Cost, Kernel, MpcError, Protocol, Secret, Share};

/// The cost of one prediction on shares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Of each node, in order. A ReLU may count where its result is used.
    pub nodes: Vec<NodeCost>,
    /// Of sharing the inputs.
    pub inputs: Cost,
    /// Of opening the outputs to one party.
    pub outputs: Cost,
    /// The number of parties.
    pub parties: usize,
}

/// The cost of one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeCost {
    /// The names of the nodes of the model.
    pub label: String,
    /// Rounds and bytes.
    pub cost: Cost,
}

impl Report {
    /// The sum of everything.
    pub fn total(&self) -> Cost {
        let mut total = self.inputs;
        for node in &self.nodes {
            total += node.cost;
        }
        total += self.outputs;
        total
    }

    /// Predicted seconds on links of so many seconds one way and bytes a second for each party,
    /// without the time to compute.
    pub fn seconds(&self, latency: f64, bandwidth: f64) -> f64 {
        self.total().seconds(latency, bandwidth, self.parties)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = |label: &str, cost: Cost| {
            writeln!(
                formatter,
                "{label:40} {:6} rounds {:14} bytes",
                cost.rounds, cost.bytes
            )
        };
        line("inputs", self.inputs)?;
        for node in &self.nodes {
            line(&node.label, node.cost)?;
        }
        line("outputs to one party", self.outputs)?;
        line("total", self.total())
    }
}

pub(super) fn report<W: Word>(
    plan: &Plan,
    batch: usize,
    parties: usize,
    cost: fn(Kernel) -> Cost,
) -> Result<Report, MpcError> {
    let mut protocol = Count::<W>::new(parties, cost);
    // Loading is not part of a prediction.
    let model = plan.load(&mut protocol)?;
    let start = protocol.spent();
    let inputs: Vec<Secret<W>> = (0..plan.graph.inputs().len())
        .map(|input| plan.input(&mut protocol, input, 0, batch, None))
        .collect::<Result<_, _>>()?;
    let shared = protocol.spent();
    let mut nodes = Vec::new();
    let mut last = shared;
    let outputs = model.predict_observed(&mut protocol, &inputs, |label, spent| {
        nodes.push(NodeCost {
            label: label.to_string(),
            cost: spent.since(last),
        });
        last = spent;
    })?;
    // What was still due at an output belongs to the last node.
    let done = protocol.spent();
    if let Some(node) = nodes.last_mut() {
        node.cost += done.since(last);
    }
    for output in &outputs {
        let share: &Share<W> = output.share();
        protocol.reveal(crate::Parties::one(0), share)?;
    }
    Ok(Report {
        nodes,
        inputs: shared.since(start),
        outputs: protocol.spent().since(done),
        parties,
    })
}
