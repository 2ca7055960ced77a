//! Requests and answers between gRPC's messages and the service.

use std::time::Instant;

use bytes::Bytes;

use super::contents;
use super::protocol::inference::infer_parameter::ParameterChoice;
use super::protocol::inference::model_infer_response::InferOutputTensor;
use super::protocol::inference::{
    InferParameter, InferTensorContents, ModelInferRequest, ModelInferResponse,
};
use crate::raw::{data_type, from_raw, invalid, to_raw};
use crate::{ErrorKind, InferRequest, InferResponse, ServingError, Tensor};

/// In a request's parameters: whether each answer of a stream says that it is the last for its request.
const WANTS_FINAL: &str = "triton_enable_empty_final_response";
/// In an answer's parameters: that it is the last for its request.
const IS_FINAL: &str = "triton_final_response";
/// In the parameters of tensors that do not travel with the request.
const SHARED_MEMORY: &str = "shared_memory_region";

/// How the caller wants its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Form {
    /// Elements in raw_output_contents.
    raw: bool,
    /// Says that the answer is the last one.
    says_final: bool,
}

/// A request as the service takes it. Ciphertexts stay where they were received.
///
/// # Errors
/// [`ErrorKind::InvalidArgument`], [`ErrorKind::Unimplemented`] for tensors in shared memory,
/// [`ErrorKind::DeadlineExceeded`].
pub(super) fn from_message(
    message: ModelInferRequest,
    deadline: Option<Instant>,
) -> Result<(InferRequest, Form), ServingError> {
    if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
        return Err(ServingError::new(
            ErrorKind::DeadlineExceeded,
            "the deadline passed while the request arrived",
        ));
    }
    let raw = !message.raw_input_contents.is_empty();
    if raw && message.raw_input_contents.len() != message.inputs.len() {
        return Err(invalid(format!(
            "the request has {} inputs, but {} entries in raw_input_contents",
            message.inputs.len(),
            message.raw_input_contents.len()
        )));
    }
    let mut raw_contents = message.raw_input_contents.into_iter();
    let mut inputs = Vec::with_capacity(message.inputs.len());
    for input in message.inputs {
        let name = &input.name;
        if input.parameters.contains_key(SHARED_MEMORY) {
            return Err(in_shared_memory(name));
        }
        let data_type = data_type(name, &input.datatype)?;
        // MLServer's client adds empty contents to what it sends raw.
        let contents = input.contents.unwrap_or_default();
        let empty = contents == InferTensorContents::default();
        let data = match raw_contents.next() {
            Some(_) if !empty => {
                return Err(invalid(format!(
                    "tensor `{name}` is in contents, while the request has raw_input_contents too"
                )));
            }
            Some(raw) => from_raw(name, data_type, &input.shape, raw)?,
            None => contents::from_contents(name, data_type, &input.shape, contents)?,
        };
        inputs.push(Tensor {
            name: input.name,
            data_type,
            shape: input.shape,
            data,
        });
    }
    if let Some(output) = message
        .outputs
        .iter()
        .find(|output| output.parameters.contains_key(SHARED_MEMORY))
    {
        return Err(in_shared_memory(&output.name));
    }
    let wants_final = message.parameters.get(WANTS_FINAL);
    let wants_final = wants_final.and_then(|parameter| parameter.parameter_choice.as_ref());
    let form = Form {
        raw,
        says_final: wants_final == Some(&ParameterChoice::BoolParam(true)),
    };
    let request = InferRequest {
        model: message.model_name,
        version: named(message.model_version),
        id: message.id,
        inputs,
        outputs: message
            .outputs
            .into_iter()
            .map(|output| output.name)
            .collect(),
        deadline,
    };
    Ok((request, form))
}

fn in_shared_memory(tensor: &str) -> ServingError {
    ServingError::new(
        ErrorKind::Unimplemented,
        format!("tensor `{tensor}` is in shared memory, which this server does not read"),
    )
}

/// A version, unless it is the empty one, which means the latest.
pub(super) fn named(version: String) -> Option<String> {
    Some(version).filter(|version| !version.is_empty())
}

/// An answer as the caller wants it.
///
/// # Errors
/// As [`to_raw`].
pub(super) fn to_message(
    response: InferResponse,
    form: Form,
) -> Result<ModelInferResponse, ServingError> {
    let typed = response
        .outputs
        .iter()
        .all(|tensor| contents::holds(tensor.data_type));
    let raw = form.raw || !typed;
    let mut raw_output_contents: Vec<Bytes> = Vec::new();
    let mut outputs = Vec::with_capacity(response.outputs.len());
    for tensor in response.outputs {
        let mut output = InferOutputTensor {
            name: tensor.name.clone(),
            datatype: tensor.data_type.name().to_owned(),
            shape: tensor.shape.clone(),
            ..InferOutputTensor::default()
        };
        if raw {
            raw_output_contents.push(to_raw(tensor)?);
        } else {
            output.contents = Some(contents::to_contents(tensor));
        }
        outputs.push(output);
    }
    let says_final = form
        .says_final
        .then(|| (IS_FINAL.to_owned(), parameter(true)));
    Ok(ModelInferResponse {
        model_name: response.model,
        model_version: response.version,
        id: response.id,
        parameters: says_final.into_iter().collect(),
        outputs,
        raw_output_contents,
    })
}

fn parameter(value: bool) -> InferParameter {
    InferParameter {
        parameter_choice: Some(ParameterChoice::BoolParam(value)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::protocol::inference::model_infer_request::InferInputTensor;
    use super::*;
    use crate::{DataType, TensorData};

    fn request(raw: &[&'static [u8]]) -> ModelInferRequest {
        ModelInferRequest {
            model_name: "simple".into(),
            inputs: vec![InferInputTensor {
                name: "x".into(),
                datatype: "BYTES".into(),
                shape: vec![1],
                ..InferInputTensor::default()
            }],
            raw_input_contents: raw.iter().map(|raw| Bytes::from_static(raw)).collect(),
            ..ModelInferRequest::default()
        }
    }

    #[test]
    fn raw_requests_get_raw_answers() {
        let (request, form) = from_message(request(&[b"\x02\0\0\0hi"]), None).unwrap();
        assert_eq!(
            (request.version, request.inputs[0].data.clone()),
            (None, TensorData::Strings(vec![Bytes::from("hi")]))
        );
        let response = InferResponse {
            model: "m".into(),
            version: "1".into(),
            id: String::new(),
            outputs: request.inputs,
        };
        let raw = to_message(response.clone(), form).unwrap();
        assert_eq!(raw.raw_output_contents, [&b"\x02\0\0\0hi"[..]]);
        let form = Form { raw: false, ..form };
        let typed = to_message(response, form).unwrap();
        assert_eq!(typed.raw_output_contents.len(), 0);
        let contents = typed.outputs[0].contents.as_ref().unwrap();
        assert_eq!(contents.bytes_contents, [&b"hi"[..]]);
    }

    #[test]
    fn half_precision_has_only_the_raw_form() {
        let response = InferResponse {
            model: "m".into(),
            version: "1".into(),
            id: String::new(),
            outputs: vec![Tensor {
                name: "y".into(),
                data_type: DataType::Fp16,
                shape: vec![1],
                data: TensorData::Numbers(Bytes::from_static(&[1, 2])),
            }],
        };
        let form = Form {
            raw: false,
            says_final: false,
        };
        let message = to_message(response, form).unwrap();
        assert_eq!(message.raw_output_contents, [&[1, 2][..]]);
    }

    #[test]
    fn entries_and_inputs_must_match() {
        let error = from_message(request(&[b"", b""]), None).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the request has 1 inputs, but 2 entries in raw_input_contents"
        );
    }

    #[test]
    fn nobody_waits_for_what_comes_too_late() {
        let error = from_message(request(&[]), Some(Instant::now())).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::DeadlineExceeded);
    }
}
