//! Products and powers of stacks, of two values, and of what a constant says element by element: against tract.

mod support;

use support::{Model, assert_like_reference, assert_values, integer};

fn check(model: Model) {
    assert_like_reference(&model.bytes(), 5);
}

/// Small numbers with both signs.
fn numbers(count: usize) -> Vec<f32> {
    (0..count)
        .map(|index| (index * 7 % 11) as f32 / 4.0 - 1.0)
        .collect()
}

#[test]
fn stacks_of_constant_matrices() {
    for (input, dims) in [
        (&["N", "2", "3", "4"][..], &[2, 4, 5][..]),
        (&["N", "1", "3", "4"], &[2, 4, 5]),
        (&["N", "2", "3", "4"], &[1, 2, 4, 5]),
        (&["N", "6", "2", "3", "4"], &[2, 4, 1]),
    ] {
        let size: i64 = dims.iter().product();
        let model = Model::new(13)
            .input("x", input)
            .floats("w", dims, &numbers(size as usize))
            .output("y");
        check(model.node("MatMul", "x w", "y", vec![]));
    }
    let left = Model::new(13)
        .input("x", &["N", "2", "3", "4"])
        .floats("w", &[2, 5, 3], &numbers(30))
        .output("y");
    check(left.node("MatMul", "w x", "y", vec![]));
}

#[test]
fn matrices_of_two_values() {
    for (left, right) in [
        (&["N", "3", "4"][..], &["N", "4", "2"][..]),
        (&["N", "2", "3", "4"], &["N", "2", "4", "5"]),
        (&["N", "2", "3", "4"], &["N", "1", "4", "5"]),
        (&["N", "1", "1", "4"], &["N", "2", "4", "1"]),
    ] {
        let model = Model::new(13).input("x", left).input("z", right);
        check(model.output("y").node("MatMul", "x z", "y", vec![]));
    }
    let flat = Model::new(13)
        .input("x", &["N", "4"])
        .input("z", &["N", "4"]);
    let message = flat
        .output("y")
        .node("MatMul", "x z", "y", vec![])
        .refusal();
    assert!(message.contains("along the batch"), "{message}");
    let own = Model::new(13)
        .input("x", &["N", "3", "4"])
        .floats("w", &[2, 4, 5], &numbers(40));
    let message = own.output("y").node("MatMul", "x w", "y", vec![]).refusal();
    assert!(message.contains("a matrix for each sample"), "{message}");
}

#[test]
fn slopes_that_depend_on_the_data() {
    for slopes in [&["N", "3", "4"], &["N", "1", "4"]] {
        let model = Model::new(13)
            .input("x", &["N", "3", "4"])
            .input("s", slopes)
            .output("y");
        check(model.node("PRelu", "x s", "y", vec![]));
    }
}

#[test]
fn exponents_that_differ() {
    let base = || {
        Model::new(13)
            .input("x", &["N", "2", "3"])
            .output("y")
            .node("Abs", "x", "positive", vec![])
    };
    let whole = base().floats("e", &[3], &[2.0, 0.0, 3.0]);
    check(whole.node("Pow", "x e", "y", vec![]));
    let broken = base().floats("e", &[2, 1], &[0.5, 1.0]);
    check(broken.node("Pow", "positive e", "y", vec![]));
    let many: Vec<f32> = (0..17).map(|exponent| exponent as f32).collect();
    let many = Model::new(13)
        .input("x", &["N", "17"])
        .output("y")
        .floats("e", &[17], &many);
    let message = many.node("Pow", "x e", "y", vec![]).refusal();
    assert!(message.contains("17 different exponents"), "{message}");
}

#[test]
fn constants_cast_like_the_data() {
    let model = Model::new(15)
        .input("x", &["N", "3"])
        .output("y")
        .integers("two", &[], &[2])
        .node("CastLike", "two x", "factor", vec![])
        .node("Mul", "x factor", "y", vec![]);
    let graph = model.import().unwrap();
    let input = hush_graph::Tensor::new(vec![1, 3], vec![1.0, -2.0, 0.5]).unwrap();
    let result = hush_graph::evaluate(&graph, &[input]).unwrap();
    assert_eq!(result[0].data(), [2.0, -4.0, 1.0]);
}

#[test]
fn constants_padded_before_use() {
    for mode in ["constant", "reflect", "edge"] {
        let model = Model::new(13)
            .input("x", &["N", "5"])
            .output("y")
            .floats("c", &[1, 3], &[1.0, 2.0, 4.0])
            .integers("pads", &[4], &[0, 1, 0, 1])
            .node("Pad", "c pads", "wide", vec![support::text("mode", mode)])
            .node("Add", "x wide", "y", vec![]);
        check(model);
    }
    let negative = Model::new(13)
        .input("x", &["N", "2"])
        .output("y")
        .floats("c", &[3], &[1.0, 2.0, 4.0])
        .integers("pads", &[2], &[-1, 0])
        .node("Pad", "c pads", "narrow", vec![])
        .node("Add", "x narrow", "y", vec![]);
    assert_values(&negative, &[2], &[3.0, 6.0]);
}

#[test]
fn an_empty_part_is_said_to_be_empty() {
    let model = Model::new(13)
        .input("x", &["N", "4"])
        .output("y")
        .integers("sizes", &[2], &[4, 0])
        .node("Split", "x sizes", "y z", vec![integer("axis", 1)]);
    let message = model.refusal();
    assert!(message.contains("one is empty"), "{message}");
}
