//! Values that are any scalar function of an earlier value.

use crate::{BinaryOperator, Composition, Function, Graph, Node, Operator, Step, ValueId};
use std::collections::BTreeMap;

/// How many nodes one chain may have; bounds the work on long ones.
const LARGEST_NODES: usize = 64;

/// How many bases are followed for each value.
const LARGEST_BASES: usize = 8;

/// The nodes between a value and earlier ones that it is a function of, by base, in order.
pub(super) type Chains = BTreeMap<ValueId, Vec<usize>>;

/// For each value (by index) its chains from itself and from earlier values.
pub(super) fn chains(graph: &Graph) -> Vec<Chains> {
    let mut known: Vec<Chains> = vec![BTreeMap::new(); graph.values().len()];
    for &input in graph.inputs() {
        known[input.index()].insert(input, Vec::new());
    }
    for (position, node) in graph.nodes().iter().enumerate() {
        let mut found = if is_scalar(node) {
            join(node, &known)
        } else {
            BTreeMap::new()
        };
        for nodes in found.values_mut() {
            nodes.push(position);
        }
        found.retain(|_, nodes| nodes.len() <= LARGEST_NODES);
        while found.len() > LARGEST_BASES {
            found.pop_last();
        }
        found.insert(node.output, Vec::new());
        known[node.output.index()] = found;
    }
    known
}

fn is_scalar(node: &Node) -> bool {
    match &node.operator {
        Operator::Affine { scale, offset } => {
            scale.as_scalar().is_some() && offset.as_scalar().is_some()
        }
        Operator::Elementwise(_) | Operator::Binary(_) => true,
        _ => false,
    }
}

/// The bases that all inputs of `node` share.
fn join(node: &Node, known: &[Chains]) -> Chains {
    let mut inputs = node.inputs.iter().map(|input| &known[input.index()]);
    let mut joined = inputs.next().cloned().unwrap_or_default();
    for other in inputs {
        joined.retain(|base, _| other.contains_key(base));
        for (base, nodes) in &mut joined {
            nodes.extend(&other[base]);
            nodes.sort_unstable();
            nodes.dedup();
        }
    }
    joined
}

/// What stands in the way of computing a chain exactly or at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Weight {
    /// Products, powers and functions: each costs levels of its own.
    pub(super) nonlinear: usize,
    /// Those that are no polynomials.
    pub(super) functions: usize,
}

pub(super) fn weigh(graph: &Graph, nodes: &[usize]) -> Weight {
    let operators = || nodes.iter().map(|&node| &graph.nodes()[node].operator);
    let is_function = |operator: &&Operator| match operator {
        Operator::Elementwise(function) => !matches!(function, Function::Polynomial(_)),
        Operator::Binary(binary) => {
            matches!(binary, BinaryOperator::Maximum | BinaryOperator::Minimum)
        }
        _ => false,
    };
    let is_polynomial = |operator: &&Operator| match operator {
        Operator::Elementwise(Function::Polynomial(polynomial)) => polynomial.degree() > 1,
        Operator::Binary(binary) => *binary == BinaryOperator::Multiply,
        _ => false,
    };
    let functions = operators().filter(is_function).count();
    let nonlinear = functions + operators().filter(is_polynomial).count();
    Weight {
        nonlinear,
        functions,
    }
}

/// The function that a chain computes from its base.
pub(super) fn composition(graph: &Graph, base: ValueId, nodes: &[usize]) -> Option<Composition> {
    let mut operands = BTreeMap::from([(base, 0)]);
    let mut steps = Vec::with_capacity(nodes.len());
    for &position in nodes {
        let node = &graph.nodes()[position];
        let input = *operands.get(&node.inputs[0])?;
        steps.push(match &node.operator {
            Operator::Affine { scale, offset } => Step::Affine {
                scale: scale.as_scalar()?,
                offset: offset.as_scalar()?,
                input,
            },
            Operator::Elementwise(function) => Step::Function {
                function: function.clone(),
                input,
            },
            Operator::Binary(operator) => Step::Binary {
                operator: *operator,
                left: input,
                right: *operands.get(&node.inputs[1])?,
            },
            _ => return None,
        });
        operands.insert(node.output, steps.len());
    }
    Composition::new(steps)
}
