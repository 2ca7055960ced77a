//! The protocol over HTTP, with models on plain tensors.

use std::io::Write;

use crate::support::Running;
use axum::body::Body;
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

fn simple() -> Value {
    let data: Vec<i32> = (0..16).collect();
    json!({
        "id": "42",
        "inputs": [
            {"name": "INPUT0", "shape": [1, 16], "datatype": "INT32", "data": [data]},
            {"name": "INPUT1", "shape": [1, 16], "datatype": "INT32", "data": vec![1; 16]},
        ],
    })
}

#[tokio::test]
async fn the_server_describes_itself() {
    let server = Running::start(&[]).await;
    assert_eq!(
        server.get("/v2/health/live").await.json(),
        json!({"live": true})
    );
    assert_eq!(
        server.get("/v2/health/ready").await.json(),
        json!({"ready": true})
    );
    assert_eq!(server.get("/v2").await.json()["name"], "hush-server");
    assert_eq!(
        server.get("/v2/models").await.json(),
        json!({"models": ["simple", "simple_string", "sum-model"]})
    );
    let metadata = server.get("/v2/models/simple").await.json();
    assert_eq!(
        metadata["inputs"][0],
        json!({"name": "INPUT0", "datatype": "INT32", "shape": [-1, 16]})
    );
    let versioned = server
        .get("/v2/models/sum-model/versions/v1.2.3/ready")
        .await;
    assert_eq!(
        versioned.json(),
        json!({"name": "sum-model", "ready": true})
    );
    let index = server
        .post("/v2/repository/index", Body::empty())
        .await
        .json();
    assert_eq!(index.as_array().unwrap().len(), 3);
    assert_eq!(index[0]["state"], "READY");
    assert!(server.stop().await);
}

#[tokio::test]
async fn tensors_travel_in_json() {
    let server = Running::start(&[]).await;
    let answer = server
        .post("/v2/models/simple/infer", simple().to_string())
        .await;
    let answer = answer.json();
    assert_eq!(answer["id"], "42");
    assert_eq!(answer["model_version"], "1");
    assert_eq!(answer["outputs"][0]["data"][15], 16);
    assert_eq!(answer["outputs"][1]["data"][0], -1);
    let strings = json!({"inputs": [
        {"name": "INPUT0", "shape": [1, 16], "datatype": "BYTES", "data": vec!["5"; 16]},
        {"name": "INPUT1", "shape": [1, 16], "datatype": "BYTES", "data": vec!["7"; 16]},
    ], "outputs": [{"name": "OUTPUT1"}]});
    let answer = server
        .post("/v2/models/simple_string/infer", strings.to_string())
        .await
        .json();
    assert_eq!(answer["outputs"].as_array().unwrap().len(), 1);
    assert_eq!(answer["outputs"][0]["data"][3], "-2");
}

#[tokio::test]
async fn tensors_travel_behind_json() {
    let server = Running::start(&[]).await;
    let header = json!({"inputs": [
        {"name": "INPUT0", "shape": [1, 16], "datatype": "INT32", "parameters": {"binary_data_size": 64}},
        {"name": "INPUT1", "shape": [1, 16], "datatype": "INT32", "parameters": {"binary_data_size": 64}},
    ], "parameters": {"binary_data_output": true}})
    .to_string();
    let mut body = header.clone().into_bytes();
    body.extend(7_i32.to_le_bytes().repeat(16));
    body.extend(2_i32.to_le_bytes().repeat(16));
    let request = server
        .request(Method::POST, "/v2/models/simple/infer")
        .header("inference-header-content-length", header.len());
    let answer = server.send(request.body(body.into()).unwrap()).await;
    assert_eq!(answer.status, StatusCode::OK);
    let length = answer.headers["inference-header-content-length"]
        .to_str()
        .unwrap();
    let (json, raw) = answer.body.split_at(length.parse().unwrap());
    let json: Value = serde_json::from_slice(json).unwrap();
    assert_eq!(json["outputs"][0]["parameters"]["binary_data_size"], 64);
    assert_eq!(
        raw,
        [
            9_i32.to_le_bytes().repeat(16),
            5_i32.to_le_bytes().repeat(16)
        ]
        .concat()
    );
}

#[tokio::test]
async fn bodies_may_be_compressed() {
    let server = Running::start(&[]).await;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(simple().to_string().as_bytes()).unwrap();
    let request = server
        .request(Method::POST, "/v2/models/simple/infer")
        .header("content-encoding", "gzip")
        .body(encoder.finish().unwrap().into());
    assert_eq!(server.send(request.unwrap()).await.status, StatusCode::OK);
}

#[tokio::test]
async fn every_refusal_is_json() {
    let server = Running::start(&[]).await;
    let cases = [
        (
            server.get("/nowhere").await,
            404,
            "there is nothing at `/nowhere`",
        ),
        (
            server.get("/v2/models/none").await,
            404,
            "there is no model `none`",
        ),
        (
            server.get("/v2/models/%ff").await,
            400,
            "the path is not UTF-8",
        ),
        (
            server.post("/v2", "").await,
            405,
            "`/v2` does not take POST",
        ),
        (
            server.post("/v2/models/simple/infer", "{").await,
            400,
            "the request is not as the protocol has it: EOF while parsing an object at line 1 column 1",
        ),
        (
            server
                .post("/v2/models/simple/infer", r#"{"inputs": []}"#)
                .await,
            400,
            "the request lacks the input `INPUT0`",
        ),
    ];
    for (answer, status, error) in cases {
        assert_eq!(answer.status.as_u16(), status, "{answer:?}");
        assert_eq!(answer.error(), error);
    }
}

#[tokio::test]
async fn models_are_unloaded_and_loaded() {
    let server = Running::start(&[]).await;
    let unknown = server.post("/v2/repository/models/none/load", "").await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    let unloaded = server
        .post("/v2/repository/models/simple/unload", "{}")
        .await;
    assert_eq!(unloaded.status, StatusCode::OK, "{unloaded:?}");
    assert_eq!(
        server.get("/v2/models/simple").await.status,
        StatusCode::NOT_FOUND
    );
    let loaded = server.post("/v2/repository/models/simple/load", "").await;
    assert_eq!(loaded.status, StatusCode::OK, "{loaded:?}");
    assert_eq!(server.get("/v2/models/simple").await.status, StatusCode::OK);
}

#[tokio::test]
async fn metrics_are_shown() {
    let server = Running::start(&[]).await;
    server
        .post("/v2/models/simple/infer", simple().to_string())
        .await;
    let page = server.get("/metrics").await;
    let text = String::from_utf8(page.body.to_vec()).unwrap();
    assert!(
        text.contains("hush_requests_total{model=\"simple\",outcome=\"answered\"} 1\n"),
        "{text}"
    );
    assert!(
        text.contains("hush_connections{protocol=\"http\"} 1\n"),
        "{text}"
    );
    assert!(
        text.contains("hush_answers_total{protocol=\"http\",status=\"200\"} 1\n"),
        "{text}"
    );
}

#[tokio::test]
async fn requests_have_numbers() {
    let server = Running::start(&[]).await;
    let request = server
        .request(Method::GET, "/v2")
        .header("x-request-id", "mine-1");
    let answer = server.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.headers["x-request-id"], "mine-1");
    let request = server
        .request(Method::GET, "/v2")
        .header("x-request-id", "no {good}");
    let answer = server.send(request.body(Body::empty()).unwrap()).await;
    assert_ne!(answer.headers["x-request-id"], "no {good}");
}

#[tokio::test]
async fn pages_of_other_machines_are_refused() {
    let server = Running::start(&[]).await;
    let request = server
        .request(Method::GET, "/v2")
        .header("host", "evil.example");
    let answer = server.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert_eq!(
        answer.error(),
        "without accounts the server answers to localhost only"
    );
}
