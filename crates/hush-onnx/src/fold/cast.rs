//! Constants under another element type.

use super::{Inputs, spend};
use crate::constant::{Constant, Elements};
use crate::node::{NodeContext, Problem};
use tract_onnx::pb::tensor_proto::DataType;

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
    if input.holds_batch_size() {
        return Err(Problem::mixes_samples("it computes with the batch size"));
    }
    let floats = input.floats();
    let elements = match target {
        DataType::Double => Elements::Floats(floats),
        DataType::Float => Elements::Floats(floats.iter().map(|&x| f64::from(x as f32)).collect()),
        // The conversion saturates, as ONNX leaves it open.
        DataType::Int64
        | DataType::Int32
        | DataType::Int16
        | DataType::Int8
        | DataType::Uint16
        | DataType::Uint8 => Elements::Integers(floats.iter().map(|&x| x as i64).collect()),
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

/// To the type of the second input, as far as types are told apart here.
pub(super) fn cast_like(
    context: &mut NodeContext<'_>,
    inputs: &Inputs<'_>,
) -> Result<Constant, Problem> {
    let (input, model) = (inputs.at(0)?, inputs.at(1)?);
    spend(context, &input.shape)?;
    let elements = match (&input.elements, &model.elements) {
        (Elements::Floats(floats), Elements::Integers(_)) => {
            Elements::Integers(floats.iter().map(|&float| float as i64).collect())
        }
        (Elements::Integers(_), Elements::Floats(_)) if input.holds_batch_size() => {
            return Err(Problem::mixes_samples("it computes with the batch size"));
        }
        (Elements::Integers(_), Elements::Floats(_)) => Elements::Floats(input.floats()),
        _ => input.elements.clone(),
    };
    let shape = input.shape.clone();
    Ok(Constant { shape, elements })
}
