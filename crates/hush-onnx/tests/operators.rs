//! Each operator, in a small model, against tract.

mod support;

use hush_graph::{Function, Operator, rewrite::simplify};
use support::{Model, assert_like_reference, float, integer, integers, text};

fn check(model: Model) {
    assert_like_reference(&model.bytes(), 7);
}

/// One input `x` of the given shape, one node on it, output `y`.
fn check_unary(operator: &str, attributes: Vec<tract_onnx::pb::AttributeProto>) {
    check(unary(operator, attributes));
}

fn unary(operator: &str, attributes: Vec<tract_onnx::pb::AttributeProto>) -> Model {
    Model::new(18)
        .input("x", &["N", "2", "3"])
        .node(operator, "x", "y", attributes)
        .output("y")
}

#[test]
fn activations() {
    for operator in [
        "Relu",
        "Sigmoid",
        "Tanh",
        "Softplus",
        "Exp",
        "Erf",
        "Neg",
        "Identity",
        "LeakyRelu",
    ] {
        check_unary(operator, vec![]);
    }
    check_unary("LeakyRelu", vec![float("alpha", 0.3)]);
}

/// tract has no Gelu and no Swish of its own.
#[test]
fn gelu_and_swish() {
    let function = |model: Model| match &model.import().unwrap().nodes()[0].operator {
        Operator::Elementwise(function) => function.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(function(unary("Gelu", vec![])), Function::Gelu);
    assert_eq!(
        function(unary("Gelu", vec![text("approximate", "tanh")])),
        Function::GeluTanh
    );
    assert_eq!(function(unary("Swish", vec![])), Function::Silu);
    let graph = unary("Swish", vec![float("alpha", 2.0)]).import().unwrap();
    assert_eq!(graph.nodes().len(), 3);
    assert!(
        unary("Gelu", vec![text("approximate", "fast")])
            .refusal()
            .contains("`fast`")
    );
}

#[test]
fn spelled_out_gelu_and_silu() {
    let model = Model::new(18)
        .input("x", &["N", "4"])
        .floats("root", &[], &[std::f32::consts::SQRT_2])
        .floats("one", &[], &[1.0])
        .floats("half", &[], &[0.5])
        .node("Div", "x root", "a", vec![])
        .node("Erf", "a", "b", vec![])
        .node("Add", "b one", "c", vec![])
        .node("Mul", "x c", "d", vec![])
        .node("Mul", "d half", "e", vec![])
        .node("Sigmoid", "e", "f", vec![])
        .node("Mul", "e f", "y", vec![])
        .output("y");
    let graph = simplify(&assert_like_reference(&model.bytes(), 1)).unwrap();
    let names: Vec<String> = graph
        .nodes()
        .iter()
        .map(|node| format!("{:?}", node.operator))
        .collect();
    assert_eq!(names, ["Elementwise(Gelu)", "Elementwise(Silu)"]);
}

#[test]
fn clip_with_inputs_and_attributes() {
    let base = || Model::new(18).input("x", &["N", "3"]).output("y");
    let base = || {
        base()
            .floats("low", &[], &[-0.5])
            .floats("high", &[], &[0.75])
    };
    check(base().node("Clip", "x low high", "y", vec![]));
    check(base().node("Clip", "x low", "y", vec![]));
    check(base().node("Clip", "x _ high", "y", vec![]));
    let old = Model::new(9).input("x", &["N", "3"]).output("y");
    check(
        old.clone()
            .node("Clip", "x", "y", vec![float("min", 0.0), float("max", 6.0)]),
    );
    let graph = old
        .node("Clip", "x", "y", vec![float("min", 0.0)])
        .import()
        .unwrap();
    let expected = Operator::Elementwise(Function::Relu);
    assert_eq!(graph.nodes()[0].operator, expected);
}

#[test]
fn arithmetic_with_constants_on_both_sides() {
    for operator in ["Add", "Sub", "Mul"] {
        for (dims, data) in [
            (&[][..], &[0.7f32][..]),
            (&[1], &[0.7]),
            (&[3], &[1.0, -2.0, 0.5]),
            (&[2, 1], &[1.0, -2.0]),
            (&[1, 2, 3], &[1.0, -2.0, 0.5, 4.0, 5.0, 6.0]),
        ] {
            for inputs in ["x c", "c x"] {
                let model = Model::new(18).input("x", &["N", "2", "3"]).output("y");
                check(
                    model
                        .floats("c", dims, data)
                        .node(operator, inputs, "y", vec![]),
                );
            }
        }
    }
    let model = Model::new(18).input("x", &["N", "3"]).output("y");
    check(
        model
            .floats("c", &[3], &[2.0, -4.0, 3.0])
            .node("Div", "x c", "y", vec![]),
    );
}

#[test]
fn constants_that_widen_the_data() {
    let model = Model::new(18).input("x", &["N", "2", "1"]).output("y");
    check(
        model
            .floats("c", &[3], &[1.0, 2.0, 3.0])
            .node("Mul", "x c", "y", vec![]),
    );
}

#[test]
fn arithmetic_of_two_values() {
    for operator in ["Add", "Sub", "Mul"] {
        let model = Model::new(18)
            .input("x", &["N", "2", "3"])
            .input("z", &["N", "2", "3"]);
        check(model.node(operator, "x z", "y", vec![]).output("y"));
        let model = Model::new(18)
            .input("x", &["N", "2", "1"])
            .input("z", &["N", "1", "3"]);
        check(model.node(operator, "x z", "y", vec![]).output("y"));
        let model = Model::new(18).input("x", &["N", "3"]);
        check(model.node(operator, "x x", "y", vec![]).output("y"));
    }
}

#[test]
fn powers() {
    for exponent in [0.0, 1.0, 2.0, 3.0, 5.0] {
        let model = Model::new(18)
            .input("x", &["N", "3"])
            .floats("e", &[], &[exponent]);
        check(model.node("Pow", "x e", "y", vec![]).output("y"));
    }
}

const WEIGHT: &[f32] = &[0.5, -1.0, 2.0, 0.25, 1.5, -0.75];

#[test]
fn gemm() {
    let base = || Model::new(18).input("x", &["N", "3"]).output("y");
    let base = || {
        base()
            .floats("tall", &[3, 2], WEIGHT)
            .floats("wide", &[2, 3], WEIGHT)
    };
    let base = || {
        base()
            .floats("b", &[2], &[1.0, -1.0])
            .floats("row", &[1, 2], &[3.0, 4.0])
            .floats("s", &[], &[2.0])
    };
    check(base().node("Gemm", "x tall", "y", vec![]));
    check(base().node("Gemm", "x wide b", "y", vec![integer("transB", 1)]));
    check(base().node(
        "Gemm",
        "x tall row",
        "y",
        vec![float("alpha", 0.5), float("beta", 2.0)],
    ));
    check(base().node("Gemm", "x tall s", "y", vec![]));
    check(
        base()
            .input("z", &["N", "2"])
            .node("Gemm", "x tall z", "y", vec![float("beta", 3.0)]),
    );
}

#[test]
fn mat_mul_on_either_side() {
    let flat = || {
        Model::new(18)
            .input("x", &["N", "3"])
            .floats("w", &[3, 2], WEIGHT)
            .output("y")
    };
    check(flat().node("MatMul", "x w", "y", vec![]));
    let deep = || Model::new(18).input("x", &["N", "2", "3"]).output("y");
    check(
        deep()
            .floats("w", &[3, 2], WEIGHT)
            .node("MatMul", "x w", "y", vec![]),
    );
    check(
        deep()
            .floats("w", &[1, 3, 2], WEIGHT)
            .node("MatMul", "x w", "y", vec![]),
    );
    check(
        deep()
            .floats("w", &[3], &[1.0, 2.0, 3.0])
            .node("MatMul", "x w", "y", vec![]),
    );
    check(
        deep()
            .floats("w", &[3, 2], WEIGHT)
            .node("MatMul", "w x", "y", vec![]),
    );
    check(
        flat()
            .node("MatMul", "x w", "a", vec![])
            .floats("b", &[2], &[5.0, 6.0])
            .node("Add", "a b", "y", vec![]),
    );
}

#[test]
fn batch_normalization() {
    for dimensions in [&["N", "2"][..], &["N", "2", "3"], &["N", "2", "3", "2"]] {
        let model = Model::new(15)
            .input("x", dimensions)
            .floats("scale", &[2], &[1.5, -0.5])
            .floats("bias", &[2], &[0.25, 1.0])
            .floats("mean", &[2], &[0.1, -0.2])
            .floats("variance", &[2], &[0.9, 2.0])
            .node(
                "BatchNormalization",
                "x scale bias mean variance",
                "y",
                vec![float("epsilon", 1e-3)],
            )
            .output("y");
        check(model);
    }
}

#[test]
fn movements() {
    let base = || Model::new(18).input("x", &["N", "2", "1", "3"]).output("y");
    check(base().node("Flatten", "x", "y", vec![]));
    check(base().node("Flatten", "x", "y", vec![integer("axis", -3)]));
    check(base().node("Transpose", "x", "y", vec![integers("perm", &[0, 3, 1, 2])]));
    check(
        base()
            .integers("s", &[2], &[0, -1])
            .node("Reshape", "x s", "y", vec![]),
    );
    check(
        base()
            .integers("s", &[3], &[-1, 3, 2])
            .node("Reshape", "x s", "y", vec![]),
    );
    check(
        base()
            .integers("a", &[1], &[2])
            .node("Squeeze", "x a", "y", vec![]),
    );
    check(
        base()
            .integers("a", &[1], &[-2])
            .node("Squeeze", "x a", "y", vec![]),
    );
    // tract would remove a batch of one as well.
    let graph = base().node("Squeeze", "x", "y", vec![]).import().unwrap();
    assert_eq!(
        graph.value(graph.outputs()[0].value).shape.dimensions(),
        &[2, 3]
    );
    check(
        base()
            .integers("a", &[2], &[1, -1])
            .node("Unsqueeze", "x a", "y", vec![]),
    );
    let old = || Model::new(11).input("x", &["N", "2", "1", "3"]).output("y");
    check(old().node("Squeeze", "x", "y", vec![integers("axes", &[2])]));
    check(old().node("Unsqueeze", "x", "y", vec![integers("axes", &[1, 5])]));
}

#[test]
fn softmax_and_arg_max() {
    for operator in ["Softmax", "LogSoftmax"] {
        check_unary(operator, vec![]);
        check_unary(operator, vec![integer("axis", 1)]);
        let old = Model::new(11).input("x", &["N", "2", "3"]);
        check(
            old.node(operator, "x", "y", vec![integer("axis", 1)])
                .output("y"),
        );
    }
    check_unary("ArgMax", vec![integer("axis", 1)]);
    check_unary("ArgMin", vec![integer("axis", 1)]);
    check_unary("ArgMax", vec![integer("axis", -1), integer("keepdims", 0)]);
    let cast =
        Model::new(18)
            .input("x", &["N", "3"])
            .node("ArgMax", "x", "a", vec![integer("axis", 1)]);
    check(
        cast.node("Cast", "a", "y", vec![integer("to", 7)])
            .output("y"),
    );
}

#[test]
fn dropout_does_nothing() {
    check(
        Model::new(11)
            .input("x", &["N", "3"])
            .node("Dropout", "x", "y", vec![float("ratio", 0.5)])
            .output("y"),
    );
    // tract does not know the form with inputs.
    let model = Model::new(13)
        .input("x", &["N", "3"])
        .floats("ratio", &[], &[0.5]);
    let model = model
        .node("Dropout", "x ratio", "a mask", vec![])
        .node("Relu", "a", "y", vec![]);
    assert_eq!(model.output("y").import().unwrap().nodes().len(), 1);
}

#[test]
fn constants_are_folded() {
    let model = Model::new(18)
        .input("x", &["N", "3"])
        .floats("w", &[2, 3], WEIGHT)
        .floats("two", &[], &[2.0])
        .node("Transpose", "w", "t", vec![integers("perm", &[1, 0])])
        .node("Mul", "t two", "doubled", vec![])
        .node("Sqrt", "two", "root", vec![])
        .node("Div", "doubled root", "scaled", vec![])
        .node("MatMul", "x scaled", "y", vec![])
        .output("y");
    let graph = assert_like_reference(&model.bytes(), 1);
    assert_eq!(graph.nodes().len(), 1);
    for operator in ["Neg", "Exp", "Reciprocal", "Sqrt", "Identity"] {
        let model = Model::new(18)
            .input("x", &["N", "3"])
            .floats("c", &[3], &[2.0, 0.5, 4.0]);
        check(
            model
                .node(operator, "c", "d", vec![])
                .node("Add", "x d", "y", vec![])
                .output("y"),
        );
    }
}

/// What PyTorch writes for `x.view(x.size(0), -1)` and for `x.view(x.size(0), 2, 3)`.
#[test]
fn shapes_computed_from_the_batch() {
    let model = Model::new(18)
        .input("x", &["N", "3", "2"])
        .integers("zero", &[], &[0])
        .integers("axes", &[1], &[0])
        .integers("rest", &[1], &[-1])
        .node("Shape", "x", "shape", vec![])
        .node("Gather", "shape zero", "size", vec![integer("axis", 0)])
        .node("Unsqueeze", "size axes", "row", vec![])
        .node("Concat", "row rest", "target", vec![integer("axis", 0)])
        .node("Cast", "target", "cast", vec![integer("to", 7)])
        .node("Reshape", "x cast", "y", vec![])
        .output("y");
    let graph = assert_like_reference(&model.bytes(), 1);
    assert_eq!(
        graph.value(graph.outputs()[0].value).shape.dimensions(),
        &[6]
    );
    let model = Model::new(18)
        .input("x", &["N", "3", "2"])
        .integers("rest", &[2], &[2, 3])
        .node("Shape", "x", "size", vec![integer("end", 1)])
        .node("Concat", "size rest", "target", vec![integer("axis", 0)])
        .node("Reshape", "x target", "y", vec![]);
    assert_like_reference(&model.output("y").bytes(), 1);
}

#[test]
fn batch_fixed_to_one() {
    let model = Model::new(18)
        .input("x", &["1", "3", "2"])
        .integers("s", &[2], &[1, 6])
        .node("Reshape", "x s", "y", vec![])
        .output("y");
    check(model);
}

#[test]
fn order_of_nodes_does_not_matter() {
    let model = Model::new(18)
        .input("x", &["N", "3"])
        .node("Relu", "a", "y", vec![]);
    let graph = model
        .node("Neg", "x", "a", vec![])
        .output("y")
        .import()
        .unwrap();
    assert_eq!(graph.nodes()[0].label(), "Neg_1");
}

#[test]
fn unused_nodes_are_not_looked_at() {
    let model = Model::new(18)
        .input("x", &["N", "3"])
        .node("Relu", "x", "y", vec![]);
    let graph = model
        .node("StringNormalizer", "x", "z", vec![])
        .output("y")
        .import()
        .unwrap();
    assert_eq!(graph.nodes().len(), 1);
}
