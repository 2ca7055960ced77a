//! Which nodes matter, and in which order to take them.

use crate::ImportError;
use crate::branch::captured;
use crate::node::node_name;
use std::collections::{BTreeMap, BTreeSet};
use tract_onnx::pb::{GraphProto, NodeProto};

/// The nodes that the outputs depend on, each after those it reads; ties keep the order of the
/// file. Reports undefined values, values defined twice, and cycles.
pub(crate) fn order(graph: &GraphProto) -> Result<Vec<&NodeProto>, ImportError> {
    let producers = producers(graph)?;
    let sources: BTreeSet<&str> = source_names(graph).collect();
    let find = |reader: &str, value: &str| match producers.get(value) {
        Some(&position) => Ok(Some(position)),
        None if sources.contains(value) => Ok(None),
        None => Err(ImportError::Undefined {
            reader: reader.to_string(),
            value: value.to_string(),
        }),
    };
    let mut reads: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    let mut pending = Vec::new();
    for output in &graph.output {
        pending.extend(find("graph output", &output.name)?);
    }
    while let Some(position) = pending.pop() {
        if reads.contains_key(&position) {
            continue;
        }
        let node = &graph.node[position];
        let mut needed = BTreeSet::new();
        let direct = node.input.iter().map(String::as_str);
        let inputs = direct.chain(captured(node));
        for input in inputs.filter(|input| !input.is_empty()) {
            needed.extend(find(node_name(node), input)?);
        }
        pending.extend(&needed);
        reads.insert(position, needed);
    }
    sort(graph, reads)
}

fn source_names(graph: &GraphProto) -> impl Iterator<Item = &str> {
    let inputs = graph.input.iter().map(|input| input.name.as_str());
    inputs.chain(
        graph
            .initializer
            .iter()
            .map(|initializer| initializer.name.as_str()),
    )
}

fn producers(graph: &GraphProto) -> Result<BTreeMap<&str, usize>, ImportError> {
    let sources: BTreeSet<&str> = source_names(graph).collect();
    let mut producers = BTreeMap::new();
    for (position, node) in graph.node.iter().enumerate() {
        for output in node.output.iter().filter(|output| !output.is_empty()) {
            let twice = producers.insert(output.as_str(), position).is_some();
            if twice || sources.contains(output.as_str()) {
                return Err(ImportError::DefinedTwice {
                    value: output.clone(),
                });
            }
        }
    }
    Ok(producers)
}

fn sort(
    graph: &GraphProto,
    mut reads: BTreeMap<usize, BTreeSet<usize>>,
) -> Result<Vec<&NodeProto>, ImportError> {
    let mut readers: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (&position, needed) in &reads {
        for &producer in needed {
            readers.entry(producer).or_default().push(position);
        }
    }
    let without_reads = reads.iter().filter(|(_, needed)| needed.is_empty());
    let mut ready: BTreeSet<usize> = without_reads.map(|(&position, _)| position).collect();
    let mut ordered = Vec::with_capacity(reads.len());
    while let Some(position) = ready.pop_first() {
        ordered.push(&graph.node[position]);
        reads.remove(&position);
        for &reader in readers.get(&position).into_iter().flatten() {
            if let Some(needed) = reads.get_mut(&reader) {
                needed.remove(&position);
                if needed.is_empty() {
                    ready.insert(reader);
                }
            }
        }
    }
    match reads.keys().next() {
        None => Ok(ordered),
        Some(&start) => Err(ImportError::Cycle {
            nodes: cycle(graph, &reads, start),
        }),
    }
}

/// Each remaining node reads another remaining one, so walking back must meet itself.
fn cycle(
    graph: &GraphProto,
    reads: &BTreeMap<usize, BTreeSet<usize>>,
    start: usize,
) -> Vec<String> {
    let mut path = vec![start];
    let mut seen = BTreeSet::from([start]);
    let mut current = start;
    while let Some(&next) = reads.get(&current).and_then(BTreeSet::first) {
        path.push(next);
        if !seen.insert(next) {
            break;
        }
        current = next;
    }
    let last = path[path.len() - 1];
    let first = path
        .iter()
        .position(|&position| position == last)
        .unwrap_or(0);
    path[first..]
        .iter()
        .rev()
        .map(|&position| node_name(&graph.node[position]).to_string())
        .collect()
}
