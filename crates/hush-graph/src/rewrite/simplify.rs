//! Replaces spelled-out scalar functions by one node each.

use super::activation::{Activation, recognize};
use super::expression::{Expression, Expressions, expressions};
use crate::{Function, Graph, GraphBuilder, GraphError, Node, Operator, Polynomial, ValueId};
use std::collections::{BTreeMap, BTreeSet};

/// Merges element-wise nodes that together are one scalar function of an earlier value:
/// - polynomials written as products, powers, sums and scalings become one
///   [`Function::Polynomial`] (degree 31 at most), or a scalar [`Operator::Affine`];
/// - `x · sigmoid(s x)`, `x · (1 + erf(x / √2)) / 2` and the tanh form of GELU become
///   [`Function::Silu`], [`Function::Gelu`] and [`Function::GeluTanh`], with their constants taken
///   as exact if they are within 1e-5.
///
/// Values that several nodes read are computed once where possible; unused nodes go. A merged node
/// carries the names of all nodes it stands for. The result computes the same function up to
/// rounding.
pub fn simplify(graph: &Graph) -> Result<Graph, GraphError> {
    let known = expressions(graph);
    // Which values are there anyway is known only after a first round.
    let first = plan(graph, &known, &BTreeMap::new());
    let plans = plan(graph, &known, &first);
    emit(graph, &plans)
}

/// How to compute a value.
enum Plan<'a> {
    Keep(&'a Node),
    Merge {
        base: ValueId,
        expression: &'a Expression,
        form: Form,
    },
}

enum Form {
    /// Degree zero or one.
    Affine(Polynomial),
    Polynomial(Polynomial),
    Activation(Activation),
}

/// Plans for the values that the outputs need.
fn plan<'a>(
    graph: &'a Graph,
    known: &'a [Expressions],
    present: &BTreeMap<ValueId, Plan<'_>>,
) -> BTreeMap<ValueId, Plan<'a>> {
    let mut needed: BTreeSet<ValueId> = graph.outputs().iter().map(|output| output.value).collect();
    let mut plans = BTreeMap::new();
    for node in graph.nodes().iter().rev() {
        if !needed.contains(&node.output) {
            continue;
        }
        let plan = choose(node, &known[node.output.index()], present);
        match &plan {
            Plan::Keep(node) => needed.extend(&node.inputs),
            Plan::Merge { base, .. } => {
                needed.insert(*base);
            }
        }
        plans.insert(node.output, plan);
    }
    plans
}

/// The base that leaves the fewest operators, then the earliest; but the latest that is present
/// anyway if only an affine function is missing.
fn choose<'a>(
    node: &'a Node,
    expressions: &'a Expressions,
    present: &BTreeMap<ValueId, Plan<'_>>,
) -> Plan<'a> {
    let candidates = || {
        let others = expressions.iter().filter(|(base, _)| **base != node.output);
        others.filter_map(|(&base, expression)| Some((base, expression, form(expression)?)))
    };
    let near = candidates()
        .rfind(|(base, _, form)| matches!(form, Form::Affine(_)) && present.contains_key(base));
    match near.or_else(|| candidates().min_by_key(|(_, _, form)| operators(form).len())) {
        Some((base, expression, form)) => Plan::Merge {
            base,
            expression,
            form,
        },
        None => Plan::Keep(node),
    }
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
            Plan::Merge {
                base,
                expression,
                form,
            } => {
                let names: Vec<String> = expression
                    .nodes
                    .iter()
                    .flat_map(|&node| graph.nodes()[node].names.clone())
                    .collect();
                operators(form)
                    .into_iter()
                    .try_fold(renumbered[base], |input, operator| {
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
        Form::Activation(activation) => {
            let function = Operator::Elementwise(activation.function.clone());
            let before = activation.before().as_ref().map(affine);
            let after = activation.after().as_ref().map(affine);
            before.into_iter().chain([function]).chain(after).collect()
        }
    }
}
