//! From a protobuf model to a graph.

use crate::constant::Constant;
use crate::inputs::check_inputs;
use crate::node::{Environment, Known, NodeContext, Problem, node_name};
use crate::operators::ml;
use crate::order::order;
use crate::{ImportError, NodeProblem, branch, fold, functions, model, operators};
use hush_graph::rewrite::simplify;
use hush_graph::{Function, Graph, GraphBuilder, Node, Operator, ValueId};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tract_onnx::pb::{GraphProto, NodeProto};

/// How many constant elements an import may copy: each stored one a few times, and some more.
const COPIES: usize = 4;
const SMALL_CONSTANTS: usize = 1 << 22;

/// How many entries all sparse matrices of a model may have (256 MiB), however small its file.
const MATRIX_ENTRIES: usize = 1 << 24;

pub(crate) fn import(bytes: &[u8]) -> Result<Graph, ImportError> {
    let proto = model::decode(bytes)?;
    let (graph, operator_set) = model::check_header(&proto)?;
    let inlined = functions::inline(&proto, operator_set)?;
    let graph = inlined.as_ref().unwrap_or(graph);
    let mut environment = prepare(graph, operator_set)?;
    let mut problems: Vec<NodeProblem> = Vec::new();
    for node in order(graph)? {
        if let Err(problem) = import_node(node, &mut environment) {
            problems.push(problem.at(node));
            lose(node, &mut environment);
        }
    }
    if !problems.is_empty() {
        return Err(ImportError::Nodes(problems));
    }
    outputs(graph, &mut environment)?;
    let built = environment.builder.build()?;
    refuse_comparisons(&built, graph)?;
    Ok(built)
}

/// Comparisons are fine inside of continuous functions only.
fn refuse_comparisons(built: &Graph, graph: &GraphProto) -> Result<(), ImportError> {
    let is_step =
        |node: &Node| matches!(&node.operator, Operator::Elementwise(Function::Step { .. }));
    if !built.nodes().iter().any(is_step) {
        return Ok(());
    }
    let jumps = |node: &Node| match &node.operator {
        Operator::Elementwise(Function::Composition(composition)) => composition.jumps(),
        _ => is_step(node),
    };
    let simple = simplify(built)?;
    let problems = simple
        .nodes()
        .iter()
        .filter(|node| jumps(node))
        .map(|node| {
            let compares = |name: &String| {
                let mut steps = built.nodes().iter().filter(|node| is_step(node));
                steps.any(|step| step.names.contains(name))
            };
            let name = node.names.iter().find(|name| compares(name));
            let name = name.unwrap_or(&node.names[0]).clone();
            let mut protos = graph.node.iter();
            match protos.find(|proto| node_name(proto) == name) {
                Some(proto) => operators::comparison().at(proto),
                None => {
                    let Problem { reason, hint } = operators::comparison();
                    let operator = "comparison".to_string();
                    NodeProblem {
                        node: name,
                        operator,
                        reason,
                        hint,
                    }
                }
            }
        });
    match problems.collect::<Vec<_>>() {
        problems if problems.is_empty() => Ok(()),
        problems => Err(ImportError::Nodes(problems)),
    }
}

/// Declares the outputs, as far as they can be computed.
fn outputs(graph: &GraphProto, environment: &mut Environment) -> Result<(), ImportError> {
    let mut left_out = Vec::new();
    for output in &graph.output {
        let name = output.name.clone();
        match environment.known.get(&name) {
            Some(Known::Data(value)) => {
                let classes = classes(environment, *value);
                environment
                    .builder
                    .output_of_classes(name, *value, classes)?;
            }
            _ => match environment.left_out.get(&name) {
                Some(problem) => left_out.push((name, problem.clone())),
                None => {
                    let reason = "this output of the model does not depend on its inputs";
                    return Err(ImportError::Tensor {
                        tensor: name,
                        reason: reason.to_string(),
                    });
                }
            },
        }
    }
    if left_out.len() == graph.output.len() {
        let problems = left_out.into_iter().map(|(_, problem)| problem);
        return Err(ImportError::Nodes(problems.collect()));
    }
    for (name, problem) in left_out {
        let note = format!("output `{name}` is left out: {problem}");
        environment.builder.note(note);
    }
    Ok(())
}

/// What the indices in `value` stand for; moving them changes nothing about that.
fn classes(environment: &Environment, mut value: ValueId) -> Vec<String> {
    loop {
        if let Some(classes) = environment.classes.get(&value) {
            return classes.clone();
        }
        match environment.builder.producer(value) {
            Some(node) if matches!(node.operator, Operator::Movement(_)) => value = node.inputs[0],
            _ => return Vec::new(),
        }
    }
}

/// Inputs and stored tensors.
fn prepare(graph: &GraphProto, operator_set: i64) -> Result<Environment, ImportError> {
    let mut known = BTreeMap::new();
    let mut stored_elements = 0;
    let mut texts = BTreeMap::new();
    for tensor in &graph.initializer {
        let constant = match Constant::texts(tensor) {
            None => Constant::from_proto(tensor, "")?,
            Some(strings) => {
                let positions = Constant::positions(strings.len());
                texts.insert(tensor.name.clone(), strings);
                positions
            }
        };
        stored_elements += constant.size();
        if known
            .insert(tensor.name.clone(), Known::Constant(Arc::new(constant)))
            .is_some()
        {
            return Err(ImportError::DefinedTwice {
                value: tensor.name.clone(),
            });
        }
    }
    let stored: BTreeSet<&String> = graph
        .initializer
        .iter()
        .map(|tensor| &tensor.name)
        .collect();
    let data = graph
        .input
        .iter()
        .filter(|input| !stored.contains(&input.name));
    let inputs = check_inputs(data)?;
    let single_sample = inputs.iter().any(|input| input.single_sample);
    let mut builder = GraphBuilder::new(graph.name.clone());
    for input in inputs {
        let value = builder.input(input.name.clone(), input.shape);
        if known
            .insert(input.name.clone(), Known::Data(value))
            .is_some()
        {
            return Err(ImportError::DefinedTwice { value: input.name });
        }
    }
    let budget = SMALL_CONSTANTS + COPIES * stored_elements;
    Ok(Environment {
        builder,
        known,
        operator_set,
        single_sample,
        budget,
        matrix_budget: MATRIX_ENTRIES,
        read: names_read(graph),
        texts,
        batched: BTreeSet::new(),
        classes: BTreeMap::new(),
        left_out: BTreeMap::new(),
    })
}

fn names_read(graph: &GraphProto) -> BTreeSet<String> {
    let inputs = graph.node.iter().flat_map(|node| {
        let direct = node.input.iter().map(String::as_str);
        direct.chain(branch::captured(node)).map(str::to_string)
    });
    let outputs = graph.output.iter().map(|output| output.name.clone());
    inputs.chain(outputs).collect()
}

pub(crate) fn import_node(node: &NodeProto, environment: &mut Environment) -> Result<(), Problem> {
    let standard = node.domain.is_empty() || node.domain == "ai.onnx";
    let import = match standard {
        true => operators::find(&node.op_type),
        false if node.domain == ml::DOMAIN => ml::find(&node.op_type),
        false => None,
    };
    let fold = fold::find(&node.op_type).filter(|_| standard);
    if standard && node.op_type == "If" {
        return branch::import(node, environment);
    }
    if import.is_none() && fold.is_none() {
        return Err(operators::unsupported(node));
    }
    let mut context = NodeContext { node, environment };
    let inputs: Vec<Option<Known>> = (0..node.input.len())
        .map(|position| context.optional_input(position))
        .collect::<Result<_, _>>()?;
    let constant_only = || operators::constant_only(node);
    if inputs
        .iter()
        .flatten()
        .any(|input| matches!(input, Known::Lost { .. }))
    {
        // The cause was reported at the node that lost it; only what is sure to fail is added.
        if import.is_none() && inputs.iter().flatten().any(Known::depends_on_data) {
            return Err(constant_only());
        }
        lose(node, context.environment);
        return Ok(());
    }
    if let (Some(fold), Some(constants)) = (fold, all_constant(&inputs)) {
        let constant = fold(&mut context, &fold::Inputs(&constants))?;
        if is_batched(node, context.environment, &constants) && constant.shape.first() == Some(&1) {
            let outputs = node.output.iter().cloned();
            context.environment.batched.extend(outputs);
        }
        return context.define(Known::Constant(Arc::new(constant)));
    }
    match import {
        Some(import) => import(&mut context),
        None => Err(constant_only()),
    }
}

/// Whether the folded `node` puts a one where the batch should be.
fn is_batched(
    node: &NodeProto,
    environment: &Environment,
    inputs: &[Option<Arc<Constant>>],
) -> bool {
    let fills = matches!(node.op_type.as_str(), "ConstantOfShape" | "Expand");
    let mut constants = inputs.iter().flatten();
    let mut names = node.input.iter();
    (fills && constants.any(|constant| constant.holds_batch_size()))
        || names.any(|name| environment.batched.contains(name))
}

/// Marks the results of `node` as unknown.
pub(crate) fn lose(node: &NodeProto, environment: &mut Environment) {
    let known = &environment.known;
    let mut inputs = node.input.iter().filter_map(|input| known.get(input));
    // A shape is constant, whatever the values are.
    let depends_on_data = node.op_type != "Shape" && inputs.any(Known::depends_on_data);
    let cause = node
        .input
        .iter()
        .find_map(|input| environment.left_out.get(input))
        .cloned();
    for output in &node.output {
        environment
            .known
            .insert(output.clone(), Known::Lost { depends_on_data });
        if let Some(cause) = &cause {
            environment.left_out.insert(output.clone(), cause.clone());
        }
    }
}

/// The inputs if none of them depends on the data.
fn all_constant(inputs: &[Option<Known>]) -> Option<Vec<Option<Arc<Constant>>>> {
    inputs
        .iter()
        .map(|input| match input {
            Some(Known::Constant(constant)) => Some(Some(constant.clone())),
            None => Some(None),
            Some(_) => None,
        })
        .collect()
}
