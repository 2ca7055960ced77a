//! `sum-model`: the sum of each row.

use std::collections::BTreeMap;

use crate::raw::invalid;
use crate::{
    DataType, ModelMetadata, PlainModel, ServingError, Tensor, TensorData, TensorMetadata,
};

pub(super) struct SumModel;

impl PlainModel for SumModel {
    fn metadata(&self) -> ModelMetadata {
        let tensor = |name: &str, length| TensorMetadata {
            name: name.into(),
            data_type: DataType::Fp32,
            shape: vec![length],
        };
        ModelMetadata {
            name: "sum-model".into(),
            versions: vec!["v1.2.3".into()],
            platform: "hush_demo".into(),
            inputs: vec![tensor("input-0", 128)],
            outputs: vec![tensor("total", 1)],
            properties: BTreeMap::new(),
        }
    }

    /// Takes any one tensor of numbers, whatever it is called: its last dimension is summed. MLServer's example
    /// is as generous.
    fn infer(&self, inputs: &[Tensor], outputs: &[String]) -> Result<Vec<Tensor>, ServingError> {
        let [input] = inputs else {
            return Err(invalid("the model takes one input"));
        };
        if let Some(unknown) = outputs.iter().find(|name| *name != "total") {
            return Err(invalid(format!("the model has no output `{unknown}`")));
        }
        let numbers = numbers(input)?;
        let (rows, width) = match input.shape.as_slice() {
            [] => return Err(invalid("a single number has no rows")),
            &[width] => (1, width),
            &[rows, width] => (rows, width),
            shape => return Err(invalid(format!("the shape {shape:?} has no rows"))),
        };
        let width = usize::try_from(width).unwrap_or(0).max(1);
        let totals: Vec<u8> = numbers
            .chunks(width)
            .map(|row| row.iter().sum::<f64>() as f32)
            .flat_map(f32::to_le_bytes)
            .collect();
        if totals.len() as i64 != 4 * rows {
            return Err(invalid("a row without elements has no sum"));
        }
        Ok(vec![Tensor {
            name: "total".into(),
            data_type: DataType::Fp32,
            shape: vec![rows, 1],
            data: TensorData::Numbers(totals.into()),
        }])
    }
}

fn numbers(tensor: &Tensor) -> Result<Vec<f64>, ServingError> {
    let TensorData::Numbers(bytes) = &tensor.data else {
        return Err(invalid("byte strings have no sum"));
    };
    Ok(match tensor.data_type {
        DataType::Uint8 => each(bytes, |b| u8::from_le_bytes(b).into()),
        DataType::Uint16 => each(bytes, |b| u16::from_le_bytes(b).into()),
        DataType::Uint32 => each(bytes, |b| u32::from_le_bytes(b).into()),
        DataType::Uint64 => each(bytes, |b| u64::from_le_bytes(b) as f64),
        DataType::Int8 => each(bytes, |b| i8::from_le_bytes(b).into()),
        DataType::Int16 => each(bytes, |b| i16::from_le_bytes(b).into()),
        DataType::Int32 => each(bytes, |b| i32::from_le_bytes(b).into()),
        DataType::Int64 => each(bytes, |b| i64::from_le_bytes(b) as f64),
        DataType::Fp32 => each(bytes, |b| f32::from_le_bytes(b).into()),
        DataType::Fp64 => each(bytes, f64::from_le_bytes),
        other => return Err(invalid(format!("{} has no sum here", other.name()))),
    })
}

fn each<const SIZE: usize>(bytes: &[u8], decode: impl Fn([u8; SIZE]) -> f64) -> Vec<f64> {
    let (elements, _) = bytes.as_chunks::<SIZE>();
    elements.iter().map(|&element| decode(element)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_summed() {
        let bytes: Vec<u8> = [1_i32, 2, 3, 4, 5, 6]
            .into_iter()
            .flat_map(i32::to_le_bytes)
            .collect();
        let mut input = Tensor {
            name: "x".into(),
            data_type: DataType::Int32,
            shape: vec![2, 3],
            data: TensorData::Numbers(bytes.into()),
        };
        let outputs = SumModel.infer(&[input.clone()], &[]).unwrap();
        let totals = [6_f32, 15.0].map(f32::to_le_bytes).concat();
        assert_eq!(outputs[0].data, TensorData::Numbers(totals.into()));
        assert_eq!(outputs[0].shape, [2, 1]);
        input.shape = vec![3, 0];
        input.data = TensorData::Numbers(Vec::new().into());
        assert!(SumModel.infer(&[input], &[]).is_err());
    }
}
