//! Element-by-element arithmetic on constants.

use super::{Inputs, spend};
use crate::constant::{Constant, Elements};
use crate::node::{NodeContext, Problem};
use hush_graph::{Tensor, broadcast_shape};
use tract_onnx::pb::tensor_proto::DataType;

macro_rules! fold_binary {
    ($($name:ident: $float:expr, $integer:expr;)*) => {$(
        pub(super) fn $name(
            context: &mut NodeContext<'_>,
            inputs: &Inputs<'_>,
        ) -> Result<Constant, Problem> {
            binary(context, inputs, $float, $integer)
        }
    )*};
}

fold_binary! {
    add: |a, b| a + b, i64::checked_add;
    subtract: |a, b| a - b, i64::checked_sub;
    multiply: |a, b| a * b, i64::checked_mul;
    divide: |a, b| a / b, i64::checked_div;
    power: f64::powf, |a, b| a.checked_pow(u32::try_from(b).ok()?);
}

macro_rules! fold_unary {
    ($($name:ident: $function:expr;)*) => {$(
        pub(super) fn $name(
            context: &mut NodeContext<'_>,
            inputs: &Inputs<'_>,
        ) -> Result<Constant, Problem> {
            unary(context, inputs, $function)
        }
    )*};
}

fold_unary! {
    exp: f64::exp;
    reciprocal: f64::recip;
    sqrt: f64::sqrt;
}

pub(super) fn negate(
    context: &mut NodeContext<'_>,
    inputs: &Inputs<'_>,
) -> Result<Constant, Problem> {
    let input = inputs.at(0)?;
    match &input.elements {
        Elements::Floats(_) => unary(context, inputs, |x| -x),
        Elements::Integers(integers) => {
            refuse_batch_size(input)?;
            spend(context, &input.shape)?;
            let negated = integers.iter().map(|integer| integer.checked_neg());
            let integers = negated.collect::<Option<_>>().ok_or_else(overflow)?;
            Ok(Constant {
                shape: input.shape.clone(),
                elements: Elements::Integers(integers),
            })
        }
    }
}

pub(super) fn cast(
    context: &mut NodeContext<'_>,
    inputs: &Inputs<'_>,
) -> Result<Constant, Problem> {
    let input = inputs.at(0)?;
    spend(context, &input.shape)?;
    let target = i32::try_from(context.integer_attribute("to", 0)?).unwrap_or(0);
    let target = DataType::from_i32(target).unwrap_or(DataType::Undefined);
    if target == DataType::Int64 && matches!(input.elements, Elements::Integers(_)) {
        return Ok(input.clone());
    }
    refuse_batch_size(input)?;
    let floats = input.floats();
    let elements = match target {
        DataType::Double => Elements::Floats(floats),
        DataType::Float => Elements::Floats(floats.iter().map(|&x| f64::from(x as f32)).collect()),
        // The conversion saturates, as ONNX leaves it open.
        DataType::Int64 | DataType::Int32 => {
            Elements::Integers(floats.iter().map(|&x| x as i64).collect())
        }
        DataType::Bool => Elements::Integers(floats.iter().map(|&x| i64::from(x != 0.0)).collect()),
        other => {
            let reason = format!("it casts to {}", other.as_str_name());
            return Err(Problem::new(
                reason,
                "only 32 and 64-bit numbers can be used",
            ));
        }
    };
    Ok(Constant {
        shape: input.shape.clone(),
        elements,
    })
}

fn unary(
    context: &mut NodeContext<'_>,
    inputs: &Inputs<'_>,
    function: impl Fn(f64) -> f64,
) -> Result<Constant, Problem> {
    let input = inputs.at(0)?;
    refuse_batch_size(input)?;
    spend(context, &input.shape)?;
    let elements = Elements::Floats(input.floats().into_iter().map(function).collect());
    Ok(Constant {
        shape: input.shape.clone(),
        elements,
    })
}

fn binary(
    context: &mut NodeContext<'_>,
    inputs: &Inputs<'_>,
    on_floats: impl Fn(f64, f64) -> f64,
    on_integers: impl Fn(i64, i64) -> Option<i64>,
) -> Result<Constant, Problem> {
    let (left, right) = (inputs.at(0)?, inputs.at(1)?);
    refuse_batch_size(left)?;
    refuse_batch_size(right)?;
    let shape = broadcast_shape(&left.shape, &right.shape).ok_or_else(|| {
        Problem::malformed(format!(
            "{:?} and {:?} do not broadcast",
            left.shape, right.shape
        ))
    })?;
    spend(context, &shape)?;
    if let (Elements::Integers(a), Elements::Integers(b)) = (&left.elements, &right.elements) {
        // Shapes are short: integers go through their positions.
        let positions = |constant: &Constant| -> Result<Vec<usize>, Problem> {
            let numbers = (0..constant.size())
                .map(|position| position as f64)
                .collect();
            let numbers = Tensor::new(constant.shape.clone(), numbers)?.broadcast_to(&shape)?;
            Ok(numbers
                .data()
                .iter()
                .map(|&number| number as usize)
                .collect())
        };
        let pairs = positions(left)?.into_iter().zip(positions(right)?);
        let results = pairs
            .map(|(i, j)| on_integers(a[i], b[j]))
            .collect::<Option<_>>();
        let integers = results.ok_or_else(overflow)?;
        return Ok(Constant {
            shape,
            elements: Elements::Integers(integers),
        });
    }
    let spread = |constant: &Constant| -> Result<Tensor, Problem> {
        Ok(Tensor::new(constant.shape.clone(), constant.floats())?.broadcast_to(&shape)?)
    };
    let (left, right) = (spread(left)?, spread(right)?);
    let pairs = left.data().iter().zip(right.data());
    let floats = pairs.map(|(&a, &b)| on_floats(a, b)).collect();
    Ok(Constant {
        shape,
        elements: Elements::Floats(floats),
    })
}

fn refuse_batch_size(constant: &Constant) -> Result<(), Problem> {
    if constant.holds_batch_size() {
        return Err(Problem::mixes_samples("it computes with the batch size"));
    }
    Ok(())
}

fn overflow() -> Problem {
    Problem::malformed("its integers overflow or are divided by zero")
}
