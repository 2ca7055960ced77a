//! Functions that a model brings along: calls are replaced by the nodes of the function.

use crate::ImportError;
use crate::node::node_name;
use std::collections::BTreeMap;
use tract_onnx::pb::{AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto};

/// How many nodes all calls together may become.
const LARGEST_NODES: usize = 1 << 16;

/// How deep functions may call each other.
const DEEPEST: usize = 64;

/// The graph of the model without calls of its functions; `None` if it has no functions.
/// `operator_set` is the version of the standard operators in the graph.
pub(crate) fn inline(
    model: &ModelProto,
    operator_set: i64,
) -> Result<Option<GraphProto>, ImportError> {
    let (Some(graph), false) = (&model.graph, model.functions.is_empty()) else {
        return Ok(None);
    };
    let mut functions = BTreeMap::new();
    for function in &model.functions {
        functions.insert(key(function.domain(), function.name()), function);
    }
    let mut inliner = Inliner {
        functions,
        operator_set,
        nodes: Vec::new(),
    };
    for node in &graph.node {
        inliner.expand(node.clone(), 0)?;
    }
    Ok(Some(GraphProto {
        node: inliner.nodes,
        ..graph.clone()
    }))
}

/// The standard domain has two names.
fn key(domain: &str, name: &str) -> (String, String) {
    let domain = if domain == "ai.onnx" { "" } else { domain };
    (domain.to_string(), name.to_string())
}

struct Inliner<'a> {
    functions: BTreeMap<(String, String), &'a FunctionProto>,
    operator_set: i64,
    nodes: Vec<NodeProto>,
}

impl Inliner<'_> {
    fn expand(&mut self, node: NodeProto, depth: usize) -> Result<(), ImportError> {
        let Some(&function) = self.functions.get(&key(&node.domain, &node.op_type)) else {
            self.nodes.push(node);
            return Ok(());
        };
        let refuse = |reason: &str| {
            Err(ImportError::Function {
                name: function.name().to_string(),
                reason: reason.to_string(),
            })
        };
        if depth >= DEEPEST {
            return refuse("it calls itself, or others too deep");
        }
        let standard = |domain: &str| domain.is_empty() || domain == "ai.onnx";
        let versions = function.opset_import.iter();
        let own = versions.filter(|import| standard(&import.domain));
        if own
            .into_iter()
            .any(|import| import.version != self.operator_set)
        {
            return refuse("it uses another operator set than the model");
        }
        let names = names(function, &node);
        for inner in &function.node {
            if self.nodes.len() >= LARGEST_NODES {
                return refuse("its calls make the model too large");
            }
            let prefix = node_name(&node).to_string();
            let renamed = rename(inner, &prefix, &names, &node.attribute);
            self.expand(renamed, depth + 1)?;
        }
        Ok(())
    }
}

/// What the inputs and outputs of a function are called where it is called.
fn names(function: &FunctionProto, call: &NodeProto) -> BTreeMap<String, String> {
    let given = |names: &[String], position: usize| names.get(position).cloned();
    let inputs = function.input.iter().enumerate();
    let inputs = inputs.map(|(position, name)| {
        let outer = given(&call.input, position).unwrap_or_default();
        (name.clone(), outer)
    });
    let outputs = function.output.iter().enumerate();
    let outputs = outputs.filter_map(|(position, name)| {
        let outer = given(&call.output, position).filter(|outer| !outer.is_empty())?;
        Some((name.clone(), outer))
    });
    inputs.chain(outputs).collect()
}

/// A node of a function as it stands in the model: values that are not the caller's, and nodes,
/// get its name in front.
fn rename(
    node: &NodeProto,
    prefix: &str,
    names: &BTreeMap<String, String>,
    attributes: &[AttributeProto],
) -> NodeProto {
    let renamed = |name: &String| match names.get(name) {
        Some(outer) => outer.clone(),
        None if name.is_empty() => String::new(),
        None => format!("{prefix}/{name}"),
    };
    let attribute = |attribute: &AttributeProto| {
        if attribute.ref_attr_name.is_empty() {
            let mut attribute = attribute.clone();
            if let Some(graph) = &mut attribute.g {
                rename_graph(graph, prefix, names, attributes);
            }
            return Some(attribute);
        }
        let mut given = attributes.iter();
        let given = given.find(|given| given.name == attribute.ref_attr_name)?;
        Some(AttributeProto {
            name: attribute.name.clone(),
            ..given.clone()
        })
    };
    NodeProto {
        name: format!("{prefix}/{}", node_name(node)),
        input: node.input.iter().map(renamed).collect(),
        output: node.output.iter().map(renamed).collect(),
        attribute: node.attribute.iter().filter_map(attribute).collect(),
        ..node.clone()
    }
}

fn rename_graph(
    graph: &mut GraphProto,
    prefix: &str,
    names: &BTreeMap<String, String>,
    attributes: &[AttributeProto],
) {
    for node in &mut graph.node {
        *node = rename(node, prefix, names, attributes);
    }
    let outputs = graph.output.iter_mut().map(|output| &mut output.name);
    let stored = graph.initializer.iter_mut().map(|tensor| &mut tensor.name);
    for name in outputs.chain(stored) {
        *name = match names.get(name) {
            Some(outer) => outer.clone(),
            None => format!("{prefix}/{name}"),
        };
    }
}
