//! The part of a model's configuration that Triton's clients ask for.

use super::protocol::inference::{self, ModelConfig, ModelInput, ModelOutput};
use crate::{DataType, ModelMetadata};

/// A model's configuration. Batches are part of the shapes, so there is no largest one.
pub(super) fn of(metadata: ModelMetadata) -> ModelConfig {
    let input = metadata.inputs.into_iter().map(|tensor| ModelInput {
        name: tensor.name,
        data_type: data_type(tensor.data_type).into(),
        dims: tensor.shape,
    });
    let output = metadata.outputs.into_iter().map(|tensor| ModelOutput {
        name: tensor.name,
        data_type: data_type(tensor.data_type).into(),
        dims: tensor.shape,
    });
    ModelConfig {
        name: metadata.name,
        backend: metadata.platform.clone(),
        platform: metadata.platform,
        max_batch_size: 0,
        input: input.collect(),
        output: output.collect(),
    }
}

fn data_type(data_type: DataType) -> inference::DataType {
    match data_type {
        DataType::Bool => inference::DataType::TypeBool,
        DataType::Uint8 => inference::DataType::TypeUint8,
        DataType::Uint16 => inference::DataType::TypeUint16,
        DataType::Uint32 => inference::DataType::TypeUint32,
        DataType::Uint64 => inference::DataType::TypeUint64,
        DataType::Int8 => inference::DataType::TypeInt8,
        DataType::Int16 => inference::DataType::TypeInt16,
        DataType::Int32 => inference::DataType::TypeInt32,
        DataType::Int64 => inference::DataType::TypeInt64,
        DataType::Fp16 => inference::DataType::TypeFp16,
        DataType::Bf16 => inference::DataType::TypeBf16,
        DataType::Fp32 => inference::DataType::TypeFp32,
        DataType::Fp64 => inference::DataType::TypeFp64,
        DataType::Bytes => inference::DataType::TypeString,
    }
}
