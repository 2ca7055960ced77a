//! An encrypted model over both protocols: key up, ciphertext in, ciphertext out, decrypted.

use crate::common::{Sandbox, User};
use crate::support::Running;
use axum::body::Body;
use axum::http::{Method, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{Buf, Bytes};
use hush_serving::protocol::hush::keys_client::KeysClient;
use hush_serving::protocol::hush::{
    DeleteKeyRequest, GetClientRequest, KeyStatusRequest, ListKeysRequest, UploadKeyRequest,
};
use hush_serving::protocol::inference::infer_parameter::ParameterChoice;
use hush_serving::protocol::inference::model_infer_request::InferInputTensor;
use hush_serving::protocol::inference::{ModelInferRequest, ModelMetadataRequest};
use hush_serving::{CIPHERTEXTS, InferResponse};
use serde_json::json;
use tonic::Code;

const VALUES: [f64; 3] = [0.5, -1.0, 1.5];

struct Scene {
    server: Running,
    user: User,
    _sandbox: Sandbox,
}

async fn scene() -> Scene {
    let (sandbox, spec) = Sandbox::with_square();
    let models = sandbox.path("models");
    let server = Running::start(&[("models", models.to_str().unwrap())]).await;
    let user = User::new("local", &spec);
    Scene {
        server,
        user,
        _sandbox: sandbox,
    }
}

fn check(user: &User, file: Bytes) {
    let response = InferResponse {
        model: "square".into(),
        version: "1".into(),
        id: String::new(),
        outputs: vec![crate::common::ciphertexts(file)],
    };
    user.check(&response, &VALUES, 0.25);
}

fn length_prefixed(file: &Bytes) -> Bytes {
    let length = u32::try_from(file.len()).unwrap();
    [&length.to_le_bytes()[..], file].concat().into()
}

fn grpc_request(user: &User) -> ModelInferRequest {
    ModelInferRequest {
        model_name: "square".into(),
        inputs: vec![InferInputTensor {
            name: CIPHERTEXTS.into(),
            datatype: "BYTES".into(),
            shape: vec![1],
            ..InferInputTensor::default()
        }],
        raw_input_contents: vec![length_prefixed(&user.encrypt(&VALUES))],
        ..ModelInferRequest::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_grpc() {
    let Scene {
        server,
        user,
        _sandbox,
    } = scene().await;
    let mut keys = KeysClient::new(server.channel().await);
    let request = GetClientRequest {
        model_name: "square".into(),
        model_version: String::new(),
    };
    let client_file = keys
        .get_client(request)
        .await
        .unwrap()
        .into_inner()
        .client_file;
    assert!(client_file.starts_with(b"HUSH"), "{client_file:?}");

    let mut inference = server.inference().await;
    let refused = inference
        .model_infer(grpc_request(&user))
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument, "{refused:?}");

    // The first upload breaks off in the middle, the second goes on.
    let (key_id, file) = (user.key_id(), &user.evaluation);
    let part = |offset: usize, end: usize| {
        let key_id = key_id.clone();
        let first = UploadKeyRequest {
            key_id,
            offset: offset as u64,
            total: file.len() as u64,
            data: Bytes::new(),
        };
        let rest: Vec<_> = file[offset..end]
            .chunks(50_000)
            .map(|data| UploadKeyRequest {
                data: Bytes::copy_from_slice(data),
                ..UploadKeyRequest::default()
            })
            .collect();
        tokio_stream::iter(std::iter::once(first).chain(rest))
    };
    let half = file.len() / 2;
    let status = keys.upload_key(part(0, half)).await.unwrap().into_inner();
    assert!(!status.complete);
    let request = KeyStatusRequest {
        key_id: key_id.clone(),
    };
    let received = keys
        .key_status(request)
        .await
        .unwrap()
        .into_inner()
        .received;
    assert_eq!(received, half as u64);
    let refused = keys
        .upload_key(part(half + 1, file.len()))
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    let status = keys.upload_key(part(half, file.len())).await.unwrap();
    assert!(status.get_ref().complete);
    let listed = keys
        .list_keys(ListKeysRequest {})
        .await
        .unwrap()
        .into_inner()
        .keys;
    assert_eq!(
        (listed.len(), listed[0].key_id.as_str()),
        (1, key_id.as_str())
    );

    let request = ModelMetadataRequest {
        name: "square".into(),
        version: String::new(),
    };
    let metadata = inference
        .model_metadata(request)
        .await
        .unwrap()
        .into_inner();
    let place = &metadata.inputs[0].parameters["hush.client"].parameter_choice;
    let expected = ParameterChoice::StringParam("/v1/models/square/client".into());
    assert_eq!(place.as_ref(), Some(&expected));

    let answer = inference
        .model_infer(grpc_request(&user))
        .await
        .unwrap()
        .into_inner();
    let mut raw = answer.raw_output_contents[0].clone();
    assert_eq!(raw.get_u32_le() as usize, raw.len());
    check(&user, raw);

    let mut broken = grpc_request(&user);
    let mut bytes = broken.raw_input_contents[0].to_vec();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    broken.raw_input_contents = vec![bytes.into()];
    let refused = inference.model_infer(broken).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument, "{refused:?}");

    keys.delete_key(DeleteKeyRequest { key_id }).await.unwrap();
    let refused = inference
        .model_infer(grpc_request(&user))
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument, "{refused:?}");
    assert!(server.stop().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_http() {
    let Scene {
        server,
        user,
        _sandbox,
    } = scene().await;
    let metadata = server.get("/v2/models/square").await.json();
    let place = metadata["parameters"]["hush.client"]
        .as_str()
        .unwrap()
        .to_owned();
    let client = server.get(&place).await;
    assert_eq!(client.status, StatusCode::OK);
    assert_eq!(client.headers["content-type"], "application/octet-stream");

    let path = format!("/v1/keys/{}", user.key_id());
    let file = &user.evaluation;
    assert_eq!(server.get(&path).await.status, StatusCode::NOT_FOUND);
    let (half, total) = (file.len() / 2, file.len());
    for (first, end, expected) in [
        (0, half, StatusCode::ACCEPTED),
        (half, total, StatusCode::OK),
    ] {
        let request = server
            .request(Method::PUT, &path)
            .header(
                "content-range",
                format!("bytes {first}-{}/{total}", end - 1),
            )
            .body(Body::from(file.slice(first..end)));
        let answer = server.send(request.unwrap()).await;
        assert_eq!(answer.status, expected, "{answer:?}");
        assert_eq!(answer.headers["upload-offset"], end.to_string());
        let request = server.request(Method::HEAD, &path).body(Body::empty());
        let answer = server.send(request.unwrap()).await;
        assert_eq!((answer.status, answer.body.len()), (expected, 0));
        assert_eq!(answer.headers["upload-offset"], end.to_string());
    }
    let listed = server.get("/v1/keys").await.json();
    assert_eq!(listed["keys"][0]["state"], "complete");

    let raw = length_prefixed(&user.encrypt(&VALUES));
    let header = json!({
        "inputs": [{"name": CIPHERTEXTS, "shape": [1], "datatype": "BYTES",
                    "parameters": {"binary_data_size": raw.len()}}],
        "parameters": {"binary_data_output": true},
    });
    let header = header.to_string();
    let body = [header.as_bytes(), &raw].concat();
    let request = server
        .request(Method::POST, "/v2/models/square/infer")
        .header("inference-header-content-length", header.len())
        .body(body.into());
    let answer = server.send(request.unwrap()).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let length = answer.headers["inference-header-content-length"]
        .to_str()
        .unwrap();
    let mut raw = answer.body.slice(length.parse::<usize>().unwrap()..);
    assert_eq!(raw.get_u32_le() as usize, raw.len());
    check(&user, raw);

    let body = json!({"inputs": [{
        "name": CIPHERTEXTS, "shape": [1], "datatype": "BYTES",
        "parameters": {"content_type": "base64"},
        "data": [STANDARD.encode(user.encrypt(&VALUES))],
    }]});
    let answer = server
        .post("/v2/models/square/infer", body.to_string())
        .await
        .json();
    let output = &answer["outputs"][0];
    assert_eq!(output["parameters"]["content_type"], "base64");
    let file = STANDARD
        .decode(output["data"][0].as_str().unwrap())
        .unwrap();
    check(&user, file.into());

    let request = server.request(Method::DELETE, &path).body(Body::empty());
    assert_eq!(
        server.send(request.unwrap()).await.status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(server.get(&path).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_key_goes_up_at_once() {
    let Scene {
        server,
        user,
        _sandbox,
    } = scene().await;
    let path = format!("/v1/keys/{}", user.key_id());
    let request = server
        .request(Method::PUT, &path)
        .body(Body::from(user.evaluation.clone()));
    let answer = server.send(request.unwrap()).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert_eq!(answer.json()["offset"], user.evaluation.len());
    let request = ModelInferRequest {
        inputs: Vec::new(),
        ..grpc_request(&user)
    };
    let mut inference = server.inference().await;
    let refused = inference.model_infer(request).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    let answer = inference.model_infer(grpc_request(&user)).await.unwrap();
    let raw = answer.get_ref().raw_output_contents[0].slice(4..);
    check(&user, raw);
}
