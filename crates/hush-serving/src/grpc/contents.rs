//! The typed form of a tensor: each element in the field of its kind.

use bytes::Bytes;

use super::protocol::inference::InferTensorContents;
use crate::raw::{element_count, invalid};
use crate::{DataType, ServingError, Tensor, TensorData};

/// Whether elements of the type have a field.
pub(super) fn holds(data_type: DataType) -> bool {
    !matches!(data_type, DataType::Fp16 | DataType::Bf16)
}

/// Takes the elements of a tensor out of the field for its type.
///
/// # Errors
/// [`crate::ErrorKind::InvalidArgument`] if there are more or fewer than the shape says, one does not fit the type, or other
/// fields hold elements too.
pub(super) fn from_contents(
    name: &str,
    data_type: DataType,
    shape: &[i64],
    contents: InferTensorContents,
) -> Result<TensorData, ServingError> {
    let filled = filled_fields(&contents);
    let count = element_count(name, shape)?;
    let (actual, data) = match data_type {
        DataType::Bool => {
            let bytes: Vec<u8> = contents.bool_contents.iter().map(|&b| b.into()).collect();
            (bytes.len(), TensorData::Numbers(bytes.into()))
        }
        DataType::Int8 => numbers(name, &contents.int_contents, |n| {
            Some(i8::try_from(n).ok()?.to_le_bytes())
        })?,
        DataType::Int16 => numbers(name, &contents.int_contents, |n| {
            Some(i16::try_from(n).ok()?.to_le_bytes())
        })?,
        DataType::Int32 => numbers(name, &contents.int_contents, |n| Some(n.to_le_bytes()))?,
        DataType::Int64 => numbers(name, &contents.int64_contents, |n| Some(n.to_le_bytes()))?,
        DataType::Uint8 => numbers(name, &contents.uint_contents, |n| {
            Some(u8::try_from(n).ok()?.to_le_bytes())
        })?,
        DataType::Uint16 => numbers(name, &contents.uint_contents, |n| {
            Some(u16::try_from(n).ok()?.to_le_bytes())
        })?,
        DataType::Uint32 => numbers(name, &contents.uint_contents, |n| Some(n.to_le_bytes()))?,
        DataType::Uint64 => numbers(name, &contents.uint64_contents, |n| Some(n.to_le_bytes()))?,
        DataType::Fp32 => numbers(name, &contents.fp32_contents, |n| Some(n.to_le_bytes()))?,
        DataType::Fp64 => numbers(name, &contents.fp64_contents, |n| Some(n.to_le_bytes()))?,
        DataType::Bytes => {
            let strings = contents.bytes_contents;
            (strings.len(), TensorData::Strings(strings))
        }
        DataType::Fp16 | DataType::Bf16 => {
            let data_type = data_type.name();
            return Err(invalid(format!(
                "tensor `{name}` of type {data_type} must travel in raw_input_contents"
            )));
        }
    };
    if actual != count {
        return Err(invalid(format!(
            "tensor `{name}` of type {} and shape {shape:?} has {actual} elements in the field for its type, not {count}",
            data_type.name()
        )));
    }
    if filled > usize::from(count > 0) {
        return Err(invalid(format!(
            "tensor `{name}` has elements in more than one field of its contents"
        )));
    }
    Ok(data)
}

fn filled_fields(contents: &InferTensorContents) -> usize {
    let filled = [
        !contents.bool_contents.is_empty(),
        !contents.int_contents.is_empty(),
        !contents.int64_contents.is_empty(),
        !contents.uint_contents.is_empty(),
        !contents.uint64_contents.is_empty(),
        !contents.fp32_contents.is_empty(),
        !contents.fp64_contents.is_empty(),
        !contents.bytes_contents.is_empty(),
    ];
    filled.into_iter().filter(|&filled| filled).count()
}

fn numbers<T: Copy + std::fmt::Display, const SIZE: usize>(
    name: &str,
    elements: &[T],
    encode: impl Fn(T) -> Option<[u8; SIZE]>,
) -> Result<(usize, TensorData), ServingError> {
    let mut bytes = Vec::with_capacity(elements.len() * SIZE);
    for &element in elements {
        let encoded = encode(element).ok_or_else(|| {
            invalid(format!(
                "{element} in tensor `{name}` does not fit its data type"
            ))
        })?;
        bytes.extend_from_slice(&encoded);
    }
    Ok((elements.len(), TensorData::Numbers(bytes.into())))
}

/// The elements of a tensor in the field for its type; none for a type that has no field.
pub(super) fn to_contents(tensor: Tensor) -> InferTensorContents {
    let mut contents = InferTensorContents::default();
    let bytes = match tensor.data {
        TensorData::Strings(strings) => {
            contents.bytes_contents = strings;
            return contents;
        }
        TensorData::Numbers(bytes) => bytes,
    };
    match tensor.data_type {
        DataType::Bool => contents.bool_contents = bytes.iter().map(|&byte| byte != 0).collect(),
        DataType::Int8 => contents.int_contents = elements(&bytes, |b| i8::from_le_bytes(b).into()),
        DataType::Int16 => {
            contents.int_contents = elements(&bytes, |b| i16::from_le_bytes(b).into());
        }
        DataType::Int32 => contents.int_contents = elements(&bytes, i32::from_le_bytes),
        DataType::Int64 => contents.int64_contents = elements(&bytes, i64::from_le_bytes),
        DataType::Uint8 => {
            contents.uint_contents = elements(&bytes, |b| u8::from_le_bytes(b).into());
        }
        DataType::Uint16 => {
            contents.uint_contents = elements(&bytes, |b| u16::from_le_bytes(b).into());
        }
        DataType::Uint32 => contents.uint_contents = elements(&bytes, u32::from_le_bytes),
        DataType::Uint64 => contents.uint64_contents = elements(&bytes, u64::from_le_bytes),
        DataType::Fp32 => contents.fp32_contents = elements(&bytes, f32::from_le_bytes),
        DataType::Fp64 => contents.fp64_contents = elements(&bytes, f64::from_le_bytes),
        DataType::Fp16 | DataType::Bf16 | DataType::Bytes => {}
    }
    contents
}

fn elements<T, const SIZE: usize>(bytes: &Bytes, decode: impl Fn([u8; SIZE]) -> T) -> Vec<T> {
    let (elements, _) = bytes.as_chunks::<SIZE>();
    elements.iter().map(|&element| decode(element)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents_of(data_type: DataType, data: TensorData) -> InferTensorContents {
        to_contents(Tensor {
            name: "x".into(),
            data_type,
            shape: vec![2],
            data,
        })
    }

    #[test]
    fn every_type_comes_back() {
        for data_type in DataType::ALL {
            let data = match data_type.size() {
                None => TensorData::Strings(vec![Bytes::from("ab"), Bytes::new()]),
                Some(size) => TensorData::Numbers(vec![1; 2 * size].into()),
            };
            let contents = contents_of(data_type, data.clone());
            let back = from_contents("x", data_type, &[2], contents);
            if holds(data_type) {
                assert_eq!(back.unwrap(), data, "{data_type:?}");
            } else {
                assert!(back.is_err(), "{data_type:?}");
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let contents = InferTensorContents {
            int_contents: vec![1, 200],
            ..InferTensorContents::default()
        };
        let error = from_contents("x", DataType::Int8, &[2], contents.clone()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "200 in tensor `x` does not fit its data type"
        );
        let error = from_contents("x", DataType::Int32, &[3], contents.clone()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "tensor `x` of type INT32 and shape [3] has 2 elements in the field for its type, not 3"
        );
        let both = InferTensorContents {
            fp32_contents: vec![1.0],
            ..contents
        };
        let error = from_contents("x", DataType::Int32, &[2], both).unwrap_err();
        assert_eq!(
            error.to_string(),
            "tensor `x` has elements in more than one field of its contents"
        );
    }
}
