//! Names, operators and shapes of layers, from the graph that the model was read into.

use std::collections::{BTreeMap, BTreeSet};

use hush_graph::{Function, Graph, Node, Operator};

use super::layers::LayerReport;

/// Names of more nodes than this are left out of a short name.
const NAMES: usize = 2;

/// Fills in what the graph knows of the layers, and the layouts that `notes` tell (`label: layout`).
pub(super) fn describe(layers: &mut [LayerReport], graph: &Graph, notes: &[String]) {
    let mut full = Vec::new();
    for layer in layers.iter_mut() {
        let said = notes
            .iter()
            .filter_map(|note| note.strip_prefix(&layer.label)?.strip_prefix(": "));
        layer.layout = said.collect::<Vec<_>>().join("; ");
        let parts: BTreeSet<&str> = layer.label.split(" + ").collect();
        let within = |node: &&Node| node.names.iter().all(|name| parts.contains(name.as_str()));
        let nodes: Vec<&Node> = graph.nodes().iter().filter(within).collect();
        let Some(last) = nodes.last() else {
            full.push(String::new());
            continue;
        };
        layer.shape = graph.value(last.output).shape.dimensions().to_vec();
        layer.operator = operators(&nodes);
        layer.name = name(&nodes, short);
        full.push(name(&nodes, |name| name.trim_matches('/')));
    }
    // Several layers of one folder are told apart by the rest of their names.
    let mut count: BTreeMap<String, usize> = BTreeMap::new();
    for layer in layers.iter() {
        *count.entry(layer.name.clone()).or_default() += 1;
    }
    for (layer, full) in layers.iter_mut().zip(full) {
        if count[&layer.name] > 1 && !full.is_empty() {
            layer.name = full;
        }
    }
}

fn operators(nodes: &[&Node]) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut minor: Vec<String> = Vec::new();
    for node in nodes {
        let word = words_of(&node.operator);
        let list = match &node.operator {
            Operator::Movement(_) | Operator::Affine { .. } => &mut minor,
            _ => &mut words,
        };
        if !list.contains(&word) {
            list.push(word);
        }
    }
    let words = if words.is_empty() { minor } else { words };
    words.join(" + ")
}

fn words_of(operator: &Operator) -> String {
    let extents = |extents: &[usize]| {
        let extents: Vec<String> = extents.iter().map(usize::to_string).collect();
        extents.join("×")
    };
    match operator {
        Operator::Linear { weight, .. } => match weight.shape() {
            [outputs, inputs] => format!("dense {inputs} → {outputs}"),
            _ => "dense".to_owned(),
        },
        Operator::Convolution(convolution) => {
            let stride = match convolution.strides.as_slice() {
                strides if strides.iter().all(|&stride| stride == 1) => String::new(),
                [first, rest @ ..] if rest.iter().all(|stride| stride == first) => {
                    format!(", stride {first}")
                }
                strides => format!(", stride {}", extents(strides)),
            };
            format!("convolution {}{stride}", extents(convolution.kernel()))
        }
        Operator::Sparse(sparse) => sparse.name.replace('_', " "),
        Operator::Affine { .. } => "scale and shift".to_owned(),
        Operator::Movement(_) => "reshape".to_owned(),
        Operator::Elementwise(Function::Polynomial(polynomial)) => match polynomial.degree() {
            2 => "square polynomial".to_owned(),
            3 => "cubic polynomial".to_owned(),
            degree => format!("polynomial of degree {degree}"),
        },
        Operator::Elementwise(function) => {
            let text = function.to_string();
            text.split('(').next().unwrap_or(&text).replace('_', " ")
        }
        other => other.name().replace('_', " "),
    }
}

/// `/block/conv1/Conv` is `block/conv1`; names without folders stay, and those whose folder is only a number.
fn short(name: &str) -> &str {
    let name = name.trim_matches('/');
    let Some((folder, _)) = name.rsplit_once('/') else {
        return name;
    };
    let last = folder.rsplit('/').next().unwrap_or(folder);
    if last.bytes().all(|byte| byte.is_ascii_digit()) {
        name
    } else {
        folder
    }
}

fn name(nodes: &[&Node], short: fn(&str) -> &str) -> String {
    let mut names: Vec<&str> = Vec::new();
    for name in nodes.iter().flat_map(|node| &node.names) {
        let name = short(name);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    match names.as_slice() {
        [] => String::new(),
        all if all.len() <= NAMES => all.join(" + "),
        [first, .., last] => format!("{first} … {last}"),
        [only] => (*only).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::short;

    #[test]
    fn folders_name_a_node() {
        for (name, expected) in [
            ("/fc1/Gemm", "fc1"),
            ("/layer1/0/conv1/Conv", "layer1/0/conv1"),
            ("/0/Conv", "0/Conv"),
            ("/Relu_1", "Relu_1"),
            ("node_conv2d", "node_conv2d"),
        ] {
            assert_eq!(short(name), expected);
        }
    }
}
