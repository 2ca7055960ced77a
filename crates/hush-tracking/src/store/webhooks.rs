//! Webhooks: addresses that are told what happens in the registry.

use serde_json::json;

use super::Tracking;
use super::delivery::{Happened, Message, target};
use crate::database::{Row, Session, values};
use crate::filter::{Ordered, Query};
use crate::wire::{Page, Webhook, WebhookEvent, WebhookResult};
use crate::{Caller, TrackingError, limits, time};

type Result<T> = std::result::Result<T, TrackingError>;

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
        let message = Message::new(&Happened { event, data })?;
        Ok(match self.0.webhooks.send(&target, &message).await {
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
        })
    }
}

/// The size of a page of webhooks.
pub(crate) fn webhook_page(given: Option<i64>) -> Result<usize> {
    limits::page_size(given, 100, 1000)
        .map_err(|_| TrackingError::invalid("max_results must be between 1 and 1000."))
}
