//! Functions that models bring along, and branches that are known.

mod support;

use hush_graph::{Tensor, evaluate};
use support::{Model, float, integer};
use tract_onnx::pb::{
    AttributeProto, FunctionProto, GraphProto, NodeProto, OperatorSetIdProto, ValueInfoProto,
    attribute_proto::AttributeType,
};

fn names(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_string).collect()
}

fn node(operator: &str, inputs: &str, outputs: &str, attribute: Vec<AttributeProto>) -> NodeProto {
    NodeProto {
        op_type: operator.to_string(),
        input: names(inputs),
        output: names(outputs),
        attribute,
        ..Default::default()
    }
}

fn function(name: &str, inputs: &str, outputs: &str, node: Vec<NodeProto>) -> FunctionProto {
    FunctionProto {
        name: Some(name.to_string()),
        domain: Some("own".to_string()),
        input: names(inputs),
        output: names(outputs),
        node,
        opset_import: vec![OperatorSetIdProto {
            domain: String::new(),
            version: 18,
        }],
        ..Default::default()
    }
}

/// A model that calls `operator` of the domain `own` on `x`.
fn calling(operator: &str, attributes: Vec<AttributeProto>) -> Model {
    let mut model = Model::new(18).input("x", &["N", "2"]).output("y");
    model.graph().node.push(NodeProto {
        name: "call".to_string(),
        domain: "own".to_string(),
        ..node(operator, "x", "y", attributes)
    });
    model
}

fn run(model: &Model) -> Vec<f64> {
    let graph = model.import().unwrap_or_else(|error| panic!("{error}"));
    let input = Tensor::new(vec![1, 2], vec![-1.0, 2.0]).unwrap();
    evaluate(&graph, &[input]).unwrap().remove(0).into_data()
}

/// `leaky(x) = LeakyRelu<alpha>(x) - x`, and `twice(x) = leaky(leaky(x))` with a slope of 2.
fn functions() -> Vec<FunctionProto> {
    let slope = AttributeProto {
        name: "alpha".to_string(),
        ref_attr_name: "slope".to_string(),
        r#type: AttributeType::Float as i32,
        ..Default::default()
    };
    let own = |node: NodeProto| NodeProto {
        domain: "own".to_string(),
        ..node
    };
    let leaky = vec![
        node("LeakyRelu", "a", "x", vec![slope]),
        node("Sub", "x a", "b", vec![]),
    ];
    let twice = vec![
        own(node("leaky", "in", "x", vec![float("slope", 2.0)])),
        own(node("leaky", "x", "out", vec![float("slope", 2.0)])),
    ];
    vec![
        function("leaky", "a", "b", leaky),
        function("twice", "in", "out", twice),
    ]
}

#[test]
fn calls_become_nodes() {
    let mut model = calling("leaky", vec![float("slope", 0.5)]);
    model.proto.functions = functions();
    assert_eq!(run(&model), [0.5, 0.0]);
    let labels: Vec<String> = model
        .import()
        .unwrap()
        .nodes()
        .iter()
        .map(|node| node.label())
        .collect();
    assert_eq!(labels, ["call/x", "call/b"]);
    let mut model = calling("twice", vec![]);
    model.proto.functions = functions();
    assert_eq!(run(&model), [-1.0, 0.0]);
}

#[test]
fn functions_that_never_end_or_differ_are_refused() {
    let own = |node: NodeProto| NodeProto {
        domain: "own".to_string(),
        ..node
    };
    let mut model = calling("loop", vec![]);
    let call = own(node("loop", "a", "b", vec![]));
    model.proto.functions = vec![function("loop", "a", "b", vec![call])];
    assert_eq!(
        model.refusal(),
        "function `loop`: it calls itself, or others too deep; export the model with its functions inlined"
    );
    let doubling = |level: usize| {
        let inner = format!("level{}", level + 1);
        let call = |input: &str, output: &str| own(node(&inner, input, output, vec![]));
        let calls = vec![call("a", "x"), call("x", "b")];
        function(&format!("level{level}"), "a", "b", calls)
    };
    let mut model = calling("level0", vec![]);
    model.proto.functions = (0..40).map(doubling).collect();
    let last = function("level40", "a", "b", vec![node("Neg", "a", "b", vec![])]);
    model.proto.functions.push(last);
    assert!(model.refusal().contains("too large"));
    let mut model = calling("leaky", vec![]);
    model.proto.functions = functions();
    model.proto.functions[0].opset_import[0].version = 9;
    assert!(model.refusal().contains("another operator set"));
}

/// `If(condition) { y = x + 1 } else { y = Det(x) }`, where the condition is computed.
fn branching(condition: &str) -> Model {
    let branch = |name: &str, operator: &str, inputs: &str, output: &str| AttributeProto {
        name: name.to_string(),
        r#type: AttributeType::Graph as i32,
        g: Some(GraphProto {
            node: vec![node(operator, inputs, output, vec![])],
            output: vec![ValueInfoProto {
                name: output.to_string(),
                ..Default::default()
            }],
            ..Default::default()
        }),
        ..Default::default()
    };
    let branches = vec![
        branch("then_branch", "Add", "x one", "first"),
        branch("else_branch", "Det", "x", "second"),
    ];
    Model::new(18)
        .input("x", &["N", "2"])
        .floats("one", &[], &[1.0])
        .integers("two", &[], &[2])
        .node("Shape", "x", "shape", vec![integer("start", 1)])
        .node("Equal", "shape two", "same", vec![])
        .node("Not", "same", "other", vec![])
        .node("ReduceMax", "x", "data", vec![])
        .node("If", condition, "y", branches)
        .output("y")
}

#[test]
fn known_conditions_choose_a_branch() {
    assert_eq!(run(&branching("same")), [0.0, 3.0]);
    let refused = branching("other").refusal();
    assert!(
        refused.contains("in its else_branch, Det `second`: operator is not supported"),
        "{refused}"
    );
    let refused = branching("x").refusal();
    assert!(
        refused.contains("its condition depends on the data"),
        "{refused}"
    );
    assert!(branching("gone").refusal().contains("nothing defines"));
}
