//! A server over HTTP.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderName};
use http::request::Builder;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited, StreamBody};
use serde_json::{Value, json};

use super::failure::{of_http, unanswered};
use super::{
    CIPHERTEXTS, KeyStatus, ModelMetadata, ModelName, ModelStatus, Part, ServerStatus,
    TensorMetadata, Transport, tensors,
};
use crate::address::Address;
use crate::tls::{Connections, connections};
use crate::{ConnectOptions, Refusal, RemoteError};

/// Bytes of the JSON when tensors follow it.
const JSON_LENGTH: HeaderName = HeaderName::from_static("inference-header-content-length");
/// Bytes that an answer in text may have.
const TEXT: usize = 64 << 20;
/// Bytes that any answer may have.
const LARGEST: usize = 4 << 30;

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// A server over HTTP.
pub(super) struct Rest {
    server: String,
    origin: String,
    token: Option<HeaderValue>,
    connections: Connections<Body>,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Rest {
    pub(super) fn new(
        address: &Address,
        options: &ConnectOptions,
        token: Option<HeaderValue>,
    ) -> Result<Self, RemoteError> {
        Ok(Self {
            server: address.shown.clone(),
            origin: address.origin.clone(),
            token,
            connections: connections(address, options)?,
        })
    }

    fn request(&self, method: Method, path: &str) -> Builder {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.origin));
        match &self.token {
            Some(token) => request.header(AUTHORIZATION, token),
            None => request,
        }
    }

    /// Sends a request and takes the answer, whatever its status.
    async fn exchange(
        &self,
        request: Builder,
        body: Body,
        largest: usize,
    ) -> Result<Answer, RemoteError> {
        let request = request
            .body(body)
            .map_err(|error| self.unexpected(error.to_string()))?;
        let answer = self.connections.request(request).await;
        let (parts, body) = answer
            .map_err(|error| unanswered(&self.server, &error))?
            .into_parts();
        let limit = if parts.status.is_success() {
            largest
        } else {
            TEXT
        };
        let body = Limited::new(body, limit).collect().await;
        let body = body.map_err(|error| unanswered(&self.server, &*error))?;
        Ok(Answer {
            status: parts.status,
            headers: parts.headers,
            body: body.to_bytes(),
        })
    }

    /// As [`Rest::exchange`], for an answer that must be a success.
    async fn succeed(
        &self,
        request: Builder,
        body: Body,
        largest: usize,
    ) -> Result<Answer, RemoteError> {
        let answer = self.exchange(request, body, largest).await?;
        if answer.status.is_success() {
            return Ok(answer);
        }
        Err(of_http(answer.status, &answer.headers, &answer.body))
    }

    async fn json(&self, method: Method, path: &str) -> Result<Value, RemoteError> {
        let answer = self
            .succeed(self.request(method, path), empty(), TEXT)
            .await?;
        self.parse(&answer.body)
    }

    fn parse(&self, body: &[u8]) -> Result<Value, RemoteError> {
        serde_json::from_slice(body).map_err(|error| self.unexpected(error.to_string()))
    }

    fn unexpected(&self, reason: impl Into<String>) -> RemoteError {
        RemoteError::Answer {
            server: self.server.clone(),
            reason: reason.into(),
        }
    }

    fn key(&self, body: &[u8]) -> Result<KeyStatus, RemoteError> {
        let said = self.parse(body)?;
        let key = || {
            Some(KeyStatus {
                id: said["id"].as_str()?.to_owned(),
                complete: said["state"] == "complete",
                offset: said["offset"].as_u64()?,
                total: said["total"].as_u64()?,
                owner: text(&said["owner"]),
                expires: said["expires"].as_u64(),
            })
        };
        key().ok_or_else(|| self.unexpected("it does not say how much of the key is there"))
    }
}

#[tonic::async_trait]
impl Transport for Rest {
    async fn server(&self) -> Result<ServerStatus, RemoteError> {
        let request = self.request(Method::GET, "/v2/health/ready");
        let ready = self.exchange(request, empty(), TEXT).await?;
        let ready = match ready.status {
            StatusCode::OK => true,
            StatusCode::SERVICE_UNAVAILABLE => false,
            status => return Err(of_http(status, &ready.headers, &ready.body)),
        };
        let about = self.json(Method::GET, "/v2").await?;
        Ok(ServerStatus {
            name: text(&about["name"]),
            version: text(&about["version"]),
            ready,
        })
    }

    async fn index(&self) -> Result<Vec<ModelStatus>, RemoteError> {
        let index = self.json(Method::POST, "/v2/repository/index").await?;
        let models = index
            .as_array()
            .ok_or_else(|| self.unexpected("its index is no list"))?;
        let models = models.iter().map(|model| ModelStatus {
            name: text(&model["name"]),
            version: text(&model["version"]),
            state: text(&model["state"]),
            reason: text(&model["reason"]),
        });
        Ok(models.collect())
    }

    async fn metadata(&self, model: &ModelName) -> Result<ModelMetadata, RemoteError> {
        let said = self.json(Method::GET, &path("v2", model, "")).await?;
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let tensors = |value: &Value| {
            let tensor = |tensor: &Value| TensorMetadata {
                name: text(&tensor["name"]),
                data_type: text(&tensor["datatype"]),
                shape: list(&tensor["shape"])
                    .iter()
                    .filter_map(Value::as_i64)
                    .collect(),
            };
            list(value).iter().map(tensor).collect()
        };
        let properties = said["parameters"].as_object().into_iter().flatten();
        Ok(ModelMetadata {
            name: text(&said["name"]),
            versions: list(&said["versions"]).iter().map(text).collect(),
            platform: text(&said["platform"]),
            inputs: tensors(&said["inputs"]),
            outputs: tensors(&said["outputs"]),
            properties: properties
                .map(|(name, value)| (name.clone(), text(value)))
                .collect(),
        })
    }

    async fn client_file(&self, model: &ModelName) -> Result<Bytes, RemoteError> {
        let request = self.request(Method::GET, &path("v1", model, "/client"));
        Ok(self.succeed(request, empty(), LARGEST).await?.body)
    }

    async fn key_status(&self, id: &str) -> Result<Option<KeyStatus>, RemoteError> {
        let request = self.request(Method::GET, &format!("/v1/keys/{}", encoded(id)));
        match self.succeed(request, empty(), TEXT).await {
            Ok(answer) => self.key(&answer.body).map(Some),
            Err(error) if error.refusal() == Some(Refusal::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn upload(&self, part: Part) -> Result<KeyStatus, RemoteError> {
        let Part {
            id,
            offset,
            length,
            total,
            mut data,
        } = part;
        let last = (offset + length).saturating_sub(1);
        let request = self
            .request(Method::PUT, &format!("/v1/keys/{}", encoded(&id)))
            .header(CONTENT_TYPE, "application/octet-stream")
            .header(CONTENT_LENGTH, length)
            .header(CONTENT_RANGE, format!("bytes {offset}-{last}/{total}"));
        let frames = stream::poll_fn(move |context| data.poll_recv(context));
        let frames = frames.map(|data| Ok::<_, Infallible>(Frame::data(data)));
        let body = StreamBody::new(frames).boxed_unsync();
        let answer = self.succeed(request, body, TEXT).await?;
        self.key(&answer.body)
    }

    async fn delete_key(&self, id: &str) -> Result<(), RemoteError> {
        let request = self.request(Method::DELETE, &format!("/v1/keys/{}", encoded(id)));
        self.succeed(request, empty(), TEXT).await.map(|_| ())
    }

    async fn infer(
        &self,
        model: &ModelName,
        file: Bytes,
        deadline: Duration,
    ) -> Result<Bytes, RemoteError> {
        let prefix = tensors::prefix(file.len());
        let prefix = prefix.ok_or_else(|| self.unexpected("a tensor has less than 4 GiB"))?;
        let size = prefix.len() + file.len();
        let header = json!({
            "parameters": {
                "binary_data_output": true,
                "timeout": u64::try_from(deadline.as_micros()).unwrap_or(u64::MAX),
            },
            "inputs": [{
                "name": CIPHERTEXTS,
                "datatype": "BYTES",
                "shape": [1],
                "parameters": { "binary_data_size": size },
            }],
        });
        let header = header.to_string();
        let request = self
            .request(Method::POST, &path("v2", model, "/infer"))
            .header(CONTENT_TYPE, "application/octet-stream")
            .header(CONTENT_LENGTH, header.len() + size)
            .header(JSON_LENGTH, header.len());
        let start = [header.as_bytes(), &prefix].concat().into();
        let frames = [start, file].map(|data| Ok::<_, Infallible>(Frame::data(data)));
        let body = StreamBody::new(stream::iter(frames)).boxed_unsync();
        let answer = self.succeed(request, body, LARGEST).await?;
        let length = answer.headers.get(JSON_LENGTH);
        let length = length.and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
        let split = length.filter(|&length| length <= answer.body.len());
        let file = split.and_then(|split| tensors::only_string(answer.body.slice(split..)));
        file.ok_or_else(|| self.unexpected(tensors::NO_CIPHERTEXTS))
    }

    async fn metrics(&self) -> Result<String, RemoteError> {
        let request = self.request(Method::GET, "/metrics");
        let answer = self.succeed(request, empty(), TEXT).await?;
        String::from_utf8(answer.body.into()).map_err(|error| self.unexpected(error.to_string()))
    }
}

fn empty() -> Body {
    Full::default().boxed_unsync()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The path of something about a model.
fn path(root: &str, model: &ModelName, what: &str) -> String {
    let version = match &model.version {
        Some(version) => format!("/versions/{}", encoded(version)),
        None => String::new(),
    };
    format!("/{root}/models/{}{version}{what}", encoded(&model.name))
}

/// A part of a path, whatever somebody typed.
fn encoded(segment: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    segment
        .bytes()
        .map(|byte| match plain(byte) {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_stays_one_part_of_the_path() {
        let mut model = ModelName {
            name: "a/b?é".into(),
            version: None,
        };
        assert_eq!(
            path("v2", &model, "/infer"),
            "/v2/models/a%2Fb%3F%C3%A9/infer"
        );
        model.version = Some("2".into());
        assert_eq!(
            path("v1", &model, ""),
            "/v1/models/a%2Fb%3F%C3%A9/versions/2"
        );
    }
}
