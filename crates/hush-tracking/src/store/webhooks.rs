//! Webhooks: addresses that are told what happens in the registry, each message signed.
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
use crate::database::{Row, Session, values};
use crate::filter::{Ordered, Query};
use crate::wire::{Page, Webhook, WebhookEvent, WebhookResult};
use crate::{Caller, ErrorCode, TrackingError, limits, time};

type Result<T> = std::result::Result<T, TrackingError>;

/// How long an address may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often a message is sent that fails.
const ATTEMPTS: u32 = 3;
/// Bytes of an answer that are read.
const ANSWER: usize = 64 << 10;

/// What a new webhook begins with.
#[derive(Clone, Debug)]
pub struct NewWebhook {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// The address.
    pub url: String,
    /// What it is told of.
    pub events: Vec<WebhookEvent>,
    /// What messages are signed with.
    pub secret: Option<String>,
    /// Whether it is told anything.
    pub active: bool,
}

/// Something that happened.
#[derive(Clone, Debug)]
pub(super) struct Happened {
    event: WebhookEvent,
    data: Json,
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
    fn address(&self, url: &str) -> Result<Uri> {
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

    async fn send(&self, hook: &Target, happened: &Happened) -> Result<(u16, String)> {
        let uri = self.address(&hook.url)?;
        let client = self.client.get_or_init(|| {
            let builder = HttpsConnectorBuilder::new().with_native_roots().ok()?;
            let connector = builder.https_or_http().enable_http1().build();
            Some(Client::builder(TokioExecutor::new()).build(connector))
        });
        let client = client
            .as_ref()
            .ok_or_else(|| TrackingError::internal("webhooks", &"no certificates"))?;
        let request = message(uri, hook, happened)?;
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
struct Target {
    url: String,
    secret: Option<String>,
}

fn message(uri: Uri, hook: &Target, happened: &Happened) -> Result<Request<Body>> {
    let payload = json!({
        "entity": happened.event.entity.to_ascii_lowercase(),
        "action": happened.event.action.to_ascii_lowercase(),
        "timestamp": time::write_moment(time::now()),
        "data": happened.data,
    })
    .to_string();
    let delivery = time::id()?;
    let seconds = (time::now() / 1000).to_string();
    let mut request = Request::post(uri)
        .header("content-type", "application/json")
        .header("x-mlflow-delivery-id", &delivery)
        .header("x-mlflow-timestamp", &seconds);
    if let Some(secret) = &hook.secret {
        request = request.header(
            "x-mlflow-signature",
            signature(secret, &delivery, &seconds, &payload),
        );
    }
    request
        .body(Body::from(payload))
        .map_err(|error| TrackingError::internal("a webhook", &error))
}

/// HMAC-SHA256 of the message with its number and time, so that none can be repeated.
fn signature(secret: &str, delivery: &str, seconds: &str, payload: &str) -> HeaderValue {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, format!("{delivery}.{seconds}.{payload}").as_bytes());
    let text = format!("v1,{}", STANDARD.encode(tag));
    HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

const COLUMNS: &str =
    "SELECT id, webhook_id, name, description, url, events, active, created, updated FROM webhooks";

fn read(row: &Row<'_>) -> Result<Webhook> {
    Ok(Webhook {
        webhook_id: row.text(1)?,
        name: row.text(2)?,
        description: row.text(3)?,
        url: row.text(4)?,
        events: read_events(row.str(5)?),
        status: if row.truth(6)? { "ACTIVE" } else { "DISABLED" }.into(),
        creation_timestamp: row.integer(7)?,
        last_updated_timestamp: row.integer(8)?,
    })
}

/// `ENTITY.ACTION`, separated by commas.
fn read_events(text: &str) -> Vec<WebhookEvent> {
    let event = |text: &str| {
        let (entity, action) = text.split_once('.')?;
        let (entity, action) = (entity.to_owned(), action.to_owned());
        Some(WebhookEvent { entity, action })
    };
    text.split(',').filter_map(event).collect()
}

fn write_events(events: &[WebhookEvent]) -> Result<String> {
    if events.is_empty() {
        return Err(TrackingError::invalid("Webhook events cannot be empty"));
    }
    let plain =
        |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphabetic() || c == '_');
    let mut texts = Vec::with_capacity(events.len());
    for event in events {
        if !plain(&event.entity) || !plain(&event.action) {
            return Err(TrackingError::invalid(format!(
                "Invalid webhook event: {}.{}",
                event.entity, event.action
            )));
        }
        texts.push(format!(
            "{}.{}",
            event.entity.to_ascii_uppercase(),
            event.action.to_ascii_uppercase()
        ));
    }
    Ok(texts.join(","))
}

fn find(session: &mut Session<'_>, id: &str) -> Result<Webhook> {
    let found = session.query_first(
        &format!("{COLUMNS} WHERE webhook_id = ?"),
        &values![id],
        read,
    )?;
    found.ok_or_else(|| TrackingError::missing(format!("Webhook with ID {id} not found.")))
}

fn check_name(name: &str) -> Result<()> {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    if edge(name.chars().next())
        && edge(name.chars().last())
        && name.chars().all(inner)
        && name.len() <= 63
    {
        return Ok(());
    }
    Err(TrackingError::invalid(format!(
        "Webhook name '{name}' is invalid. It must start and end with a letter or digit, be less than 63 characters long, \
         and contain only letters, digits, dots (.), underscores (_), and hyphens (-)."
    )))
}

impl Tracking {
    /// Makes a webhook.
    ///
    /// # Errors
    /// The caller is no administrator, or the address is of no host that is allowed.
    pub async fn create_webhook(&self, caller: &Caller, new: NewWebhook) -> Result<Webhook> {
        caller.require_administrator()?;
        check_name(&new.name)?;
        self.0.webhooks.address(&new.url)?;
        let (id, events) = (time::id()?, write_events(&new.events)?);
        let work = move |session: &mut Session<'_>| {
            let now = time::now();
            session.execute(
                "INSERT INTO webhooks (webhook_id, name, description, url, events, secret, active, created, updated)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                &values![&id, &new.name, &new.description, &new.url, &events, new.secret.as_ref(), new.active, now, now],
            )?;
            find(session, &id)
        };
        self.database().write(work).await
    }

    /// A webhook.
    ///
    /// # Errors
    /// The caller is no administrator, or there is none.
    pub async fn webhook(&self, caller: &Caller, id: &str) -> Result<Webhook> {
        caller.require_administrator()?;
        let id = id.to_owned();
        self.database()
            .read(move |session: &mut Session<'_>| find(session, &id))
            .await
    }

    /// All webhooks, in pages.
    ///
    /// # Errors
    /// The caller is no administrator.
    pub async fn webhooks(
        &self,
        caller: &Caller,
        size: usize,
        token: Option<&str>,
    ) -> Result<Page<Webhook>> {
        caller.require_administrator()?;
        let token = token.map(str::to_owned);
        let work = move |session: &mut Session<'_>| {
            let mut query = Query::new("w.id", "webhooks w");
            query.order(Ordered::integer("w.id", false));
            let (ids, next) = query.page(session, size, token.as_deref())?;
            let sql = format!("{COLUMNS} WHERE id = ANY(?) ORDER BY id DESC");
            let items = session.query(&sql, &values![ids], read)?;
            Ok(Page { items, next })
        };
        self.database().read(work).await
    }

    /// Changes a webhook: what is `None` or empty stays as it is.
    ///
    /// # Errors
    /// As [`Tracking::create_webhook`].
    pub async fn update_webhook(
        &self,
        caller: &Caller,
        id: &str,
        new: NewWebhook,
        status: bool,
    ) -> Result<Webhook> {
        caller.require_administrator()?;
        if !new.name.is_empty() {
            check_name(&new.name)?;
        }
        if !new.url.is_empty() {
            self.0.webhooks.address(&new.url)?;
        }
        let events = if new.events.is_empty() {
            None
        } else {
            Some(write_events(&new.events)?)
        };
        let id = id.to_owned();
        let work = move |session: &mut Session<'_>| {
            find(session, &id)?;
            let given = |text: &String| (!text.is_empty()).then(|| text.clone());
            session.execute(
                "UPDATE webhooks SET name = coalesce(?, name), description = coalesce(?, description),
                 url = coalesce(?, url), events = coalesce(?, events), secret = coalesce(?, secret),
                 active = coalesce(?, active), updated = ? WHERE webhook_id = ?",
                &values![
                    given(&new.name),
                    given(&new.description),
                    given(&new.url),
                    events.clone(),
                    new.secret.clone(),
                    status.then_some(new.active),
                    time::now(),
                    &id,
                ],
            )?;
            find(session, &id)
        };
        self.database().write(work).await
    }

    /// Deletes a webhook.
    ///
    /// # Errors
    /// As [`Tracking::webhook`].
    pub async fn delete_webhook(&self, caller: &Caller, id: &str) -> Result<()> {
        caller.require_administrator()?;
        let id = id.to_owned();
        let work = move |session: &mut Session<'_>| {
            find(session, &id)?;
            session
                .execute("DELETE FROM webhooks WHERE webhook_id = ?", &values![&id])
                .map(drop)
        };
        self.database().write(work).await
    }

    /// Sends an example to a webhook.
    ///
    /// # Errors
    /// As [`Tracking::webhook`]. What goes wrong with the address is in the result.
    pub async fn test_webhook(
        &self,
        caller: &Caller,
        id: &str,
        event: Option<WebhookEvent>,
    ) -> Result<WebhookResult> {
        let hook = self.webhook(caller, id).await?;
        let event = event.or_else(|| hook.events.first().cloned());
        let event = event.ok_or_else(|| TrackingError::invalid("the webhook waits for nothing"))?;
        let name = id.to_owned();
        let target = move |session: &mut Session<'_>| {
            let sql = "SELECT url, secret FROM webhooks WHERE webhook_id = ?";
            session.query_first(sql, &values![&name], target)
        };
        let target = self.database().read(target).await?;
        let target = target
            .ok_or_else(|| TrackingError::missing(format!("Webhook with ID {id} not found.")))?;
        let data = json!({
            "name": "example_model", "version": "1", "source": "models:/123", "run_id": "abcd1234abcd5678",
            "tags": {"example_key": "example_value"}, "description": "An example",
        });
        Ok(
            match self
                .0
                .webhooks
                .send(&target, &Happened { event, data })
                .await
            {
                Ok((status, body)) => WebhookResult {
                    success: (200..300).contains(&status),
                    response_status: Some(status),
                    response_body: Some(body),
                    error_message: None,
                },
                Err(error) => WebhookResult {
                    success: false,
                    response_status: None,
                    response_body: None,
                    error_message: Some(error.to_string()),
                },
            },
        )
    }

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
            let (tracking, happened) = (self.clone(), happened.clone());
            tokio::spawn(async move {
                for attempt in 1..=ATTEMPTS {
                    match tracking.0.webhooks.send(&target, &happened).await {
                        Ok((status, _)) if status < 500 && status != 429 => return,
                        Ok((status, _)) => tracing::warn!(
                            status,
                            url = target.url,
                            "a webhook answers with an error"
                        ),
                        Err(error) => tracing::warn!(%error, url = target.url, "a webhook fails"),
                    }
                    tokio::time::sleep(Duration::from_secs(1 << attempt)).await;
                }
            });
        }
    }
}

fn target(row: &Row<'_>) -> Result<Target> {
    Ok(Target {
        url: row.text(0)?,
        secret: row.optional_text(1)?,
    })
}

/// The size of a page of webhooks.
pub(crate) fn webhook_page(given: Option<i64>) -> Result<usize> {
    limits::page_size(given, 100, 1000)
        .map_err(|_| TrackingError::invalid("max_results must be between 1 and 1000."))
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
