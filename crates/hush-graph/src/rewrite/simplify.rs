//! Replaces spelled-out scalar functions by one node each.

use super::activation::{Activation, recognize};
use super::chain::{Chains, chains, composition, weigh};
use super::ending::settle;
use super::expression::{Expression, Expressions, expressions};
use super::join::join;
use super::named::name;
use crate::{Function, Graph, GraphBuilder, GraphError, Node, Operator, Polynomial, ValueId};
use std::collections::{BTreeMap, BTreeSet};

/// Merges element-wise nodes that together are one scalar function of an earlier value:
/// - polynomials written as products, powers, sums and scalings become one
///   [`Function::Polynomial`] (degree 31 at most), or a scalar [`Operator::Affine`];
/// - `x · sigmoid(s x)`, `x · (1 + erf(x / √2)) / 2` and the tanh form of GELU become
///   [`Function::Silu`], [`Function::Gelu`] and [`Function::GeluTanh`], with their constants taken
///   as exact if they are within 1e-5;
/// - other functions in several nodes become the one of [`Function`] that has the same values, or
///   a [`Function::Composition`], which is approximated once instead of step by step. A sigmoid
///   that is an output stays, since it needs no approximation there.
///
/// Sigmoids move to the very end where they can, behind reshapes and concatenations, and products
/// that stand side by side become one.
///
/// Values that several nodes read are computed once where possible; unused nodes go. A merged node
/// carries the names of all nodes it stands for. The result computes the same function up to
/// rounding.
pub fn simplify(graph: &Graph) -> Result<Graph, GraphError> {
    let merged = merge(&settle(graph)?)?;
    // Only now is it known which products are part of functions.
    let joined = join(&merged)?;
    if joined == merged {
        return Ok(merged);
    }
    merge(&joined)
}

fn merge(graph: &Graph) -> Result<Graph, GraphError> {
    let known = Known {
        expressions: expressions(graph),
        chains: chains(graph),
    };
    // Which values are there anyway is known only after a first round.
    let first = plan(graph, &known, &BTreeMap::new());
    let plans = plan(graph, &known, &first);
    emit(graph, &plans)
}

/// What values are of earlier ones, by index of the value.
struct Known {
    expressions: Vec<Expressions>,
    chains: Vec<Chains>,
}

/// How to compute a value.
enum Plan<'a> {
    Keep(&'a Node),
    Merge(Merge),
}

/// A value as a function of an earlier one.
struct Merge {
    base: ValueId,
    form: Form,
    /// Positions of the nodes that it stands for.
    nodes: Vec<usize>,
}

enum Form {
    /// Degree zero or one.
    Affine(Polynomial),
    Polynomial(Polynomial),
    Activation(Activation),
    /// Functions with a name, and compositions.
    Function(Function),
}

/// Plans for the values that the outputs need.
fn plan<'a>(
    graph: &'a Graph,
    known: &Known,
    present: &BTreeMap<ValueId, Plan<'_>>,
) -> BTreeMap<ValueId, Plan<'a>> {
    let outputs: BTreeSet<ValueId> = graph.outputs().iter().map(|output| output.value).collect();
    let mut needed = outputs.clone();
    let mut plans = BTreeMap::new();
    for node in graph.nodes().iter().rev() {
        if !needed.contains(&node.output) {
            continue;
        }
        let is_last = outputs.contains(&node.output);
        let plan = match &node.operator {
            Operator::Elementwise(Function::Sigmoid) if is_last => Plan::Keep(node),
            _ => choose(graph, node, known, present),
        };
        match &plan {
            Plan::Keep(node) => needed.extend(&node.inputs),
            Plan::Merge(merge) => {
                needed.insert(merge.base);
            }
        }
        plans.insert(node.output, plan);
    }
    plans
}

/// The base that leaves the fewest operators, then the earliest; but the latest that is present
/// anyway if only an affine function is missing.
fn choose<'a>(
    graph: &Graph,
    node: &'a Node,
    known: &Known,
    present: &BTreeMap<ValueId, Plan<'_>>,
) -> Plan<'a> {
    let index = node.output.index();
    let others = known.expressions[index].iter();
    let others = others.filter(|(base, _)| **base != node.output);
    let exact = others.filter_map(|(&base, expression)| {
        let nodes = expression.nodes.iter().copied().collect();
        let form = form(expression)?;
        Some(Merge { base, form, nodes })
    });
    let mut exact: Vec<Merge> = exact.collect();
    let near =
        |merge: &Merge| matches!(merge.form, Form::Affine(_)) && present.contains_key(&merge.base);
    let exact = match exact.iter().rposition(near) {
        Some(position) => Some(exact.swap_remove(position)),
        None => exact
            .into_iter()
            .min_by_key(|merge| operators(&merge.form).len()),
    };
    if let Some(merge) = &exact
        && matches!(merge.form, Form::Activation(_))
    {
        return exact.map_or(Plan::Keep(node), Plan::Merge);
    }
    let merge = match (merge_chain(graph, node, &known.chains[index]), exact) {
        (Chain::Named(merge), _) => Some(merge),
        // One fit instead of one and a power of its result.
        (Chain::Unnamed(merge), Some(exact))
            if is_power(&exact.form) && merge.base < exact.base =>
        {
            Some(merge)
        }
        (_, Some(exact)) => Some(exact),
        (Chain::Unnamed(merge), None) => Some(merge),
        (Chain::None, None) => None,
    };
    merge.map_or(Plan::Keep(node), Plan::Merge)
}

fn is_power(form: &Form) -> bool {
    matches!(form, Form::Polynomial(_))
}

/// A value as a function that is not exact.
enum Chain {
    Named(Merge),
    Unnamed(Merge),
    None,
}

/// The whole function from the earliest base on, by name or else as a composition. A name may
/// take a later base, if only affine functions come before it.
fn merge_chain(graph: &Graph, node: &Node, chains: &Chains) -> Chain {
    let mut unnamed: Option<(usize, Merge)> = None;
    for (&base, nodes) in chains.iter().filter(|(base, _)| **base != node.output) {
        let weight = weigh(graph, nodes);
        if weight.functions == 0 || nodes.len() < 2 {
            continue;
        }
        let Some(composition) = composition(graph, base, nodes) else {
            continue;
        };
        let merge = |function| Merge {
            base,
            form: Form::Function(function),
            nodes: nodes.clone(),
        };
        let longest = unnamed.as_ref().map_or(0, |(nonlinear, _)| *nonlinear);
        if weight.nonlinear < longest {
            break;
        }
        if let Some(function) = name(&composition) {
            return Chain::Named(merge(function));
        }
        if weight.nonlinear >= 2 && unnamed.is_none() {
            let merge = merge(Function::Composition(composition));
            unnamed = Some((weight.nonlinear, merge));
        }
    }
    unnamed.map_or(Chain::None, |(_, merge)| Chain::Unnamed(merge))
}

fn form(expression: &Expression) -> Option<Form> {
    match expression.as_polynomial() {
        Some(polynomial) if polynomial.degree() <= 1 => Some(Form::Affine(polynomial.clone())),
        Some(polynomial) => Some(Form::Polynomial(polynomial.clone())),
        None => recognize(expression).map(Form::Activation),
    }
}

fn emit(graph: &Graph, plans: &BTreeMap<ValueId, Plan<'_>>) -> Result<Graph, GraphError> {
    let mut builder = GraphBuilder::new(graph.name());
    let mut renumbered: BTreeMap<ValueId, ValueId> = BTreeMap::new();
    for &input in graph.inputs() {
        let value = graph.value(input);
        renumbered.insert(
            input,
            builder.input(value.name.clone(), value.shape.clone()),
        );
    }
    for (&value, plan) in plans {
        let name = &graph.value(value).name;
        let result = match plan {
            Plan::Keep(node) => {
                let inputs: Vec<ValueId> =
                    node.inputs.iter().map(|input| renumbered[input]).collect();
                builder.node(
                    node.names.clone(),
                    node.operator.clone(),
                    &inputs,
                    name.clone(),
                )?
            }
            Plan::Merge(merge) => {
                let nodes = merge.nodes.iter();
                let names: Vec<String> = nodes
                    .flat_map(|&node| graph.nodes()[node].names.clone())
                    .collect();
                operators(&merge.form)
                    .into_iter()
                    .try_fold(renumbered[&merge.base], |input, operator| {
                        builder.node(names.clone(), operator, &[input], name.clone())
                    })?
            }
        };
        renumbered.insert(value, result);
    }
    for output in graph.outputs() {
        let (name, classes) = (output.name.clone(), output.classes.clone());
        builder.output_of_classes(name, renumbered[&output.value], classes)?;
    }
    for note in graph.notes() {
        builder.note(note.clone());
    }
    builder.build()
}

/// The operators of a merged form, one after the other; none if it is the identity.
fn operators(form: &Form) -> Vec<Operator> {
    let affine = |polynomial: &Polynomial| {
        let coefficients = polynomial.coefficients();
        Operator::affine(coefficients.get(1).copied().unwrap_or(0.0), coefficients[0])
    };
    match form {
        Form::Affine(polynomial) if *polynomial == Polynomial::identity() => Vec::new(),
        Form::Affine(polynomial) => vec![affine(polynomial)],
        Form::Polynomial(polynomial) => {
            vec![Operator::Elementwise(Function::Polynomial(
                polynomial.clone(),
            ))]
        }
        Form::Function(function) => vec![Operator::Elementwise(function.clone())],
        Form::Activation(activation) => {
            let function = Operator::Elementwise(activation.function.clone());
            let before = activation.before().as_ref().map(affine);
            let after = activation.after().as_ref().map(affine);
            before.into_iter().chain([function]).chain(after).collect()
        }
    }
}
