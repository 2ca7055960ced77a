//! Stored tensors as numbers, and back.

use anyhow::{Result, bail, ensure};
use tract_onnx::pb::{TensorProto, tensor_proto::DataType};

/// A tensor of a test, all element types as `f64`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Values {
    pub(crate) element: DataType,
    pub(crate) shape: Vec<usize>,
    pub(crate) data: Vec<f64>,
}

impl Values {
    pub(crate) fn read(proto: &TensorProto) -> Result<Values> {
        let Some(element) = DataType::from_i32(proto.data_type) else {
            bail!("unknown element type {}", proto.data_type);
        };
        let raw = proto.raw_data.as_slice();
        let stored = raw.is_empty();
        let data: Vec<f64> = match element {
            DataType::Float if stored => proto.float_data.iter().map(|&x| x.into()).collect(),
            DataType::Float => words(raw).map(|x| f32::from_le_bytes(x).into()).collect(),
            DataType::Double if stored => proto.double_data.clone(),
            DataType::Double => words(raw).map(f64::from_le_bytes).collect(),
            DataType::Int64 if stored => proto.int64_data.iter().map(|&x| x as f64).collect(),
            DataType::Int64 => words(raw).map(|x| i64::from_le_bytes(x) as f64).collect(),
            DataType::Int32 if !stored => {
                words(raw).map(|x| i32::from_le_bytes(x).into()).collect()
            }
            DataType::Bool if !stored => raw.iter().map(|&x| x.into()).collect(),
            DataType::Int32 | DataType::Bool => {
                proto.int32_data.iter().map(|&x| x.into()).collect()
            }
            other => bail!("elements of type {}", other.as_str_name()),
        };
        let shape: Vec<usize> = proto.dims.iter().map(|&extent| extent as usize).collect();
        ensure!(
            shape.iter().product::<usize>() == data.len(),
            "shape {shape:?} and {} elements",
            data.len()
        );
        Ok(Values {
            element,
            shape,
            data,
        })
    }
}

/// A stored tensor of 64-bit integers.
pub(crate) fn integers(name: &str, dims: Vec<i64>, int64_data: Vec<i64>) -> TensorProto {
    TensorProto {
        name: name.to_owned(),
        dims,
        data_type: DataType::Int64 as i32,
        int64_data,
        ..TensorProto::default()
    }
}

fn words<const WIDTH: usize>(raw: &[u8]) -> impl Iterator<Item = [u8; WIDTH]> + '_ {
    raw.as_chunks::<WIDTH>().0.iter().copied()
}
