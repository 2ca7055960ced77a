//! What `simplify` and `leave_out_labels` make of the ends of classifiers.

use hush_graph::rewrite::{leave_out_labels, simplify};
use hush_graph::{
    BinaryOperator, Function, Graph, GraphBuilder, Movement, Operator, Shape, Tensor, ValueId,
    evaluate,
};

struct Builder {
    graph: GraphBuilder,
    x: ValueId,
}

impl Builder {
    fn new(size: usize) -> Builder {
        let mut graph = GraphBuilder::new("g");
        let x = graph.input("x", Shape::new(vec![size]).unwrap());
        Builder { graph, x }
    }

    fn node(&mut self, operator: Operator, inputs: &[ValueId]) -> ValueId {
        let names = vec!["n".to_string()];
        self.graph.node(names, operator, inputs, "v").unwrap()
    }

    fn reshape(&mut self, dimensions: &[usize], input: ValueId) -> ValueId {
        let shape = Shape::new(dimensions.to_vec()).unwrap();
        self.node(Operator::Movement(Movement::Reshape { shape }), &[input])
    }

    /// Simplifies, and checks that both graphs compute the same.
    fn simplified(mut self, outputs: &[(&str, ValueId)]) -> Graph {
        for (name, value) in outputs {
            let classes = vec!["a".to_string(), "b".to_string()];
            let classes = if *name == "label" {
                classes
            } else {
                Vec::new()
            };
            let output = self.graph.output_of_classes(*name, *value, classes);
            output.unwrap();
        }
        let graph = self.graph.build().unwrap();
        let simple = simplify(&graph).unwrap();
        let size = graph.value(graph.inputs()[0]).shape.size();
        let data = (0..3 * size).map(|i| (i * i % 7) as f64 - 2.5).collect();
        let input = Tensor::new(vec![3, size], data).unwrap();
        let expected = evaluate(&graph, std::slice::from_ref(&input)).unwrap();
        let actual = evaluate(&simple, &[input]).unwrap();
        for (actual, expected) in actual.iter().zip(&expected) {
            assert_eq!(actual.shape(), expected.shape());
            for (actual, expected) in actual.data().iter().zip(expected.data()) {
                assert!((actual - expected).abs() < 1e-12, "{graph}{simple}");
            }
        }
        simple
    }
}

const SIGMOID: Operator = Operator::Elementwise(Function::Sigmoid);

fn arg_max(keep_dimension: bool) -> Operator {
    Operator::ArgMax {
        axis: 0,
        keep_dimension,
        last: false,
    }
}

fn last_names(graph: &Graph) -> Vec<&'static str> {
    graph
        .nodes()
        .iter()
        .map(|node| node.operator.name())
        .collect()
}

/// How exporters write a classifier of two classes with one score.
#[test]
fn complements_of_sigmoids_side_by_side() {
    let mut b = Builder::new(1);
    let second = b.node(SIGMOID, &[b.x]);
    let first = b.node(Operator::affine(-1.0, 1.0), &[second]);
    let both = b.node(Operator::Concatenate { axis: 0 }, &[first, second]);
    let index = b.node(arg_max(true), &[both]);
    let label = b.reshape(&[], index);
    let graph = b.simplified(&[("label", label), ("scores", both)]);
    let expected = ["affine", "concatenate", "arg_max", "elementwise"];
    assert_eq!(last_names(&graph), expected, "{graph}");
    let graph = leave_out_labels(&graph).unwrap();
    assert_eq!(graph.outputs().len(), 1);
    assert_eq!(
        graph.notes(),
        [
            "output `label` is left out: it is the index of the largest element of `scores` (of a, b)"
        ]
    );
}

#[test]
fn labels_of_softmax() {
    let mut b = Builder::new(4);
    let scores = b.node(Operator::Softmax { axis: 0 }, &[b.x]);
    let label = b.node(arg_max(false), &[scores]);
    let graph = b.simplified(&[("label", label), ("scores", scores)]);
    assert_eq!(last_names(&graph), ["softmax", "arg_max"]);
    assert_eq!(graph.nodes()[1].inputs, graph.inputs());
    assert_eq!(
        leave_out_labels(&graph).unwrap().outputs()[0].name,
        "scores"
    );
}

#[test]
fn labels_alone_stay() {
    let mut b = Builder::new(4);
    let index = b.node(arg_max(true), &[b.x]);
    let label = b.reshape(&[], index);
    let graph = b.simplified(&[("label", label)]);
    assert_eq!(graph.nodes()[0].operator, arg_max(false), "{graph}");
    assert_eq!(graph.nodes().len(), 1);
    assert_eq!(leave_out_labels(&graph).unwrap(), graph);
}

/// How exporters write the features of a polynomial.
#[test]
fn products_side_by_side_are_one() {
    let multiply = || Operator::Binary(BinaryOperator::Multiply);
    let mut b = Builder::new(2);
    let [first, second] = [2.0, 3.0].map(|factor| {
        let scale = Tensor::new(vec![2], vec![factor, 0.5]).unwrap();
        let offset = Tensor::scalar(1.0);
        b.node(Operator::Affine { scale, offset }, &[b.x])
    });
    let square = b.node(multiply(), &[first, second]);
    let inner = b.node(multiply(), &[first, b.x]);
    let cube = b.node(multiply(), &[inner, second]);
    let other = b.node(multiply(), &[b.x, second]);
    let parts = [b.x, square, first, cube, other];
    let y = b.node(Operator::Concatenate { axis: 0 }, &parts);
    let graph = b.simplified(&[("y", y)]);
    let products = graph.nodes().iter();
    let products = products.filter(|node| node.operator == multiply());
    assert_eq!(products.count(), 2, "{graph}");
}

#[test]
fn products_along_an_inner_axis() {
    let mut b = Builder::new(6);
    let square = b.reshape(&[3, 2], b.x);
    let offset = Tensor::new(vec![2], vec![1.0, -2.0]).unwrap();
    let scale = Tensor::scalar(2.0);
    let shifted = b.node(Operator::Affine { scale, offset }, &[square]);
    let multiply = Operator::Binary(BinaryOperator::Multiply);
    let first = b.node(multiply.clone(), &[square, shifted]);
    let second = b.node(multiply, &[shifted, square]);
    let parts = [first, square, second];
    let y = b.node(Operator::Concatenate { axis: 1 }, &parts);
    let graph = b.simplified(&[("y", y)]);
    assert!(last_names(&graph).contains(&"sparse"), "{graph}");
}

#[test]
fn sigmoids_pass_reshapes() {
    let mut b = Builder::new(4);
    let sigmoid = b.node(SIGMOID, &[b.x]);
    let y = b.reshape(&[2, 2], sigmoid);
    let graph = b.simplified(&[("y", y)]);
    assert_eq!(last_names(&graph), ["movement", "elementwise"]);
}

#[test]
fn moved_indices_stay() {
    let mut b = Builder::new(4);
    let square = b.reshape(&[2, 2], b.x);
    let index = b.node(arg_max(false), &[square]);
    let permutation = vec![0];
    let moved = b.node(
        Operator::Movement(Movement::Transpose { permutation }),
        &[index],
    );
    let graph = b.simplified(&[("y", moved)]);
    assert_eq!(last_names(&graph), ["movement", "arg_max", "movement"]);
}
