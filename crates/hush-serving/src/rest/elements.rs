//! The elements of a tensor in JSON: numbers, truth values or text, nested as the shape or in one row.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::de::{DeserializeSeed, Deserializer, Error, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::raw::{element_count, invalid};
use crate::{DataType, ServingError, TensorData};

/// Reads the elements of a tensor. `base64`: byte strings are written in base64.
///
/// # Errors
/// [`crate::ErrorKind::InvalidArgument`] if there are more or fewer than the shape says, or one is not of the type.
pub(super) fn read(
    name: &str,
    data_type: DataType,
    shape: &[i64],
    base64: bool,
    json: &RawValue,
) -> Result<TensorData, ServingError> {
    if matches!(data_type, DataType::Fp16 | DataType::Bf16) {
        return Err(invalid(format!(
            "tensor `{name}` of type {} must travel as binary data",
            data_type.name()
        )));
    }
    let count = element_count(name, shape)?;
    let mut elements = Elements {
        data_type,
        base64,
        count,
        read: 0,
        numbers: Vec::new(),
        strings: Vec::new(),
    };
    let mut deserializer = serde_json::Deserializer::from_str(json.get());
    let read = Nested(&mut elements).deserialize(&mut deserializer);
    read.map_err(|error| invalid(format!("tensor `{name}`: {}", without_place(&error))))?;
    if elements.read != count {
        return Err(invalid(format!(
            "tensor `{name}` of shape {shape:?} takes {count} elements, not {}",
            elements.read
        )));
    }
    Ok(match data_type {
        DataType::Bytes => TensorData::Strings(elements.strings),
        _ => TensorData::Numbers(elements.numbers.into()),
    })
}

/// The reason without line and column, which count within the tensor and would mislead.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(" at line ") {
        Some((reason, _)) => reason.to_owned(),
        None => text,
    }
}

struct Elements {
    data_type: DataType,
    base64: bool,
    /// As many as the shape says; reading stops there, so that memory does not grow beyond.
    count: usize,
    read: usize,
    numbers: Vec<u8>,
    strings: Vec<Bytes>,
}

impl Elements {
    fn count_one<E: Error>(&mut self) -> Result<(), E> {
        self.read += 1;
        if self.read > self.count {
            let message = format!("more elements than the {} of its shape", self.count);
            return Err(E::custom(message));
        }
        Ok(())
    }

    fn integer<E: Error>(&mut self, value: i128) -> Result<(), E> {
        self.count_one()?;
        let pushed = match self.data_type {
            DataType::Uint8 => self.push(u8::try_from(value).ok().map(u8::to_le_bytes)),
            DataType::Uint16 => self.push(u16::try_from(value).ok().map(u16::to_le_bytes)),
            DataType::Uint32 => self.push(u32::try_from(value).ok().map(u32::to_le_bytes)),
            DataType::Uint64 => self.push(u64::try_from(value).ok().map(u64::to_le_bytes)),
            DataType::Int8 => self.push(i8::try_from(value).ok().map(i8::to_le_bytes)),
            DataType::Int16 => self.push(i16::try_from(value).ok().map(i16::to_le_bytes)),
            DataType::Int32 => self.push(i32::try_from(value).ok().map(i32::to_le_bytes)),
            DataType::Int64 => self.push(i64::try_from(value).ok().map(i64::to_le_bytes)),
            DataType::Fp32 => self.push(Some((value as f32).to_le_bytes())),
            DataType::Fp64 => self.push(Some((value as f64).to_le_bytes())),
            DataType::Bool => self.push(matches!(value, 0 | 1).then_some([value as u8])),
            _ => false,
        };
        self.fits(pushed, &value)
    }

    fn float<E: Error>(&mut self, value: f64) -> Result<(), E> {
        self.count_one()?;
        let pushed = match self.data_type {
            DataType::Fp32 => self.push(Some((value as f32).to_le_bytes())),
            DataType::Fp64 => self.push(Some(value.to_le_bytes())),
            _ => false,
        };
        self.fits(pushed, &value)
    }

    fn push<const SIZE: usize>(&mut self, bytes: Option<[u8; SIZE]>) -> bool {
        bytes.is_some_and(|bytes| {
            self.numbers.extend_from_slice(&bytes);
            true
        })
    }

    fn fits<E: Error>(&self, pushed: bool, value: &dyn fmt::Display) -> Result<(), E> {
        if pushed {
            return Ok(());
        }
        let data_type = self.data_type.name();
        Err(E::custom(format!("{value} is no {data_type}")))
    }

    fn string<E: Error>(&mut self, value: &str) -> Result<(), E> {
        self.count_one()?;
        if self.data_type != DataType::Bytes {
            let data_type = self.data_type.name();
            return Err(E::custom(format!("a text is no {data_type}")));
        }
        let bytes = if self.base64 {
            let decoded = STANDARD.decode(value);
            decoded.map_err(|_| E::custom("a text is not base64"))?
        } else {
            value.as_bytes().to_vec()
        };
        self.strings.push(bytes.into());
        Ok(())
    }
}

/// An element or a row of what is nested in it.
struct Nested<'a>(&'a mut Elements);

impl<'de> DeserializeSeed<'de> for Nested<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Nested<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "elements of type {}", self.0.data_type.name())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.0.integer(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.0.integer(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.0.integer(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.0.float(value)
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        self.0.string(value)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut row: A) -> Result<(), A::Error> {
        while row.next_element_seed(Nested(&mut *self.0))?.is_some() {}
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(
        data_type: DataType,
        shape: &[i64],
        base64: bool,
        json: &str,
    ) -> Result<TensorData, String> {
        let json = RawValue::from_string(json.into()).unwrap();
        read("x", data_type, shape, base64, &json).map_err(|error| error.to_string())
    }

    #[test]
    fn nested_and_flat_are_the_same() {
        let flat = parse(DataType::Int16, &[2, 2], false, "[1, -2, 3, 4]").unwrap();
        let nested = parse(DataType::Int16, &[2, 2], false, "[[1, -2], [3, 4]]").unwrap();
        assert_eq!(flat, nested);
        let expected = TensorData::Numbers(Bytes::from_static(&[1, 0, 254, 255, 3, 0, 4, 0]));
        assert_eq!(flat, expected);
    }

    #[test]
    fn every_type_keeps_its_extremes() {
        let expected = TensorData::Numbers(Bytes::copy_from_slice(&u64::MAX.to_le_bytes()));
        let json = format!("[{}]", u64::MAX);
        assert_eq!(
            parse(DataType::Uint64, &[1], false, &json).unwrap(),
            expected
        );
        let expected = TensorData::Numbers(Bytes::copy_from_slice(&2_f32.to_le_bytes()));
        assert_eq!(parse(DataType::Fp32, &[1], false, "[2]").unwrap(), expected);
        let expected = TensorData::Numbers(Bytes::from_static(&[1, 0]));
        assert_eq!(
            parse(DataType::Bool, &[2], false, "[true, 0]").unwrap(),
            expected
        );
    }

    #[test]
    fn text_and_base64() {
        let expected = TensorData::Strings(vec![Bytes::from("aGk="), Bytes::from("é")]);
        let json = r#"["aGk=", "\u00e9"]"#;
        assert_eq!(parse(DataType::Bytes, &[2], false, json).unwrap(), expected);
        let expected = TensorData::Strings(vec![Bytes::from("hi")]);
        assert_eq!(
            parse(DataType::Bytes, &[1], true, r#"["aGk="]"#).unwrap(),
            expected
        );
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let refused = |data_type, json| parse(data_type, &[2], false, json).unwrap_err();
        assert_eq!(
            refused(DataType::Int8, "[1, 200]"),
            "tensor `x`: 200 is no INT8"
        );
        assert_eq!(
            refused(DataType::Int32, "[1, 1.5]"),
            "tensor `x`: 1.5 is no INT32"
        );
        assert_eq!(
            refused(DataType::Int32, r#"[1, "2"]"#),
            "tensor `x`: a text is no INT32"
        );
        assert_eq!(
            refused(DataType::Int32, "[1, 2, 3]"),
            "tensor `x`: more elements than the 2 of its shape"
        );
        assert_eq!(
            refused(DataType::Int32, "[1]"),
            "tensor `x` of shape [2] takes 2 elements, not 1"
        );
        let deep = "[".repeat(5000) + &"]".repeat(5000);
        assert_eq!(
            refused(DataType::Int32, &deep),
            "tensor `x`: recursion limit exceeded"
        );
    }
}
