//! Sums, means and extrema over dimensions and over several inputs, against tract.

mod support;

use hush_graph::{Function, Operator};
use support::{Model, assert_like_reference, assert_values, integer, integers};

fn base(version: i64) -> Model {
    Model::new(version)
        .input("x", &["N", "4", "3", "5"])
        .output("y")
}

#[test]
fn over_axes() {
    for (seed, axes) in [&[1][..], &[-1], &[2, 3], &[1, -1], &[1, 2, 3]]
        .into_iter()
        .enumerate()
    {
        for keeps in [0, 1] {
            for operator in ["ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin"] {
                let attributes = vec![integers("axes", axes), integer("keepdims", keeps)];
                let old = base(11).node(operator, "x", "y", attributes);
                assert_like_reference(&old.bytes(), seed as u64);
            }
            let new = base(18).integers("a", &[axes.len() as i64], axes);
            for operator in ["ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin"] {
                let attributes = vec![integer("keepdims", keeps)];
                let new = new.clone().node(operator, "x a", "y", attributes);
                let old = vec![integers("axes", axes), integer("keepdims", keeps)];
                let old = base(11).node(operator, "x", "y", old);
                assert_eq!(
                    new.import().unwrap().nodes()[0],
                    old.import().unwrap().nodes()[0]
                );
            }
        }
    }
}

/// As models do that normalise their own weights.
#[test]
fn of_constants() {
    let model = Model::new(13)
        .input("x", &["N", "2"])
        .floats("w", &[2, 2], &[1.0, 2.0, 3.0, 6.0])
        .node("ReduceMean", "w", "m", vec![integers("axes", &[0])])
        .node("Sub", "w m", "c", vec![])
        .node("MatMul", "x c", "y", vec![])
        .output("y");
    // The input is 1, 2; the centred weight is -1, -2, 1, 2.
    assert_values(&model, &[2], &[1.0, 2.0]);
}

#[test]
fn norms() {
    let model = |operator: &str| {
        Model::new(11)
            .input("x", &["N", "4"])
            .node(operator, "x", "y", vec![integers("axes", &[1])])
            .output("y")
    };
    // Of 1, 2, 3 and 4.
    assert_values(&model("ReduceSumSquare"), &[1], &[30.0]);
    assert_values(&model("ReduceL1"), &[1], &[10.0]);
    assert_values(&model("ReduceL2"), &[1], &[30f64.sqrt()]);
    assert_values(&model("ReduceLogSum"), &[1], &[10f64.ln()]);
    assert_values(&model("ReduceLogSumExp"), &[1], &[4.440190]);
}

#[test]
fn without_axes() {
    let all = base(18).node("ReduceMean", "x", "y", vec![]);
    assert!(all.refusal().contains("without axes it reduces the batch"));
    let batch = base(11).node("ReduceSum", "x", "y", vec![integers("axes", &[0, 1])]);
    assert!(batch.refusal().contains("works along the batch"));
    let nothing = vec![integer("noop_with_empty_axes", 1)];
    let graph = base(18)
        .node("ReduceMax", "x", "y", nothing)
        .import()
        .unwrap();
    assert!(graph.nodes().is_empty());
}

#[test]
fn extrema_of_several_inputs() {
    let several = || {
        Model::new(13)
            .input("x", &["N", "2", "3"])
            .input("z", &["N", "2", "1"])
            .input("w", &["N", "1", "3"])
            .floats("c", &[2, 3], &[0.5, -0.5, 0.25, 0.0, 1.0, -1.0])
            .floats("d", &[3], &[0.1, 0.2, 0.3])
            .output("y")
    };
    for operator in ["Max", "Min"] {
        for inputs in ["x z", "x z w", "x c z d w", "c x", "x"] {
            let model = several().node(operator, inputs, "y", vec![]);
            let used: Vec<&str> = inputs.split(' ').collect();
            let mut model = model;
            // tract wants every input to be read.
            model
                .graph()
                .input
                .retain(|input| used.contains(&input.name.as_str()));
            assert_like_reference(&model.bytes(), 3);
        }
    }
}

#[test]
fn bounds_are_activations() {
    let function = |operator: &str, bound: f32| {
        let model = Model::new(13)
            .input("x", &["N", "3"])
            .floats("c", &[], &[bound])
            .node(operator, "x c", "y", vec![])
            .output("y");
        match &model.import().unwrap().nodes()[0].operator {
            Operator::Elementwise(function) => function.clone(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(function("Max", 0.0), Function::Relu);
    let clip = |minimum, maximum| Function::Clip { minimum, maximum };
    assert_eq!(function("Max", 0.5), clip(Some(0.5), None));
    assert_eq!(function("Min", 6.0), clip(None, Some(6.0)));
}
