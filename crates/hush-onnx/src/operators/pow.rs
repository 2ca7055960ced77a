//! `Pow` with a constant exponent, or of a constant base.

use crate::broadcast;
use crate::node::{Known, NodeContext, Problem};
use hush_graph::{
    BinaryOperator, Function, Operator, Polynomial, Shape, SparseLinear, SparseMatrix, Tensor,
    ValueId,
};
use std::collections::BTreeMap;

/// Whole powers above this are refused.
const LARGEST_EXPONENT: f64 = 64.0;

/// Most different exponents in one node.
const MOST_EXPONENTS: usize = 16;

pub(crate) fn import(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    match (context.input(0)?, context.input(1)?) {
        (Known::Data(value), Known::Constant(_)) => power(context, value),
        (Known::Constant(_), Known::Data(exponent)) => exponential(context, exponent),
        _ => Err(Problem::new(
            "its base and its exponent depend on the data",
            "only powers with a constant base or exponent are supported",
        )),
    }
}

fn power(context: &mut NodeContext<'_>, value: ValueId) -> Result<(), Problem> {
    let exponents = context.tensor(1)?;
    let (value, exponents) = broadcast::with_constant(context, value, exponents)?;
    let result = match exponents.as_scalar() {
        Some(exponent) => context.emit(Operator::Elementwise(function(exponent)?), &[value])?,
        None => powers(context, value, &exponents)?,
    };
    context.define(Known::Data(result))
}

/// Exponents that differ from element to element: those with the same are taken out, raised and put back.
fn powers(
    context: &mut NodeContext<'_>,
    value: ValueId,
    exponents: &Tensor,
) -> Result<ValueId, Problem> {
    let shape = context.shape(value);
    context.environment.spend(shape.size())?;
    let exponents = exponents.broadcast_to(shape.dimensions())?;
    let mut places: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
    for (place, exponent) in exponents.data().iter().enumerate() {
        places.entry(exponent.to_bits()).or_default().push(place);
    }
    if places.len() > MOST_EXPONENTS {
        return Err(Problem::new(
            format!("it has {} different exponents", places.len()),
            format!("each is a function of its own; use {MOST_EXPONENTS} at most"),
        ));
    }
    context
        .environment
        .spend_entries((places.len() + 2).saturating_mul(shape.size()))?;
    let mut sum = None;
    for (exponent, places) in places {
        let taken = SparseMatrix::selection(shape.size(), places.iter().copied());
        let taken = sparse(taken, Shape::new(vec![places.len()])?);
        let taken = context.emit(taken, &[value])?;
        let function = function(f64::from_bits(exponent))?;
        let raised = context.emit(Operator::Elementwise(function), &[taken])?;
        let mut rows = vec![Vec::new(); shape.size()];
        for (position, place) in places.into_iter().enumerate() {
            rows[place].push((position, 1.0));
        }
        let columns = context.shape(raised).size();
        let back = sparse(SparseMatrix::from_rows(columns, rows), shape.clone());
        let part = context.emit(back, &[raised])?;
        sum = Some(match sum {
            None => part,
            Some(sum) => context.emit(Operator::Binary(BinaryOperator::Add), &[sum, part])?,
        });
    }
    sum.ok_or_else(|| Problem::malformed("its exponents are missing"))
}

fn sparse(matrix: SparseMatrix, shape: Shape) -> Operator {
    Operator::Sparse(SparseLinear {
        name: "pow",
        trained: false,
        matrix,
        bias: None,
        shape,
    })
}

fn function(exponent: f64) -> Result<Function, Problem> {
    Ok(match exponent {
        0.5 => Function::Sqrt,
        -1.0 => Function::Reciprocal,
        whole if whole.fract() == 0.0 && whole >= 0.0 => {
            if whole > LARGEST_EXPONENT {
                return Err(Problem::new(
                    format!("its exponent {whole} is larger than 64"),
                    "powers this high leave the range of encrypted numbers; use a smaller one",
                ));
            }
            Function::Polynomial(Polynomial::monomial(whole as usize))
        }
        exponent => Function::Power { exponent },
    })
}

/// `base^x` is `exp(ln(base) · x)`.
fn exponential(context: &mut NodeContext<'_>, exponent: ValueId) -> Result<(), Problem> {
    let bases = context.tensor(0)?;
    if !bases.data().iter().all(|&base| base > 0.0) {
        return Err(Problem::new(
            "its base is not positive",
            "powers of a constant need a positive one",
        ));
    }
    let (value, scale) = broadcast::with_constant(context, exponent, bases.map(f64::ln))?;
    let offset = Tensor::scalar(0.0);
    let scaled = context.emit(Operator::Affine { scale, offset }, &[value])?;
    context.finish(Operator::Elementwise(Function::Exp), &[scaled])
}
