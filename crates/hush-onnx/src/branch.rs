//! `If` with a condition that is known: the nodes of one branch.

use crate::constant::Constant;
use crate::import::{import_node, lose};
use crate::node::{Environment, Known, NodeContext, Problem, node_name};
use std::collections::BTreeSet;
use std::sync::Arc;
use tract_onnx::pb::{GraphProto, NodeProto};

pub(crate) fn import(node: &NodeProto, environment: &mut Environment) -> Result<(), Problem> {
    let mut context = NodeContext { node, environment };
    let condition = match context.input(0)? {
        Known::Constant(_) => context.constant(0)?,
        Known::Data(_) => {
            return Err(Problem::new(
                "its condition depends on the data",
                "control flow cannot depend on encrypted data; export one path",
            ));
        }
        Known::Lost { .. } => {
            lose(node, environment);
            return Ok(());
        }
    };
    let &[truth] = condition.floats().as_slice() else {
        return Err(Problem::malformed(
            "its condition is not a single truth value",
        ));
    };
    let name = if truth != 0.0 {
        "then_branch"
    } else {
        "else_branch"
    };
    let missing = || Problem::malformed(format!("its {name} is missing"));
    let branch = node
        .attribute
        .iter()
        .find(|attribute| attribute.name == name)
        .and_then(|attribute| attribute.g.as_ref())
        .ok_or_else(missing)?;
    for tensor in &branch.initializer {
        let refused = |error: crate::ImportError| Problem::malformed(error.to_string());
        let constant = Constant::from_proto(tensor, "").map_err(refused)?;
        environment.spend(constant.size())?;
        let known = Known::Constant(Arc::new(constant));
        environment.known.insert(tensor.name.clone(), known);
    }
    for inner in &branch.node {
        import_node(inner, environment).map_err(|problem| Problem {
            reason: format!(
                "in its {name}, {} `{}`: {}",
                inner.op_type,
                node_name(inner),
                problem.reason
            ),
            hint: problem.hint,
        })?;
    }
    for (position, output) in branch.output.iter().enumerate() {
        let undefined = || Problem::malformed(format!("nothing defines `{}`", output.name));
        let known = environment.known.get(&output.name).cloned();
        let known = known.ok_or_else(undefined)?;
        NodeContext { node, environment }.define_output(position, known);
    }
    Ok(())
}

/// The values from outside that the branches of a node read.
pub(crate) fn captured(node: &NodeProto) -> BTreeSet<&str> {
    let graphs = node
        .attribute
        .iter()
        .filter_map(|attribute| attribute.g.as_ref());
    graphs.flat_map(captured_by).collect()
}

fn captured_by(graph: &GraphProto) -> BTreeSet<&str> {
    let inputs = graph.input.iter().map(|input| input.name.as_str());
    let stored = graph.initializer.iter().map(|tensor| tensor.name.as_str());
    let results = graph.node.iter().flat_map(|node| &node.output);
    let own: BTreeSet<&str> = inputs
        .chain(stored)
        .chain(results.map(String::as_str))
        .collect();
    let read = graph.node.iter().flat_map(|node| {
        let direct = node.input.iter().map(String::as_str);
        direct.chain(captured(node))
    });
    let outputs = graph.output.iter().map(|output| output.name.as_str());
    read.chain(outputs)
        .filter(|name| !name.is_empty() && !own.contains(name))
        .collect()
}
