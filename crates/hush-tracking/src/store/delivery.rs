//! Messages of webhooks, each signed.
//!
//! The server asks no address that a caller names: only administrators make webhooks, and only to hosts that the operator
//! lists in the settings.

use std::sync::OnceLock;
use std::time::Duration;

use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, Request, Uri};
use http_body_util::{BodyExt, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use ring::hmac;
use serde_json::{Value as Json, json};

use super::Tracking;
use crate::database::{Row, Session};
use crate::wire::WebhookEvent;
use crate::{ErrorCode, TrackingError, time};

type Result<T> = std::result::Result<T, TrackingError>;

/// How long an address may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often a message is sent that fails.
const ATTEMPTS: u32 = 3;
/// Bytes of an answer that are read.
const ANSWER: usize = 64 << 10;

/// Something that happened.
#[derive(Clone, Debug)]
pub(super) struct Happened {
    pub(super) event: WebhookEvent,
    pub(super) data: Json,
}

impl Happened {
    pub(super) fn new(entity: &str, action: &str, data: Json) -> Self {
        let (entity, action) = (entity.to_owned(), action.to_owned());
        Self {
            event: WebhookEvent { entity, action },
            data,
        }
    }
}

/// Sends messages to the hosts that are allowed.
pub(super) struct Sender {
    hosts: Vec<String>,
    client: OnceLock<Option<Client<HttpsConnector<HttpConnector>, Body>>>,
}

impl Sender {
    pub(super) fn new(hosts: &[String]) -> Result<Self> {
        let hosts: Vec<String> = hosts.iter().map(|host| host.to_ascii_lowercase()).collect();
        if hosts
            .iter()
            .any(|host| host.is_empty() || host == "." || host.contains('/'))
        {
            return Err(TrackingError::invalid(
                "a host for webhooks is a name such as hooks.example.com or .example.com",
            ));
        }
        Ok(Self {
            hosts,
            client: OnceLock::new(),
        })
    }

    /// Reads an address that messages may go to: with TLS, unless it is on this machine.
    pub(super) fn address(&self, url: &str) -> Result<Uri> {
        let refused = |reason: String| {
            TrackingError::invalid(format!("Invalid webhook URL '{url}': {reason}"))
        };
        let uri: Uri = url.parse().map_err(|error| refused(format!("{error}")))?;
        let host = uri.host().unwrap_or_default().to_ascii_lowercase();
        if uri
            .authority()
            .is_some_and(|authority| authority.as_str().contains('@'))
        {
            return Err(refused("it has a name and password in it".into()));
        }
        let allowed = self.hosts.iter().any(|allowed| {
            *allowed == host || allowed.starts_with('.') && host.ends_with(allowed.as_str())
        });
        if !allowed {
            return Err(refused(format!(
                "the host '{host}' is not among those that the operator allows (setting `webhook-hosts`)"
            )));
        }
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let local = bare == "localhost"
            || bare
                .parse::<std::net::IpAddr>()
                .is_ok_and(|address| address.is_loopback());
        match uri.scheme_str() {
            Some("https") => Ok(uri),
            Some("http") if local => Ok(uri),
            _ => Err(refused("it does not begin with https://".into())),
        }
    }

    pub(super) async fn send(&self, hook: &Target, message: &Message) -> Result<(u16, String)> {
        let uri = self.address(&hook.url)?;
        let client = self.client.get_or_init(|| {
            let builder = HttpsConnectorBuilder::new().with_native_roots().ok()?;
            let connector = builder.https_or_http().enable_http1().build();
            Some(Client::builder(TokioExecutor::new()).build(connector))
        });
        let client = client
            .as_ref()
            .ok_or_else(|| TrackingError::internal("webhooks", &"no certificates"))?;
        let request = message.request(uri, hook)?;
        let failed = |error: &dyn std::fmt::Display| {
            TrackingError::new(
                ErrorCode::TemporarilyUnavailable,
                format!("the webhook cannot be reached: {error}"),
            )
        };
        let exchange = async {
            let response = client
                .request(request)
                .await
                .map_err(|error| failed(&error))?;
            let status = response.status().as_u16();
            let body = Limited::new(response.into_body(), ANSWER).collect().await;
            let body = body.map(|body| String::from_utf8_lossy(&body.to_bytes()).into_owned());
            Ok((status, body.unwrap_or_default()))
        };
        match tokio::time::timeout(PATIENCE, exchange).await {
            Ok(result) => result,
            Err(error) => Err(failed(&error)),
        }
    }
}

/// Where a message goes.
#[derive(Clone, Debug)]
pub(super) struct Target {
    url: String,
    secret: Option<String>,
}

/// What is sent, the same however often: those who are told know a message by its number.
pub(super) struct Message {
    delivery: String,
    seconds: String,
    payload: String,
}

impl Message {
    pub(super) fn new(happened: &Happened) -> Result<Self> {
        let payload = json!({
            "entity": happened.event.entity.to_ascii_lowercase(),
            "action": happened.event.action.to_ascii_lowercase(),
            "timestamp": time::write_moment(time::now()),
            "data": happened.data,
        });
        Ok(Self {
            delivery: time::id()?,
            seconds: (time::now() / 1000).to_string(),
            payload: payload.to_string(),
        })
    }

    fn request(&self, uri: Uri, hook: &Target) -> Result<Request<Body>> {
        let mut request = Request::post(uri)
            .header("content-type", "application/json")
            .header("x-mlflow-delivery-id", &self.delivery)
            .header("x-mlflow-timestamp", &self.seconds);
        if let Some(secret) = &hook.secret {
            let signature = signature(secret, &self.delivery, &self.seconds, &self.payload);
            request = request.header("x-mlflow-signature", signature);
        }
        request
            .body(Body::from(self.payload.clone()))
            .map_err(|error| TrackingError::internal("a webhook", &error))
    }
}

/// HMAC-SHA256 of the message with its number and time, so that none can be repeated.
fn signature(secret: &str, delivery: &str, seconds: &str, payload: &str) -> HeaderValue {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, format!("{delivery}.{seconds}.{payload}").as_bytes());
    let text = format!("v1,{}", STANDARD.encode(tag));
    HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

impl Tracking {
    /// Tells all webhooks that wait for it. What they say does not matter to the caller.
    pub(super) async fn tell(&self, happened: Happened) {
        if self.0.webhooks.hosts.is_empty() {
            return;
        }
        let name = format!("{}.{}", happened.event.entity, happened.event.action);
        let work = move |session: &mut Session<'_>| {
            let targets = session.query(
                "SELECT url, secret, events FROM webhooks WHERE active = 1",
                &[],
                |row| Ok((target(row)?, row.text(2)?)),
            )?;
            let waits = |events: &str| events.split(',').any(|event| event == name);
            Ok(targets
                .into_iter()
                .filter(|(_, events)| waits(events))
                .map(|(target, _)| target)
                .collect())
        };
        let targets: Vec<Target> = match self.database().read(work).await {
            Ok(targets) => targets,
            Err(_) => return,
        };
        for target in targets {
            match Message::new(&happened) {
                Ok(message) => drop(tokio::spawn(self.clone().deliver(target, message))),
                Err(error) => tracing::warn!(%error, url = target.url, "a webhook fails"),
            }
        }
    }

    /// Sends a message until it is taken or refused for good.
    async fn deliver(self, target: Target, message: Message) {
        for attempt in 1..=ATTEMPTS {
            match self.0.webhooks.send(&target, &message).await {
                Ok((status, _)) if status < 500 && status != 429 => return,
                Ok((status, _)) => {
                    let url = &target.url;
                    tracing::warn!(status, url, "a webhook answers with an error");
                }
                Err(error) => tracing::warn!(%error, url = target.url, "a webhook fails"),
            }
            if attempt < ATTEMPTS {
                tokio::time::sleep(Duration::from_secs(1 << attempt)).await;
            }
        }
    }
}

pub(super) fn target(row: &Row<'_>) -> Result<Target> {
    Ok(Target {
        url: row.text(0)?,
        secret: row.optional_text(1)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hosts_that_are_allowed_are_told() {
        let sender = Sender::new(&[
            "hooks.example.com".into(),
            ".example.org".into(),
            "127.0.0.1".into(),
        ])
        .unwrap();
        for good in [
            "https://hooks.example.com/x",
            "https://a.b.example.org:8443/x",
            "http://127.0.0.1:1/x",
            "https://HOOKS.example.com",
        ] {
            assert!(sender.address(good).is_ok(), "{good}");
        }
        for bad in [
            "http://hooks.example.com/x",
            "https://example.com",
            "https://hooks.example.com.evil.net",
            "https://example.org",
            "https://evilexample.org",
            "https://user@hooks.example.com/",
            "https://169.254.169.254/latest/meta-data",
            "file:///etc/passwd",
            "/x",
            "",
        ] {
            assert!(sender.address(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn signatures_are_those_of_the_reference() {
        // python: hmac.new(b"secret", b"d.1.{}", sha256), base64
        assert_eq!(
            signature("secret", "d", "1", "{}"),
            "v1,4E54t1Pm5va13/ljdxqxPfvHoqVrL1swGgV3E2LNF0Q="
        );
    }
}
