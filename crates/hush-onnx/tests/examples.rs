//! The models that come with the repository.

mod support;

use hush_graph::rewrite::simplify;
use support::{assert_like_reference, example};

#[test]
fn polynomial_model() {
    let graph = assert_like_reference(&example("breast_cancer_mlp.onnx"), 1);
    let expected = "\
graph main_graph
  %0 = input input : [batch, 30]
  %1 = linear(weight [16, 30] + bias) %0 : [batch, 16]  # /fc1/Gemm
  %2 = affine(scale 0.19699999690055847, offset 0) %1 : [batch, 16]  # /Mul
  %3 = affine(scale 1, offset 0.5) %2 : [batch, 16]  # /Add
  %4 = polynomial(1·x^3) %1 : [batch, 16]  # /Pow
  %5 = affine(scale 0.004000000189989805, offset 0) %4 : [batch, 16]  # /Mul_1
  %6 = subtract %3 %5 : [batch, 16]  # /Sub
  %7 = linear(weight [2, 16] + bias) %6 : [batch, 2]  # /fc2/Gemm
  %8 = affine(scale 0.19699999690055847, offset 0) %7 : [batch, 2]  # /Mul_2
  %9 = affine(scale 1, offset 0.5) %8 : [batch, 2]  # /Add_1
  %10 = polynomial(1·x^3) %7 : [batch, 2]  # /Pow_1
  %11 = affine(scale 0.004000000189989805, offset 0) %10 : [batch, 2]  # /Mul_3
  %12 = subtract %9 %11 : [batch, 2]  # /Sub_1
  output output = %12
";
    assert_eq!(graph.to_string(), expected);
}

/// The activation is `0.5 + 0.197 x - 0.004 x³` with 32-bit coefficients.
#[test]
fn simplified_polynomial_model() {
    let graph = assert_like_reference(&example("breast_cancer_mlp.onnx"), 3);
    let activation = "0.5 + 0.19699999690055847·x - 0.004000000189989805·x^3";
    let expected = format!(
        "\
graph main_graph
  %0 = input input : [batch, 30]
  %1 = linear(weight [16, 30] + bias) %0 : [batch, 16]  # /fc1/Gemm
  %2 = polynomial({activation}) %1 : [batch, 16]  # /Mul + /Add + /Pow + /Mul_1 + /Sub
  %3 = linear(weight [2, 16] + bias) %2 : [batch, 2]  # /fc2/Gemm
  %4 = polynomial({activation}) %3 : [batch, 2]  # /Mul_2 + /Add_1 + /Pow_1 + /Mul_3 + /Sub_1
  output output = %4
"
    );
    assert_eq!(simplify(&graph).unwrap().to_string(), expected);
}

#[test]
fn sigmoid_model() {
    let graph = assert_like_reference(&example("breast_cancer_mlp_sigmoid.onnx"), 2);
    let expected = "\
graph main_graph
  %0 = input input : [batch, 30]
  %1 = linear(weight [16, 30] + bias) %0 : [batch, 16]  # /0/Gemm
  %2 = sigmoid %1 : [batch, 16]  # /1/Sigmoid
  %3 = linear(weight [2, 16] + bias) %2 : [batch, 2]  # /2/Gemm
  %4 = softmax(axis 0) %3 : [batch, 2]  # /3/Softmax
  output probabilities = %4
";
    assert_eq!(graph.to_string(), expected);
}
