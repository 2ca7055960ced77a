//! What the importer refuses, and the words it uses.

mod support;

use hush_onnx::{ImportError, MAXIMUM_MODEL_BYTES};
use support::{Model, example, integer, integers};
use tract_onnx::pb::{NodeProto, tensor_proto::DataLocation, tensor_proto::DataType};

fn model(dimensions: &[&str]) -> Model {
    Model::new(18).input("x", dimensions).output("y")
}

#[test]
fn all_unsupported_nodes_at_once() {
    let mut model = model(&["N", "3"])
        .node("Det", "x", "a", vec![])
        .node("Relu", "a", "b", vec![])
        .node("Cosh", "b", "c", vec![])
        .floats("high", &[], &[65.0])
        .node("Pow", "x high", "d", vec![])
        .node("Add", "c d", "y", vec![]);
    model.graph().node.push(NodeProto {
        op_type: "FusedGemm".to_string(),
        domain: "com.microsoft".to_string(),
        input: vec!["x".to_string()],
        output: vec!["z".to_string()],
        ..Default::default()
    });
    let model = model.output("z");
    assert_eq!(
        model.refusal(),
        "4 nodes cannot be used:\n  \
         Det `Det_0`: operator is not supported; replace it in the model by supported operators before exporting\n  \
         Cosh `Cosh_2`: operator is not supported; replace it in the model by supported operators before exporting\n  \
         Pow `Pow_3`: its exponent 65 is larger than 64; powers this high leave the range of encrypted numbers; use a smaller one\n  \
         com.microsoft:FusedGemm `z`: operators of domain `com.microsoft` are not supported; replace it in the model by supported operators before exporting"
    );
    assert!(matches!(model.import(), Err(ImportError::Nodes(problems)) if problems.len() == 4));
}

#[test]
fn the_shape_of_a_lost_value_is_lost_too() {
    let shape = model(&["N", "3"])
        .node("Det", "x", "a", vec![])
        .node("Shape", "a", "s", vec![])
        .node("Concat", "s s", "t", vec![integer("axis", 0)])
        .node("Reshape", "x t", "y", vec![]);
    assert!(
        shape.refusal().starts_with("1 node "),
        "{}",
        shape.refusal()
    );
}

#[test]
fn dynamic_dimensions_beyond_the_batch() {
    let model = model(&["N", "3", "width"]).node("Relu", "x", "y", vec![]);
    assert_eq!(
        model.refusal(),
        "input `x`: dimension 2 (`width`) is dynamic; only the first (batch) may be, export with fixed sizes"
    );
}

#[test]
fn batches_that_are_not_one() {
    let refusal = |model: Model| model.node("Relu", "x", "y", vec![]).refusal();
    assert!(refusal(model(&["32", "3"])).contains("fixed to 32"));
    assert!(refusal(model(&[])).contains("no dimensions"));
    assert!(refusal(model(&["N", "3"]).input("z", &["M", "3"])).contains("`N` and `M`"));
}

#[test]
fn computing_across_samples() {
    let refused = |model: Model| {
        let message = model.refusal();
        assert!(
            message.contains("keep the batch as the first dimension"),
            "{message}"
        );
    };
    let base = || model(&["N", "2", "3"]);
    refused(base().node("Transpose", "x", "y", vec![]));
    refused(base().node("Flatten", "x", "y", vec![integer("axis", 0)]));
    refused(base().node("Flatten", "x", "y", vec![integer("axis", 2)]));
    refused(base().node("Softmax", "x", "y", vec![integer("axis", 0)]));
    refused(base().node("ArgMax", "x", "y", vec![]));
    refused(
        base()
            .integers("s", &[2], &[1, -1])
            .node("Reshape", "x s", "y", vec![]),
    );
    refused(
        base()
            .integers("s", &[1], &[-1])
            .node("Reshape", "x s", "y", vec![]),
    );
    refused(
        base()
            .integers("a", &[1], &[0])
            .node("Unsqueeze", "x a", "y", vec![]),
    );
    refused(
        base()
            .floats("c", &[2, 2, 3], &[1.0; 12])
            .node("Add", "x c", "y", vec![]),
    );
    refused(
        base()
            .floats("c", &[1, 1, 2, 3], &[1.0; 6])
            .node("Add", "x c", "y", vec![]),
    );
    refused(
        base()
            .input("z", &["N", "3"])
            .node("Add", "x z", "y", vec![]),
    );
    refused(
        model(&["N", "3"])
            .floats("w", &[2, 4], &[1.0; 8])
            .node("MatMul", "w x", "y", vec![]),
    );
    let w = &[1.0; 9];
    refused(model(&["N", "3"]).floats("w", &[3, 3], w).node(
        "Gemm",
        "x w",
        "y",
        vec![integer("transA", 1)],
    ));
    let sized = base()
        .node("Shape", "x", "s", vec![])
        .integers("two", &[], &[2]);
    refused(
        sized
            .node("Mul", "s two", "d", vec![])
            .node("Reshape", "x d", "y", vec![]),
    );
    refused(
        Model::new(18)
            .input("x", &["1", "1", "3"])
            .output("y")
            .node("Squeeze", "x", "y", vec![]),
    );
}

#[test]
fn cycles_undefined_and_repeated_values() {
    let base = || model(&["N", "3"]);
    let cycle = base()
        .node("Add", "x c", "a", vec![])
        .node("Relu", "a", "b", vec![]);
    let cycle = cycle
        .node("Neg", "b", "c", vec![])
        .node("Relu", "c", "y", vec![]);
    assert_eq!(
        cycle.refusal(),
        "nodes form a cycle: Add_0 → Relu_1 → Neg_2 → Add_0"
    );
    let own = base().node("Relu", "y", "y", vec![]);
    assert_eq!(own.refusal(), "nodes form a cycle: Relu_0 → Relu_0");
    let undefined = base().node("Add", "x q", "y", vec![]);
    assert_eq!(
        undefined.refusal(),
        "`Add_0` reads `q`, which nothing defines"
    );
    assert_eq!(
        base().refusal(),
        "`graph output` reads `y`, which nothing defines"
    );
    let twice = base()
        .node("Relu", "x", "y", vec![])
        .node("Neg", "x", "y", vec![]);
    assert_eq!(twice.refusal(), "value `y` is defined twice");
    let shadow = base()
        .node("Relu", "x", "x", vec![])
        .node("Relu", "x", "y", vec![]);
    assert_eq!(shadow.refusal(), "value `x` is defined twice");
}

#[test]
fn numbers_that_are_not_finite() {
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let model = model(&["N", "2"]).floats("fc.weight", &[2, 2], &[1.0, 2.0, bad, 3.0]);
        let message = model.node("MatMul", "x fc.weight", "y", vec![]).refusal();
        assert!(
            message.contains("MatMul `MatMul_0`: constant `fc.weight` holds NaN or an infinite"),
            "{message}"
        );
    }
    let model = model(&["N", "2"])
        .floats("c", &[2], &[1.0, 0.0])
        .node("Div", "x c", "y", vec![]);
    assert!(model.refusal().contains("divides by zero"));
}

#[test]
fn element_types() {
    let mut integer_input = model(&["N", "3"]).node("Relu", "x", "y", vec![]);
    let tract_onnx::pb::type_proto::Value::TensorType(tensor) = integer_input.graph().input[0]
        .r#type
        .as_mut()
        .unwrap()
        .value
        .as_mut()
        .unwrap();
    tensor.elem_type = DataType::Int64 as i32;
    assert_eq!(
        integer_input.refusal(),
        "`x` has element type INT64; convert the model to float32 or float64"
    );
    let mut half = model(&["N", "3"])
        .floats("c", &[], &[1.0])
        .node("Add", "x c", "y", vec![]);
    half.graph().initializer[0].data_type = DataType::Float16 as i32;
    assert!(half.refusal().contains("`c` has element type FLOAT16"));
}

#[test]
fn external_data() {
    let mut model = model(&["N", "3"])
        .floats("c", &[], &[1.0])
        .node("Add", "x c", "y", vec![]);
    model.graph().initializer[0].data_location = Some(DataLocation::External as i32);
    assert_eq!(
        model.refusal(),
        "tensor `c` keeps its data in another file; save the model with its weights inside"
    );
}

#[test]
fn operator_sets() {
    let mut model = model(&["N", "3"]).node("Relu", "x", "y", vec![]);
    for version in [0, 6, 25, -1, i64::MAX] {
        model.proto.opset_import[0].version = version;
        assert!(
            model
                .refusal()
                .starts_with(&format!("model uses operator set {version}; supported are"))
        );
    }
    model.proto.opset_import.clear();
    assert_eq!(
        model.refusal(),
        "not an ONNX model: it names no operator set; check that the file is complete"
    );
}

#[test]
fn training_mode_and_secondary_results() {
    let model_with_mask = model(&["N", "3"])
        .node("Dropout", "x", "a mask", vec![])
        .node("Add", "a mask", "y", vec![]);
    assert!(
        model_with_mask
            .refusal()
            .contains("`mask`, a secondary result")
    );
    let training = model(&["N", "3"])
        .floats("r", &[], &[0.5])
        .integers("t", &[], &[1]);
    assert!(
        training
            .node("Dropout", "x r t", "y", vec![])
            .refusal()
            .contains("training mode")
    );
}

#[test]
fn outputs_that_are_constant() {
    let model = model(&["N", "3"])
        .floats("c", &[1], &[1.0])
        .node("Neg", "c", "y", vec![]);
    assert!(model.refusal().contains("does not depend on its inputs"));
}

#[test]
fn constants_that_explode() {
    let mut concat = model(&["N", "4"]).floats("c0", &[4], &[1.0; 4]);
    for step in 0..60 {
        let (from, to) = (format!("c{step} c{step}"), format!("c{}", step + 1));
        concat = concat.node("Concat", &from, &to, vec![integer("axis", 0)]);
    }
    assert!(
        concat
            .node("Add", "x c60", "y", vec![])
            .refusal()
            .contains("grow too large")
    );
    let huge =
        model(&["N", "4"])
            .floats("c", &[1], &[1.0])
            .integers("s", &[2], &[1 << 30, 1 << 30]);
    let huge = huge
        .node("Expand", "c s", "d", vec![])
        .node("Add", "x d", "y", vec![]);
    assert!(huge.refusal().contains("grow too large"));
}

#[test]
fn malformed_nodes() {
    let base = || {
        model(&["N", "2", "3"])
            .floats("w", &[3, 3], &[1.0; 9])
            .integers("i", &[1], &[9])
    };
    for model in [
        base().node("Relu", "", "y", vec![]),
        base().node("Gemm", "x w", "y", vec![]),
        base().node("Gemm", "x", "y", vec![]),
        base()
            .node("MatMul", "x w", "y", vec![])
            .floats("v", &[2, 2], &[1.0; 4])
            .node("MatMul", "y v", "z", vec![])
            .output("z"),
        base().node("Softmax", "x", "y", vec![integer("axis", 9)]),
        base().node("Softmax", "x", "y", vec![integers("axis", &[1])]),
        base().node("Transpose", "x", "y", vec![integers("perm", &[0, 1, 1])]),
        base().node(
            "Transpose",
            "x",
            "y",
            vec![integers("perm", &[0, i64::MIN, 1])],
        ),
        base().node("Unsqueeze", "x i", "y", vec![]),
        base().node("Squeeze", "x i", "y", vec![]),
        base().node("Squeeze", "x w", "y", vec![]),
        base().node("Flatten", "x", "y", vec![integer("axis", i64::MIN)]),
        base().node("BatchNormalization", "x w w w w", "y", vec![]),
        base().node("Constant", "", "y", vec![]),
        base().node("Reshape", "x", "y", vec![]),
        base().node("Clip", "x w", "y", vec![]),
        base()
            .node("Transpose", "w", "t", vec![integers("perm", &[5, 9])])
            .node("Add", "x t", "y", vec![]),
    ] {
        let message = model.refusal();
        assert!(message.starts_with("1 node cannot be used:\n"), "{message}");
    }
}

#[test]
fn files_that_are_not_models() {
    let refusal = |bytes: &[u8]| hush_onnx::import_bytes(bytes).unwrap_err().to_string();
    assert!(refusal(b"").contains("the file is empty"));
    assert!(refusal(b"PK\x03\x04 a zip file").starts_with("not an ONNX model: "));
    let whole = example("breast_cancer_mlp.onnx");
    assert!(refusal(&whole[..whole.len() / 2]).starts_with("not an ONNX model: "));
}

#[test]
fn missing_and_oversized_files() {
    let folder = tempfile::tempdir().unwrap();
    let missing = hush_onnx::import(folder.path().join("none.onnx")).unwrap_err();
    assert!(matches!(missing, ImportError::Read { .. }));
    let path = folder.path().join("large.onnx");
    // A hole in the file system, not real bytes.
    std::fs::File::create(&path)
        .unwrap()
        .set_len(MAXIMUM_MODEL_BYTES + 1)
        .unwrap();
    let large = hush_onnx::import(&path).unwrap_err();
    assert!(matches!(large, ImportError::TooLarge { .. }), "{large}");
}

#[test]
fn normalisation_by_each_sample() {
    for operator in [
        "InstanceNormalization",
        "LayerNormalization",
        "GroupNormalization",
        "LRN",
    ] {
        let message = model(&["N", "2", "3"])
            .node(operator, "x", "y", vec![])
            .refusal();
        assert!(message.contains("it divides by"), "{message}");
        assert!(message.contains("use BatchNormalization"), "{message}");
    }
}
