//! Kernels between the data and the support vectors of a support vector machine.

use crate::node::{NodeContext, Problem};
use hush_graph::{BinaryOperator, Function, Operator, Polynomial, Tensor, ValueId};

/// The largest degree of a polynomial kernel.
const LARGEST_DEGREE: f64 = 31.0;

/// A support vector machine: kernels of the data with each support vector, and linear
/// combinations of them.
pub(super) struct Machine {
    kind: Kind,
    /// One row per support vector.
    vectors: Tensor,
}

enum Kind {
    Linear,
    Polynomial {
        gamma: f64,
        offset: f64,
        degree: usize,
    },
    Gaussian {
        gamma: f64,
    },
    Tanh {
        gamma: f64,
        offset: f64,
    },
}

impl Machine {
    /// From the attributes of a node with `count` support vectors.
    pub(super) fn read(context: &NodeContext<'_>, count: usize) -> Result<Machine, Problem> {
        let parameters = context
            .floats_attribute("kernel_params")?
            .unwrap_or_default();
        let parameter = |position: usize| parameters.get(position).copied().unwrap_or(0.0);
        let (gamma, offset, degree) = (parameter(0), parameter(1), parameter(2));
        let kind = match context.text_attribute("kernel_type", "LINEAR")?.as_str() {
            "LINEAR" => Kind::Linear,
            "RBF" => Kind::Gaussian { gamma },
            "SIGMOID" => Kind::Tanh { gamma, offset },
            "POLY" if degree.fract() == 0.0 && (1.0..=LARGEST_DEGREE).contains(&degree) => {
                Kind::Polynomial {
                    gamma,
                    offset,
                    degree: degree as usize,
                }
            }
            other => {
                return Err(Problem::new(
                    format!("its kernel {other} of degree {degree} is not supported"),
                    "use a kernel LINEAR, RBF, SIGMOID, or POLY of a degree from 1 to 31",
                ));
            }
        };
        let vectors = context
            .floats_attribute("support_vectors")?
            .unwrap_or_default();
        if count == 0 || vectors.is_empty() || !vectors.len().is_multiple_of(count) {
            return Err(Problem::new(
                format!(
                    "its {} numbers are not {count} support vectors",
                    vectors.len()
                ),
                "export a model with support vectors, or a linear one as LinearRegressor",
            ));
        }
        let vectors = Tensor::new(vec![count, vectors.len() / count], vectors)?;
        Ok(Machine { kind, vectors })
    }

    /// `coefficients · kernels + offsets`: from `[batch, features]` to `[batch, outputs]`.
    /// `coefficients` has one row per output and one column per support vector.
    pub(super) fn emit(
        &self,
        context: &mut NodeContext<'_>,
        coefficients: Tensor,
        offsets: Vec<f64>,
    ) -> Result<ValueId, Problem> {
        let input = context.data(0)?;
        let features = self.vectors.shape()[1];
        if context.shape(input).dimensions() != [features] {
            return Err(Problem::malformed(format!(
                "its support vectors have {features} features"
            )));
        }
        let bias = Some(Tensor::new(vec![offsets.len()], offsets)?);
        if matches!(self.kind, Kind::Linear) {
            let weight = product(context, &coefficients, &self.vectors)?;
            return context.emit(Operator::Linear { weight, bias }, &[input]);
        }
        let kernels = self.kernels(context, input)?;
        let weight = coefficients;
        context.emit(Operator::Linear { weight, bias }, &[kernels])
    }

    fn kernels(&self, context: &mut NodeContext<'_>, x: ValueId) -> Result<ValueId, Problem> {
        let count = self.vectors.shape()[0];
        let scaled = |factor: f64, offsets: Vec<f64>| -> Result<Operator, Problem> {
            Ok(Operator::Linear {
                weight: self.vectors.map(|element| factor * element),
                bias: Some(Tensor::new(vec![count], offsets)?),
            })
        };
        let (argument, function) = match self.kind {
            Kind::Linear => (scaled(1.0, vec![0.0; count])?, None),
            Kind::Polynomial {
                gamma,
                offset,
                degree,
            } => {
                let power = Function::Polynomial(Polynomial::monomial(degree));
                (scaled(gamma, vec![offset; count])?, Some(power))
            }
            Kind::Tanh { gamma, offset } => {
                (scaled(gamma, vec![offset; count])?, Some(Function::Tanh))
            }
            Kind::Gaussian { gamma } => return self.gaussian(context, x, gamma),
        };
        let argument = context.emit(argument, &[x])?;
        match function {
            None => Ok(argument),
            Some(function) => context.emit(Operator::Elementwise(function), &[argument]),
        }
    }

    /// `exp(-gamma · |x - v|²)`, where the squared distance is `|x|² - 2 x·v + |v|²`.
    fn gaussian(
        &self,
        context: &mut NodeContext<'_>,
        x: ValueId,
        gamma: f64,
    ) -> Result<ValueId, Problem> {
        let &[count, features] = self.vectors.shape() else {
            return Err(Problem::malformed("its support vectors are not a matrix"));
        };
        context.environment.spend(count.saturating_mul(features))?;
        let square = Function::Polynomial(Polynomial::monomial(2));
        let squares = context.emit(Operator::Elementwise(square), &[x])?;
        let weight = Tensor::new(vec![count, features], vec![-gamma; count * features])?;
        let norms = context.emit(Operator::Linear { weight, bias: None }, &[squares])?;
        let rows = self.vectors.data().chunks_exact(features);
        let own = rows.map(|row| -gamma * row.iter().map(|element| element * element).sum::<f64>());
        let products = Operator::Linear {
            weight: self.vectors.map(|element| 2.0 * gamma * element),
            bias: Some(Tensor::new(vec![count], own.collect())?),
        };
        let products = context.emit(products, &[x])?;
        let sum = context.emit(Operator::Binary(BinaryOperator::Add), &[products, norms])?;
        context.emit(Operator::Elementwise(Function::Exp), &[sum])
    }
}

/// Of two matrices.
fn product(
    context: &mut NodeContext<'_>,
    left: &Tensor,
    right: &Tensor,
) -> Result<Tensor, Problem> {
    let (&[rows, inner], &[_, columns]) = (left.shape(), right.shape()) else {
        return Err(Problem::malformed("its support vectors are not a matrix"));
    };
    context.environment.spend(rows.saturating_mul(columns))?;
    let mut data = vec![0.0; rows * columns];
    for row in 0..rows {
        for k in 0..inner {
            let factor = left.data()[row * inner + k];
            let source = &right.data()[k * columns..(k + 1) * columns];
            let target = &mut data[row * columns..(row + 1) * columns];
            for (sum, element) in target.iter_mut().zip(source) {
                *sum += factor * element;
            }
        }
    }
    Ok(Tensor::new(vec![rows, columns], data)?)
}
