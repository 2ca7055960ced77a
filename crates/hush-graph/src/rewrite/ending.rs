//! The ends of a graph: what follows from the scores of a model without encryption.

use crate::{Function, Graph, GraphBuilder, GraphError, Movement, Node, Operator, Output, ValueId};
use std::collections::BTreeMap;

/// Moves sigmoids to the very end, where the owner of the data can apply them after decryption:
/// behind reshapes and behind concatenations of `sigmoid(x)` and `1 - sigmoid(x)`. The largest of
/// several softmaxes or sigmoids becomes the largest of what they are taken of. Functions of
/// repeated elements become repeated functions.
///
/// Nodes that are no longer needed stay.
pub(super) fn settle(graph: &Graph) -> Result<Graph, GraphError> {
    let mut builder = GraphBuilder::new(graph.name());
    let mut copies: BTreeMap<ValueId, ValueId> = BTreeMap::new();
    for &input in graph.inputs() {
        let value = graph.value(input);
        let copy = builder.input(value.name.clone(), value.shape.clone());
        copies.insert(input, copy);
    }
    for node in graph.nodes() {
        let inputs: Vec<ValueId> = node.inputs.iter().map(|input| copies[input]).collect();
        let name = graph.value(node.output).name.clone();
        let names = node.names.clone();
        let copy = match repeated(graph, node) {
            // Functions come before their results are repeated.
            Some(expand) => {
                let operator = node.operator.clone();
                let few = [copies[&expand.inputs[0]]];
                let results = builder.node(names.clone(), operator, &few, name.clone())?;
                builder.node(names, expand.operator.clone(), &[results], name)?
            }
            None => builder.node(names, node.operator.clone(), &inputs, name)?,
        };
        copies.insert(node.output, copy);
    }
    let mut settler = Settler {
        graph,
        builder,
        copies,
        joined: BTreeMap::new(),
    };
    for output in graph.outputs() {
        let value = settler.end(output.value)?;
        let (name, classes) = (output.name.clone(), output.classes.clone());
        settler.builder.output_of_classes(name, value, classes)?;
    }
    for note in graph.notes() {
        settler.builder.note(note.clone());
    }
    settler.builder.build()
}

/// The node before a function, if it repeats elements.
fn repeated<'a>(graph: &'a Graph, node: &Node) -> Option<&'a Node> {
    let is_function = matches!(node.operator, Operator::Elementwise(_));
    let before = graph.producer(node.inputs[0]).filter(|_| is_function)?;
    let repeats = matches!(before.operator, Operator::Movement(Movement::Expand { .. }));
    repeats.then_some(before)
}

struct Settler<'a> {
    graph: &'a Graph,
    builder: GraphBuilder,
    /// Values of the new graph by those of the old one.
    copies: BTreeMap<ValueId, ValueId>,
    /// The arguments of concatenated sigmoids, by the concatenation in the old graph.
    joined: BTreeMap<ValueId, ValueId>,
}

impl Settler<'_> {
    /// The value of the new graph for an output of the old one.
    fn end(&mut self, value: ValueId) -> Result<ValueId, GraphError> {
        let graph = self.graph;
        let mut moves: Vec<&Node> = Vec::new();
        let mut source = value;
        while let Some(node) = graph.producer(source) {
            match &node.operator {
                Operator::Movement(_) => {
                    moves.push(node);
                    source = node.inputs[0];
                }
                Operator::ArgMax { .. } => return self.largest(value, node),
                _ => break,
            }
        }
        let Some(mut argument) = self.sigmoid_of(source)? else {
            return Ok(self.copies[&value]);
        };
        let Some(last) = graph.producer(source) else {
            return Ok(self.copies[&value]);
        };
        let settled = matches!(last.operator, Operator::Elementwise(_));
        if settled && moves.is_empty() {
            return Ok(self.copies[&value]);
        }
        for node in moves.iter().rev() {
            argument =
                self.builder
                    .node_like(self.graph, node, node.operator.clone(), &[argument])?;
        }
        self.builder.node_like(
            self.graph,
            last,
            Operator::Elementwise(Function::Sigmoid),
            &[argument],
        )
    }

    /// The value of the new graph whose sigmoid the old `value` is.
    fn sigmoid_of(&mut self, value: ValueId) -> Result<Option<ValueId>, GraphError> {
        if let Some(&joined) = self.joined.get(&value) {
            return Ok(Some(joined));
        }
        let graph = self.graph;
        if let Some((argument, false)) = argument(graph, value) {
            return Ok(Some(self.copies[&argument]));
        }
        let Some(node) = graph.producer(value) else {
            return Ok(None);
        };
        let Operator::Concatenate { axis } = node.operator else {
            return Ok(None);
        };
        let parts: Option<Vec<(ValueId, bool)>> = node
            .inputs
            .iter()
            .map(|&input| argument(graph, input))
            .collect();
        let Some(parts) = parts else {
            return Ok(None);
        };
        let mut inputs = Vec::with_capacity(parts.len());
        for (argument, complement) in parts {
            let copy = self.copies[&argument];
            inputs.push(match complement {
                true => self.builder.node_like(
                    self.graph,
                    node,
                    Operator::affine(-1.0, 0.0),
                    &[copy],
                )?,
                false => copy,
            });
        }
        let joined =
            self.builder
                .node_like(self.graph, node, Operator::Concatenate { axis }, &inputs)?;
        self.joined.insert(value, joined);
        Ok(Some(joined))
    }

    /// An output that is a moved arg-max.
    fn largest(&mut self, value: ValueId, node: &Node) -> Result<ValueId, GraphError> {
        let graph = self.graph;
        let Operator::ArgMax { axis, last, .. } = node.operator else {
            return Ok(self.copies[&value]);
        };
        let mut source = node.inputs[0];
        let mut dimensions = graph.value(source).shape.dimensions().to_vec();
        dimensions[axis] = 1;
        let kept = dimensions.clone();
        dimensions.remove(axis);
        let shape = graph.value(value).shape.dimensions();
        let keep_dimension = match shape {
            shape if shape == dimensions => false,
            shape if shape == kept => true,
            _ => return Ok(self.copies[&value]),
        };
        if moves_order(graph, value, node) {
            return Ok(self.copies[&value]);
        }
        while let Some(inner) = graph.producer(source)
            && keeps_order(&inner.operator, axis)
        {
            source = inner.inputs[0];
        }
        let scores = match self.sigmoid_of(source)? {
            Some(scores) => scores,
            None if source == node.inputs[0] && value == node.output => {
                return Ok(self.copies[&value]);
            }
            None => self.copies[&source],
        };
        let arg_max = Operator::ArgMax {
            axis,
            keep_dimension,
            last,
        };
        self.builder.node_like(self.graph, node, arg_max, &[scores])
    }
}

/// Whether anything but reshapes stands between `value` and the arg-max.
fn moves_order(graph: &Graph, mut value: ValueId, arg_max: &Node) -> bool {
    while value != arg_max.output {
        match graph.producer(value) {
            Some(node) if matches!(node.operator, Operator::Movement(Movement::Reshape { .. })) => {
                value = node.inputs[0];
            }
            _ => return true,
        }
    }
    false
}

/// Whether the operator leaves the place of the largest element along `axis` as it is.
fn keeps_order(operator: &Operator, axis: usize) -> bool {
    match operator {
        Operator::Softmax { axis: own } | Operator::LogSoftmax { axis: own } => *own == axis,
        Operator::Elementwise(function) => *function == Function::Sigmoid,
        _ => false,
    }
}

/// `x`, if `value` is `sigmoid(x)` or (then `true`) `1 - sigmoid(x)`.
fn argument(graph: &Graph, value: ValueId) -> Option<(ValueId, bool)> {
    let node = graph.producer(value)?;
    match &node.operator {
        Operator::Elementwise(Function::Sigmoid) => Some((node.inputs[0], false)),
        complement if *complement == Operator::affine(-1.0, 1.0) => {
            match argument(graph, node.inputs[0])? {
                (argument, false) => Some((argument, true)),
                _ => None,
            }
        }
        _ => None,
    }
}

/// The graph without outputs that are the index of the largest element of another output (or of
/// what that is the softmax or sigmoid of): whoever has that output finds the index at once. A
/// note says so. Graphs whose outputs all end in the same way stay as they are.
pub fn leave_out_labels(graph: &Graph) -> Result<Graph, GraphError> {
    let scores: Vec<(&Output, ValueId)> = graph
        .outputs()
        .iter()
        .filter_map(|output| Some((output, source(graph, output.value, false)?)))
        .collect();
    let of = |output: &Output| {
        let label = source(graph, output.value, true)?;
        let (scores, _) = scores.iter().find(|(_, scores)| *scores == label)?;
        Some(scores.name.clone())
    };
    let left_out: Vec<(&Output, String)> = graph
        .outputs()
        .iter()
        .filter_map(|output| Some((output, of(output)?)))
        .collect();
    if left_out.is_empty() {
        return Ok(graph.clone());
    }
    let kept = graph.outputs().iter();
    let kept = kept.filter(|output| !left_out.iter().any(|(left, _)| left == output));
    let mut result = graph.clone().with_outputs(kept.cloned().collect());
    for (output, scores) in &left_out {
        let classes = match output.classes.as_slice() {
            [] => String::new(),
            classes => format!(" (of {})", classes.join(", ")),
        };
        result.add_note(format!(
            "output `{}` is left out: it is the index of the largest element of `{scores}`{classes}",
            output.name
        ));
    }
    Ok(result)
}

/// The value behind softmax, sigmoid and, if `label`, exactly one arg-max; `None` if there is none.
fn source(graph: &Graph, mut value: ValueId, label: bool) -> Option<ValueId> {
    let mut arg_max = false;
    while let Some(node) = graph.producer(value) {
        match &node.operator {
            Operator::ArgMax { .. } => arg_max = true,
            Operator::Softmax { .. } | Operator::LogSoftmax { .. } => {}
            Operator::Elementwise(Function::Sigmoid) => {}
            _ => break,
        }
        value = node.inputs[0];
    }
    (arg_max == label).then_some(value)
}
