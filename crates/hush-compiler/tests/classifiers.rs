//! Classifiers whose label follows from their scores.

use hush_compiler::{Calibration, Options, compile};
use hush_graph::{Graph, GraphBuilder, Operator, Shape, Tensor};
use hush_program::PostOperation;

/// `softmax(W x)` and the index of its largest element.
fn classifier() -> Graph {
    let mut builder = GraphBuilder::new("classifier");
    let names = |name: &str| vec![name.to_string()];
    let x = builder.input("x", Shape::new(vec![3]).unwrap());
    let weight = Tensor::new(vec![2, 3], vec![0.5, -0.25, 0.125, 1.0, 0.5, -0.5]).unwrap();
    let linear = Operator::Linear { weight, bias: None };
    let scores = builder.node(names("fc"), linear, &[x], "s").unwrap();
    let softmax = Operator::Softmax { axis: 0 };
    let probabilities = builder.node(names("p"), softmax, &[scores], "p").unwrap();
    let arg_max = Operator::ArgMax {
        axis: 0,
        keep_dimension: false,
        last: false,
    };
    let label = builder
        .node(names("l"), arg_max, &[probabilities], "l")
        .unwrap();
    let classes = vec!["benign".to_string(), "malignant".to_string()];
    builder.output_of_classes("label", label, classes).unwrap();
    builder.output("probabilities", probabilities).unwrap();
    builder.build().unwrap()
}

#[test]
fn the_label_is_left_out_and_the_report_says_so() {
    let rows: Vec<f64> = (0..30)
        .map(|i| f64::from(i * 7 % 11) / 11.0 - 0.5)
        .collect();
    let inputs = vec![Tensor::new(vec![10, 3], rows).unwrap()];
    let calibration = Calibration { inputs };
    let compiled = compile(&classifier(), &calibration, &Options::default()).unwrap();
    let outputs: Vec<&str> = compiled
        .client_spec
        .outputs
        .iter()
        .map(|output| output.name.as_str())
        .collect();
    assert_eq!(outputs, ["probabilities"]);
    assert_eq!(
        compiled.client_spec.post,
        [PostOperation::Softmax { axis: 1 }]
    );
    let text = compiled.report.to_string();
    let note = "note: output `label` is left out: it is the index of the largest element of \
                `probabilities` (of benign, malignant)";
    assert!(text.contains(note), "{text}");
}
