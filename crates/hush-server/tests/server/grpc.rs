//! The protocol over gRPC, with models on plain tensors.

use std::collections::HashMap;

use crate::support::Running;
use bytes::Bytes;
use hush_serving::protocol::hush::keys_client::KeysClient;
use hush_serving::protocol::hush::{GetClientRequest, KeyStatusRequest, UploadKeyRequest};
use hush_serving::protocol::inference::infer_parameter::ParameterChoice;
use hush_serving::protocol::inference::model_infer_request::InferInputTensor;
use hush_serving::protocol::inference::{
    InferParameter, InferTensorContents, ModelConfigRequest, ModelInferRequest,
    ModelMetadataRequest, ModelReadyRequest, RepositoryIndexRequest, RepositoryModelLoadRequest,
    RepositoryModelUnloadRequest, ServerLiveRequest, ServerMetadataRequest, ServerReadyRequest,
};
use tonic::Code;
use tonic::codec::CompressionEncoding;

fn input(name: &str, values: Vec<i32>) -> InferInputTensor {
    InferInputTensor {
        name: name.into(),
        datatype: "INT32".into(),
        shape: vec![1, 16],
        contents: Some(InferTensorContents {
            int_contents: values,
            ..InferTensorContents::default()
        }),
        ..InferInputTensor::default()
    }
}

fn typed() -> ModelInferRequest {
    ModelInferRequest {
        model_name: "simple".into(),
        id: "7".into(),
        inputs: vec![
            input("INPUT0", (0..16).collect()),
            input("INPUT1", vec![1; 16]),
        ],
        ..ModelInferRequest::default()
    }
}

fn raw() -> ModelInferRequest {
    let mut request = typed();
    for input in &mut request.inputs {
        let values = input.contents.take().unwrap().int_contents;
        let bytes: Vec<u8> = values.into_iter().flat_map(i32::to_le_bytes).collect();
        request.raw_input_contents.push(bytes.into());
    }
    request
}

#[tokio::test]
async fn the_server_describes_itself() {
    let server = Running::start(&[]).await;
    let mut client = server.inference().await;
    assert!(
        client
            .server_live(ServerLiveRequest {})
            .await
            .unwrap()
            .get_ref()
            .live
    );
    assert!(
        client
            .server_ready(ServerReadyRequest {})
            .await
            .unwrap()
            .get_ref()
            .ready
    );
    let metadata = client
        .server_metadata(ServerMetadataRequest {})
        .await
        .unwrap();
    assert_eq!(metadata.get_ref().name, "hush-server");
    let named = |name: &str| ModelReadyRequest {
        name: name.into(),
        version: String::new(),
    };
    assert!(
        client
            .model_ready(named("simple"))
            .await
            .unwrap()
            .get_ref()
            .ready
    );
    let refused = client.model_ready(named("none")).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);
    let request = ModelMetadataRequest {
        name: "sum-model".into(),
        version: "v1.2.3".into(),
    };
    let metadata = client.model_metadata(request).await.unwrap().into_inner();
    assert_eq!(metadata.versions, ["v1.2.3"]);
    assert_eq!(metadata.inputs[0].datatype, "FP32");
    let request = ModelConfigRequest {
        name: "simple".into(),
        version: String::new(),
    };
    let config = client
        .model_config(request)
        .await
        .unwrap()
        .into_inner()
        .config;
    assert_eq!(config.unwrap().input[0].dims, [-1, 16]);
}

#[tokio::test]
async fn tensors_travel_typed_and_raw() {
    let server = Running::start(&[]).await;
    let mut client = server.inference().await;
    let answer = client.model_infer(typed()).await.unwrap().into_inner();
    assert_eq!(
        (answer.id.as_str(), answer.raw_output_contents.len()),
        ("7", 0)
    );
    let sum = answer.outputs[0].contents.as_ref().unwrap();
    assert_eq!(sum.int_contents, (1..17).collect::<Vec<_>>());
    let answer = client.model_infer(raw()).await.unwrap().into_inner();
    assert_eq!(answer.raw_output_contents.len(), 2);
    assert_eq!(answer.raw_output_contents[1][..4], (-1_i32).to_le_bytes());
    let mut client = client
        .send_compressed(CompressionEncoding::Gzip)
        .accept_compressed(CompressionEncoding::Gzip);
    let answer = client.model_infer(raw()).await.unwrap();
    assert_eq!(answer.get_ref().raw_output_contents.len(), 2);
}

#[tokio::test]
async fn an_error_does_not_end_a_stream() {
    let server = Running::start(&[]).await;
    let mut client = server.inference().await;
    let broken = ModelInferRequest {
        id: "8".into(),
        inputs: Vec::new(),
        ..typed()
    };
    let wants_final = InferParameter {
        parameter_choice: Some(ParameterChoice::BoolParam(true)),
    };
    let last = ModelInferRequest {
        id: "9".into(),
        parameters: HashMap::from([("triton_enable_empty_final_response".into(), wants_final)]),
        ..raw()
    };
    let requests = tokio_stream::iter([typed(), broken, last]);
    let mut answers = client
        .model_stream_infer(requests)
        .await
        .unwrap()
        .into_inner();
    let mut told = Vec::new();
    while let Some(answer) = answers.message().await.unwrap() {
        let response = answer.infer_response.unwrap();
        told.push((response.id, answer.error_message, response.parameters.len()));
    }
    let error = "the request lacks the input `INPUT0`".to_owned();
    let expected = [
        ("7", String::new(), 0),
        ("8", error, 0),
        ("9", String::new(), 1),
    ];
    let expected = expected.map(|(id, error, parameters)| (id.to_owned(), error, parameters));
    assert_eq!(told, expected);
}

#[tokio::test]
async fn models_are_unloaded_and_loaded() {
    let server = Running::start(&[]).await;
    let mut client = server.inference().await;
    let index = client
        .repository_index(RepositoryIndexRequest::default())
        .await
        .unwrap();
    assert_eq!(index.get_ref().models.len(), 3);
    let request = RepositoryModelUnloadRequest {
        model_name: "simple".into(),
        ..RepositoryModelUnloadRequest::default()
    };
    client.repository_model_unload(request).await.unwrap();
    let refused = client.model_infer(raw()).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);
    // As KServe's client has it: the model's name in the first field.
    let request = RepositoryModelLoadRequest {
        repository_name: "simple".into(),
        ..RepositoryModelLoadRequest::default()
    };
    let loaded = client.repository_model_load(request).await.unwrap();
    assert!(loaded.get_ref().is_loaded);
    client.model_infer(raw()).await.unwrap();
}

#[tokio::test]
async fn keys_that_are_none_are_refused() {
    let server = Running::start(&[]).await;
    let mut client = KeysClient::new(server.channel().await);
    let request = GetClientRequest {
        model_name: "simple".into(),
        model_version: String::new(),
    };
    assert_eq!(
        client.get_client(request).await.unwrap_err().code(),
        Code::NotFound
    );
    let key_id = "00112233445566778899aabbccddeeff".to_owned();
    let request = KeyStatusRequest {
        key_id: key_id.clone(),
    };
    let status = client.key_status(request).await.unwrap().into_inner();
    assert_eq!((status.received, status.complete), (0, false));
    let part = UploadKeyRequest {
        key_id,
        offset: 0,
        total: 1000,
        data: Bytes::from(vec![7; 1000]),
    };
    let refused = client
        .upload_key(tokio_stream::iter([part]))
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument, "{refused:?}");
    for id in ["../../etc/passwd", "", "00112233445566778899AABBCCDDEEF"] {
        let request = KeyStatusRequest { key_id: id.into() };
        let refused = client.key_status(request).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{id}");
    }
}
