//! What exporters compute from constants and shapes alone.

mod support;

use hush_graph::Graph;
use support::{Model, assert_like_reference, integer, integers};
use tract_onnx::pb::{
    AttributeProto, TensorProto, attribute_proto::AttributeType, tensor_proto::DataType,
};

fn base() -> Model {
    Model::new(18).input("x", &["N", "2", "3"]).output("y")
}

fn check(model: Model) -> Graph {
    assert_like_reference(&model.bytes(), 5)
}

/// The elements of the constant `c` of integers, by adding it to a row of zeros.
fn folded(model: Model, length: usize) -> Vec<f64> {
    let width = length.to_string();
    let mut model = model.input("zeros", &["N", width.as_str()]);
    model.graph().output.clear();
    let model = model
        .node("Cast", "c", "numbers", vec![integer("to", 1)])
        .node("Add", "zeros numbers", "y", vec![])
        .output("y");
    let graph = model.import().unwrap_or_else(|error| panic!("{error}"));
    let inputs: Vec<_> = graph
        .inputs()
        .iter()
        .map(|&input| {
            let shape = graph.value(input).shape.with_batch(1);
            let size = shape.iter().product();
            hush_graph::Tensor::new(shape, vec![0.0; size]).unwrap()
        })
        .collect();
    hush_graph::evaluate(&graph, &inputs)
        .unwrap()
        .remove(0)
        .into_data()
}

fn value(integer: i64) -> AttributeProto {
    AttributeProto {
        name: "value".to_string(),
        r#type: AttributeType::Tensor as i32,
        t: Some(TensorProto {
            dims: vec![1],
            data_type: DataType::Int64 as i32,
            int64_data: vec![integer],
            ..Default::default()
        }),
        ..Default::default()
    }
}

#[test]
fn integer_arithmetic() {
    let model = || {
        Model::new(18)
            .integers("a", &[3], &[7, -7, 6])
            .integers("b", &[3], &[2, 2, -4])
    };
    let binary = |operator, attributes| folded(model().node(operator, "a b", "c", attributes), 3);
    assert_eq!(binary("Mod", vec![]), [1.0, 1.0, -2.0]);
    assert_eq!(binary("Mod", vec![integer("fmod", 1)]), [1.0, -1.0, 2.0]);
    assert_eq!(binary("Max", vec![]), [7.0, 2.0, 6.0]);
    assert_eq!(binary("Min", vec![]), [2.0, -7.0, -4.0]);
    assert_eq!(binary("Div", vec![]), [3.0, -3.0, -1.0]);
    assert_eq!(binary("Greater", vec![]), [1.0, 0.0, 1.0]);
    assert_eq!(binary("LessOrEqual", vec![]), [0.0, 1.0, 0.0]);
    assert_eq!(
        folded(model().node("Abs", "a", "c", vec![]), 3),
        [7.0, 7.0, 6.0]
    );
}

#[test]
fn logic() {
    let model = || {
        Model::new(18)
            .integers("a", &[4], &[0, 0, 1, 1])
            .integers("b", &[4], &[0, 1, 0, 1])
    };
    let binary = |operator| folded(model().node(operator, "a b", "c", vec![]), 4);
    assert_eq!(binary("And"), [0.0, 0.0, 0.0, 1.0]);
    assert_eq!(binary("Or"), [0.0, 1.0, 1.0, 1.0]);
    assert_eq!(binary("Xor"), [0.0, 1.0, 1.0, 0.0]);
    assert_eq!(binary("Equal"), [1.0, 0.0, 0.0, 1.0]);
    assert_eq!(
        folded(model().node("Not", "b", "c", vec![]), 4),
        [1.0, 0.0, 1.0, 0.0]
    );
    let chosen = model()
        .integers("t", &[], &[5])
        .node("Where", "b a t", "c", vec![]);
    assert_eq!(folded(chosen, 4), [5.0, 0.0, 5.0, 1.0]);
}

#[test]
fn filled_and_counted() {
    let range = Model::new(18)
        .integers("start", &[], &[7])
        .integers("limit", &[], &[1])
        .integers("step", &[], &[-2]);
    assert_eq!(
        folded(range.node("Range", "start limit step", "c", vec![]), 3),
        [7.0, 5.0, 3.0]
    );
    let filled = || Model::new(18).integers("s", &[2], &[1, 3]);
    let ones = filled().node("ConstantOfShape", "s", "c", vec![value(4)]);
    assert_eq!(folded(ones, 3), [4.0; 3]);
    assert_eq!(
        folded(filled().node("ConstantOfShape", "s", "c", vec![]), 3),
        [0.0; 3]
    );
    assert_eq!(folded(filled().node("Size", "s", "c", vec![]), 1), [2.0]);
    let tile = filled().integers("twice", &[1], &[2]);
    assert_eq!(
        folded(tile.node("Tile", "s twice", "c", vec![]), 4),
        [1.0, 3.0, 1.0, 3.0]
    );
    let sparse = Model::new(18).integers("s", &[4], &[0, 3, 0, 1]);
    assert_eq!(
        folded(sparse.node("NonZero", "s", "c", vec![]), 2),
        [1.0, 3.0]
    );
}

#[test]
fn reductions() {
    let model = || Model::new(13).integers("a", &[2, 3], &[1, 2, 3, 4, 5, 6]);
    let reduce = |operator, axes: &[i64], length| {
        let attributes = vec![integers("axes", axes), integer("keepdims", 0)];
        folded(model().node(operator, "a", "c", attributes), length)
    };
    assert_eq!(reduce("ReduceProd", &[0], 3), [4.0, 10.0, 18.0]);
    assert_eq!(reduce("ReduceMax", &[-1], 2), [3.0, 6.0]);
    assert_eq!(reduce("ReduceMin", &[0, 1], 1), [1.0]);
    let sum = model().integers("axis", &[1], &[1]).node(
        "ReduceSum",
        "a axis",
        "c",
        vec![integer("keepdims", 0)],
    );
    assert_eq!(folded(sum, 2), [6.0, 15.0]);
}

/// How torch writes `expand(-1, 2, 3)` of a constant: sizes of -1 are found and replaced.
#[test]
fn sizes_with_the_batch_are_compared_and_replaced() {
    let model = base()
        .floats("row", &[3], &[1.0, 2.0, 3.0])
        .integers("minus", &[], &[-1])
        .integers("three", &[1], &[3])
        .node("Shape", "x", "target", vec![])
        .node("ConstantOfShape", "three", "ones", vec![value(1)])
        .node("Mul", "ones minus", "wanted", vec![])
        .node("Equal", "target wanted", "same", vec![])
        .node("Where", "same ones target", "sizes", vec![])
        .node("Expand", "row sizes", "wide", vec![])
        .node("Add", "x wide", "y", vec![]);
    check(model);
}

#[test]
fn arithmetic_that_leaves_the_batch_size() {
    for (operator, other) in [("Mul", 1), ("Add", 0), ("Div", 1), ("Sub", 0), ("Max", 1)] {
        let model = base()
            .integers("neutral", &[1], &[other])
            .integers("rest", &[1], &[6])
            .node("Shape", "x", "batch", vec![integer("end", 1)])
            .node(operator, "batch neutral", "same", vec![])
            .node("Concat", "same rest", "target", vec![integer("axis", 0)])
            .node("Reshape", "x target", "y", vec![]);
        assert_eq!(model.import().unwrap().nodes().len(), 1);
    }
    let doubled = base()
        .integers("two", &[1], &[2])
        .node("Shape", "x", "batch", vec![integer("end", 1)])
        .node("Mul", "batch two", "more", vec![])
        .node("Reshape", "x more", "y", vec![]);
    assert!(doubled.refusal().contains("batch size"));
}

#[test]
fn masks() {
    let model = || {
        base()
            .integers("m", &[2, 1], &[1, 0])
            .node("Cast", "m", "mask", vec![integer("to", 9)])
            .floats("c", &[3], &[4.0, 5.0, 6.0])
    };
    check(model().node("Where", "mask x c", "y", vec![]));
    check(model().node("Where", "mask c x", "y", vec![]));
    check(
        model()
            .input("z", &["N", "2", "1"])
            .node("Where", "mask x z", "y", vec![]),
    );
    let infinite = model().floats("none", &[], &[f32::NEG_INFINITY]);
    let refused = infinite.node("Where", "mask x none", "y", vec![]).refusal();
    assert!(refused.contains("not finite"), "{refused}");
}

/// How torch writes `cat([x, zeros(x.shape[0], 2)])`, and skl2onnx the constant feature of a
/// polynomial.
#[test]
fn filled_columns_beside_the_data() {
    let model = Model::new(18)
        .input("x", &["N", "3"])
        .integers("two", &[1], &[2])
        .node("Shape", "x", "batch", vec![integer("end", 1)])
        .node("Concat", "batch two", "sizes", vec![integer("axis", 0)])
        .node("ConstantOfShape", "sizes", "ones", vec![value(1)])
        .node("Cast", "ones", "filled", vec![integer("to", 1)])
        .node("Concat", "x filled", "y", vec![integer("axis", 1)])
        .output("y");
    check(model);
}

/// How skl2onnx writes a monomial.
#[test]
fn products_along_an_axis() {
    for length in 1..6 {
        let width = length.to_string();
        let model = Model::new(13).input("x", &["N", "2", width.as_str()]);
        let attributes = vec![integers("axes", &[-1])];
        check(model.node("ReduceProd", "x", "y", attributes).output("y"));
    }
}
