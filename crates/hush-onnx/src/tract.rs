//! The only place that runs tract.

use std::panic::{AssertUnwindSafe, catch_unwind};
use tract_onnx::pb::ModelProto;
use tract_onnx::prelude::{Framework, InferenceModelExt, TValue, TVec, Tensor};

/// Runs a model whose input types say concrete shapes. A panic inside tract becomes an error.
pub(crate) fn run(model: &ModelProto, inputs: TVec<TValue>) -> Result<TVec<TValue>, String> {
    let attempt = || {
        tract_onnx::onnx()
            .model_for_proto_model(model)
            .and_then(|model| model.into_typed())
            .and_then(|model| model.into_runnable())
            .and_then(|plan| plan.run(inputs))
    };
    match catch_unwind(AssertUnwindSafe(attempt)) {
        Ok(Ok(results)) => Ok(results),
        Ok(Err(error)) => Err(format!("{error:#}")),
        Err(_) => Err("tract failed on it".to_string()),
    }
}

/// The elements of a tensor of numbers, row-major.
pub(crate) fn floats(tensor: &Tensor) -> Result<Vec<f64>, String> {
    let floats = tensor.cast_to::<f64>().map_err(|error| error.to_string())?;
    Ok(floats
        .as_slice::<f64>()
        .map_err(|error| error.to_string())?
        .to_vec())
}
