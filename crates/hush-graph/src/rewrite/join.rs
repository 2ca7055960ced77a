//! Products that stand side by side become one product of what stands side by side.

use crate::{
    BinaryOperator, Graph, GraphBuilder, GraphError, Node, Operator, SparseLinear, SparseMatrix,
    ValueId,
};
use std::collections::BTreeMap;

/// How deep products of products are followed.
const DEEPEST: usize = 4;

/// Larger concatenations are left alone: moving much costs more than a product saves.
const LARGEST_ELEMENTS: usize = 1024;

/// Rewrites `[a·b, c, d·e]` to `[a, d] · [b, e]` and puts the elements in order: the features of a
/// polynomial take one product, not one each. Nodes that are no longer needed stay.
pub(super) fn join(graph: &Graph) -> Result<Graph, GraphError> {
    let mut readers = vec![0usize; graph.values().len()];
    let read = graph.nodes().iter().flat_map(|node| &node.inputs);
    for value in read.chain(graph.outputs().iter().map(|output| &output.value)) {
        readers[value.index()] += 1;
    }
    let mut joiner = Joiner {
        graph,
        readers,
        builder: GraphBuilder::new(graph.name()),
        copies: BTreeMap::new(),
    };
    for &input in graph.inputs() {
        let value = graph.value(input);
        let name = value.name.clone();
        let copy = joiner.builder.input(name, value.shape.clone());
        joiner.copies.insert(input, copy);
    }
    for node in graph.nodes() {
        let copy = match node.operator {
            Operator::Concatenate { axis } => joiner.concatenate(node, axis, &node.inputs, 0)?,
            _ => {
                let inputs = node.inputs.iter().map(|input| joiner.copies[input]);
                let inputs: Vec<ValueId> = inputs.collect();
                joiner
                    .builder
                    .node_like(joiner.graph, node, node.operator.clone(), &inputs)?
            }
        };
        joiner.copies.insert(node.output, copy);
    }
    for output in graph.outputs() {
        let (name, classes) = (output.name.clone(), output.classes.clone());
        let value = joiner.copies[&output.value];
        joiner.builder.output_of_classes(name, value, classes)?;
    }
    for note in graph.notes() {
        joiner.builder.note(note.clone());
    }
    joiner.builder.build()
}

struct Joiner<'a> {
    graph: &'a Graph,
    /// How often each value of the old graph is read.
    readers: Vec<usize>,
    builder: GraphBuilder,
    /// Values of the new graph by those of the old one.
    copies: BTreeMap<ValueId, ValueId>,
}

impl<'a> Joiner<'a> {
    /// The product that `value` is, if nothing else reads it.
    fn product(&self, value: ValueId) -> Option<&'a Node> {
        let node = self.graph.producer(value)?;
        let is_product = node.operator == Operator::Binary(BinaryOperator::Multiply);
        (is_product && self.readers[value.index()] == 1).then_some(node)
    }

    /// `parts` of the old graph side by side, in the new one.
    fn concatenate(
        &mut self,
        like: &Node,
        axis: usize,
        parts: &[ValueId],
        depth: usize,
    ) -> Result<ValueId, GraphError> {
        let products: Vec<&Node> = parts
            .iter()
            .filter_map(|&part| self.product(part))
            .collect();
        let elements = parts
            .iter()
            .map(|&part| self.graph.value(part).shape.size());
        let small = elements.sum::<usize>() <= LARGEST_ELEMENTS;
        if products.len() < 2 || depth >= DEEPEST || !small {
            let copies: Vec<ValueId> = parts.iter().map(|part| self.copies[part]).collect();
            return self.builder.node_like(
                self.graph,
                like,
                Operator::Concatenate { axis },
                &copies,
            );
        }
        let side = |position: usize| products.iter().map(move |node| node.inputs[position]);
        let (left, right): (Vec<_>, Vec<_>) = (side(0).collect(), side(1).collect());
        let left = self.concatenate(like, axis, &left, depth + 1)?;
        let right = self.concatenate(like, axis, &right, depth + 1)?;
        let multiply = Operator::Binary(BinaryOperator::Multiply);
        let product = self
            .builder
            .node_like(self.graph, products[0], multiply, &[left, right])?;
        if products.len() == parts.len() {
            return Ok(product);
        }
        let is_product: Vec<bool> = parts
            .iter()
            .map(|&part| self.product(part).is_some())
            .collect();
        let mut joined = vec![product];
        let others = parts
            .iter()
            .zip(&is_product)
            .filter(|(_, product)| !**product);
        joined.extend(others.map(|(part, _)| self.copies[part]));
        let joined =
            self.builder
                .node_like(self.graph, like, Operator::Concatenate { axis }, &joined)?;
        let lengths = parts
            .iter()
            .map(|&part| self.graph.value(part).shape.dimensions()[axis]);
        let places = places(&lengths.collect::<Vec<_>>(), &is_product);
        let order = self.order(joined, axis, &places);
        self.builder.node_like(self.graph, like, order, &[joined])
    }

    /// The map that takes position `places[i]` along `axis` to position `i`.
    fn order(&self, joined: ValueId, axis: usize, places: &[usize]) -> Operator {
        let shape = self.builder.value(joined).shape.clone();
        let (before, after) = shape.dimensions().split_at(axis);
        let inner: usize = after[1..].iter().product();
        let outer: usize = before.iter().product();
        let sources = (0..outer).flat_map(|block| {
            let start = block * places.len();
            let along = places.iter().map(move |place| (start + place) * inner);
            along.flat_map(move |source| source..source + inner)
        });
        Operator::Sparse(SparseLinear {
            name: "order",
            trained: false,
            matrix: SparseMatrix::selection(shape.size(), sources),
            bias: None,
            shape,
        })
    }
}

/// Where each position of the parts in their order stands when the marked parts come first.
fn places(lengths: &[usize], first: &[bool]) -> Vec<usize> {
    let mut starts = vec![0; lengths.len()];
    let mut next = 0;
    for wanted in [true, false] {
        for part in (0..lengths.len()).filter(|&part| first[part] == wanted) {
            starts[part] = next;
            next += lengths[part];
        }
    }
    let ranges = starts.iter().zip(lengths);
    ranges
        .flat_map(|(&start, &length)| start..start + length)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marked_parts_come_first() {
        assert_eq!(places(&[1, 2, 1], &[false, true, true]), vec![3, 0, 1, 2]);
    }
}
