//! Scalar functions as they are written down.

use hush_graph::{BinaryOperator, Composition, Function, Polynomial, Step};
use hush_wire::graph::{GraphFunctionV1, GraphSingleV1, GraphStepV1};

const BINARY: [BinaryOperator; 5] = [
    BinaryOperator::Add,
    BinaryOperator::Subtract,
    BinaryOperator::Multiply,
    BinaryOperator::Maximum,
    BinaryOperator::Minimum,
];

pub(super) fn binary_to_v1(operator: BinaryOperator) -> Option<u8> {
    let position = BINARY.iter().position(|&known| known == operator)?;
    Some(position as u8)
}

pub(super) fn binary_from_v1(code: u8) -> Option<BinaryOperator> {
    BINARY.get(code as usize).copied()
}

pub(super) fn function_to_v1(function: &Function) -> Option<GraphFunctionV1> {
    let Function::Composition(composition) = function else {
        return single_to_v1(function).map(GraphFunctionV1::Single);
    };
    let steps = composition.steps().iter().map(step_to_v1);
    let steps: Option<_> = steps.collect();
    steps.map(GraphFunctionV1::Composition)
}

/// None for a function made of others: no step of one is another.
fn single_to_v1(function: &Function) -> Option<GraphSingleV1> {
    let (number, parameters) = match function {
        Function::Relu => (0, vec![]),
        &Function::LeakyRelu { slope } => (1, vec![slope]),
        &Function::ThresholdedRelu { alpha } => (2, vec![alpha]),
        &Function::Step { inclusive } => (3, vec![f64::from(u8::from(inclusive))]),
        &Function::Elu { alpha } => (4, vec![alpha]),
        &Function::Selu { alpha, gamma } => (5, vec![alpha, gamma]),
        &Function::Celu { alpha } => (6, vec![alpha]),
        Function::Sigmoid => (7, vec![]),
        &Function::HardSigmoid { alpha, beta } => (8, vec![alpha, beta]),
        Function::Tanh => (9, vec![]),
        Function::Softsign => (10, vec![]),
        Function::Softplus => (11, vec![]),
        Function::Gelu => (12, vec![]),
        Function::GeluTanh => (13, vec![]),
        Function::Silu => (14, vec![]),
        Function::HardSwish => (15, vec![]),
        Function::Mish => (16, vec![]),
        Function::Abs => (17, vec![]),
        Function::Exp => (18, vec![]),
        Function::Log => (19, vec![]),
        Function::Sqrt => (20, vec![]),
        Function::Reciprocal => (21, vec![]),
        &Function::Power { exponent } => (22, vec![exponent]),
        Function::Sin => (23, vec![]),
        Function::Cos => (24, vec![]),
        Function::Erf => (25, vec![]),
        &Function::Clip { minimum, maximum } => {
            return Some(GraphSingleV1::Clip(minimum, maximum));
        }
        Function::Polynomial(polynomial) => {
            return Some(GraphSingleV1::Polynomial(
                polynomial.coefficients().to_vec(),
            ));
        }
        _ => return None,
    };
    Some(GraphSingleV1::Named(number, parameters))
}

fn step_to_v1(step: &Step) -> Option<GraphStepV1> {
    Some(match step {
        &Step::Affine {
            scale,
            offset,
            input,
        } => GraphStepV1::Affine(scale, offset, input as u32),
        Step::Function { function, input } => {
            GraphStepV1::Function(single_to_v1(function)?, *input as u32)
        }
        &Step::Binary {
            operator,
            left,
            right,
        } => GraphStepV1::Binary(binary_to_v1(operator)?, left as u32, right as u32),
        _ => return None,
    })
}

pub(super) fn function_from_v1(stored: GraphFunctionV1) -> Option<Function> {
    match stored {
        GraphFunctionV1::Single(single) => single_from_v1(single),
        GraphFunctionV1::Composition(steps) => {
            let steps = steps.into_iter().map(step_from_v1);
            let steps = steps.collect::<Option<Vec<_>>>()?;
            Composition::new(steps).map(Function::Composition)
        }
    }
}

fn single_from_v1(stored: GraphSingleV1) -> Option<Function> {
    let (number, parameters) = match stored {
        GraphSingleV1::Named(number, parameters) => (number, parameters),
        GraphSingleV1::Clip(minimum, maximum) => {
            return Some(Function::Clip { minimum, maximum });
        }
        GraphSingleV1::Polynomial(coefficients) => {
            return Some(Function::Polynomial(Polynomial::new(coefficients)));
        }
    };
    Some(match (number, parameters.as_slice()) {
        (0, []) => Function::Relu,
        (1, &[slope]) => Function::LeakyRelu { slope },
        (2, &[alpha]) => Function::ThresholdedRelu { alpha },
        (3, &[inclusive]) => Function::Step {
            inclusive: inclusive != 0.0,
        },
        (4, &[alpha]) => Function::Elu { alpha },
        (5, &[alpha, gamma]) => Function::Selu { alpha, gamma },
        (6, &[alpha]) => Function::Celu { alpha },
        (7, []) => Function::Sigmoid,
        (8, &[alpha, beta]) => Function::HardSigmoid { alpha, beta },
        (9, []) => Function::Tanh,
        (10, []) => Function::Softsign,
        (11, []) => Function::Softplus,
        (12, []) => Function::Gelu,
        (13, []) => Function::GeluTanh,
        (14, []) => Function::Silu,
        (15, []) => Function::HardSwish,
        (16, []) => Function::Mish,
        (17, []) => Function::Abs,
        (18, []) => Function::Exp,
        (19, []) => Function::Log,
        (20, []) => Function::Sqrt,
        (21, []) => Function::Reciprocal,
        (22, &[exponent]) => Function::Power { exponent },
        (23, []) => Function::Sin,
        (24, []) => Function::Cos,
        (25, []) => Function::Erf,
        _ => return None,
    })
}

fn step_from_v1(stored: GraphStepV1) -> Option<Step> {
    Some(match stored {
        GraphStepV1::Affine(scale, offset, input) => Step::Affine {
            scale,
            offset,
            input: input as usize,
        },
        GraphStepV1::Function(function, input) => Step::Function {
            function: single_from_v1(function)?,
            input: input as usize,
        },
        GraphStepV1::Binary(code, left, right) => Step::Binary {
            operator: binary_from_v1(code)?,
            left: left as usize,
            right: right as usize,
        },
    })
}
