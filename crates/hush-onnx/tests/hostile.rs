//! No bytes make the importer panic.

mod support;

use hush_graph::{Tensor, evaluate, rewrite::simplify};
use proptest::prelude::*;
use support::{Model, example, integer, integers, text};
use tract_onnx::pb::{AttributeProto, FunctionProto, NodeProto, attribute_proto::AttributeType};

/// Imports, and if that succeeds takes the graph through everything a caller would do with it.
fn survive(bytes: &[u8]) {
    let Ok(graph) = hush_onnx::import_bytes(bytes) else {
        return;
    };
    let text = graph.to_string();
    assert!(text.starts_with("graph "));
    let size: usize = graph.values().iter().map(|value| value.shape.size()).sum();
    if size > 1 << 20 {
        return;
    }
    let inputs: Vec<Tensor> = graph
        .inputs()
        .iter()
        .map(|&input| {
            let shape = graph.value(input).shape.with_batch(2);
            let size = shape.iter().product();
            Tensor::new(shape, vec![0.5; size]).unwrap()
        })
        .collect();
    evaluate(&graph, &inputs).unwrap();
    // Merging may overflow to infinite coefficients, which is an error and no panic.
    if let Ok(simple) = simplify(&graph) {
        evaluate(&simple, &inputs).unwrap();
    }
}

/// A model whose constants are folded and whose shapes are computed.
fn shapely() -> Vec<u8> {
    Model::new(18)
        .input("x", &["N", "3", "2"])
        .integers("zero", &[], &[0])
        .integers("axes", &[1], &[0])
        .integers("rest", &[1], &[-1])
        .floats("w", &[2, 6], &[0.5; 12])
        .node(
            "Transpose",
            "w",
            "t",
            vec![support::integers("perm", &[1, 0])],
        )
        .node("Shape", "x", "shape", vec![])
        .node("Gather", "shape zero", "size", vec![integer("axis", 0)])
        .node("Unsqueeze", "size axes", "row", vec![])
        .node("Concat", "row rest", "target", vec![integer("axis", 0)])
        .node("Reshape", "x target", "flat", vec![])
        .node("MatMul", "flat t", "y", vec![])
        .output("y")
        .bytes()
}

/// A model of windows, slices and joints.
fn spatial() -> Vec<u8> {
    let window = || {
        vec![
            integers("kernel_shape", &[3, 2]),
            integers("strides", &[2, 1]),
        ]
    };
    Model::new(13)
        .input("x", &["1", "2", "6", "4"])
        .floats("w", &[2, 1, 2, 1], &[0.5, -1.0, 2.0, 0.25])
        .floats("u", &[2, 1, 1, 2], &[1.0, 0.5, -1.0, 0.5])
        .floats("scales", &[4], &[1.0, 1.0, 0.5, 2.0])
        .floats("c", &[1, 1, 1, 4], &[1.0; 4])
        .integers("pads", &[8], &[0, 0, 1, -1, 0, 0, 2, 1])
        .integers("i", &[2], &[0, -1])
        .integers("one", &[1], &[1])
        .integers("last", &[1], &[-1])
        .node(
            "Conv",
            "x w",
            "a",
            vec![integer("group", 2), integers("pads", &[1, 0, 0, 0])],
        )
        .node("MaxPool", "a", "b", window())
        .node(
            "ConvTranspose",
            "b u",
            "d",
            vec![integers("output_padding", &[1, 0])],
        )
        .node(
            "AveragePool",
            "d",
            "e",
            vec![
                integers("kernel_shape", &[2, 2]),
                text("auto_pad", "SAME_UPPER"),
            ],
        )
        .node("Pad", "e pads", "f", vec![text("mode", "reflect")])
        .node("Resize", "f _ scales", "g", vec![text("mode", "linear")])
        .node("Split", "g", "h k", vec![integer("axis", -1)])
        .node("Slice", "h last one last last", "l", vec![])
        .node("Gather", "k i", "m", vec![integer("axis", 2)])
        .node("ReduceMax", "m", "n", vec![integers("axes", &[1, 2])])
        .node("Concat", "n c", "o", vec![integer("axis", 3)])
        .node("ReduceMean", "l", "p", vec![integers("axes", &[1, 2, 3])])
        .node("Max", "o p", "y", vec![])
        .output("y")
        .bytes()
}

/// A classifier of classical models, after a comparison and a function of the model's own.
fn classical() -> Vec<u8> {
    let mut model = Model::new(18)
        .input("x", &["N", "2"])
        .floats("zero", &[], &[0.0])
        .node("Greater", "x zero", "c", vec![])
        .node("Where", "c x zero", "a", vec![])
        .node("own", "a", "b", vec![])
        .node("Machine", "b", "label scores", vec![]);
    let floats = |name: &str, floats: &[f32]| AttributeProto {
        name: name.to_string(),
        r#type: AttributeType::Floats as i32,
        floats: floats.to_vec(),
        ..Default::default()
    };
    let machine = &mut model.graph().node[3];
    machine.op_type = "SVMClassifier".to_string();
    machine.domain = "ai.onnx.ml".to_string();
    machine.attribute = vec![
        text("kernel_type", "RBF"),
        floats("kernel_params", &[0.5, 0.0, 3.0]),
        floats("support_vectors", &[1.0, 2.0, 3.0, 4.0, -1.0, 0.5]),
        integers("vectors_per_class", &[2, 1]),
        floats("coefficients", &[0.5, 0.25, -0.75]),
        floats("rho", &[0.3]),
        integers("classlabels_ints", &[3, 7]),
    ];
    model.proto.functions = vec![FunctionProto {
        name: Some("own".to_string()),
        input: vec!["p".to_string()],
        output: vec!["q".to_string()],
        node: vec![NodeProto {
            op_type: "Elu".to_string(),
            input: vec!["p".to_string()],
            output: vec!["q".to_string()],
            ..Default::default()
        }],
        ..Default::default()
    }];
    model.output("label").output("scores").bytes()
}

fn models() -> [Vec<u8>; 5] {
    [
        example("breast_cancer_mlp.onnx"),
        example("breast_cancer_mlp_sigmoid.onnx"),
        shapely(),
        spatial(),
        classical(),
    ]
}

/// proptest prints the failing case and its seed.
fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

#[test]
fn whole_models_survive() {
    for bytes in models() {
        hush_onnx::import_bytes(&bytes).unwrap();
        survive(&bytes);
    }
}

#[test]
fn every_truncation() {
    for bytes in models() {
        for length in 0..bytes.len() {
            survive(&bytes[..length]);
        }
    }
}

#[test]
fn every_flipped_bit_of_small_models() {
    for mut bytes in [shapely(), spatial()] {
        for position in 0..bytes.len() {
            for bit in 0..8 {
                bytes[position] ^= 1 << bit;
                survive(&bytes);
                bytes[position] ^= 1 << bit;
            }
        }
    }
}

proptest! {
    #![proptest_config(config(3000))]

    #[test]
    fn changed_bytes(
        model in 0usize..4,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = models()[model].clone();
        for (position, byte) in changes {
            let position = position.index(bytes.len());
            bytes[position] = byte;
        }
        survive(&bytes);
    }

    #[test]
    fn flipped_bits(model in 0usize..4, position in any::<prop::sample::Index>(), bit in 0u32..8) {
        let mut bytes = models()[model].clone();
        let position = position.index(bytes.len());
        bytes[position] ^= 1 << bit;
        survive(&bytes);
    }

    #[test]
    fn removed_and_repeated_pieces(
        model in 0usize..4,
        from in any::<prop::sample::Index>(),
        to in any::<prop::sample::Index>(),
    ) {
        let bytes = models()[model].clone();
        let (from, to) = (from.index(bytes.len()), to.index(bytes.len()));
        survive(&[&bytes[..from], &bytes[to..]].concat());
    }

    #[test]
    fn random_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        survive(&bytes);
    }
}
