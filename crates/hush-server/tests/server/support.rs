//! A server in the process of the test, on loopback and ports that are free.
#![allow(dead_code)]

use std::net::SocketAddr;

use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use bytes::Bytes;
use http_body_util::BodyExt;
use hush_server::{Layers, Server, Settings};
use hush_serving::protocol::inference::grpc_inference_service_client::GrpcInferenceServiceClient;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tonic::transport::{Channel, Endpoint};

pub(crate) struct Running {
    pub(crate) http: SocketAddr,
    pub(crate) grpc: SocketAddr,
    pub(crate) folder: tempfile::TempDir,
    client: Client<HttpConnector, Body>,
    stop: tokio::sync::oneshot::Sender<()>,
    task: tokio::task::JoinHandle<bool>,
}

/// An answer with its whole body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    pub(crate) fn error(&self) -> String {
        self.json()["error"].as_str().unwrap().to_owned()
    }
}

impl Running {
    /// Starts a server with the demo models and these settings.
    pub(crate) async fn start(settings: &[(&str, &str)]) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), settings).await
    }

    /// [`Running::start`] with its keys in a folder that may have other files already.
    pub(crate) async fn start_in(folder: tempfile::TempDir, settings: &[(&str, &str)]) -> Self {
        let keys = folder.path().join("keys");
        let mut all = vec![
            ("http", "127.0.0.1:0"),
            ("grpc", "127.0.0.1:0"),
            ("demo-models", "true"),
            ("drain-timeout", "2s"),
            ("keys", keys.to_str().unwrap()),
        ];
        all.extend_from_slice(settings);
        let layers = all
            .into_iter()
            .fold(Layers::default(), |layers, (key, value)| {
                layers.with(key, value).unwrap()
            });
        let server = Server::open(Settings::new(&layers).unwrap()).await.unwrap();
        let (http, grpc) = (server.http().unwrap(), server.grpc().unwrap());
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let task = tokio::spawn(server.run(async move {
            let _ = stopped.await;
        }));
        Self {
            http,
            grpc,
            folder,
            client: Client::builder(TokioExecutor::new()).build_http(),
            stop,
            task,
        }
    }

    /// Stops it; whether every request had finished.
    pub(crate) async fn stop(self) -> bool {
        self.stop.send(()).unwrap();
        self.task.await.unwrap()
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> axum::http::request::Builder {
        Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.http))
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.client.request(request).await.unwrap();
        let (parts, body) = response.into_parts();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: body.collect().await.unwrap().to_bytes(),
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        let request = self.request(Method::GET, path).body(Body::empty());
        self.send(request.unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, body: impl Into<Body>) -> Answer {
        let request = self.request(Method::POST, path).body(body.into());
        self.send(request.unwrap()).await
    }

    pub(crate) async fn channel(&self) -> Channel {
        let endpoint = Endpoint::try_from(format!("http://{}", self.grpc)).unwrap();
        endpoint.connect().await.unwrap()
    }

    /// Whether gRPC answers.
    pub(crate) async fn inference_or_error(&self) -> Result<(), tonic::transport::Error> {
        let endpoint = Endpoint::try_from(format!("http://{}", self.grpc))?;
        endpoint.connect().await.map(|_| ())
    }

    pub(crate) async fn inference(&self) -> GrpcInferenceServiceClient<Channel> {
        let client = GrpcInferenceServiceClient::new(self.channel().await);
        client.max_decoding_message_size(usize::MAX)
    }
}
