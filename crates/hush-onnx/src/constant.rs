//! Constants: stored tensors, and what is computed from them alone.

use crate::ImportError;
use tract_onnx::pb::{TensorProto, tensor_proto::DataLocation, tensor_proto::DataType};

/// A tensor that does not depend on the inputs.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Constant {
    pub(crate) shape: Vec<usize>,
    pub(crate) elements: Elements,
}

/// Integers are kept apart because shapes, axes and indices are integers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Elements {
    Floats(Vec<f64>),
    Integers(Vec<i64>),
}

/// Stands for the symbolic batch size among the integers that `Shape` gives. No file needs this
/// number for anything else, and only operators that move integers accept it.
pub(crate) const BATCH_SIZE: i64 = i64::MIN + 0x4855_5348;

impl Constant {
    pub(crate) fn size(&self) -> usize {
        match &self.elements {
            Elements::Floats(floats) => floats.len(),
            Elements::Integers(integers) => integers.len(),
        }
    }

    pub(crate) fn holds_batch_size(&self) -> bool {
        matches!(&self.elements, Elements::Integers(integers) if integers.contains(&BATCH_SIZE))
    }

    /// The numbers, whatever their type.
    pub(crate) fn floats(&self) -> Vec<f64> {
        match &self.elements {
            Elements::Floats(floats) => floats.clone(),
            Elements::Integers(integers) => {
                integers.iter().map(|&integer| integer as f64).collect()
            }
        }
    }

    /// The elements of a stored tensor of text; `None` if it holds numbers.
    pub(crate) fn texts(proto: &TensorProto) -> Option<Vec<String>> {
        let text = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).into_owned();
        let is_text = proto.data_type == DataType::String as i32;
        is_text.then(|| proto.string_data.iter().map(text).collect())
    }

    /// The integers from zero to `count`, which is not included.
    pub(crate) fn positions(count: usize) -> Constant {
        Constant {
            shape: vec![count],
            elements: Elements::Integers((0..count as i64).collect()),
        }
    }

    /// Reads a stored tensor. Allocates no more than the data that is there.
    pub(crate) fn from_proto(
        proto: &TensorProto,
        fallback_name: &str,
    ) -> Result<Constant, ImportError> {
        let tensor = if proto.name.is_empty() {
            fallback_name
        } else {
            &proto.name
        }
        .to_string();
        if proto.data_location == Some(DataLocation::External as i32)
            || !proto.external_data.is_empty()
        {
            return Err(ImportError::ExternalData { tensor });
        }
        if proto.segment.is_some() {
            return Err(ImportError::Tensor {
                tensor,
                reason: "is stored in segments".to_string(),
            });
        }
        let elements = read_elements(proto, &tensor)?;
        let dimensions: Option<Vec<usize>> = proto
            .dims
            .iter()
            .map(|&dimension| usize::try_from(dimension).ok())
            .collect();
        let constant = dimensions.map(|shape| Constant { shape, elements });
        let expected = |shape: &[usize]| {
            shape
                .iter()
                .try_fold(1usize, |size, &d| size.checked_mul(d))
        };
        match constant {
            Some(constant) if expected(&constant.shape) == Some(constant.size()) => Ok(constant),
            Some(constant) => Err(ImportError::Tensor {
                tensor,
                reason: format!(
                    "shape {:?} does not fit its {} elements",
                    proto.dims,
                    constant.size()
                ),
            }),
            None => Err(ImportError::Tensor {
                tensor,
                reason: format!("shape {:?} is negative", proto.dims),
            }),
        }
    }
}

fn read_elements(proto: &TensorProto, tensor: &str) -> Result<Elements, ImportError> {
    let raw = proto.raw_data.as_slice();
    let is_raw = !raw.is_empty();
    let unsupported = |element: String| ImportError::ElementType {
        name: tensor.to_string(),
        element,
    };
    let element = DataType::from_i32(proto.data_type)
        .ok_or_else(|| unsupported(format!("number {}", proto.data_type)))?;
    let width = match element {
        DataType::Double | DataType::Int64 => 8,
        DataType::Float | DataType::Int32 => 4,
        DataType::Bool | DataType::Uint8 | DataType::Int8 => 1,
        _ => return Err(unsupported(element.as_str_name().to_string())),
    };
    if !raw.len().is_multiple_of(width) {
        let reason = format!("{} bytes are not a whole number of elements", raw.len());
        return Err(ImportError::Tensor {
            tensor: tensor.to_string(),
            reason,
        });
    }
    let small = || {
        proto
            .int32_data
            .iter()
            .map(|&integer| i64::from(integer))
            .collect()
    };
    Ok(match (element, is_raw) {
        (DataType::Float, true) => Elements::Floats(
            words(raw)
                .map(|word| f64::from(f32::from_le_bytes(word)))
                .collect(),
        ),
        (DataType::Float, false) => Elements::Floats(
            proto
                .float_data
                .iter()
                .map(|&float| f64::from(float))
                .collect(),
        ),
        (DataType::Double, true) => Elements::Floats(words(raw).map(f64::from_le_bytes).collect()),
        (DataType::Double, false) => Elements::Floats(proto.double_data.clone()),
        (DataType::Int64, true) => Elements::Integers(words(raw).map(i64::from_le_bytes).collect()),
        (DataType::Int64, false) => Elements::Integers(proto.int64_data.clone()),
        (DataType::Int32, true) => Elements::Integers(
            words(raw)
                .map(|word| i64::from(i32::from_le_bytes(word)))
                .collect(),
        ),
        (DataType::Int8, true) => {
            Elements::Integers(raw.iter().map(|&byte| i64::from(byte as i8)).collect())
        }
        (_, true) => Elements::Integers(raw.iter().map(|&byte| i64::from(byte)).collect()),
        (_, false) => Elements::Integers(small()),
    })
}

/// Little-endian words; the length was checked.
fn words<const WIDTH: usize>(raw: &[u8]) -> impl Iterator<Item = [u8; WIDTH]> + '_ {
    raw.as_chunks::<WIDTH>().0.iter().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn float_proto(dims: Vec<i64>, raw_data: Vec<u8>) -> TensorProto {
        let data_type = DataType::Float as i32;
        TensorProto {
            name: "w".to_string(),
            data_type,
            dims,
            raw_data,
            ..Default::default()
        }
    }

    #[test]
    fn reads_raw_and_typed_data() {
        let raw: Vec<u8> = [1.5f32, -2.0]
            .iter()
            .flat_map(|x| x.to_le_bytes())
            .collect();
        let constant = Constant::from_proto(&float_proto(vec![2], raw), "").unwrap();
        assert_eq!(constant.elements, Elements::Floats(vec![1.5, -2.0]));
        let proto = TensorProto {
            data_type: DataType::Int64 as i32,
            dims: vec![],
            int64_data: vec![7],
            ..Default::default()
        };
        assert_eq!(
            Constant::from_proto(&proto, "").unwrap().elements,
            Elements::Integers(vec![7])
        );
    }

    #[test]
    fn refuses_what_does_not_fit() {
        let message =
            |proto: TensorProto| Constant::from_proto(&proto, "").unwrap_err().to_string();
        assert_eq!(
            message(float_proto(vec![3], vec![0; 8])),
            "tensor `w`: shape [3] does not fit its 2 elements"
        );
        assert_eq!(
            message(float_proto(vec![-1], vec![0; 4])),
            "tensor `w`: shape [-1] is negative"
        );
        assert_eq!(
            message(float_proto(vec![1], vec![0; 5])),
            "tensor `w`: 5 bytes are not a whole number of elements"
        );
        assert!(
            message(float_proto(vec![i64::MAX, i64::MAX], vec![0; 4])).contains("does not fit")
        );
        let mut proto = float_proto(vec![1], vec![]);
        proto.data_location = Some(DataLocation::External as i32);
        assert!(message(proto).contains("another file"));
        let mut proto = float_proto(vec![1], vec![0; 2]);
        proto.data_type = DataType::Float16 as i32;
        assert!(message(proto).contains("FLOAT16"));
    }
}
