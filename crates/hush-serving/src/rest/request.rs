//! A request for a prediction in JSON, tensors in it or behind it.

use std::time::{Duration, Instant};

use bytes::Bytes;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::elements;
use super::extract::ModelPath;
use super::response::{Form, OutputForm};
use crate::raw::{data_type, from_raw, invalid};
use crate::{ErrorKind, InferRequest, ServingError, Tensor};

#[derive(Deserialize)]
struct JsonRequest<'a> {
    id: Option<String>,
    parameters: Option<Parameters>,
    #[serde(borrow)]
    inputs: Vec<JsonInput<'a>>,
    outputs: Option<Vec<JsonOutput>>,
}

#[derive(Deserialize)]
struct JsonInput<'a> {
    name: String,
    shape: Vec<i64>,
    datatype: String,
    parameters: Option<Parameters>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct JsonOutput {
    name: String,
    parameters: Option<Parameters>,
}

/// The parameters that mean something here; clients send others too.
#[derive(Default, Deserialize)]
struct Parameters {
    /// Of an input: bytes that it takes behind the JSON.
    binary_data_size: Option<u64>,
    /// Of an output: whether it goes behind the JSON.
    binary_data: Option<bool>,
    /// Of the request: the same for all outputs that say nothing.
    binary_data_output: Option<bool>,
    /// `base64` for byte strings in base64.
    content_type: Option<String>,
    /// Of the request: microseconds until the answer is of no use.
    timeout: Option<u64>,
    shared_memory_region: Option<IgnoredAny>,
}

impl Parameters {
    fn base64(&self) -> bool {
        self.content_type.as_deref() == Some("base64")
    }
}

/// Reads a body. `json_length`: bytes of the JSON, behind which tensors lie; all of it if `None`.
///
/// # Errors
/// [`ErrorKind::InvalidArgument`], [`ErrorKind::Unimplemented`] for tensors in shared memory.
pub(super) fn read(
    path: ModelPath,
    mut body: Bytes,
    json_length: Option<usize>,
) -> Result<(InferRequest, Form), ServingError> {
    let length = json_length.unwrap_or(body.len());
    if length > body.len() {
        return Err(invalid(format!(
            "Inference-Header-Content-Length is {length}, but the body has {} bytes",
            body.len()
        )));
    }
    let json = body.split_to(length);
    let request: JsonRequest<'_> = serde_json::from_slice(&json).map_err(|error| {
        invalid(format!(
            "the request is not as the protocol has it: {error}"
        ))
    })?;
    let parameters = request.parameters.unwrap_or_default();
    let mut inputs = Vec::with_capacity(request.inputs.len());
    let mut base64 = false;
    for input in request.inputs {
        base64 |= input.parameters.as_ref().is_some_and(Parameters::base64);
        inputs.push(tensor(input, &mut body)?);
    }
    if !body.is_empty() {
        return Err(invalid(format!(
            "{} bytes follow the last tensor",
            body.len()
        )));
    }
    let mut form = Form {
        other: OutputForm {
            binary: parameters.binary_data_output.unwrap_or(false),
            base64,
        },
        named: Vec::new(),
    };
    let mut outputs = Vec::new();
    for output in request.outputs.unwrap_or_default() {
        let parameters = output.parameters.unwrap_or_default();
        refuse_shared_memory(&output.name, &parameters)?;
        let wanted = OutputForm {
            binary: parameters.binary_data.unwrap_or(form.other.binary),
            base64: base64 || parameters.base64(),
        };
        form.named.push((output.name.clone(), wanted));
        outputs.push(output.name);
    }
    let timeout = parameters.timeout.map(Duration::from_micros);
    let request = InferRequest {
        model: path.model,
        version: path.version,
        id: request.id.unwrap_or_default(),
        inputs,
        outputs,
        deadline: timeout.and_then(|timeout| Instant::now().checked_add(timeout)),
    };
    Ok((request, form))
}

fn tensor(input: JsonInput<'_>, behind: &mut Bytes) -> Result<Tensor, ServingError> {
    let name = input.name;
    let parameters = input.parameters.unwrap_or_default();
    refuse_shared_memory(&name, &parameters)?;
    let data_type = data_type(&name, &input.datatype)?;
    let data = match (parameters.binary_data_size, input.data) {
        (Some(_), Some(_)) => {
            return Err(invalid(format!(
                "tensor `{name}` has both data and binary_data_size"
            )));
        }
        (None, None) => return Err(invalid(format!("tensor `{name}` has no data"))),
        (Some(size), None) => {
            let size = usize::try_from(size)
                .ok()
                .filter(|&size| size <= behind.len());
            let Some(size) = size else {
                return Err(invalid(format!(
                    "tensor `{name}` has a binary_data_size beyond the end of the body"
                )));
            };
            from_raw(&name, data_type, &input.shape, behind.split_to(size))?
        }
        (None, Some(json)) => {
            elements::read(&name, data_type, &input.shape, parameters.base64(), json)?
        }
    };
    Ok(Tensor {
        name,
        data_type,
        shape: input.shape,
        data,
    })
}

fn refuse_shared_memory(tensor: &str, parameters: &Parameters) -> Result<(), ServingError> {
    if parameters.shared_memory_region.is_none() {
        return Ok(());
    }
    Err(ServingError::new(
        ErrorKind::Unimplemented,
        format!("tensor `{tensor}` is in shared memory, which this server does not read"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TensorData;

    fn parse(json: &str, behind: &[u8]) -> Result<(InferRequest, Form), String> {
        let path = ModelPath {
            model: "m".into(),
            version: None,
        };
        let length = (!behind.is_empty()).then_some(json.len());
        let body = [json.as_bytes(), behind].concat();
        read(path, body.into(), length).map_err(|error| error.to_string())
    }

    #[test]
    fn tensors_lie_in_the_json_or_behind_it() {
        let json = r#"{"id": "7", "inputs": [
            {"name": "a", "shape": [1], "datatype": "INT32", "data": [5]},
            {"name": "b", "shape": [1], "datatype": "BYTES", "parameters": {"binary_data_size": 6}}
        ], "outputs": [{"name": "y", "parameters": {"binary_data": true, "more": [1]}}]}"#;
        let (request, form) = parse(json, b"\x02\0\0\0hi").unwrap();
        assert_eq!(request.id, "7");
        let a = TensorData::Numbers(Bytes::from_static(&[5, 0, 0, 0]));
        assert_eq!(request.inputs[0].data, a);
        let b = TensorData::Strings(vec![Bytes::from("hi")]);
        assert_eq!(request.inputs[1].data, b);
        assert_eq!(request.outputs, ["y"]);
        assert!(form.of("y").binary);
        assert!(!form.of("z").binary);
    }

    #[test]
    fn what_does_not_hold_together_is_refused() {
        let input = |more: &str| {
            format!(r#"{{"inputs": [{{"name": "a", "shape": [1], "datatype": "INT8"{more}}}]}}"#)
        };
        let refused = |more: &str, behind: &[u8]| parse(&input(more), behind).unwrap_err();
        assert_eq!(refused("", b""), "tensor `a` has no data");
        let size = r#", "parameters": {"binary_data_size": 18446744073709551615}"#;
        assert_eq!(
            refused(size, b"1"),
            "tensor `a` has a binary_data_size beyond the end of the body"
        );
        assert_eq!(
            refused(r#", "data": [1]"#, b"1"),
            "1 bytes follow the last tensor"
        );
        assert_eq!(
            parse("[", b"").unwrap_err(),
            "the request is not as the protocol has it: EOF while parsing a list at line 1 column 1"
        );
    }
}
