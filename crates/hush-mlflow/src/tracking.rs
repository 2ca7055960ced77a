//! A connection to a tracking server, and how it is asked.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;

use crate::{MlflowError, TrackingOptions};

/// Bytes that an answer other than an artifact may have.
const TEXT: usize = 64 << 20;
/// Longer than any refusal that is worth reading.
const LONGEST_MESSAGE: usize = 2048;
/// What stands for itself in a part of a path or query.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A body of a request or an answer, a piece at a time.
pub type Body = UnsyncBoxBody<Bytes, io::Error>;

/// A tracking server. Clones are handles of the same connections.
#[derive(Clone)]
pub struct Tracking(Arc<Inner>);

struct Inner {
    origin: String,
    account: Option<HeaderValue>,
    timeout: Duration,
    transport: Transport,
}

/// How requests travel.
enum Transport {
    Network(Box<Client<HttpsConnector<HttpConnector>, Body>>),
    Here(Box<Call>),
}

/// A server in this process: takes a request, gives an answer.
pub type Call =
    dyn Fn(Request<Body>) -> BoxFuture<'static, io::Result<Response<Body>>> + Send + Sync;

impl Tracking {
    /// Prepares connections; the first request opens one.
    ///
    /// # Errors
    /// If the address is none, or the certificates or the account cannot be used.
    pub fn new(options: &TrackingOptions) -> Result<Self, MlflowError> {
        let origin = origin(&options.uri)?;
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(options.timeout.min(Duration::from_secs(10))));
        let https = HttpsConnectorBuilder::new()
            .with_tls_config(tls(&origin, options.ca.as_deref())?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let connections = Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .build(https);
        Ok(Self(Arc::new(Inner {
            origin,
            account: account(options)?,
            timeout: options.timeout,
            transport: Transport::Network(Box::new(connections)),
        })))
    }

    /// A server in this process, which needs no account.
    #[must_use]
    pub fn here(call: Box<Call>) -> Self {
        Self(Arc::new(Inner {
            origin: String::new(),
            account: None,
            timeout: Duration::from_secs(120),
            transport: Transport::Here(call),
        }))
    }

    /// The server's address, without the last slash.
    #[must_use]
    pub fn address(&self) -> &str {
        match self.0.transport {
            Transport::Network(_) => &self.0.origin,
            Transport::Here(_) => "this server",
        }
    }

    /// `GET` below `/api/2.0/mlflow/`.
    pub(crate) async fn get(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<Value, MlflowError> {
        let pairs: Vec<_> = query
            .iter()
            .map(|(name, value)| format!("{name}={}", encoded(value)))
            .collect();
        let mark = if pairs.is_empty() { "" } else { "?" };
        let path = format!("/api/2.0/mlflow/{path}{mark}{}", pairs.join("&"));
        self.json(Method::GET, &path, None).await
    }

    /// `POST` below `/api/2.0/mlflow/`.
    pub(crate) async fn post(&self, path: &str, body: Value) -> Result<Value, MlflowError> {
        self.json(Method::POST, &format!("/api/2.0/mlflow/{path}"), Some(body))
            .await
    }

    /// `PATCH` below `/api/2.0/mlflow/`.
    pub(crate) async fn patch(&self, path: &str, body: Value) -> Result<Value, MlflowError> {
        self.json(
            Method::PATCH,
            &format!("/api/2.0/mlflow/{path}"),
            Some(body),
        )
        .await
    }

    pub(crate) async fn json(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Value, MlflowError> {
        let body = body
            .map(|body| body.to_string().into_bytes())
            .unwrap_or_default();
        let request = self
            .request(method, path)
            .header(CONTENT_TYPE, "application/json");
        let body = Full::new(Bytes::from(body))
            .map_err(|never| match never {})
            .boxed_unsync();
        let exchange = async {
            let answer = self.send(request, body).await?;
            let body = Limited::new(answer.into_body(), TEXT).collect().await;
            let body = body
                .map_err(|error| MlflowError::unreachable(self.address(), &*error))?
                .to_bytes();
            if body.is_empty() {
                return Ok(Value::Null);
            }
            serde_json::from_slice(&body).map_err(|error| self.unexpected(error.to_string()))
        };
        self.within(exchange).await
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> http::request::Builder {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.0.origin));
        match &self.0.account {
            Some(account) => request.header(AUTHORIZATION, account),
            None => request,
        }
    }

    /// Sends a request whose answer must be a success; redirections are none.
    pub(crate) async fn send(
        &self,
        request: http::request::Builder,
        body: Body,
    ) -> Result<Response<Body>, MlflowError> {
        let request = request
            .body(body)
            .map_err(|error| self.unexpected(error.to_string()))?;
        let answer = match &self.0.transport {
            Transport::Network(connections) => {
                let answer = connections.request(request).await;
                let answer =
                    answer.map_err(|error| MlflowError::unreachable(self.address(), &error))?;
                answer.map(|body| body.map_err(io::Error::other).boxed_unsync())
            }
            Transport::Here(call) => {
                let answer = call(request).await;
                answer.map_err(|error| MlflowError::unreachable(self.address(), &error))?
            }
        };
        if answer.status().is_success() {
            return Ok(answer);
        }
        let status = answer.status();
        let body = Limited::new(answer.into_body(), TEXT).collect().await;
        let body = body
            .map_err(|error| MlflowError::unreachable(self.address(), &*error))?
            .to_bytes();
        let said: Value = serde_json::from_slice(&body).unwrap_or_default();
        let text = |name: &str| {
            let text = said[name].as_str()?;
            Some(
                text.chars()
                    .filter(|c| !c.is_control())
                    .take(LONGEST_MESSAGE)
                    .collect::<String>(),
            )
        };
        Err(MlflowError::Refused {
            status: status.as_u16(),
            code: text("error_code").unwrap_or_else(|| format!("HTTP {}", status.as_u16())),
            message: text("message").unwrap_or_else(|| {
                status
                    .canonical_reason()
                    .unwrap_or("no reason given")
                    .to_owned()
            }),
        })
    }

    /// Waits as long as something small, or a piece of something large, may take.
    pub(crate) async fn within<T>(
        &self,
        work: impl Future<Output = Result<T, MlflowError>>,
    ) -> Result<T, MlflowError> {
        let limit = self.0.timeout;
        tokio::time::timeout(limit, work).await.unwrap_or_else(|_| {
            Err(MlflowError::Timeout {
                server: self.address().to_owned(),
                limit,
            })
        })
    }

    pub(crate) fn unexpected(&self, reason: impl Into<String>) -> MlflowError {
        MlflowError::Answer {
            server: self.address().to_owned(),
            reason: reason.into(),
        }
    }

    /// A text that an answer must have.
    pub(crate) fn text(&self, value: &Value, what: &str) -> Result<String, MlflowError> {
        let text = value.as_str().filter(|text| !text.is_empty());
        text.map(str::to_owned)
            .ok_or_else(|| self.unexpected(format!("it does not say the {what}")))
    }
}

/// A part of a path or query as URLs have it.
pub(crate) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, PLAIN).to_string()
}

fn origin(uri: &str) -> Result<String, MlflowError> {
    let wrong = |reason| MlflowError::Address {
        uri: uri.to_owned(),
        reason,
    };
    let text = uri.trim().trim_end_matches('/');
    let parsed: http::Uri = text.parse().map_err(|_| wrong("it is no URL"))?;
    if !matches!(parsed.scheme_str(), Some("http" | "https")) {
        return Err(wrong("it does not begin with http:// or https://"));
    }
    let authority = parsed
        .authority()
        .ok_or_else(|| wrong("it names no host"))?;
    if authority.as_str().contains('@') {
        return Err(wrong(
            "accounts are not part of it; use MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD",
        ));
    }
    if parsed.query().is_some() {
        return Err(wrong("it has a query"));
    }
    Ok(text.to_owned())
}

fn account(options: &TrackingOptions) -> Result<Option<HeaderValue>, MlflowError> {
    let (name, text) = match (&options.account, &options.token) {
        (Some((name, password)), _) => (
            "MLFLOW_TRACKING_PASSWORD",
            format!(
                "Basic {}",
                STANDARD.encode(format!("{name}:{}", **password))
            ),
        ),
        (None, Some(token)) => ("MLFLOW_TRACKING_TOKEN", format!("Bearer {}", **token)),
        (None, None) => return Ok(None),
    };
    let mut value = HeaderValue::try_from(text).map_err(|_| MlflowError::Setting {
        name: name.to_owned(),
        reason: "it has characters that cannot be sent".to_owned(),
    })?;
    value.set_sensitive(true);
    Ok(Some(value))
}

fn tls(origin: &str, ca: Option<&Path>) -> Result<ClientConfig, MlflowError> {
    let wrong = |name: String, reason: String| MlflowError::Setting { name, reason };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong("TLS".to_owned(), error.to_string()))?;
    let builder = match ca {
        Some(path) => {
            let about = |reason: String| wrong(path.display().to_string(), reason);
            let read = CertificateDer::pem_file_iter(path)
                .and_then(Iterator::collect::<Result<Vec<_>, _>>);
            let chain = read.map_err(|error| about(error.to_string()))?;
            if chain.is_empty() {
                return Err(about("it holds no certificate in PEM".to_owned()));
            }
            let mut roots = RootCertStore::empty();
            for certificate in chain {
                roots
                    .add(certificate)
                    .map_err(|error| about(error.to_string()))?;
            }
            builder.with_root_certificates(roots)
        }
        // Reading the system's certificates takes a while.
        None if origin.starts_with("http:") => {
            builder.with_root_certificates(RootCertStore::empty())
        }
        None => {
            let system = builder.with_native_roots();
            system
                .map_err(|error| wrong("the system's certificates".to_owned(), error.to_string()))?
        }
    };
    Ok(builder.with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        assert_eq!(
            origin("http://127.0.0.1:5000/").unwrap(),
            "http://127.0.0.1:5000"
        );
        assert_eq!(
            origin("https://example.org/mlflow").unwrap(),
            "https://example.org/mlflow"
        );
        for (uri, reason) in [
            ("databricks", "does not begin"),
            ("sqlite:///mlflow.db", "does not begin"),
            ("http://ada:secret@host", "MLFLOW_TRACKING_USERNAME"),
            ("http://host?x", "query"),
        ] {
            let error = origin(uri).unwrap_err().to_string();
            assert!(
                error.contains(reason) || error.contains("no URL"),
                "{uri}: {error}"
            );
        }
    }

    #[test]
    fn accounts_are_not_shown() {
        let mut options = TrackingOptions::new("http://h");
        options.account = Some(("ada".into(), "secret".to_owned().into()));
        let value = account(&options).unwrap().unwrap();
        assert_eq!(value, "Basic YWRhOnNlY3JldA==");
        assert_eq!(format!("{value:?}"), "Sensitive");
        options.account = None;
        options.token = Some("a\nb".to_owned().into());
        assert!(
            account(&options)
                .unwrap_err()
                .to_string()
                .contains("MLFLOW_TRACKING_TOKEN")
        );
    }
}
