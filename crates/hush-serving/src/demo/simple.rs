//! `simple`: integers.

use super::pair;
use crate::raw::invalid;
use crate::{DataType, ModelMetadata, PlainModel, ServingError, Tensor, TensorData};

pub(super) struct Simple;

impl PlainModel for Simple {
    fn metadata(&self) -> ModelMetadata {
        pair::metadata("simple", DataType::Int32)
    }

    fn infer(&self, inputs: &[Tensor], outputs: &[String]) -> Result<Vec<Tensor>, ServingError> {
        pair::infer(DataType::Int32, inputs, outputs, decode, encode)
    }
}

fn decode(tensor: &Tensor) -> Result<Vec<i32>, ServingError> {
    match &tensor.data {
        TensorData::Numbers(bytes) => Ok(pair::numbers(bytes)),
        TensorData::Strings(_) => Err(invalid("byte strings are no integers")),
    }
}

fn encode(numbers: Vec<i32>) -> TensorData {
    let bytes: Vec<u8> = numbers.into_iter().flat_map(i32::to_le_bytes).collect();
    TensorData::Numbers(bytes.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(name: &str, numbers: Vec<i32>) -> Tensor {
        Tensor {
            name: name.into(),
            data_type: DataType::Int32,
            shape: vec![1, 16],
            data: encode(numbers),
        }
    }

    #[test]
    fn sum_and_difference() {
        let inputs = [
            tensor("INPUT0", (0..16).collect()),
            tensor("INPUT1", vec![1; 16]),
        ];
        let outputs = Simple.infer(&inputs, &[]).unwrap();
        assert_eq!(outputs[0], tensor("OUTPUT0", (1..17).collect()));
        assert_eq!(outputs[1], tensor("OUTPUT1", (-1..15).collect()));
        let outputs = Simple.infer(&inputs, &["OUTPUT1".into()]).unwrap();
        assert_eq!(outputs.len(), 1);
        let error = Simple.infer(&inputs, &["OUTPUT2".into()]).unwrap_err();
        assert_eq!(error.to_string(), "the model has no output `OUTPUT2`");
        let error = Simple.infer(&inputs[..1], &[]).unwrap_err();
        assert_eq!(error.to_string(), "the request lacks the input `INPUT1`");
    }
}
