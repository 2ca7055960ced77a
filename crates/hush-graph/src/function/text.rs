//! The text form of functions.

use super::Function;
use std::fmt;

impl fmt::Display for Function {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Function::Relu => "relu",
            Function::LeakyRelu { slope } => {
                return write!(formatter, "leaky_relu(slope {slope})");
            }
            Function::ThresholdedRelu { alpha } => {
                return write!(formatter, "thresholded_relu(alpha {alpha})");
            }
            Function::Step { inclusive: false } => "step",
            Function::Step { inclusive: true } => "step(1 at 0)",
            Function::Elu { alpha } => return write!(formatter, "elu(alpha {alpha})"),
            Function::Selu { alpha, gamma } => {
                return write!(formatter, "selu(alpha {alpha}, gamma {gamma})");
            }
            Function::Celu { alpha } => return write!(formatter, "celu(alpha {alpha})"),
            Function::Sigmoid => "sigmoid",
            Function::HardSigmoid { alpha, beta } => {
                return write!(formatter, "hard_sigmoid(alpha {alpha}, beta {beta})");
            }
            Function::Tanh => "tanh",
            Function::Softsign => "softsign",
            Function::Softplus => "softplus",
            Function::Gelu => "gelu",
            Function::GeluTanh => "gelu_tanh",
            Function::Silu => "silu",
            Function::HardSwish => "hard_swish",
            Function::Mish => "mish",
            Function::Abs => "abs",
            Function::Exp => "exp",
            Function::Log => "log",
            Function::Sqrt => "sqrt",
            Function::Reciprocal => "reciprocal",
            Function::Power { exponent } => return write!(formatter, "power({exponent})"),
            Function::Sin => "sin",
            Function::Cos => "cos",
            Function::Erf => "erf",
            Function::Clip { minimum, maximum } => {
                let bound = |bound: &Option<f64>| {
                    bound.map_or("none".to_string(), |value| value.to_string())
                };
                return write!(formatter, "clip({}, {})", bound(minimum), bound(maximum));
            }
            Function::Polynomial(polynomial) => {
                return write!(formatter, "polynomial({polynomial})");
            }
            Function::Composition(composition) => {
                return write!(formatter, "composition({composition})");
            }
        };
        formatter.write_str(name)
    }
}
