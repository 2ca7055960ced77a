//! What the protocol costs: requests a second and their latencies with a model of one addition.
//!
//! `overhead HTTP GRPC [SECONDS [KEYS]]` asks a server that runs with `--demo-models`, over one connection and over
//! sixteen, one request at a time on each; then it uploads KEYS, a file of evaluation keys of id 0202…

use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::Request;
use bytes::Bytes;
use http_body_util::BodyExt;
use hush_serving::protocol::hush::UploadKeyRequest;
use hush_serving::protocol::hush::keys_client::KeysClient;
use hush_serving::protocol::inference::ModelInferRequest;
use hush_serving::protocol::inference::grpc_inference_service_client::GrpcInferenceServiceClient;
use hush_serving::protocol::inference::model_infer_request::InferInputTensor;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::json;
use tonic::transport::{Channel, Endpoint};

/// Bytes of a part of an upload.
const PART: usize = 1 << 20;

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let (Some(http), Some(grpc)) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: overhead HTTP GRPC [SECONDS [KEYS]]");
        return;
    };
    let seconds = arguments.next().and_then(|text| text.parse().ok());
    let time = Duration::from_secs(seconds.unwrap_or(5));
    println!("protocol  connections  requests/s   p50 ms   p99 ms");
    for connections in [1, 16] {
        let latencies = together(connections, |_| rest(http.clone(), time)).await;
        report("REST", connections, latencies, time);
        let latencies = together(connections, |_| call(grpc.clone(), time)).await;
        report("gRPC", connections, latencies, time);
    }
    if let Some(path) = arguments.next() {
        let file = Bytes::from(std::fs::read(path).expect("a file of keys"));
        let megabytes = file.len() as f64 / 1e6;
        let begun = Instant::now();
        upload(&grpc, file).await;
        let rate = megabytes / begun.elapsed().as_secs_f64();
        println!("gRPC upload of {megabytes:.0} MB: {rate:.0} MB/s");
    }
}

async fn upload(address: &str, file: Bytes) {
    let first = UploadKeyRequest {
        key_id: "02".repeat(16),
        total: file.len() as u64,
        ..UploadKeyRequest::default()
    };
    let parts = (0..file.len())
        .step_by(PART)
        .map(move |start| UploadKeyRequest {
            data: file.slice(start..file.len().min(start + PART)),
            ..UploadKeyRequest::default()
        });
    let parts = tokio_stream::iter(std::iter::once(first).chain(parts));
    let mut client = KeysClient::new(channel(address).await);
    let status = client.upload_key(parts).await.expect("an answer");
    assert!(status.get_ref().complete);
}

async fn channel(address: &str) -> Channel {
    let endpoint = Endpoint::try_from(format!("http://{address}"));
    endpoint
        .expect("an address")
        .connect()
        .await
        .expect("a connection")
}

async fn together<F: Future<Output = Vec<Duration>> + Send + 'static>(
    connections: usize,
    run: impl Fn(usize) -> F,
) -> Vec<Duration> {
    let tasks: Vec<_> = (0..connections)
        .map(|index| tokio::spawn(run(index)))
        .collect();
    let mut latencies = Vec::new();
    for task in tasks {
        latencies.extend(task.await.expect("a connection failed"));
    }
    latencies
}

fn report(protocol: &str, connections: usize, mut latencies: Vec<Duration>, time: Duration) {
    latencies.sort_unstable();
    let at = |share: f64| {
        let index = (latencies.len() as f64 * share) as usize;
        latencies[index.min(latencies.len() - 1)].as_secs_f64() * 1e3
    };
    let rate = latencies.len() as f64 / time.as_secs_f64();
    println!(
        "{protocol:<8}  {connections:>11}  {rate:>10.0}  {:>7.3}  {:>7.3}",
        at(0.5),
        at(0.99)
    );
}

async fn rest(address: String, time: Duration) -> Vec<Duration> {
    let client: Client<_, Body> = Client::builder(TokioExecutor::new()).build_http();
    let tensor = |name: &str| json!({"name": name, "shape": [1, 16], "datatype": "INT32", "data": vec![1; 16]});
    let body = json!({"inputs": [tensor("INPUT0"), tensor("INPUT1")]}).to_string();
    let address = format!("http://{address}/v2/models/simple/infer");
    let (begun, mut latencies) = (Instant::now(), Vec::new());
    while begun.elapsed() < time {
        let request = Request::post(&address).body(body.clone().into());
        let sent = Instant::now();
        let response = client
            .request(request.expect("a request"))
            .await
            .expect("an answer");
        assert!(response.status().is_success(), "{response:?}");
        response
            .into_body()
            .collect()
            .await
            .expect("a whole answer");
        latencies.push(sent.elapsed());
    }
    latencies
}

async fn call(address: String, time: Duration) -> Vec<Duration> {
    let mut client = GrpcInferenceServiceClient::new(channel(&address).await);
    let input = |name: &str| InferInputTensor {
        name: name.into(),
        datatype: "INT32".into(),
        shape: vec![1, 16],
        ..InferInputTensor::default()
    };
    let request = ModelInferRequest {
        model_name: "simple".into(),
        inputs: vec![input("INPUT0"), input("INPUT1")],
        raw_input_contents: vec![vec![1; 64].into(); 2],
        ..ModelInferRequest::default()
    };
    let (begun, mut latencies) = (Instant::now(), Vec::new());
    while begun.elapsed() < time {
        let sent = Instant::now();
        client
            .model_infer(request.clone())
            .await
            .expect("an answer");
        latencies.push(sent.elapsed());
    }
    latencies
}
