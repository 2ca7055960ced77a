//! `Cast` between floating-point types, or of indices between integer types.

use crate::node::{Known, NodeContext, Problem};
use hush_graph::ElementType;
use tract_onnx::pb::tensor_proto::DataType;

pub(crate) fn import(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    let input = context.data(0)?;
    let target = i32::try_from(context.integer_attribute("to", 0)?).unwrap_or(0);
    let target = DataType::from_i32(target).unwrap_or(DataType::Undefined);
    let to_float = matches!(target, DataType::Float | DataType::Double);
    let to_integer = matches!(target, DataType::Int32 | DataType::Int64);
    match context.environment.builder.value(input).element {
        ElementType::Float if to_float => context.define(Known::Data(input)),
        ElementType::Index if to_float || to_integer => context.define(Known::Data(input)),
        _ => Err(Problem::new(
            format!("it casts to {}", target.as_str_name()),
            "only float32 and float64 can be used",
        )),
    }
}
