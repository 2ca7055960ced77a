//! No bytes make the importer panic.

mod support;

use hush_graph::{Tensor, evaluate, rewrite::simplify};
use proptest::prelude::*;
use support::{Model, example, integer};

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

fn models() -> [Vec<u8>; 3] {
    [
        example("breast_cancer_mlp.onnx"),
        example("breast_cancer_mlp_sigmoid.onnx"),
        shapely(),
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
    models().iter().for_each(|bytes| survive(bytes));
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
fn every_flipped_bit_of_a_small_model() {
    let mut bytes = shapely();
    for position in 0..bytes.len() {
        for bit in 0..8 {
            bytes[position] ^= 1 << bit;
            survive(&bytes);
            bytes[position] ^= 1 << bit;
        }
    }
}

proptest! {
    #![proptest_config(config(3000))]

    #[test]
    fn changed_bytes(
        model in 0usize..3,
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
    fn flipped_bits(model in 0usize..3, position in any::<prop::sample::Index>(), bit in 0u32..8) {
        let mut bytes = models()[model].clone();
        let position = position.index(bytes.len());
        bytes[position] ^= 1 << bit;
        survive(&bytes);
    }

    #[test]
    fn removed_and_repeated_pieces(
        model in 0usize..3,
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
