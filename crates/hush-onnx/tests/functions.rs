//! Element-wise functions and arithmetic, against tract or known values.

mod support;

use hush_graph::{Function, Operator, Tensor, evaluate, rewrite::simplify};
use support::{Model, assert_close, assert_like_reference, float, integer};
use tract_onnx::pb::AttributeProto;

fn base() -> Model {
    Model::new(18).input("x", &["N", "2", "3"]).output("y")
}

fn check(model: Model) {
    assert_like_reference(&model.bytes(), 11);
}

fn check_unary(operator: &str, attributes: Vec<AttributeProto>) {
    check(base().node(operator, "x", "y", attributes));
}

fn function(model: Model) -> Function {
    match &model.import().unwrap().nodes()[0].operator {
        Operator::Elementwise(function) => function.clone(),
        other => panic!("{other:?}"),
    }
}

/// `y` for one sample `x` of the given elements.
fn values(model: Model, x: &[f64]) -> Vec<f64> {
    let graph = model.import().unwrap_or_else(|error| panic!("{error}"));
    let input = Tensor::new(vec![1, x.len()], x.to_vec()).unwrap();
    evaluate(&graph, &[input]).unwrap().remove(0).into_data()
}

fn near(actual: &[f64], expected: &[f64]) {
    let tensor = |data: &[f64]| Tensor::new(vec![data.len()], data.to_vec()).unwrap();
    assert_close(&tensor(actual), &tensor(expected), "known values");
}

#[test]
fn defined_everywhere() {
    for operator in ["Abs", "Softsign", "HardSwish", "Sin", "Cos"] {
        check_unary(operator, vec![]);
    }
    for operator in ["Elu", "Selu", "HardSigmoid", "ThresholdedRelu"] {
        check_unary(operator, vec![]);
        check_unary(operator, vec![float("alpha", 0.3)]);
    }
    // tract forgets a factor of Celu and has no Mish.
    let celu = Model::new(18).input("x", &["N", "2"]).output("y");
    let celu = celu.node("Celu", "x", "y", vec![float("alpha", 0.5)]);
    near(
        &values(celu, &[-0.5, 2.0]),
        &[0.5 * ((-1f64).exp() - 1.0), 2.0],
    );
    assert_eq!(
        function(base().node("Mish", "x", "y", vec![])),
        Function::Mish
    );
    check_unary("Selu", vec![float("gamma", 2.0)]);
    check_unary("HardSigmoid", vec![float("beta", 0.25)]);
}

#[test]
fn defined_for_positive_values() {
    for operator in ["Log", "Sqrt", "Reciprocal"] {
        let model = base()
            .floats("shift", &[], &[2.5])
            .node("Add", "x shift", "positive", vec![]);
        check(model.node(operator, "positive", "y", vec![]));
    }
}

#[test]
fn powers_that_are_not_whole() {
    for exponent in [0.5, -0.5, -1.0, -2.0, 1.5] {
        let model = base()
            .floats("shift", &[], &[2.5])
            .floats("e", &[], &[exponent])
            .node("Add", "x shift", "positive", vec![]);
        check(model.node("Pow", "positive e", "y", vec![]));
    }
    let power = |exponent| {
        function(
            base()
                .floats("e", &[1], &[exponent])
                .node("Pow", "x e", "y", vec![]),
        )
    };
    assert_eq!(power(0.5), Function::Sqrt);
    assert_eq!(power(-1.0), Function::Reciprocal);
    assert_eq!(power(-0.5), Function::Power { exponent: -0.5 });
    let exponential = base().floats("two", &[], &[2.0]);
    check(exponential.node("Pow", "two x", "y", vec![]));
}

#[test]
fn divisions_by_values() {
    let shifted = || {
        base()
            .input("z", &["N", "2", "3"])
            .floats("shift", &[], &[2.5])
            .node("Add", "z shift", "positive", vec![])
    };
    check(shifted().node("Div", "x positive", "y", vec![]));
    let constant = shifted().floats("c", &[3], &[1.0, -2.0, 0.0]);
    check(
        constant
            .node("Div", "c positive", "w", vec![])
            .node("Add", "x w", "y", vec![]),
    );
}

#[test]
fn slopes_per_channel() {
    for (dims, slopes) in [
        (&[][..], &[0.25f32][..]),
        (&[3], &[0.1, -0.2, 1.5]),
        (&[2, 1], &[0.1, 0.4]),
        (&[1, 2, 1], &[0.1, 0.4]),
    ] {
        check(
            base()
                .floats("slope", dims, slopes)
                .node("PRelu", "x slope", "y", vec![]),
        );
    }
    let one = base().floats("slope", &[2, 1], &[0.25; 2]);
    assert_eq!(
        function(one.node("PRelu", "x slope", "y", vec![])),
        Function::LeakyRelu { slope: 0.25 }
    );
}

#[test]
fn sums_and_means() {
    let model = base()
        .input("z", &["N", "1", "3"])
        .floats("c", &[3], &[1.0, -2.0, 0.5]);
    check(model.node("Sum", "c x z x", "y", vec![]));
    check(base().node("Sum", "x", "y", vec![]));
    // tract does not broadcast here.
    let model = Model::new(18)
        .input("x", &["N", "2"])
        .floats("c", &[2], &[1.0, -2.5])
        .node("Mean", "c x", "y", vec![]);
    near(&values(model.output("y"), &[3.0, 4.0]), &[2.0, 0.75]);
}

/// tract has no Shrink.
#[test]
fn soft_shrink() {
    let model = Model::new(18).input("x", &["N", "4"]).output("y");
    let soft = model.clone().node(
        "Shrink",
        "x",
        "y",
        vec![float("lambd", 0.5), float("bias", 0.5)],
    );
    near(
        &values(soft, &[-2.0, -0.25, 0.25, 2.0]),
        &[-1.5, 0.0, 0.0, 1.5],
    );
    let hard = model.node("Shrink", "x", "y", vec![]).refusal();
    assert!(hard.contains("it jumps at its threshold"), "{hard}");
}

fn only(model: Model) -> Function {
    let graph = simplify(&model.import().unwrap_or_else(|error| panic!("{error}"))).unwrap();
    match graph.nodes() {
        [node] => match &node.operator {
            Operator::Elementwise(function) => function.clone(),
            other => panic!("{other:?}"),
        },
        _ => panic!("{graph}"),
    }
}

/// How torch writes `where(x > 0, x, 0.1 x)`, and its dynamo exporter `softplus`.
#[test]
fn comparisons_inside_of_continuous_functions() {
    let compared = |threshold: f32| {
        Model::new(18)
            .input("x", &["N", "3"])
            .floats("threshold", &[], &[threshold])
            .floats("tenth", &[], &[0.1])
            .floats("one", &[], &[1.0])
            .output("y")
            .node("Greater", "x threshold", "large", vec![])
    };
    let leaky =
        compared(0.0)
            .node("Mul", "x tenth", "z", vec![])
            .node("Where", "large x z", "y", vec![]);
    assert_eq!(only(leaky.clone()), Function::LeakyRelu { slope: 0.1 });
    check(leaky);
    let softplus = compared(20.0)
        .node("Exp", "x", "a", vec![])
        .node("Add", "a one", "b", vec![])
        .node("Log", "b", "c", vec![])
        .node("Where", "large x c", "y", vec![]);
    assert_eq!(only(softplus), Function::Softplus);
    let negated = compared(0.0)
        .node("Not", "large", "small", vec![])
        .floats("zero", &[1], &[0.0])
        .node("Where", "small zero x", "y", vec![]);
    assert_eq!(only(negated), Function::Relu);
    let masked = compared(0.0)
        .node("LessOrEqual", "threshold x", "mask", vec![])
        .node("Cast", "mask", "number", vec![integer("to", 1)])
        .node("Mul", "number x", "y", vec![]);
    assert_eq!(only(masked), Function::Relu);
}

/// How torch's dynamo exporter writes `softshrink`.
#[test]
fn signs_inside_of_continuous_functions() {
    let model = base()
        .floats("half", &[], &[0.5])
        .floats("zero", &[], &[0.0])
        .node("Abs", "x", "size", vec![])
        .node("Greater", "size half", "large", vec![])
        .node("Sign", "x", "sign", vec![])
        .node("Mul", "sign half", "shift", vec![])
        .node("Sub", "x shift", "shrunk", vec![])
        .node("Mul", "x zero", "nothing", vec![])
        .node("Where", "large shrunk nothing", "y", vec![]);
    let graph = simplify(&model.import().unwrap()).unwrap();
    assert_eq!(graph.nodes().len(), 1, "{graph}");
    check(model);
    let sign = base().node("Sign", "x", "y", vec![]).refusal();
    assert!(sign.contains("Sign `Sign_0`: it compares"), "{sign}");
}

#[test]
fn other_comparisons_are_refused() {
    let model = || {
        base()
            .floats("c", &[], &[0.5])
            .node("Less", "x c", "small", vec![])
    };
    let refused = |model: Model| {
        assert_eq!(
            model.refusal(),
            "1 node cannot be used:\n  Less `Less_0`: it compares encrypted values; \
             use Max, Min, Clip or an activation, or compare the results after decryption"
        );
    };
    refused(model().node("Cast", "small", "y", vec![integer("to", 1)]));
    refused(
        model()
            .floats("zero", &[], &[0.0])
            .node("Where", "small zero x", "y", vec![]),
    );
    refused(
        model()
            .input("z", &["N", "2", "3"])
            .node("Where", "small x z", "y", vec![]),
    );
}
