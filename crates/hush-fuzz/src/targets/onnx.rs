//! Models to import.

use super::Target;

/// An ONNX file.
pub(super) const ONNX: Target = Target {
    name: "onnx",
    seeds: || {
        let example = |name: &str| {
            let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples");
            std::fs::read(format!("{folder}/{name}")).expect("the examples are there")
        };
        vec![
            example("breast_cancer/breast_cancer_mlp.onnx"),
            example("breast_cancer/breast_cancer_mlp_sigmoid.onnx"),
            example("mnist/mnist_cryptonets.onnx"),
        ]
    },
    run: |bytes| hush_onnx::import_bytes(bytes).is_ok(),
};
