//! Requests over gRPC: a body of messages, each with five bytes before it.

use axum::body::Body;
use axum::http::Request;
use bytes::Bytes;
use hush_serving::protocol::inference::model_infer_request::InferInputTensor;
use hush_serving::protocol::inference::{InferTensorContents, ModelInferRequest};
use prost::Message;

use super::Target;
use crate::world::world;

/// One request, one answer.
pub(super) const INFER: Target = Target {
    name: "grpc_infer",
    seeds: || vec![body(&[encrypted()]), body(&[plain()])],
    run: |bytes| ask("ModelInfer", bytes),
};

/// Requests and answers in turn.
pub(super) const STREAM: Target = Target {
    name: "grpc_stream",
    seeds: || vec![body(&[plain(), encrypted(), plain()])],
    run: |bytes| ask("ModelStreamInfer", bytes),
};

fn ask(method: &str, bytes: &[u8]) -> bool {
    let request = Request::builder()
        .method("POST")
        .uri(format!("/inference.GRPCInferenceService/{method}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Body::from(bytes.to_vec()));
    request.is_ok_and(|request| world().ask_grpc(request).is_success())
}

fn encrypted() -> ModelInferRequest {
    let file = &world().ciphertexts;
    let length = (file.len() as u32).to_le_bytes();
    ModelInferRequest {
        model_name: "square".into(),
        inputs: vec![InferInputTensor {
            name: "ciphertexts".into(),
            datatype: "BYTES".into(),
            shape: vec![1],
            ..InferInputTensor::default()
        }],
        raw_input_contents: vec![[&length[..], file].concat().into()],
        ..ModelInferRequest::default()
    }
}

fn plain() -> ModelInferRequest {
    let input = |name: &str| InferInputTensor {
        name: name.into(),
        datatype: "INT32".into(),
        shape: vec![1, 16],
        contents: Some(InferTensorContents {
            int_contents: (0..16).collect(),
            bytes_contents: Vec::<Bytes>::new(),
            ..InferTensorContents::default()
        }),
        ..InferInputTensor::default()
    };
    ModelInferRequest {
        model_name: "simple".into(),
        inputs: vec![input("INPUT0"), input("INPUT1")],
        ..ModelInferRequest::default()
    }
}

fn body(messages: &[ModelInferRequest]) -> Vec<u8> {
    let framed = messages.iter().flat_map(|message| {
        let bytes = message.encode_to_vec();
        let length = (bytes.len() as u32).to_be_bytes();
        [&[0][..], &length, &bytes].concat()
    });
    framed.collect()
}
