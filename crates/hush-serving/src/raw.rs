//! The raw form of a tensor, which gRPC and the binary extension of REST share: elements row by row, little-endian,
//! each byte string after its length in four bytes.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::{DataType, ErrorKind, ServingError, Tensor, TensorData};

/// Bytes before each byte string.
const PREFIX: usize = 4;

/// Elements of a shape.
///
/// # Errors
/// [`ErrorKind::InvalidArgument`] for a length below zero, or more elements than can be counted.
pub(crate) fn element_count(name: &str, shape: &[i64]) -> Result<usize, ServingError> {
    let count = shape.iter().try_fold(1_usize, |count, &length| {
        count.checked_mul(usize::try_from(length).ok()?)
    });
    count.ok_or_else(|| invalid(format!("tensor `{name}` cannot have the shape {shape:?}")))
}

/// Takes a tensor's raw bytes apart. Nothing is copied.
///
/// # Errors
/// [`ErrorKind::InvalidArgument`] if they are not what type and shape say.
pub(crate) fn from_raw(
    name: &str,
    data_type: DataType,
    shape: &[i64],
    raw: Bytes,
) -> Result<TensorData, ServingError> {
    let count = element_count(name, shape)?;
    let Some(size) = data_type.size() else {
        return split_strings(name, count, raw).map(TensorData::Strings);
    };
    if count.checked_mul(size) != Some(raw.len()) {
        return Err(invalid(format!(
            "tensor `{name}` of type {} and shape {shape:?} takes {} bytes, not {}",
            data_type.name(),
            count.saturating_mul(size),
            raw.len()
        )));
    }
    Ok(TensorData::Numbers(raw))
}

fn split_strings(name: &str, count: usize, mut raw: Bytes) -> Result<Vec<Bytes>, ServingError> {
    // Checked before memory is taken for `count` of them.
    if count > raw.len() / PREFIX {
        return Err(invalid(format!(
            "tensor `{name}` has {count} byte strings, more than its {} bytes hold with their lengths",
            raw.len()
        )));
    }
    let mut strings = Vec::with_capacity(count);
    for index in 0..count {
        let broken = || {
            invalid(format!(
                "byte string {index} of tensor `{name}` ends after the tensor"
            ))
        };
        if raw.len() < PREFIX {
            return Err(broken());
        }
        let length = raw.get_u32_le() as usize;
        if raw.len() < length {
            return Err(broken());
        }
        strings.push(raw.split_to(length));
    }
    if raw.is_empty() {
        Ok(strings)
    } else {
        Err(invalid(format!(
            "tensor `{name}` has {} bytes more than its {count} byte strings",
            raw.len()
        )))
    }
}

/// A tensor's raw bytes. Numbers are not copied.
///
/// # Errors
/// [`ErrorKind::Internal`] for a byte string of 4 GiB or more, whose length the form cannot hold.
pub(crate) fn to_raw(tensor: Tensor) -> Result<Bytes, ServingError> {
    let strings = match tensor.data {
        TensorData::Numbers(bytes) => return Ok(bytes),
        TensorData::Strings(strings) => strings,
    };
    let total = strings.iter().map(|string| PREFIX + string.len()).sum();
    let mut raw = BytesMut::with_capacity(total);
    for string in strings {
        let length = u32::try_from(string.len()).map_err(|_| {
            let message = format!("tensor `{}` is too large for the protocol", tensor.name);
            ServingError::new(ErrorKind::Internal, message)
        })?;
        raw.put_u32_le(length);
        raw.put_slice(&string);
    }
    Ok(raw.freeze())
}

/// The type of that name.
///
/// # Errors
/// [`ErrorKind::InvalidArgument`].
pub(crate) fn data_type(tensor: &str, name: &str) -> Result<DataType, ServingError> {
    DataType::from_name(name).ok_or_else(|| {
        let names = DataType::ALL.map(DataType::name).join(", ");
        invalid(format!(
            "tensor `{tensor}` has the unknown data type `{name}`; known are {names}"
        ))
    })
}

/// A refusal of what was asked.
pub(crate) fn invalid(message: impl Into<String>) -> ServingError {
    ServingError::new(ErrorKind::InvalidArgument, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(data_type: DataType, shape: &[i64], raw: &'static [u8]) -> String {
        from_raw("x", data_type, shape, Bytes::from_static(raw))
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn byte_strings_come_back() {
        let strings = vec![Bytes::from("ab"), Bytes::new(), Bytes::from("c")];
        let tensor = Tensor {
            name: "x".into(),
            data_type: DataType::Bytes,
            shape: vec![3],
            data: TensorData::Strings(strings.clone()),
        };
        let raw = to_raw(tensor).unwrap();
        assert_eq!(raw.len(), 3 * 4 + 3);
        let data = from_raw("x", DataType::Bytes, &[3], raw).unwrap();
        assert_eq!(data, TensorData::Strings(strings));
    }

    #[test]
    fn lengths_that_lie_are_refused() {
        assert_eq!(
            message(DataType::Bytes, &[1], &[255, 255, 255, 255, 1]),
            "byte string 0 of tensor `x` ends after the tensor"
        );
        assert_eq!(
            message(DataType::Bytes, &[i64::MAX], &[0, 0, 0, 0]),
            "tensor `x` has 9223372036854775807 byte strings, more than its 4 bytes hold with their lengths"
        );
        assert_eq!(
            message(DataType::Bytes, &[1], &[0, 0, 0, 0, 7]),
            "tensor `x` has 1 bytes more than its 1 byte strings"
        );
        assert_eq!(
            message(DataType::Int32, &[2], &[0; 4]),
            "tensor `x` of type INT32 and shape [2] takes 8 bytes, not 4"
        );
    }

    #[test]
    fn shapes_that_cannot_be_are_refused() {
        for shape in [&[-1, 2][..], &[i64::MAX, 3], &[1 << 32, 1 << 32, 1 << 32]] {
            assert!(element_count("x", shape).is_err(), "{shape:?}");
        }
        assert_eq!(element_count("x", &[]).unwrap(), 1);
        assert_eq!(element_count("x", &[3, 0]).unwrap(), 0);
    }
}
