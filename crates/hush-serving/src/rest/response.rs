//! The answer in JSON, tensors in it or behind it.

use std::convert::Infallible;

use axum::body::Body;
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Map, Number, Value, json};

use crate::raw::to_raw;
use crate::{DataType, ErrorKind, InferResponse, ServingError, Tensor, TensorData};

/// Bytes of the JSON when tensors follow it.
pub(super) const JSON_LENGTH: HeaderName =
    HeaderName::from_static("inference-header-content-length");

/// How the caller wants its answer.
#[derive(Debug)]
pub(super) struct Form {
    /// Outputs that the request does not name.
    pub(super) other: OutputForm,
    /// Those that it names.
    pub(super) named: Vec<(String, OutputForm)>,
}

/// How the caller wants one output.
#[derive(Clone, Copy, Debug)]
pub(super) struct OutputForm {
    /// Behind the JSON.
    pub(super) binary: bool,
    /// Byte strings in base64, if it is in the JSON.
    pub(super) base64: bool,
}

impl Form {
    /// How the caller wants this output.
    pub(super) fn of(&self, output: &str) -> OutputForm {
        let named = self.named.iter().find(|(name, _)| name == output);
        named.map_or(self.other, |&(_, form)| form)
    }
}

/// Writes an answer. Tensors behind the JSON are sent from where they lie.
///
/// # Errors
/// [`ErrorKind::Unimplemented`] for half-precision numbers in JSON.
pub(super) fn write(response: InferResponse, form: &Form) -> Result<Response, ServingError> {
    let mut behind = Vec::new();
    let mut outputs = Vec::with_capacity(response.outputs.len());
    for tensor in response.outputs {
        let wanted = form.of(&tensor.name);
        let mut output = Map::new();
        output.insert("name".into(), tensor.name.clone().into());
        output.insert("datatype".into(), tensor.data_type.name().into());
        output.insert("shape".into(), tensor.shape.clone().into());
        if wanted.binary {
            let raw = to_raw(tensor)?;
            output.insert(
                "parameters".into(),
                json!({ "binary_data_size": raw.len() }),
            );
            behind.push(raw);
        } else {
            let (data, base64) = elements(tensor, wanted.base64)?;
            if base64 {
                output.insert("parameters".into(), json!({ "content_type": "base64" }));
            }
            output.insert("data".into(), data.into());
        }
        outputs.push(Value::from(output));
    }
    let mut answer = json!({
        "model_name": response.model,
        "model_version": response.version,
        "outputs": outputs,
    });
    if !response.id.is_empty() {
        answer["id"] = response.id.into();
    }
    let json = Bytes::from(answer.to_string());
    let json_length = json.len();
    if behind.is_empty() {
        let mut response = Response::new(Body::from(json));
        let content_type = HeaderValue::from_static("application/json");
        response.headers_mut().insert(CONTENT_TYPE, content_type);
        return Ok(response);
    }
    let total = json_length + behind.iter().map(Bytes::len).sum::<usize>();
    let parts = std::iter::once(json).chain(behind).map(Ok::<_, Infallible>);
    let mut response = Response::new(Body::from_stream(tokio_stream::iter(parts)));
    let headers = response.headers_mut();
    let content_type = HeaderValue::from_static("application/octet-stream");
    headers.insert(CONTENT_TYPE, content_type);
    headers.insert(CONTENT_LENGTH, HeaderValue::from(total));
    headers.insert(JSON_LENGTH, HeaderValue::from(json_length));
    Ok(response)
}

/// Elements in one row, and whether byte strings are in base64: what is no text must be.
fn elements(tensor: Tensor, base64: bool) -> Result<(Vec<Value>, bool), ServingError> {
    let bytes = match tensor.data {
        TensorData::Strings(strings) => {
            let text: Option<Vec<Value>> = strings
                .iter()
                .map(|string| std::str::from_utf8(string).ok().map(Value::from))
                .collect();
            return Ok(match text {
                Some(text) if !base64 => (text, false),
                _ => {
                    let encoded = strings.iter().map(|string| STANDARD.encode(string).into());
                    (encoded.collect(), true)
                }
            });
        }
        TensorData::Numbers(bytes) => bytes,
    };
    let values = match tensor.data_type {
        DataType::Bool => bytes.iter().map(|&byte| (byte != 0).into()).collect(),
        DataType::Uint8 => values(&bytes, |b| u8::from_le_bytes(b).into()),
        DataType::Uint16 => values(&bytes, |b| u16::from_le_bytes(b).into()),
        DataType::Uint32 => values(&bytes, |b| u32::from_le_bytes(b).into()),
        DataType::Uint64 => values(&bytes, |b| u64::from_le_bytes(b).into()),
        DataType::Int8 => values(&bytes, |b| i8::from_le_bytes(b).into()),
        DataType::Int16 => values(&bytes, |b| i16::from_le_bytes(b).into()),
        DataType::Int32 => values(&bytes, |b| i32::from_le_bytes(b).into()),
        DataType::Int64 => values(&bytes, |b| i64::from_le_bytes(b).into()),
        DataType::Fp32 => values(&bytes, |b| shortest(f32::from_le_bytes(b))),
        DataType::Fp64 => values(&bytes, |b| f64::from_le_bytes(b).into()),
        DataType::Fp16 | DataType::Bf16 | DataType::Bytes => {
            return Err(ServingError::new(
                ErrorKind::Unimplemented,
                format!(
                    "output `{}` of type {} travels as binary data only; ask for binary_data",
                    tensor.name,
                    tensor.data_type.name()
                ),
            ));
        }
    };
    Ok((values, false))
}

fn values<const SIZE: usize>(bytes: &Bytes, decode: impl Fn([u8; SIZE]) -> Value) -> Vec<Value> {
    let (elements, _) = bytes.as_chunks::<SIZE>();
    elements.iter().map(|&element| decode(element)).collect()
}

/// The shortest number that reads back as this one: 0.1, not 0.10000000149011612. JSON has none for infinity.
fn shortest(value: f32) -> Value {
    let shortest = value.to_string().parse().ok().and_then(Number::from_f64);
    shortest.map_or(Value::Null, Value::Number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_precision_is_written_shortly() {
        assert_eq!(shortest(0.1).to_string(), "0.1");
        assert_eq!(shortest(f32::NAN), Value::Null);
    }

    #[test]
    fn what_is_no_text_is_base64() {
        let tensor = |string: &'static [u8]| Tensor {
            name: "x".into(),
            data_type: DataType::Bytes,
            shape: vec![1],
            data: TensorData::Strings(vec![Bytes::from_static(string)]),
        };
        assert_eq!(
            elements(tensor(b"hi"), false).unwrap(),
            (vec!["hi".into()], false)
        );
        assert_eq!(
            elements(tensor(b"hi"), true).unwrap(),
            (vec!["aGk=".into()], true)
        );
        assert_eq!(
            elements(tensor(&[255]), false).unwrap(),
            (vec!["/w==".into()], true)
        );
    }
}
