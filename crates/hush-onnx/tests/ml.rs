//! Operators of classical models (`ai.onnx.ml`). The expected numbers were computed once with
//! onnxruntime on the samples [1, 2], [-1, -1.5] and [0, 0].

mod support;

use hush_graph::{Graph, Tensor, evaluate, rewrite::simplify};
use support::{Model, assert_close, integer, integers, text};
use tract_onnx::pb::{AttributeProto, NodeProto, attribute_proto::AttributeType};

fn floats(name: &str, floats: &[f32]) -> AttributeProto {
    AttributeProto {
        name: name.to_string(),
        r#type: AttributeType::Floats as i32,
        floats: floats.to_vec(),
        ..Default::default()
    }
}

fn texts(name: &str, texts: &[&str]) -> AttributeProto {
    let strings = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    AttributeProto {
        name: name.to_string(),
        r#type: AttributeType::Strings as i32,
        strings,
        ..Default::default()
    }
}

fn node(
    operator: &str,
    inputs: &[&str],
    outputs: &[&str],
    attribute: Vec<AttributeProto>,
) -> NodeProto {
    let names = |names: &[&str]| names.iter().map(|name| name.to_string()).collect();
    NodeProto {
        name: operator.to_string(),
        op_type: operator.to_string(),
        domain: "ai.onnx.ml".to_string(),
        input: names(inputs),
        output: names(outputs),
        attribute,
        ..Default::default()
    }
}

/// One node on `x` with two features; its outputs are those of the model.
fn model(operator: &str, outputs: &[&str], attributes: Vec<AttributeProto>) -> Model {
    let mut model = Model::new(17).input("x", &["N", "2"]);
    model
        .graph()
        .node
        .push(node(operator, &["x"], outputs, attributes));
    outputs
        .iter()
        .fold(model, |model, output| model.output(output))
}

fn graph(model: &Model) -> Graph {
    simplify(&model.import().unwrap_or_else(|error| panic!("{error}"))).unwrap()
}

fn results(graph: &Graph) -> Vec<Tensor> {
    let samples = vec![1.0, 2.0, -1.0, -1.5, 0.0, 0.0];
    evaluate(graph, &[Tensor::new(vec![3, 2], samples).unwrap()]).unwrap()
}

/// The elements of the last output, three samples after each other.
#[track_caller]
fn check(model: Model, expected: &[f64]) {
    let graph = graph(&model);
    let last = results(&graph).pop().unwrap();
    let shape = vec![3, expected.len() / 3];
    assert_close(
        &last,
        &Tensor::new(shape, expected.to_vec()).unwrap(),
        &graph.to_string(),
    );
}

fn labels(graph: &Graph) -> Vec<String> {
    let results = results(graph);
    let indices = results[0].data().iter();
    let classes = &graph.outputs()[0].classes;
    indices
        .map(|&index| classes[index as usize].clone())
        .collect()
}

#[test]
fn scaler() {
    let scaled = model(
        "Scaler",
        &["y"],
        vec![floats("offset", &[1.0, 2.0]), floats("scale", &[2.0, 3.0])],
    );
    check(scaled, &[0.0, 0.0, -4.0, -10.5, -2.0, -6.0]);
    let same = model(
        "Scaler",
        &["y"],
        vec![floats("offset", &[1.0]), floats("scale", &[2.0])],
    );
    check(same, &[0.0, 2.0, -4.0, -5.0, -2.0, -2.0]);
    let wrong = model("Scaler", &["y"], vec![floats("offset", &[1.0, 2.0, 3.0])]).refusal();
    assert!(wrong.contains("3 numbers for 2 features"), "{wrong}");
}

#[test]
fn linear_regressor() {
    let two = |transform| {
        let attributes = vec![
            floats("coefficients", &[-0.5, -0.25, 0.5, 0.25]),
            floats("intercepts", &[-0.1, 0.1]),
            integer("targets", 2),
            text("post_transform", transform),
        ];
        model("LinearRegressor", &["y"], attributes)
    };
    check(two("NONE"), &[-1.1, 1.1, 0.775, -0.775, -0.1, 0.1]);
    let softmax = [
        0.09975048, 0.90024954, 0.82491374, 0.17508627, 0.45016599, 0.54983395,
    ];
    check(two("SOFTMAX"), &softmax);
    let logistic = [
        0.24973989, 0.75026011, 0.68460149, 0.31539851, 0.47502083, 0.52497917,
    ];
    check(two("LOGISTIC"), &logistic);
    assert!(two("PROBIT").refusal().contains("PROBIT"));
    let one = vec![
        floats("coefficients", &[0.5, 0.25]),
        floats("intercepts", &[0.1]),
    ];
    check(model("LinearRegressor", &["y"], one), &[1.1, -0.775, 0.1]);
}

fn linear_classifier(
    coefficients: &[f32],
    intercepts: &[f32],
    classes: AttributeProto,
    transform: &str,
) -> Model {
    let attributes = vec![
        floats("coefficients", coefficients),
        floats("intercepts", intercepts),
        classes,
        text("post_transform", transform),
    ];
    model("LinearClassifier", &["label", "scores"], attributes)
}

#[test]
fn linear_classifier_of_three_classes() {
    let coefficients = [-0.5, -0.25, 0.5, 0.25, 0.0, 1.0];
    let build = |classes, transform| {
        linear_classifier(&coefficients, &[-0.1, 0.1, 0.0], classes, transform)
    };
    let raw = build(integers("classlabels_ints", &[3, 7, 9]), "NONE");
    assert_eq!(labels(&graph(&raw)), ["9", "3", "7"]);
    check(raw, &[-1.1, 1.1, 2.0, 0.775, -0.775, -1.5, -0.1, 0.1, 0.0]);
    let softmax = build(texts("classlabels_strings", &["a", "b", "c"]), "SOFTMAX");
    assert_eq!(labels(&graph(&softmax)), ["c", "a", "b"]);
    check(
        softmax,
        &[
            0.03103377, 0.28008017, 0.68888605, 0.76043034, 0.1613998, 0.07816987, 0.30060962,
            0.36716539, 0.33222499,
        ],
    );
    let plain = build(integers("classlabels_ints", &[0, 1, 2]), "NONE");
    assert!(graph(&plain).outputs()[0].classes.is_empty());
}

#[test]
fn linear_classifier_with_one_score() {
    let build = |transform| {
        linear_classifier(
            &[0.5, 0.25],
            &[0.1],
            integers("classlabels_ints", &[3, 7]),
            transform,
        )
    };
    let logistic = build("LOGISTIC");
    assert_eq!(labels(&graph(&logistic)), ["7", "3", "7"]);
    check(
        logistic,
        &[
            0.24973989, 0.75026011, 0.68460149, 0.31539851, 0.47502083, 0.52497917,
        ],
    );
    let raw = graph(&build("NONE"));
    assert_eq!(raw.outputs().len(), 1);
    assert_eq!(
        raw.notes(),
        [
            "output `label` is left out: ai.onnx.ml:LinearClassifier `LinearClassifier`: its label is 7 \
          where the second score is positive and 3 elsewhere; find it after decryption"
        ]
    );
    check(build("NONE"), &[-0.1, 1.1, 1.775, -0.775, 0.9, 0.1]);
}

fn machine(kernel: &str) -> Vec<AttributeProto> {
    vec![
        text("kernel_type", kernel),
        floats("kernel_params", &[0.5, 0.1, 2.0]),
        floats("support_vectors", &[1.0, 2.0, 3.0, 4.0, -1.0, 0.5]),
    ]
}

#[test]
fn support_vector_regression() {
    for (kernel, expected) in [
        ("LINEAR", [0.05, 0.7375, 0.3]),
        ("POLY", [-4.1524997, -2.6970317, 0.31]),
        ("RBF", [0.82837379, 0.4016495, 0.74248767]),
        ("SIGMOID", [0.61927152, 0.23776473, 0.39966801]),
    ] {
        let mut attributes = machine(kernel);
        attributes.push(integer("n_supports", 3));
        attributes.push(floats("coefficients", &[0.5, -0.25, 0.75]));
        attributes.push(floats("rho", &[0.3]));
        check(model("SVMRegressor", &["y"], attributes), &expected);
    }
}

fn two_classes(more: Vec<AttributeProto>) -> Model {
    let mut attributes = machine("LINEAR");
    attributes.push(integers("vectors_per_class", &[2, 1]));
    attributes.push(floats("coefficients", &[0.5, 0.25, -0.75]));
    attributes.push(floats("rho", &[0.3]));
    attributes.push(integers("classlabels_ints", &[3, 7]));
    attributes.extend(more);
    model("SVMClassifier", &["label", "scores"], attributes)
}

#[test]
fn support_vectors_of_two_classes() {
    check(
        two_classes(vec![]),
        &[-5.55, 5.55, 4.1375, -4.1375, -0.3, 0.3],
    );
    let note = graph(&two_classes(vec![])).notes()[0].clone();
    assert!(
        note.contains("3 where the second score is positive and 7 elsewhere"),
        "{note}"
    );
    let mut label = two_classes(vec![]);
    label.graph().output.pop();
    assert_eq!(labels(&graph(&label)), ["3", "7", "3"]);
    let probability = two_classes(vec![floats("prob_a", &[-1.2]), floats("prob_b", &[0.3])]);
    assert_eq!(labels(&graph(&probability)), ["3", "7", "3"]);
    // onnxruntime couples the two probabilities by iteration, to within 1e-3 where they are close.
    let last = results(&graph(&probability)).pop().unwrap();
    let expected = [
        0.99827063, 0.00172935, 0.00514268, 0.99485725, 0.5149951, 0.4850048,
    ];
    for (actual, expected) in last.data().iter().zip(expected) {
        assert!((actual - expected).abs() < 1e-3, "{actual} {expected}");
    }
}

#[test]
fn support_vectors_of_three_classes() {
    let build = || {
        let attributes = vec![
            text("kernel_type", "LINEAR"),
            floats("kernel_params", &[0.5, 0.1, 2.0]),
            floats(
                "support_vectors",
                &[1.0, 2.0, 3.0, 4.0, -1.0, 0.5, 0.2, -0.7],
            ),
            integers("vectors_per_class", &[2, 1, 1]),
            floats(
                "coefficients",
                &[0.5, 0.25, -0.75, 0.4, 0.1, 0.2, 0.3, -0.4],
            ),
            floats("rho", &[0.3, 0.2, 0.1]),
            integers("classlabels_ints", &[3, 7, 9]),
        ];
        model("SVMClassifier", &["label", "scores"], attributes)
    };
    check(
        build(),
        &[
            5.55,
            2.42,
            0.57999998,
            -4.1375,
            -1.6600001,
            -0.16499999,
            0.3,
            0.2,
            0.1,
        ],
    );
    let note = graph(&build()).notes()[0].clone();
    assert!(
        note.contains("a vote among the pairs of 3 classes"),
        "{note}"
    );
    let mut label = build();
    label.graph().output.pop();
    assert!(
        label.refusal().contains("a vote among the pairs"),
        "{}",
        label.refusal()
    );
}

#[test]
fn normalizer() {
    let shifted = |norm| {
        let mut model = Model::new(17)
            .input("x", &["N", "2"])
            .floats("c", &[2], &[3.0, 3.0]);
        model = model.node("Add", "x c", "a", vec![]);
        model
            .graph()
            .node
            .push(node("Normalizer", &["a"], &["y"], vec![text("norm", norm)]));
        model.output("y")
    };
    let root = |a: f64, b: f64| [a / a.hypot(b), b / a.hypot(b)];
    check(
        shifted("L2"),
        &[root(4.0, 5.0), root(2.0, 1.5), root(3.0, 3.0)].concat(),
    );
    check(
        shifted("L1"),
        &[4.0 / 9.0, 5.0 / 9.0, 2.0 / 3.5, 1.5 / 3.5, 0.5, 0.5],
    );
    assert!(shifted("MAX").refusal().contains("takes comparisons"));
    let mut softmax = Model::new(17)
        .input("x", &["N", "2"])
        .node("Softmax", "x", "a", vec![]);
    softmax
        .graph()
        .node
        .push(node("Normalizer", &["a"], &["y"], vec![text("norm", "L1")]));
    assert_eq!(graph(&softmax.output("y")).nodes().len(), 1);
}

#[test]
fn columns_and_joints() {
    let mut model = Model::new(17)
        .input("x", &["N", "2"])
        .integers("second", &[1], &[1]);
    model.graph().node.push(node(
        "ArrayFeatureExtractor",
        &["x", "second"],
        &["a"],
        vec![],
    ));
    let sizes = vec![integers("inputdimensions", &[2, 1])];
    model
        .graph()
        .node
        .push(node("FeatureVectorizer", &["x", "a"], &["b"], sizes));
    model
        .graph()
        .node
        .push(node("ZipMap", &["b"], &["y"], vec![]));
    check(
        model.output("y"),
        &[1.0, 2.0, 2.0, -1.0, -1.5, -1.5, 0.0, 0.0, 0.0],
    );
}

/// How skl2onnx writes labels that are text.
#[test]
fn names_of_classes() {
    let mut model = Model::new(17)
        .input("x", &["N", "2"])
        .integers("shape", &[1], &[-1])
        .floats("classes", &[2], &[]);
    let stored = &mut model.graph().initializer[1];
    stored.data_type = tract_onnx::pb::tensor_proto::DataType::String as i32;
    stored.string_data = vec![b"low".to_vec(), b"high".to_vec()];
    let mut model = model.node("ArgMax", "x", "i", vec![integer("axis", 1)]);
    model.graph().node.push(node(
        "ArrayFeatureExtractor",
        &["classes", "i"],
        &["n"],
        vec![],
    ));
    let model = model
        .node("Reshape", "n shape", "label", vec![])
        .output("label");
    assert_eq!(labels(&graph(&model)), ["high", "low", "low"]);
}

#[test]
fn imputers() {
    let missing = vec![AttributeProto {
        name: "replaced_value_float".to_string(),
        r#type: AttributeType::Float as i32,
        f: f32::NAN,
        ..Default::default()
    }];
    check(
        model("Imputer", &["y"], missing),
        &[1.0, 2.0, -1.0, -1.5, 0.0, 0.0],
    );
    assert!(
        model("Imputer", &["y"], vec![])
            .refusal()
            .contains("equal to 0")
    );
}

#[test]
fn trees_are_refused_with_a_hint() {
    assert_eq!(
        model("TreeEnsembleRegressor", &["y"], vec![]).refusal(),
        "1 node cannot be used:\n  ai.onnx.ml:TreeEnsembleRegressor `TreeEnsembleRegressor`: trees \
         compare encrypted values at every node; train a linear model, a support vector machine or \
         a small neural network instead"
    );
}
