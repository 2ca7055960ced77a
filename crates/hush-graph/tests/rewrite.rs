//! What `simplify` makes of functions that models spell out.

use hush_graph::rewrite::simplify;
use hush_graph::{
    BinaryOperator, Function, Graph, GraphBuilder, Operator, Polynomial, Shape, Tensor, ValueId,
    evaluate,
};
use proptest::prelude::*;

const ADD: Operator = Operator::Binary(BinaryOperator::Add);
const SUBTRACT: Operator = Operator::Binary(BinaryOperator::Subtract);
const MULTIPLY: Operator = Operator::Binary(BinaryOperator::Multiply);

struct Builder {
    graph: GraphBuilder,
    x: ValueId,
}

impl Builder {
    fn new() -> Builder {
        let mut graph = GraphBuilder::new("g");
        let x = graph.input("x", Shape::new(vec![4]).unwrap());
        Builder { graph, x }
    }

    /// A node named `n` and its result's number.
    fn node(&mut self, operator: Operator, inputs: &[ValueId]) -> ValueId {
        self.graph
            .node(vec!["n".to_string()], operator, inputs, "v")
            .unwrap()
    }

    fn apply(&mut self, function: Function, input: ValueId) -> ValueId {
        self.node(Operator::Elementwise(function), &[input])
    }

    fn affine(&mut self, scale: f64, offset: f64, input: ValueId) -> ValueId {
        self.node(Operator::affine(scale, offset), &[input])
    }

    fn power(&mut self, exponent: usize, input: ValueId) -> ValueId {
        self.apply(Function::Polynomial(Polynomial::monomial(exponent)), input)
    }

    /// Simplifies, and checks that both graphs compute the same.
    fn simplified(mut self, outputs: &[ValueId]) -> Graph {
        for (position, &output) in outputs.iter().enumerate() {
            self.graph.output(format!("y{position}"), output).unwrap();
        }
        let graph = self.graph.build().unwrap();
        let simple = simplify(&graph).unwrap();
        assert_same(&graph, &simple);
        simple
    }
}

fn assert_same(graph: &Graph, simple: &Graph) {
    let data: Vec<f64> = (0..8).map(|i| f64::from(i) * 0.45 - 1.6).collect();
    let input = Tensor::new(vec![2, 4], data).unwrap();
    let expected = evaluate(graph, std::slice::from_ref(&input)).unwrap();
    let actual = evaluate(simple, &[input]).unwrap();
    for (expected, actual) in expected.iter().zip(&actual) {
        for (expected, actual) in expected.data().iter().zip(actual.data()) {
            let tolerance = 1e-5 * (1.0 + expected.abs());
            assert!(
                (expected - actual).abs() <= tolerance,
                "{actual} is not {expected}\n{graph}{simple}"
            );
        }
    }
}

fn operators(graph: &Graph) -> Vec<Operator> {
    graph
        .nodes()
        .iter()
        .map(|node| node.operator.clone())
        .collect()
}

fn polynomial(coefficients: &[f64]) -> Operator {
    Operator::Elementwise(Function::Polynomial(Polynomial::new(coefficients.to_vec())))
}

#[test]
fn polynomial_with_power_and_exact_coefficients() {
    let mut b = Builder::new();
    let linear = b.affine(f64::from(0.197f32), 0.0, b.x);
    let shifted = b.affine(1.0, 0.5, linear);
    let cube = b.power(3, b.x);
    let scaled = b.affine(f64::from(0.004f32), 0.0, cube);
    let y = b.node(SUBTRACT, &[shifted, scaled]);
    let graph = b.simplified(&[y]);
    let expected = polynomial(&[0.5, f64::from(0.197f32), 0.0, -f64::from(0.004f32)]);
    assert_eq!(operators(&graph), vec![expected]);
    assert_eq!(graph.nodes()[0].names.len(), 5);
}

#[test]
fn polynomial_with_products_in_horner_form() {
    let mut b = Builder::new();
    let first = b.affine(3.0, 2.0, b.x);
    let second = b.node(MULTIPLY, &[first, b.x]);
    let second = b.affine(1.0, -1.0, second);
    let third = b.node(MULTIPLY, &[b.x, second]);
    assert_eq!(
        operators(&b.simplified(&[third])),
        vec![polynomial(&[0.0, -1.0, 2.0, 3.0])]
    );
}

#[test]
fn square_of_a_value() {
    let mut b = Builder::new();
    let y = b.node(MULTIPLY, &[b.x, b.x]);
    assert_eq!(
        operators(&b.simplified(&[y])),
        vec![polynomial(&[0.0, 0.0, 1.0])]
    );
}

#[test]
fn powers_of_a_shifted_value_are_not_expanded() {
    let mut b = Builder::new();
    let shifted = b.affine(1.0, -100.0, b.x);
    let y = b.power(7, shifted);
    let z = b.node(ADD, &[y, shifted]);
    let expected = polynomial(&[0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]);
    assert_eq!(
        operators(&b.simplified(&[z])),
        vec![Operator::affine(1.0, -100.0), expected]
    );
}

#[test]
fn scalings_merge_and_cancel() {
    let mut b = Builder::new();
    let y = b.affine(2.0, 1.0, b.x);
    let y = b.affine(3.0, 1.0, y);
    let z = b.affine(-1.0, 0.0, b.x);
    let z = b.affine(-1.0, 0.0, z);
    let graph = b.simplified(&[y, z]);
    assert_eq!(operators(&graph), vec![Operator::affine(6.0, 4.0)]);
    assert_eq!(graph.outputs()[1].value, graph.inputs()[0]);
}

#[test]
fn difference_of_equal_values_is_zero() {
    let mut b = Builder::new();
    let y = b.node(SUBTRACT, &[b.x, b.x]);
    assert_eq!(
        operators(&b.simplified(&[y])),
        vec![Operator::affine(0.0, 0.0)]
    );
}

#[test]
fn silu_and_swish() {
    let mut b = Builder::new();
    let gate = b.apply(Function::Sigmoid, b.x);
    let y = b.node(MULTIPLY, &[b.x, gate]);
    let silu = Operator::Elementwise(Function::Silu);
    assert_eq!(operators(&b.simplified(&[y])), vec![silu.clone()]);

    let mut b = Builder::new();
    let scaled = b.affine(2.0, 0.0, b.x);
    let gate = b.apply(Function::Sigmoid, scaled);
    let y = b.node(MULTIPLY, &[gate, b.x]);
    let expected = vec![Operator::affine(2.0, 0.0), silu, Operator::affine(0.5, 0.0)];
    assert_eq!(operators(&b.simplified(&[y])), expected);
}

#[test]
fn gelu_with_the_error_function_in_two_orders() {
    let root = f64::from(std::f32::consts::SQRT_2);
    for half_first in [true, false] {
        let mut b = Builder::new();
        let scaled = b.affine(1.0 / root, 0.0, b.x);
        let erf = b.apply(Function::Erf, scaled);
        let sum = b.affine(1.0, 1.0, erf);
        let y = if half_first {
            let half = b.affine(0.5, 0.0, b.x);
            b.node(MULTIPLY, &[half, sum])
        } else {
            let product = b.node(MULTIPLY, &[b.x, sum]);
            b.affine(0.5, 0.0, product)
        };
        assert_eq!(
            operators(&b.simplified(&[y])),
            vec![Operator::Elementwise(Function::Gelu)]
        );
    }
}

#[test]
fn gelu_with_tanh() {
    let mut b = Builder::new();
    let cube = b.power(3, b.x);
    let cube = b.affine(f64::from(0.044715f32), 0.0, cube);
    let sum = b.node(ADD, &[b.x, cube]);
    let sum = b.affine(f64::from((2.0 / std::f32::consts::PI).sqrt()), 0.0, sum);
    let tanh = b.apply(Function::Tanh, sum);
    let tanh = b.affine(1.0, 1.0, tanh);
    let half = b.affine(0.5, 0.0, b.x);
    let y = b.node(MULTIPLY, &[half, tanh]);
    assert_eq!(
        operators(&b.simplified(&[y])),
        vec![Operator::Elementwise(Function::GeluTanh)]
    );
}

#[test]
fn shared_activation_is_computed_once() {
    let mut b = Builder::new();
    let gate = b.apply(Function::Sigmoid, b.x);
    let y = b.node(MULTIPLY, &[b.x, gate]);
    let z = b.affine(2.0, 1.0, y);
    let expected = vec![
        Operator::Elementwise(Function::Silu),
        Operator::affine(2.0, 1.0),
    ];
    assert_eq!(operators(&b.simplified(&[y, z])), expected);
}

#[test]
fn several_functions_of_one_value_are_one() {
    let mut b = Builder::new();
    let relu = b.apply(Function::Relu, b.x);
    let y = b.node(MULTIPLY, &[relu, b.x]);
    let tanh = b.apply(Function::Tanh, b.x);
    let z = b.power(3, tanh);
    let texts: Vec<String> = b
        .simplified(&[y, z])
        .nodes()
        .iter()
        .map(|node| match &node.operator {
            Operator::Elementwise(function) => function.to_string(),
            other => panic!("{other:?}"),
        })
        .collect();
    let expected = [
        "composition(a1 = relu of x; a1 · x)",
        "composition(a1 = tanh of x; polynomial(1·x^3) of a1)",
    ];
    assert_eq!(texts, expected);
}

#[test]
fn single_functions_stay() {
    let mut b = Builder::new();
    let relu = b.apply(Function::Relu, b.x);
    let y = b.node(ADD, &[relu, b.x]);
    let sine = b.apply(Function::Sin, b.x);
    let z = b.affine(2.0, 1.0, sine);
    let expected = vec![
        Operator::Elementwise(Function::Relu),
        ADD,
        Operator::Elementwise(Function::Sin),
        Operator::affine(2.0, 1.0),
    ];
    assert_eq!(operators(&b.simplified(&[y, z])), expected);
}

fn only(graph: &Graph) -> Function {
    match operators(graph).as_slice() {
        [Operator::Elementwise(function)] => function.clone(),
        _ => panic!("{graph}"),
    }
}

fn clip(minimum: Option<f64>, maximum: Option<f64>) -> Function {
    Function::Clip { minimum, maximum }
}

#[test]
fn mish_and_softplus_from_exponentials() {
    let mut b = Builder::new();
    let exp = b.apply(Function::Exp, b.x);
    let sum = b.affine(1.0, 1.0, exp);
    let softplus = b.apply(Function::Log, sum);
    assert_eq!(only(&b.simplified(&[softplus])), Function::Softplus);

    let mut b = Builder::new();
    let softplus = b.apply(Function::Softplus, b.x);
    let tanh = b.apply(Function::Tanh, softplus);
    let y = b.node(MULTIPLY, &[b.x, tanh]);
    assert_eq!(only(&b.simplified(&[y])), Function::Mish);
}

#[test]
fn hard_swish_and_hard_sigmoid_with_their_scale_last() {
    for scale_first in [true, false] {
        let sixth = f64::from(1f32 / 6.0);
        let mut b = Builder::new();
        let shifted = b.affine(1.0, 3.0, b.x);
        let gate = b.apply(clip(Some(0.0), Some(6.0)), shifted);
        let y = if scale_first {
            let gate = b.affine(sixth, 0.0, gate);
            b.node(MULTIPLY, &[b.x, gate])
        } else {
            let product = b.node(MULTIPLY, &[b.x, gate]);
            b.affine(sixth, 0.0, product)
        };
        assert_eq!(only(&b.simplified(&[y])), Function::HardSwish);
    }
    let mut b = Builder::new();
    let shifted = b.affine(1.0, 3.0, b.x);
    let gate = b.apply(clip(Some(0.0), Some(6.0)), shifted);
    let y = b.affine(1.0 / 6.0, 0.0, gate);
    let expected = Function::HardSigmoid {
        alpha: 0.166667,
        beta: 0.5,
    };
    match only(&b.simplified(&[y])) {
        Function::HardSigmoid { alpha, beta } => {
            assert!((alpha - 1.0 / 6.0).abs() < 1e-6 && beta == 0.5);
        }
        other => panic!("{other} instead of {expected}"),
    }
}

#[test]
fn sigmoids_and_roots_by_division() {
    let mut b = Builder::new();
    let negative = b.affine(-1.0, 0.0, b.x);
    let exp = b.apply(Function::Exp, negative);
    let sum = b.affine(1.0, 1.0, exp);
    let y = b.apply(Function::Reciprocal, sum);
    assert_eq!(only(&b.simplified(&[y])), Function::Sigmoid);

    let mut b = Builder::new();
    let size = b.apply(Function::Abs, b.x);
    let sum = b.affine(1.0, 1.0, size);
    let inverse = b.apply(Function::Reciprocal, sum);
    let y = b.node(MULTIPLY, &[b.x, inverse]);
    assert_eq!(only(&b.simplified(&[y])), Function::Softsign);
}

/// What normalisation layers divide by: the small addend counts.
#[test]
fn reciprocal_roots_keep_what_is_added_before() {
    let mut b = Builder::new();
    let shifted = b.affine(1.0, 2.5, b.x);
    let root = b.apply(Function::Sqrt, shifted);
    let y = b.apply(Function::Reciprocal, root);
    let graph = b.simplified(&[y]);
    let last = operators(&graph).pop().unwrap();
    let power = Function::Power { exponent: -0.5 };
    assert_eq!(last, Operator::Elementwise(power), "{graph}");
}

#[test]
fn relu_in_pieces() {
    let mut b = Builder::new();
    let relu = b.apply(Function::Relu, b.x);
    let y = b.apply(clip(None, Some(6.0)), relu);
    assert_eq!(only(&b.simplified(&[y])), clip(Some(0.0), Some(6.0)));

    let mut b = Builder::new();
    let scaled = b.affine(f64::from(0.1f32), 0.0, b.x);
    let y = b.node(Operator::Binary(BinaryOperator::Maximum), &[b.x, scaled]);
    assert_eq!(
        only(&b.simplified(&[y])),
        Function::LeakyRelu { slope: 0.1 }
    );
}

#[test]
fn a_sigmoid_at_the_end_stays() {
    let mut b = Builder::new();
    let relu = b.apply(Function::Relu, b.x);
    let y = b.apply(Function::Sigmoid, relu);
    let expected = [Function::Relu, Function::Sigmoid].map(Operator::Elementwise);
    assert_eq!(operators(&b.simplified(&[y])), expected);
}

#[test]
fn high_degrees_are_left_in_pieces() {
    let mut b = Builder::new();
    let mut y = b.x;
    for _ in 0..6 {
        y = b.node(MULTIPLY, &[y, y]);
    }
    let graph = b.simplified(&[y]);
    assert!(graph.nodes().len() > 1, "{graph}");
}

#[test]
fn long_chains_take_little_work() {
    let mut b = Builder::new();
    let mut y = b.x;
    for _ in 0..20_000 {
        y = b.affine(-1.0, 0.0, y);
    }
    let graph = b.simplified(&[y]);
    assert!(graph.nodes().len() < 1000, "{}", graph.nodes().len());
}

#[test]
fn unused_nodes_go() {
    let mut b = Builder::new();
    b.apply(Function::Exp, b.x);
    let y = b.apply(Function::Relu, b.x);
    assert_eq!(
        operators(&b.simplified(&[y])),
        vec![Operator::Elementwise(Function::Relu)]
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Any chain of element-wise nodes keeps its meaning.
    #[test]
    fn random_graphs_compute_the_same(
        steps in prop::collection::vec((0usize..9, any::<prop::sample::Index>(), any::<prop::sample::Index>(), -1.0f64..1.0), 1..14)
    ) {
        let mut b = Builder::new();
        let mut values = vec![b.x];
        for (kind, left, right, constant) in steps {
            let (left, right) = (values[left.index(values.len())], values[right.index(values.len())]);
            let clip = Function::Clip { minimum: Some(-2.0), maximum: Some(2.0) };
            values.push(match kind {
                0 => b.affine(constant, 0.0, left),
                1 => b.affine(1.0, constant, left),
                2 => b.node(ADD, &[left, right]),
                3 => b.node(SUBTRACT, &[left, right]),
                4 => {
                    // Keeps the values, and so the rounding errors, small.
                    let (left, right) = (b.apply(clip.clone(), left), b.apply(clip, right));
                    b.node(MULTIPLY, &[left, right])
                }
                5 => b.apply(Function::Sigmoid, left),
                6 => b.apply(Function::Erf, left),
                7 => b.node(MULTIPLY, &[left, b.x]),
                _ => b.power(2, left),
            });
        }
        let last = values[values.len() - 1];
        let middle = values[values.len() / 2];
        b.simplified(&[last, middle]);
    }
}
