//! An independent float implementation (tract) of the models that this crate imports, for
//! comparison.

use crate::{ImportError, model, tract};
use hush_graph::Tensor;
use tract_onnx::pb::tensor_shape_proto::{Dimension, dimension::Value as DimensionValue};
use tract_onnx::pb::{
    ModelProto, TensorShapeProto, ValueInfoProto, tensor_proto::DataType,
    type_proto::Value as TypeValue,
};
use tract_onnx::prelude::{TValue, TVec, Tensor as TractTensor};

/// Why the reference did not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReferenceError {
    /// The model is not readable.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// The number of inputs differs from what the model takes.
    #[error("model takes {expected} inputs but {actual} were given")]
    InputCount {
        /// Inputs of the model.
        expected: usize,
        /// Tensors given.
        actual: usize,
    },
    /// tract refused the model or the inputs.
    #[error("the reference implementation failed: {reason}")]
    Failed {
        /// What tract says.
        reason: String,
    },
}

/// Runs a model in the floating-point type of its inputs, on tensors `[batch, …]` in the order of
/// its inputs. A model whose batch is fixed to one is run sample by sample.
pub fn run(bytes: &[u8], inputs: &[Tensor]) -> Result<Vec<Tensor>, ReferenceError> {
    let mut proto = model::decode(bytes)?;
    model::check_header(&proto)?;
    let Some(graph) = &mut proto.graph else {
        return Err(failed("there is no graph"));
    };
    // Shapes of intermediate values would contradict the concrete batch.
    graph.value_info.clear();
    let stored: Vec<&str> = graph
        .initializer
        .iter()
        .map(|tensor| tensor.name.as_str())
        .collect();
    let data: Vec<usize> = (0..graph.input.len())
        .filter(|&position| !stored.contains(&graph.input[position].name.as_str()))
        .collect();
    if data.len() != inputs.len() {
        return Err(ReferenceError::InputCount {
            expected: data.len(),
            actual: inputs.len(),
        });
    }
    let batch = inputs
        .first()
        .and_then(|input| input.shape().first())
        .copied()
        .unwrap_or(0);
    let single = data
        .iter()
        .any(|&position| is_single(&graph.input[position]));
    if !single || batch == 1 {
        return run_batch(&mut proto, &data, inputs);
    }
    let mut batches: Vec<Tensor> = Vec::new();
    for sample in 0..batch {
        let one = inputs
            .iter()
            .map(|input| take(input, sample))
            .collect::<Result<Vec<_>, _>>()?;
        let results = run_batch(&mut proto, &data, &one)?;
        batches = if sample == 0 {
            results
        } else {
            append(batches, results)?
        };
    }
    Ok(batches)
}

fn run_batch(
    proto: &mut ModelProto,
    data: &[usize],
    inputs: &[Tensor],
) -> Result<Vec<Tensor>, ReferenceError> {
    let mut values: TVec<TValue> = TVec::new();
    for (&position, input) in data.iter().zip(inputs) {
        let graph = proto
            .graph
            .as_mut()
            .ok_or_else(|| failed("there is no graph"))?;
        let double = set_shape(&mut graph.input[position], input.shape());
        let tensor = TractTensor::from_shape(input.shape(), input.data());
        let tensor = tensor.map_err(|error| failed(error.to_string()))?;
        let tensor = match double {
            true => tensor,
            false => tensor
                .cast_to::<f32>()
                .map_err(|error| failed(error.to_string()))?
                .into_owned(),
        };
        values.push(tensor.into());
    }
    let results = tract::run(proto, values).map_err(failed)?;
    let convert = |result: &TValue| {
        let floats = tract::floats(result).map_err(failed)?;
        Tensor::new(result.shape().to_vec(), floats).map_err(|error| failed(error.to_string()))
    };
    results.iter().map(convert).collect()
}

fn failed(reason: impl Into<String>) -> ReferenceError {
    ReferenceError::Failed {
        reason: reason.into(),
    }
}

fn shape_of(input: &ValueInfoProto) -> Option<&TensorShapeProto> {
    let TypeValue::TensorType(tensor) = input.r#type.as_ref()?.value.as_ref()?;
    tensor.shape.as_ref()
}

fn is_single(input: &ValueInfoProto) -> bool {
    let first = shape_of(input).and_then(|shape| shape.dim.first());
    matches!(
        first.and_then(|dimension| dimension.value.as_ref()),
        Some(DimensionValue::DimValue(1))
    )
}

/// Makes the declared shape concrete; returns whether the input takes 64-bit floats.
fn set_shape(input: &mut ValueInfoProto, shape: &[usize]) -> bool {
    let Some(TypeValue::TensorType(tensor)) = input.r#type.as_mut().and_then(|t| t.value.as_mut())
    else {
        return false;
    };
    let dimension = |&size: &usize| Dimension {
        value: Some(DimensionValue::DimValue(size as i64)),
        ..Default::default()
    };
    tensor.shape = Some(TensorShapeProto {
        dim: shape.iter().map(dimension).collect(),
    });
    tensor.elem_type == DataType::Double as i32
}

fn take(input: &Tensor, sample: usize) -> Result<Tensor, ReferenceError> {
    let mut shape = input.shape().to_vec();
    let batch = shape.first().copied().unwrap_or(1).max(1);
    let size = input.data().len() / batch;
    if let Some(first) = shape.first_mut() {
        *first = 1;
    }
    let data = input.data().get(sample * size..(sample + 1) * size);
    let data = data
        .ok_or_else(|| failed("inputs differ in batch size"))?
        .to_vec();
    Tensor::new(shape, data).map_err(|error| failed(error.to_string()))
}

fn append(batches: Vec<Tensor>, results: Vec<Tensor>) -> Result<Vec<Tensor>, ReferenceError> {
    let pairs = batches.into_iter().zip(results);
    pairs
        .map(|(batch, result)| {
            let mut shape = batch.shape().to_vec();
            if let Some(first) = shape.first_mut() {
                *first += 1;
            }
            let mut data = batch.into_data();
            data.extend_from_slice(result.data());
            Tensor::new(shape, data).map_err(|error| failed(error.to_string()))
        })
        .collect()
}
