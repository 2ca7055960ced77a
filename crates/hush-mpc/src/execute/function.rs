//! Scalar functions of a graph.

use hush_graph::{BinaryOperator, Function, Step};
use hush_simd::words::Word;

use crate::operations::{self, Piecewise};
use crate::{Fixed, MpcError, Protocol, Secret};

/// Why a function cannot be computed, if so.
pub(super) fn unsupported(function: &Function) -> Option<String> {
    match function {
        Function::Composition(composition) => {
            composition.steps().iter().find_map(|step| match step {
                Step::Function { function, .. } => unsupported(function),
                Step::Affine { .. } | Step::Binary { .. } => None,
                other => Some(format!("step {other:?} is not supported")),
            })
        }
        Function::Relu
        | Function::LeakyRelu { .. }
        | Function::ThresholdedRelu { .. }
        | Function::Step { .. }
        | Function::Elu { .. }
        | Function::Selu { .. }
        | Function::Celu { .. }
        | Function::Sigmoid
        | Function::HardSigmoid { .. }
        | Function::Tanh
        | Function::Softsign
        | Function::Softplus
        | Function::Gelu
        | Function::GeluTanh
        | Function::Silu
        | Function::HardSwish
        | Function::Mish
        | Function::Abs
        | Function::Exp
        | Function::Log
        | Function::Sqrt
        | Function::Reciprocal
        | Function::Power { .. }
        | Function::Sin
        | Function::Cos
        | Function::Erf
        | Function::Clip { .. }
        | Function::Polynomial(_) => None,
        other => Some(format!("function {other} is not supported")),
    }
}

/// The lines that a function of one shape comes close to on both sides, and where it does.
struct Tails {
    from: f64,
    to: f64,
    left: (f64, f64),
    right: (f64, f64),
}

fn tails(function: &Function, integer_bits: u32) -> Option<Tails> {
    let tails = |from, to, left, right| {
        Some(Tails {
            from,
            to,
            left,
            right,
        })
    };
    match function {
        Function::Sigmoid => tails(-12.0, 12.0, (0.0, 0.0), (1.0, 0.0)),
        Function::Tanh => tails(-6.0, 6.0, (-1.0, 0.0), (1.0, 0.0)),
        Function::Erf => tails(-4.0, 4.0, (-1.0, 0.0), (1.0, 0.0)),
        Function::Gelu | Function::GeluTanh => tails(-5.0, 5.0, (0.0, 0.0), (0.0, 1.0)),
        Function::Silu => tails(-16.0, 16.0, (0.0, 0.0), (0.0, 1.0)),
        Function::Softplus => tails(-12.0, 12.0, (0.0, 0.0), (0.0, 1.0)),
        Function::Mish => tails(-16.0, 8.0, (0.0, 0.0), (0.0, 1.0)),
        Function::Elu { alpha } => tails(-12.0, 0.0, (-alpha, 0.0), (0.0, 1.0)),
        Function::Celu { alpha } if *alpha > 0.0 => {
            tails(-12.0 * alpha, 0.0, (-alpha, 0.0), (0.0, 1.0))
        }
        Function::Sin | Function::Cos => {
            let reach = libm::exp2(f64::from(integer_bits.min(4)));
            tails(-reach, reach, (0.0, 0.0), (0.0, 0.0))
        }
        _ => None,
    }
}

/// The function on each element, off by at most `error` where it is approximated.
pub(crate) fn apply<W: Word>(
    protocol: &mut dyn Protocol<W>,
    x: &Secret<W>,
    function: &Function,
    error: f64,
    fixed: Fixed,
) -> Result<Secret<W>, MpcError> {
    let reach = x.fixed().integer_bits;
    if let Some(Tails {
        from,
        to,
        left,
        right,
    }) = tails(function, reach)
    {
        let fitted = Piecewise::fit(|x| function.evaluate(x), (from, to), left, right, error);
        return operations::piecewise(protocol, x, &fitted);
    }
    match function {
        Function::Relu => operations::relu(protocol, x),
        Function::LeakyRelu { slope } => operations::leaky_relu(protocol, x, *slope),
        Function::ThresholdedRelu { alpha } => {
            let shifted = x.add_public(&*protocol, &[-alpha])?;
            let above = step(protocol, &shifted, false)?;
            let share = protocol.inject(&above, x.share())?;
            Ok(x.with_share(x.fixed(), share))
        }
        Function::Step { inclusive } => {
            let bits = step(protocol, x, *inclusive)?;
            let words = protocol.bits_to_words(&bits)?;
            let fraction_bits = x.fixed().fraction_bits;
            let share = words.scale(W::ONE.left(fraction_bits));
            Ok(x.with_share(Fixed::new(1, fraction_bits), share))
        }
        Function::Selu { alpha, gamma } => {
            let elu = apply(protocol, x, &Function::Elu { alpha: *alpha }, error, fixed)?;
            operations::multiply_public(protocol, &elu, &[*gamma])
        }
        Function::HardSigmoid { alpha, beta } => {
            let line = operations::multiply_public(protocol, x, &[*alpha])?
                .add_public(&*protocol, &[*beta])?;
            operations::clip(protocol, &line, Some(0.0), Some(1.0))
        }
        Function::HardSwish => {
            let gate = apply(
                protocol,
                x,
                &Function::HardSigmoid {
                    alpha: 1.0 / 6.0,
                    beta: 0.5,
                },
                error,
                fixed,
            )?;
            operations::multiply_to(protocol, x, &gate, x.fixed())
        }
        Function::Softsign => {
            let denominator = operations::absolute(protocol, x)?.add_public(&*protocol, &[1.0])?;
            let inverse = operations::reciprocal(protocol, &denominator)?.declare(1);
            operations::multiply_to(
                protocol,
                x,
                &inverse,
                Fixed {
                    integer_bits: 1,
                    ..x.fixed()
                },
            )
        }
        Function::Abs => operations::absolute(protocol, x),
        Function::Exp => {
            let most = libm::floor(f64::from(fixed.integer_bits) * std::f64::consts::LN_2);
            operations::exp(protocol, x, most.min(libm::exp2(f64::from(reach))))
        }
        Function::Log => operations::logarithm(protocol, x),
        Function::Sqrt => operations::square_root(protocol, x),
        Function::Reciprocal => {
            let magnitude = operations::absolute(protocol, x)?;
            let inverse = operations::reciprocal(protocol, &magnitude)?;
            let negative = operations::is_negative(protocol, x)?;
            operations::select(protocol, &negative, &inverse.negate(), &inverse)
        }
        Function::Power { exponent } => {
            let logarithm = operations::logarithm(protocol, x)?;
            let scaled = operations::multiply_public(protocol, &logarithm, &[*exponent])?;
            apply(protocol, &scaled, &Function::Exp, error, fixed)
        }
        Function::Clip { minimum, maximum } => operations::clip(protocol, x, *minimum, *maximum),
        Function::Polynomial(polynomial) => {
            polynomial_within(protocol, x, polynomial.coefficients())
        }
        Function::Composition(composition) => {
            let mut values = vec![x.clone()];
            for step in composition.steps() {
                let value = match step {
                    Step::Affine {
                        scale,
                        offset,
                        input,
                    } => {
                        let scaled =
                            operations::multiply_public(protocol, &values[*input], &[*scale])?;
                        scaled.add_public(&*protocol, &[*offset])?
                    }
                    Step::Function { function, input } => {
                        let input = values[*input].clone();
                        apply(protocol, &input, function, error, fixed)?
                    }
                    Step::Binary {
                        operator,
                        left,
                        right,
                    } => {
                        let (left, right) = (values[*left].clone(), values[*right].clone());
                        match operator {
                            BinaryOperator::Add => left.add(&right)?,
                            BinaryOperator::Subtract => left.sub(&right)?,
                            BinaryOperator::Multiply => {
                                operations::multiply_to(protocol, &left, &right, fixed)?
                            }
                            BinaryOperator::Maximum => {
                                operations::maximum(protocol, &left, &right)?
                            }
                            BinaryOperator::Minimum => {
                                operations::minimum(protocol, &left, &right)?
                            }
                            other => return Err(refused(format!("{other:?} is not supported"))),
                        }
                    }
                    other => return Err(refused(format!("step {other:?} is not supported"))),
                };
                values.push(value.declare_at_most(fixed.integer_bits));
            }
            Ok(values.pop().unwrap_or_else(|| x.clone()))
        }
        other => Err(refused(format!("function {other} is not supported"))),
    }
}

fn refused(reason: String) -> MpcError {
    MpcError::Node {
        node: "function".to_string(),
        reason,
    }
}

/// One bit an element: above zero, or not below it if `inclusive`.
fn step<W: Word>(
    protocol: &mut dyn Protocol<W>,
    x: &Secret<W>,
    inclusive: bool,
) -> Result<crate::Bits, MpcError> {
    if inclusive {
        return Ok(operations::is_negative(protocol, x)?.not(protocol.constant_part()));
    }
    operations::is_negative(protocol, &x.negate())
}

/// A polynomial on as wide a range as its powers leave room for in the ring.
fn polynomial_within<W: Word>(
    protocol: &mut dyn Protocol<W>,
    x: &Secret<W>,
    coefficients: &[f64],
) -> Result<Secret<W>, MpcError> {
    let degree = coefficients.len().saturating_sub(1).max(1) as u32;
    let fraction_bits = x.fixed().fraction_bits;
    let power = (W::BITS - 2).saturating_sub(2 * fraction_bits) / degree;
    let most = coefficients
        .iter()
        .fold(0.0, |most: f64, c| most.max(c.abs()));
    let sum = (W::BITS - 2)
        .saturating_sub(fraction_bits + 8 + crate::secret::integer_bits(most) + 2)
        / degree;
    operations::polynomial(
        protocol,
        &x.clone().declare_at_most(power.min(sum)),
        coefficients,
    )
}
