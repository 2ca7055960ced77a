//! The inputs of a model: which are data, and their shapes without the batch.

use crate::ImportError;
use hush_graph::Shape;
use tract_onnx::pb::{
    ValueInfoProto, tensor_proto::DataType, tensor_shape_proto::Dimension,
    tensor_shape_proto::dimension::Value as DimensionValue, type_proto::Value as TypeValue,
};

/// An input that holds data.
pub(crate) struct Input {
    pub(crate) name: String,
    pub(crate) shape: Shape,
    /// The name of the batch dimension, if it has one.
    batch_name: Option<String>,
    /// The file fixes the batch to one sample.
    pub(crate) single_sample: bool,
}

/// Checks types and shapes of the data inputs.
pub(crate) fn check_inputs<'a>(
    protos: impl Iterator<Item = &'a ValueInfoProto>,
) -> Result<Vec<Input>, ImportError> {
    let inputs: Vec<Input> = protos.map(check_input).collect::<Result<_, _>>()?;
    let mut names = inputs
        .iter()
        .filter_map(|input| input.batch_name.as_deref());
    if let Some(first) = names.next()
        && let Some(second) = names.find(|&name| name != first)
    {
        let (first, second) = (first.to_string(), second.to_string());
        return Err(ImportError::TwoBatchDimensions { first, second });
    }
    Ok(inputs)
}

fn check_input(proto: &ValueInfoProto) -> Result<Input, ImportError> {
    let name = proto.name.clone();
    let batch_error = |reason: &str| ImportError::BatchDimension {
        input: name.clone(),
        reason: reason.to_string(),
    };
    let Some(TypeValue::TensorType(tensor)) = proto.r#type.as_ref().and_then(|t| t.value.as_ref())
    else {
        return Err(ImportError::ElementType {
            name,
            element: "unknown".to_string(),
        });
    };
    let element = DataType::from_i32(tensor.elem_type).unwrap_or(DataType::Undefined);
    if !matches!(element, DataType::Float | DataType::Double) {
        let element = element.as_str_name().to_string();
        return Err(ImportError::ElementType { name, element });
    }
    let Some(shape) = &tensor.shape else {
        return Err(batch_error("the file gives no shape"));
    };
    let Some((batch, rest)) = shape.dim.split_first() else {
        return Err(batch_error("it has no dimensions"));
    };
    let (batch_name, single_sample) = match &batch.value {
        Some(DimensionValue::DimParam(name)) if is_name(name) => (Some(name.clone()), false),
        Some(DimensionValue::DimValue(1)) => (None, true),
        Some(DimensionValue::DimValue(size)) if *size > 1 => {
            return Err(batch_error(&format!(
                "its first dimension is fixed to {size}"
            )));
        }
        _ => (None, false),
    };
    let mut dimensions = Vec::new();
    for (index, dimension) in rest.iter().enumerate() {
        dimensions.push(fixed_size(dimension).map_err(|dimension| {
            ImportError::DynamicDimension {
                input: name.clone(),
                axis: index + 1,
                dimension,
            }
        })?);
    }
    Ok(Input {
        name,
        shape: Shape::new(dimensions)?,
        batch_name,
        single_sample,
    })
}

/// Exporters number dimensions that they know nothing about.
fn is_name(name: &str) -> bool {
    !name.is_empty() && name != "?" && !name.starts_with("unk__")
}

fn fixed_size(dimension: &Dimension) -> Result<usize, String> {
    match &dimension.value {
        Some(DimensionValue::DimValue(size)) if *size > 0 => {
            usize::try_from(*size).map_err(|_| size.to_string())
        }
        Some(DimensionValue::DimValue(size)) => Err(size.to_string()),
        Some(DimensionValue::DimParam(name)) => Err(name.clone()),
        None => Err("?".to_string()),
    }
}
