//! `simple_string`: integers written in decimal.

use super::pair;
use crate::raw::invalid;
use crate::{DataType, ModelMetadata, PlainModel, ServingError, Tensor, TensorData};

pub(super) struct SimpleString;

impl PlainModel for SimpleString {
    fn metadata(&self) -> ModelMetadata {
        pair::metadata("simple_string", DataType::Bytes)
    }

    fn infer(&self, inputs: &[Tensor], outputs: &[String]) -> Result<Vec<Tensor>, ServingError> {
        pair::infer(DataType::Bytes, inputs, outputs, decode, encode)
    }
}

fn decode(tensor: &Tensor) -> Result<Vec<i32>, ServingError> {
    let TensorData::Strings(strings) = &tensor.data else {
        return Err(invalid("numbers are no byte strings"));
    };
    let number = |string: &bytes::Bytes| {
        let text = std::str::from_utf8(string).ok();
        let number = text.and_then(|text| text.trim().parse().ok());
        number.ok_or_else(|| {
            invalid(format!(
                "the input `{}` holds what is no integer of 32 bits",
                tensor.name
            ))
        })
    };
    strings.iter().map(number).collect()
}

fn encode(numbers: Vec<i32>) -> TensorData {
    let strings = numbers.into_iter().map(|number| number.to_string().into());
    TensorData::Strings(strings.collect())
}
