//! `Normalizer`: each sample divided by its norm.

use crate::node::{Known, NodeContext, Problem};
use hush_graph::{BinaryOperator, Function, Movement, Operator, Polynomial, Tensor, ValueId};

pub(crate) fn import(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    let input = context.data(0)?;
    let shape = context.shape(input);
    let &[features] = shape.dimensions() else {
        return Err(Problem::malformed("its input is not a matrix"));
    };
    let inverse = match context.text_attribute("norm", "MAX")?.as_str() {
        // Probabilities add up to one as they are.
        "L1" if is_softmax(context, input) => return context.define(Known::Data(input)),
        "L1" => {
            let sizes = magnitudes(context, input)?;
            let norm = sum(context, sizes, features)?;
            context.emit(Operator::Elementwise(Function::Reciprocal), &[norm])?
        }
        "L2" => {
            let square = Function::Polynomial(Polynomial::monomial(2));
            let squares = context.emit(Operator::Elementwise(square), &[input])?;
            let norm = sum(context, squares, features)?;
            let root = Function::Power { exponent: -0.5 };
            context.emit(Operator::Elementwise(root), &[norm])?
        }
        other => {
            return Err(Problem::new(
                format!("it divides by the norm {other}, which takes comparisons"),
                "use L2, or normalize before encryption and leave this step out of the model",
            ));
        }
    };
    let expand = Operator::Movement(Movement::Expand { shape });
    let inverse = context.emit(expand, &[inverse])?;
    context.finish(
        Operator::Binary(BinaryOperator::Multiply),
        &[input, inverse],
    )
}

/// `|x|`; the results of sigmoids are positive anyway.
fn magnitudes(context: &mut NodeContext<'_>, input: ValueId) -> Result<ValueId, Problem> {
    if is_sigmoid(context, input) {
        return Ok(input);
    }
    context.emit(Operator::Elementwise(Function::Abs), &[input])
}

fn is_softmax(context: &NodeContext<'_>, value: ValueId) -> bool {
    let node = context.environment.builder.producer(value);
    node.is_some_and(|node| matches!(node.operator, Operator::Softmax { axis: 0 }))
}

fn is_sigmoid(context: &NodeContext<'_>, value: ValueId) -> bool {
    let node = context.environment.builder.producer(value);
    let sigmoid = Operator::Elementwise(Function::Sigmoid);
    node.is_some_and(|node| node.operator == sigmoid)
}

fn sum(context: &mut NodeContext<'_>, input: ValueId, features: usize) -> Result<ValueId, Problem> {
    let weight = Tensor::new(vec![1, features], vec![1.0; features])?;
    context.emit(Operator::Linear { weight, bias: None }, &[input])
}
